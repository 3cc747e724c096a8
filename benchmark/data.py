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
3. `NAME/{train,test}/CLASS/*.png` (or .jpg, .jpeg), 32 x 32 pixels.
4. For CIFAR the official archive [1, 2], packed or unpacked; torchvision [3] reads it, compares its checksums
   and, if it is missing, downloads it.

fractal10 needs no file: `benchmark.fractals` draws it.

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

import contextlib
import hashlib
import os
import socket
import threading
import urllib.request
import uuid
import warnings
import zipfile
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from benchmark.errors import UsageError, unknown

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
# torchvision's class, and the archive's name unpacked and packed (asking torchvision would take a second).
CIFAR = {
    "cifar10": ("CIFAR10", "cifar-10-batches-py", "cifar-10-python.tar.gz"),
    "cifar100": ("CIFAR100", "cifar-100-python", "cifar-100-python.tar.gz"),
}
PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
BUILT_IN = {"cifar10", "cifar100", "fractal10", "auto"}
SPLITS = ("train", "test")
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels", "classes")
SIDE = 32  # pixels
PICTURES = {".png", ".jpg", ".jpeg"}
CACHE_FORMAT = "1"  # raise it whenever what the cache holds changes its meaning
PROBE_SECONDS = 5.0  # a reachable host answers far sooner; a dead network must not hang the program
STALL_SECONDS = 30.0  # a download that brings nothing for so long is given up


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


def load(name: str, folder: Path) -> DataSet:
    """The data set NAME of the data folder, downloaded if need be, verified and cached in `folder/.cache`.

    Raises UsageError if the set is unknown, cannot be had, is damaged or is not what its name says, or if the
    cache cannot be written.
    """
    name, _ = choose(name, folder)
    source = find_source(name, folder)
    arrays = read_cache(cache_file(name, folder), name, source) or build(name, folder, source)
    train, validation = hold_out(arrays["train_images"], arrays["train_labels"])
    prints = f"{arrays['train_fingerprint']}{arrays['test_fingerprint']}"
    return DataSet(
        name=name,
        classes=tuple(arrays["classes"].tolist()),
        train=train,
        validation=validation,
        test=as_split(arrays["test_images"], arrays["test_labels"]),
        fingerprint=hashlib.sha256(prints.encode()).hexdigest(),
    )


def build(name: str, folder: Path, source: Path | None) -> Arrays:
    """Reads the source (downloading the archive if need be), verifies what it gave and caches it."""
    if name in CIFAR and source in (None, archive(name, folder)):
        why = fetch(name, folder)
        if why:
            what = f"{source} is damaged" if source else f"there is no {name} in {folder}"
            raise UsageError(f"{what} and {why}; {by_hand(name, folder)}")
        source = archive(name, folder)
    if source is None:
        raise UsageError(f"{cache_file(name, folder)} is damaged, its source gone; {by_hand(name, folder)}")
    try:
        mark = signature(source)  # before reading: a change made meanwhile must show at the next load
        arrays = put_in_order(read(name, source))
    except OSError as error:
        raise UsageError(f"{source} cannot be read: {error}; make it readable") from error
    wrong = difference(name, arrays)
    if wrong:
        raise UsageError(f"{source} is not the true {name}: {wrong}; replace it or give it another name")
    extra = {"signature": np.array(mark), "format": np.array(CACHE_FORMAT)}
    write_cache(cache_file(name, folder), arrays | extra)
    return arrays


def choose(name: str, folder: Path) -> tuple[str, str]:
    """The set that NAME stands for, and why, in words; only "auto" is a choice: CIFAR-10 if that can be had.

    May download it. Raises UsageError for a name that is neither built in nor found in the folder.
    """
    known = names(folder)
    if name not in known:
        raise unknown("data set", name, known)
    if name != "auto":
        return name, "asked for by name"
    if find_source("cifar10", folder) or zipfile.is_zipfile(cache_file("cifar10", folder)):
        return "cifar10", f"found in {folder}"
    why = fetch("cifar10", folder)
    if why:
        return "fractal10", f"no CIFAR-10 in {folder} and {why}"
    return "cifar10", f"downloaded from {torchvision_class('cifar10').url}"


