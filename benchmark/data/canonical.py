"""The form that every data set is brought into: arrays, order of rows, fingerprints."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmark.errors import UsageError

Array = npt.NDArray[Any]
Arrays = dict[str, Array]

# Number of images and fingerprint of each split of the sets that are what their name says.
FINGERPRINTS: dict[str, dict[str, tuple[int, str]]] = {
    "cifar10": {
        "train": (50_000, "d59acf989e068e709ce686cda292672c7b212c08d29d3d3e6d8c3aa99eba6a85"),
        "test": (10_000, "899683d46c3a8c66fd56e1af12202e69fe5a4517be10b0f68e04c78fe585c57c"),
    },
    "cifar100": {
        "train": (50_000, "36ce7a701fbea47796e570c34382aad50f2539687cfcbc6ae96e2f56530d29b6"),
        "test": (10_000, "d3cd5d87a1b9317a0982c8ef5535fe3b86da8da90b13ce5e9b23ea06400dd5eb"),
    },
    "fractal10": {
        "train": (5_000, "7bb6e0db63ca6ffbec6f64fcb75623aaeb59dc3206a528648b9b30db01b9619c"),
        "test": (1_000, "425ff246f2d8b1be7edf17f66dc5d7c523cd870e2170ba024534acedf23a50a1"),
    },
}
SPLITS = ("train", "test")
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels", "classes")
VALIDATION = "validation"  # a third split, where the source has one of its own
SIDE = 32  # pixels


def splits_in(arrays: Arrays) -> tuple[str, ...]:
    """Returns the splits that a source has."""
    return (*SPLITS, *((VALIDATION,) if f"{VALIDATION}_images" in arrays else ()))


def check(arrays: Arrays, source: Path, side: int = SIDE) -> None:
    """Raises UsageError unless the arrays have the types, shapes and label range of a data set of `side` pixels."""

    def demand(fine: bool, key: str, wanted: str, found: object) -> None:
        if not fine:
            raise UsageError(f"{source}: {key} must be {wanted}, found {found}; correct it")

    def kind(array: Array) -> str:
        return f"{array.dtype} {array.shape}"

    classes = arrays["classes"]
    fine = classes.dtype.kind == "U" and classes.ndim == 1 and 2 <= len(set(classes)) == len(classes) <= 256
    demand(
        fine,
        "classes",
        "text (n,), 2 to 256 different names",
        f"{kind(classes)}: {', '.join(map(str, classes.flat[:3]))}",
    )
    least_of = {"train": 10}  # a tenth of the training images is held out
    for split in splits_in(arrays):
        least = least_of.get(split, 1)
        images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
        fine = images.dtype == np.uint8 and images.ndim == 4 and images.shape[1:] == (side, side, 3)
        demand(fine, f"{split}_images", f"uint8 (n, {side}, {side}, 3)", kind(images))
        demand(len(images) >= least, f"{split}_images", f"at least {least}", len(images))
        fine = labels.dtype.kind in "iu" and labels.shape == images.shape[:1]
        demand(fine, f"{split}_labels", f"integers ({len(images)},), one per image", kind(labels))
        for label in (labels.min(), labels.max()):
            wanted = f"0 to {len(classes) - 1}, as there are {len(classes)} classes"
            demand(0 <= label < len(classes), f"{split}_labels", wanted, label)


# Canonical form and fingerprints


def fingerprint_of(images: Array, labels: Array) -> str:
    """Returns 64 hex digits for images uint8 (n, 32, 32, 3) and labels (n,), 0 to 255, in any order."""
    return canonical(images, labels)[2]


def canonical(images: Array, labels: Array) -> tuple[Array, Array, str]:
    """Returns the rows in ascending order of their digests, labels as uint8, and the fingerprint."""
    rows = zip(np.ascontiguousarray(images), labels.tolist(), strict=True)
    digests = [hashlib.sha256(bytes([label]) + image.tobytes()).digest() for image, label in rows]
    order = sorted(range(len(digests)), key=digests.__getitem__)
    fingerprint = hashlib.sha256(b"".join(digests[i] for i in order)).hexdigest()
    return np.ascontiguousarray(images[order]), labels[order].astype(np.uint8), fingerprint


def put_in_order(arrays: Arrays) -> Arrays:
    """Returns all splits in canonical form, with the fingerprints as further arrays."""
    ordered: Arrays = {key: arrays[key] for key in ("classes", "remarks") if key in arrays}
    for split in splits_in(arrays):
        images, labels, fingerprint = canonical(arrays[f"{split}_images"], arrays[f"{split}_labels"])
        ordered |= {f"{split}_images": images, f"{split}_labels": labels}
        ordered[f"{split}_fingerprint"] = np.array(fingerprint)
    return ordered


def seen_twice(arrays: Arrays) -> str:
    """Returns a sentence about test images that are among the training or validation images too, or ""."""
    learned = {digest for split in splits_in(arrays) if split != "test" for digest in digests(arrays, split)}
    tested = digests(arrays, "test")
    both = sum(digest in learned for digest in tested)
    known = f"{both} of {len(tested)} test images are among the training or validation images too"
    return f"{known}; their accuracy is flattered" if both else ""


def digests(arrays: Arrays, split: str) -> list[bytes]:
    """Returns the sha256 of each image of a split, whatever its label."""
    return [hashlib.sha256(image.tobytes()).digest() for image in arrays[f"{split}_images"]]


def difference(name: str, arrays: Arrays) -> str:
    """Returns what is wrong with the splits of a set whose fingerprints are known, or ""."""
    wrong = []
    for split, (count, fingerprint) in FINGERPRINTS.get(name, {}).items():
        images, found = len(arrays[f"{split}_images"]), str(arrays[f"{split}_fingerprint"])
        if found != fingerprint:
            expected = f"{count} images with fingerprint {fingerprint[:8]}"
            wrong.append(f"{split} should be {expected}, found {images} with {found[:8]}")
    return " and ".join(wrong)
