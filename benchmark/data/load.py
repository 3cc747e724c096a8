"""Where the images come from, how we know that they are the right ones, and which of them are held out.

Results can be compared only if they come from the same images. So every data set, however it was obtained, is
brought into one canonical form and named by a fingerprint. Each row (a label byte and the 3,072 bytes of its
image) has a sha256 digest; rows stand in ascending order of their digests, and a split's fingerprint is the
sha256 of the concatenated digests. Neither depends on the order, container or program in which they arrived.
A set named cifar10, cifar100 or fractal10 is refused unless its fingerprints are the known ones; any other is
the user's own and taken as it is.

The set NAME is read from the first of these that the data folder has:

1. `.cache/NAME.npz`, written by this module; valid until its source changes, also if the source is gone.
2. `NAME.npz`: train_images and test_images (uint8, n x 32 x 32 x 3, RGB), train_labels and test_labels
   (integers), classes (text, the name of each label); rows in any order.
3. `NAME/{train,test}/CLASS/*.png` (or .jpg, .jpeg), 32 x 32 pixels; see `benchmark.data.pictures`.
4. For CIFAR the official archive [1, 2], packed or unpacked; torchvision [3] reads it, compares its checksums
   and, if it is missing, downloads it.

fractal10 needs no file: `benchmark.data.fractals` draws it. `NAME@64` is a set of the user's own, its images resized
to 64 x 64 pixels (`--image-size 64`). A set with a folder `val`, or with validation_images and validation_labels, is
validated on these.

A tenth of the training images is held out for validation, so that nothing is decided by the test images. The
choice is fixed and stratified: a class's rows, ranked in canonical order (as good as random), have positions
(rank + 1/2) / class size; sorting all rows by position spreads the classes evenly. The first tenth is for
validation, the rest, in that order, for training; hence any prefix of either is stratified too.

[1] https://www.cs.toronto.edu/~kriz/cifar.html
[2] A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009,
    https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf
[3] https://docs.pytorch.org/vision/stable/generated/torchvision.datasets.CIFAR10.html
"""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import numpy as np

from benchmark.budgets import asked_side, bare_name
from benchmark.data.cache import CACHE_FORMAT, cache_file, read_cache, signature, write_cache
from benchmark.data.canonical import SIDE, VALIDATION, Arrays, difference, put_in_order, seen_twice, splits_in
from benchmark.data.sources import CIFAR, PAGE, archive, fetch, has_tar, read_source, torchvision_class
from benchmark.data.splits import DataSet, as_split, hold_out
from benchmark.errors import UsageError, unknown

SIDES = (8, 512)  # pixels that images may be resized to
BUILT_IN = {"cifar10", "cifar100", "fractal10", "auto"}


def load(name: str, folder: Path, replaceable: bool = True) -> DataSet:
    """Returns the data set NAME of the data folder, downloaded if necessary, verified and cached in `folder/.cache`.

    Raises UsageError if the set is unknown, cannot be had, is damaged or is not what its name says, or if the
    cache cannot be written; where it is `replaceable`, the sentence offers another set in its place.
    """
    name, _ = choose(name, folder)
    arrays = verified(name, folder, replaceable)
    train, validation = hold_out(arrays["train_images"], arrays["train_labels"], share=10)
    if f"{VALIDATION}_images" in arrays:
        train, _ = hold_out(arrays["train_images"], arrays["train_labels"], share=0)
        validation, _ = hold_out(arrays[f"{VALIDATION}_images"], arrays[f"{VALIDATION}_labels"], share=0)
    return DataSet(
        name=name,
        classes=tuple(arrays["classes"].tolist()),
        train=train,
        validation=validation,
        test=as_split(arrays["test_images"], arrays["test_labels"]),
        fingerprint=fingerprint(arrays),
        remarks=tuple(arrays["remarks"].tolist()) if "remarks" in arrays else (),
    )


def fingerprint_of(name: str, folder: Path, replaceable: bool = True) -> str:
    """Returns the fingerprint of the data set that `load` gives, without splitting it. Raises UsageError as `load`
    does."""
    return fingerprint(verified(choose(name, folder)[0], folder, replaceable))


def fingerprint(arrays: Arrays) -> str:
    """Returns 64 hexadecimal digits that cover the images and labels of all splits."""
    prints = "".join(str(arrays[f"{split}_fingerprint"]) for split in splits_in(arrays))
    return hashlib.sha256(prints.encode()).hexdigest()