def names(folder: Path) -> set[str]:
    """The built-in names and those of the .npz files, folders and caches in the data folder."""
    there = {path.name for path in folder.glob("*") if path.is_dir()}
    there |= {path.stem for place in (folder, folder / ".cache") for path in place.glob("*.npz")}
    archives = {unpacked for _, unpacked, _ in CIFAR.values()}
    return {name for name in there if not name.startswith(".")} - archives | BUILT_IN


def find_source(name: str, folder: Path) -> Path | None:
    """What the set is read from if nothing is downloaded; it may turn out to be damaged."""
    if (file := folder / f"{name}.npz").is_file():
        return file
    if (tree := folder / name).is_dir():
        return tree
    if name == "fractal10":
        return Path(__file__).with_name("fractals.py")
    if name in CIFAR:
        return there if (there := archive(name, folder)).is_dir() or has_tar(name, folder) else None
    return None


def by_hand(name: str, folder: Path) -> str:
    """How the user can supply the set."""
    ways = f"put {folder / name}.npz or {folder / name}/{{train,test}}/CLASS/*.png there"
    if name in CIFAR:
        ways += f", or {folder / CIFAR[name][2]} (packed or unpacked) from {PAGE}"
    return f"{ways}; or use --data fractal10, which needs no file"


# Sources


def read(name: str, source: Path) -> Arrays:
    """The checked ARRAYS of a source, rows in its own order."""
    if source.name == f"{name}.npz":
        arrays = read_npz(source)
    elif source.name == name:
        arrays = read_tree(source)
    elif name in CIFAR:
        arrays = read_archive(name, source.parent)
    else:
        from benchmark.fractals import fractal10  # only this set needs it

        arrays = fractal10()
    check(arrays, source)
    return arrays


def read_npz(path: Path) -> Arrays:
    """The ARRAYS in an .npz file."""
    try:
        with zipfile.ZipFile(path):  # np.load takes a file that is no zip for a pickle, and says so
            pass
        with np.load(path, allow_pickle=False) as file:
            missing = [key for key in ARRAYS if key not in file]
            arrays = {key: file[key] for key in ARRAYS if key not in missing}
    except Exception as error:  # zipfile and numpy raise nearly anything on a damaged file
        raise UsageError(f"{path} cannot be read: {error}; replace or remove it") from error
    if missing:
        raise UsageError(f"{path} lacks {', '.join(missing)}; it must hold {', '.join(ARRAYS)}")
    return arrays


def check(arrays: Arrays, source: Path) -> None:
    """Raises UsageError unless the arrays have the types, shapes and label range of a data set."""

    def demand(fine: bool, key: str, wanted: str, found: object) -> None:
        if not fine:
            raise UsageError(f"{source}: {key} must be {wanted}, found {found}; correct it")

    def kind(array: Array) -> str:
        return f"{array.dtype} {array.shape}"

    classes = arrays["classes"]
    fine = classes.dtype.kind == "U" and classes.ndim == 1 and 1 <= len(set(classes)) == len(classes) <= 256
    demand(fine, "classes", "text (n,), 1 to 256 different names", kind(classes))
    for split, least in (("train", 10), ("test", 1)):  # a tenth of the training images is held out
        images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
        fine = images.dtype == np.uint8 and images.ndim == 4 and images.shape[1:] == (SIDE, SIDE, 3)
        demand(fine, f"{split}_images", f"uint8 (n, {SIDE}, {SIDE}, 3)", kind(images))
        demand(len(images) >= least, f"{split}_images", f"at least {least}", len(images))
        fine = labels.dtype.kind in "iu" and labels.shape == images.shape[:1]
        demand(fine, f"{split}_labels", f"integers ({len(images)},), one per image", kind(labels))
        for label in (labels.min(), labels.max()):
            wanted = f"0 to {len(classes) - 1}, as there are {len(classes)} classes"
            demand(0 <= label < len(classes), f"{split}_labels", wanted, label)


