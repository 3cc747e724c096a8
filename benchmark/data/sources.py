"""Readers of every form that a data set comes in: archives, .npz files, folders of pictures, drawn fractals."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
import urllib.request
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmark.data.canonical import ARRAYS, SIDE, SPLITS, Array, Arrays, check
from benchmark.errors import UsageError

# torchvision's class, and the archive's name unpacked and packed (asking torchvision would take a second).
CIFAR = {
    "cifar10": ("CIFAR10", "cifar-10-batches-py", "cifar-10-python.tar.gz"),
    "cifar100": ("CIFAR100", "cifar-100-python", "cifar-100-python.tar.gz"),
}
PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
PICTURES = {".png", ".jpg", ".jpeg"}
PROBE_SECONDS = 5.0  # a reachable host answers far sooner; a dead network must not hang the program
STALL_SECONDS = 30.0  # a download that brings nothing for so long is given up


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
        from benchmark.data.fractals import fractal10  # only this set needs it

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