def verified(name: str, folder: Path, replaceable: bool) -> Arrays:
    """Returns the arrays of a data set, from the cache if it is valid. Raises UsageError as `load` does."""
    source = find_source(name, folder)
    return read_cache(cache_file(name, folder), name, source) or build_cache(name, folder, source, replaceable)


def build_cache(name: str, folder: Path, source: Path | None, replaceable: bool) -> Arrays:
    """Reads the source (downloading the archive if need be), verifies what it gave and caches it."""
    if name in CIFAR and source in (None, archive(name, folder)):
        why = fetch(name, folder)
        if why:
            what = f"{source} is damaged" if source else there_is_no(name, folder)
            raise UsageError(f"{what} and {why}; {by_hand(name, folder, replaceable)}")
        source = archive(name, folder)
    if source is None:
        raise UsageError(
            f"{cache_file(name, folder)} is damaged, its source gone; {by_hand(name, folder, replaceable)}"
        )
    try:
        mark = signature(source)  # before reading: a change made meanwhile must show at the next load
        arrays = put_in_order(read_source(name, source))
    except OSError as error:
        raise UsageError(f"{source} cannot be read: {error}; make it readable") from error
    wrong = difference(name, arrays)
    if wrong:
        raise UsageError(f"{source} is not the true {name}: {wrong}; replace it or give it another name")
    if name not in BUILT_IN and (sentence := seen_twice(arrays)):
        arrays["remarks"] = np.array([*arrays.get("remarks", np.array([], np.str_)).tolist(), f"{name}: {sentence}"])
    extra = {"signature": np.array(mark), "format": np.array(CACHE_FORMAT)}
    write_cache(cache_file(name, folder), arrays | extra)
    return arrays


def choose(name: str, folder: Path) -> tuple[str, str]:
    """Returns the set that NAME stands for, and why, in words; only "auto" is a choice: CIFAR-10 if it is available.

    May download it. Raises UsageError for a name that is neither built in nor found in the folder.
    """
    known = set_names(folder)
    if bare_name(name) not in known:
        raise unknown("data set", bare_name(name), known)
    if asked_side(name) and bare_name(name) in BUILT_IN:
        raise UsageError(f"{bare_name(name)} has images of {SIDE} pixels; --image-size is for sets of your own")
    if not SIDES[0] <= (asked_side(name) or SIDE) <= SIDES[1]:
        raise UsageError(f"images can be resized to {SIDES[0]} to {SIDES[1]} pixels, got {asked_side(name)}")
    if name != "auto":
        return name, "asked for by name"
    if find_source("cifar10", folder) or zipfile.is_zipfile(cache_file("cifar10", folder)):
        return "cifar10", f"found in {folder}"
    why = fetch("cifar10", folder)
    if why:
        return "fractal10", f"{there_is_no('cifar10', folder)} and {why}"
    return "cifar10", f"downloaded from {torchvision_class('cifar10').url}"


def set_names(folder: Path) -> set[str]:
    """Returns the built-in names and those of the .npz files, folders and caches in the data folder."""
    there = {path.name for path in folder.glob("*") if path.is_dir()}
    there |= {bare_name(path.stem) for place in (folder, folder / ".cache") for path in place.glob("*.npz")}
    archives = {unpacked for _, unpacked, _ in CIFAR.values()}
    return {name for name in there if not name.startswith(".")} - archives | BUILT_IN


def find_source(name: str, folder: Path) -> Path | None:
    """Returns what the set is read from if nothing is downloaded; it may turn out to be damaged."""
    if (file := folder / f"{bare_name(name)}.npz").is_file():
        return file
    if (tree := folder / bare_name(name)).is_dir():
        return tree
    if name == "fractal10":
        return Path(__file__).with_name("fractals.py")
    if name in CIFAR:
        return there if (there := archive(name, folder)).is_dir() or has_tar(name, folder) else None
    return None


def there_is_no(name: str, folder: Path) -> str:
    """Returns a sentence that a CIFAR set is missing: a damaged archive is named, for it looks as if it were there."""
    packed = folder / CIFAR[name][2]
    if not packed.is_file():
        return f"there is no {name} in {folder}"
    size = packed.stat().st_size
    return f"{packed} is damaged or not downloaded to its end ({size:,} bytes, and its checksum differs): remove it"


def by_hand(name: str, folder: Path, replaceable: bool) -> str:
    """Returns how the user can supply the set, or do without it."""
    ways = f"put {folder / name}.npz or {folder / name}/{{train,test}}/CLASS/*.png there"
    if name in CIFAR:
        ways += f", or {folder / CIFAR[name][2]} (packed or unpacked) from {PAGE}"
    return f"{ways}; or use --data fractal10, which needs no file" if replaceable else ways