def read_tree(tree: Path) -> Arrays:
    """The ARRAYS of an image folder; classes are the sorted names of the folders in train."""
    for split in SPLITS:
        if not (tree / split).is_dir():
            raise UsageError(f"{tree} has no folder {split!r}; it must hold {{train,test}}/CLASS/*.png")
    classes = sorted(path.name for path in class_folders(tree / "train"))
    if not classes:
        raise UsageError(f"{tree / 'train'} has no class folders; it must hold CLASS/*.png")
    arrays = {"classes": np.array(classes)}
    for split in SPLITS:
        images, labels = [], []
        for place in class_folders(tree / split):
            if place.name not in classes:
                raise UsageError(f"{place}: there is no class {place.name!r} in train; add or remove it")
            files = sorted(path for path in place.iterdir() if path.suffix.lower() in PICTURES)
            if not files:
                raise UsageError(f"{place} has no .png, .jpg or .jpeg file; add images or remove the folder")
            images += [read_picture(path) for path in files]
            labels += [classes.index(place.name)] * len(files)
        arrays[f"{split}_images"] = np.array(images, np.uint8).reshape(-1, SIDE, SIDE, 3)  # also of none
        arrays[f"{split}_labels"] = np.array(labels, np.int64)
    return arrays


def class_folders(place: Path) -> list[Path]:
    return sorted(path for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))


def read_picture(path: Path) -> Array:
    """One image, uint8 (32, 32, 3)."""
    try:
        with Image.open(path) as picture:
            size = picture.size
            pixels = np.asarray(picture.convert("RGB")) if size == (SIDE, SIDE) else None
    except Exception as error:  # Pillow raises nearly anything on a damaged file
        raise UsageError(f"{path} cannot be read as an image: {error}; replace or remove it") from error
    if pixels is None:
        raise UsageError(f"{path} is {size[0]} x {size[1]} pixels; resize all images to {SIDE} x {SIDE}")
    return pixels


# The official archive


def torchvision_class(name: str) -> Any:
    """torchvision's class for a CIFAR set; it knows the archive's address and checksums."""
    import torchvision  # here, as importing it takes a second

    return getattr(torchvision.datasets, CIFAR[name][0])


def archive(name: str, folder: Path) -> Path:
    """The folder of the unpacked archive."""
    return folder / CIFAR[name][1]


def has_tar(name: str, folder: Path) -> bool:
    """Whether the packed archive is there and whole."""
    path = folder / CIFAR[name][2]
    if not path.is_file():
        return False
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return bool(found == torchvision_class(name).tgz_md5)


def read_archive(name: str, folder: Path, download: bool = False) -> Arrays:
    """The ARRAYS of the archive, whose checksums torchvision compares; raises whatever torchvision does."""
    kind = torchvision_class(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python and numpy deprecate how torchvision unpacks and unpickles
        parts = {split: kind(folder, train=split == "train", download=download) for split in SPLITS}
    arrays = {"classes": np.array(parts["train"].classes)}
    for split, part in parts.items():
        arrays |= {f"{split}_images": part.data, f"{split}_labels": np.array(part.targets)}
    return arrays


def fetch(name: str, folder: Path) -> str:
    """Unpacks or downloads the archive unless that has been done; why that failed, or ""."""
    with contextlib.suppress(RuntimeError, OSError):  # the archive is missing, damaged or unreadable
        read_archive(name, folder)
        return ""
    url = torchvision_class(name).url
    if not has_tar(name, folder):
        why = probe(url)
        if why:
            return f"no network: {url}: {why}"
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(STALL_SECONDS)
    try:
        read_archive(name, folder, download=True)
    except Exception as error:  # network, disk, tar and checksum errors have no common class
        return f"downloading or unpacking failed: {url}: {error}"
    finally:
        socket.setdefaulttimeout(before)
    return ""


def probe(url: str) -> str:
    """Why the address cannot be reached, or "" if it answers within PROBE_SECONDS."""
    outcome = [f"no answer within {PROBE_SECONDS:.0f} s"]

    def ask() -> None:
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=PROBE_SECONDS).close()
            outcome[0] = ""
        except Exception as error:  # whatever it is, there is no way to that host
            outcome[0] = str(error)

    # In a thread, as looking up the host's name heeds no timeout; by urllib, as it heeds proxy settings.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return outcome[0]


# Canonical form and fingerprints


def fingerprint_of(images: Array, labels: Array) -> str:
    """64 hex digits; images uint8 (n, 32, 32, 3) and labels (n,), 0 to 255, in any order."""
    return canonical(images, labels)[2]


