"""Training, validation and test images, and the folds of cross-validation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from benchmark.data.canonical import Array


@dataclass(frozen=True, eq=False)
class Split:
    """Images and the class number of each."""

    images: Tensor  # (n, 32, 32, 3) uint8, RGB
    labels: Tensor  # (n,) int64, indices of the set's classes


@dataclass(frozen=True, eq=False)
class DataSet:
    """A verified data set; its fingerprint (64 hex digits) covers the images and labels of all splits."""

    name: str
    classes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    fingerprint: str
    remarks: tuple[str, ...] = ()  # sentences about how the images were read, for the user


# Splits


def interleaved(labels: Array) -> Array:
    """Returns row numbers int64 (n,) in an order in which the classes are spread evenly."""
    counts = np.bincount(labels)
    by_class = np.argsort(labels, kind="stable")
    rank = np.empty(len(labels), np.int64)
    rank[by_class] = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.argsort((rank + 0.5) / counts[labels], kind="stable")


def hold_out(images: Array, labels: Array, share: int = 10) -> tuple[Split, Split]:
    """Returns the training and the validation split of training images in canonical order: one in `share`,
    0 for none."""
    order = interleaved(labels)
    size = len(order) // share if share else 0
    train, validation = order[size:], order[:size]
    return as_split(images[train], labels[train]), as_split(images[validation], labels[validation])


@lru_cache(maxsize=1)  # a worker trains one fold of everything before the next
def folded(data: DataSet, fold: int, folds: int) -> DataSet:
    """Returns `data` with one of `folds` parts of its training images for validation, the others for training, none
    for test.

    Validation and training images as they stand make up all of them, spread evenly by class: every run of neighbours
    is stratified, so the parts are such runs. Part 0 of 10 is the usual validation split.
    """
    images, labels = (
        torch.cat([getattr(data.validation, part), getattr(data.train, part)]) for part in ("images", "labels")
    )
    begin, end = (at * len(labels) // folds for at in (fold, fold + 1))
    others = torch.cat([torch.arange(begin), torch.arange(end, len(labels))])
    return replace(
        data,
        train=Split(images[others], labels[others]),
        validation=Split(images[begin:end], labels[begin:end]),
        test=Split(images[:0], labels[:0]),
    )


def as_split(images: Array, labels: Array) -> Split:
    return Split(torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64)))
