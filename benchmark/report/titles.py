"""Titles of tables, as readers write them: the store knows ablations by the names of their modules."""

from __future__ import annotations

from benchmark.store.records import TableRecord

TITLES = {  # of modules whose name with a capital and blanks is not how the field writes it
    "adam_family": "Adam's family",
    "auto_augment": "AutoAugment",
    "auto_augment_policy": "AutoAugment's policy",
    "col_out": "ColOut",
    "dose": "Length of training and tricks",
    "drop_block": "DropBlock",
    "fancy_pca": "Fancy PCA",
    "glorot": "Glorot",
    "grid_mask": "GridMask",
    "lenet": "LeNet",
    "lsuv": "LSUV",
    "mixup_or_cutmix": "Mixup or CutMix",
    "multi_crop": "Multi-crop",
    "sam": "SAM",
    "schedule_free": "Schedule-free",
    "squeeze_excitation": "Squeeze-and-excitation",
    "test_time": "At test time",
    "three_augment": "3-Augment",
    "he_depth": "He's depth",
    "caffenet": "CaffeNet",
    "caffenet_activations": "CaffeNet's activations",
    "alexnet": "AlexNet",
    "swa": "SWA",
    "zca": "ZCA",
}


def of_ablation(name: str) -> str:
    """Returns an ablation's title: "Label smoothing" for label_smoothing."""
    words = name.replace("_", " ")
    return TITLES.get(name, words[:1].upper() + words[1:])


def title(study: TableRecord, several: bool = False) -> str:
    """Returns a table's title with its context, and its data set and budget where there are `several`."""
    parts = [study.context, *([study.data, study.budget] if several else [])]
    about = ", ".join(part for part in parts if part)
    return f"{of_ablation(study.ablation)} ({about})" if about else of_ablation(study.ablation)