def canonical(images: Array, labels: Array) -> tuple[Array, Array, str]:
    """The rows in ascending order of their digests, labels as uint8, and the fingerprint."""
    rows = zip(np.ascontiguousarray(images), labels.tolist(), strict=True)
    digests = [hashlib.sha256(bytes([label]) + image.tobytes()).digest() for image, label in rows]
    order = sorted(range(len(digests)), key=digests.__getitem__)
    fingerprint = hashlib.sha256(b"".join(digests[i] for i in order)).hexdigest()
    return np.ascontiguousarray(images[order]), labels[order].astype(np.uint8), fingerprint


def put_in_order(arrays: Arrays) -> Arrays:
    """Both splits in canonical form, with the fingerprints as further arrays."""
    ordered = {"classes": arrays["classes"]}
    for split in SPLITS:
        images, labels, fingerprint = canonical(arrays[f"{split}_images"], arrays[f"{split}_labels"])
        ordered |= {f"{split}_images": images, f"{split}_labels": labels}
        ordered[f"{split}_fingerprint"] = np.array(fingerprint)
    return ordered


def difference(name: str, arrays: Arrays) -> str:
    """What is wrong with the splits of a set whose fingerprints are known, or ""."""
    wrong = []
    for split, (count, fingerprint) in FINGERPRINTS.get(name, {}).items():
        images, found = len(arrays[f"{split}_images"]), str(arrays[f"{split}_fingerprint"])
        if found != fingerprint:
            expected = f"{count} images with fingerprint {fingerprint[:8]}"
            wrong.append(f"{split} should be {expected}, found {images} with {found[:8]}")
    return " and ".join(wrong)


# Cache


def cache_file(name: str, folder: Path) -> Path:
    return folder / ".cache" / f"{name}.npz"


def signature(source: Path) -> str:
    """Changes when a file of the source is added, removed or written: sha256 of names, sizes and times."""
    tree = os.walk(source, followlinks=True)
    files = [source] if source.is_file() else [Path(at, name) for at, _, names in tree for name in names]
    lines = [
        f"{path.relative_to(source.parent).as_posix()} {path.stat().st_size} {path.stat().st_mtime_ns}"
        for path in sorted(files)
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def read_cache(path: Path, name: str, source: Path | None) -> Arrays | None:
    """What put_in_order gave, or None if the cache is missing, stale, damaged or not ours."""
    try:
        # np.load compares the checksums of what it reads; opened here, as it leaves a damaged file open
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            if file["format"] != CACHE_FORMAT or (source and file["signature"] != signature(source)):
                return None
            arrays = {key: file[key] for key in (*ARRAYS, "train_fingerprint", "test_fingerprint")}
            check(arrays, path)
    except Exception:  # zipfile and numpy raise nearly anything on a damaged file, which is made anew
        return None
    return None if difference(name, arrays) else arrays


def write_cache(path: Path, arrays: Arrays) -> None:
    """Writes the cache whole or not at all; several processes may do so at once."""
    part = path.with_name(f".{path.stem}.{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("xb") as file:
            np.savez(file, allow_pickle=False, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        remedy = "make room or name another folder with --data-dir"
        raise UsageError(f"cannot write {path}: {error.strerror or error}; {remedy}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


# Splits


def interleaved(labels: Array) -> Array:
    """Row numbers int64 (n,) in an order in which the classes are spread evenly."""
    counts = np.bincount(labels)
    by_class = np.argsort(labels, kind="stable")
    rank = np.empty(len(labels), np.int64)
    rank[by_class] = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.argsort((rank + 0.5) / counts[labels], kind="stable")


def hold_out(images: Array, labels: Array) -> tuple[Split, Split]:
    """The training and the validation split of training images in canonical order."""
    order = interleaved(labels)
    size = len(order) // 10
    train, validation = order[size:], order[:size]
    return as_split(images[train], labels[train]), as_split(images[validation], labels[validation])


@lru_cache(maxsize=1)  # a worker trains one fold of everything before the next
def folded(data: DataSet, fold: int, folds: int) -> DataSet:
    """`data` with one of `folds` parts of its training images for validation, the others for training, none for test.

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
