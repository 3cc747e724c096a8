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
from PIL import Image, ImageOps

from benchmark.budgets import asked_side, bare_name
from benchmark.data.canonical import ARRAYS, SIDE, SPLITS, VALIDATION, Array, Arrays, check, splits_in
from benchmark.data.pictures import read_tree
from benchmark.errors import UsageError

# torchvision's class, and the archive's name unpacked and packed (asking torchvision would take a second).
CIFAR = {
    "cifar10": ("CIFAR10", "cifar-10-batches-py", "cifar-10-python.tar.gz"),
    "cifar100": ("CIFAR100", "cifar-100-python", "cifar-100-python.tar.gz"),
}
PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
PROBE_SECONDS = 5.0  # a reachable host answers far sooner; a dead network must not hang the program
STALL_SECONDS = 30.0  # a download that brings nothing for so long is given up


# Sources


def read_source(name: str, source: Path) -> Arrays:
    """Returns the checked ARRAYS of a source, rows in its own order, and its remarks and validation images if it has
    any."""
    bare, side = bare_name(name), asked_side(name)
    if source.name == f"{bare}.npz":
        arrays = read_npz(source, side)
    elif source.name == bare:
        arrays = read_tree(source, side)
    elif name in CIFAR:
        arrays = read_archive(name, source.parent)
    else:
        from benchmark.data.fractals import fractal10  # only this set needs it

        arrays = fractal10()
    check(arrays, source, side or SIDE)
    return arrays


def read_npz(path: Path, side: int | None = None) -> Arrays:
    """Returns the ARRAYS in an .npz file, images resized to `side` pixels unless that is None."""
    try:
        with zipfile.ZipFile(path):  # np.load takes a file that is no zip for a pickle, and says so
            pass
        with np.load(path, allow_pickle=False) as file:
            missing = [key for key in ARRAYS if key not in file]
            more = [key for key in (f"{VALIDATION}_images", f"{VALIDATION}_labels") if key in file]
            arrays = {key: file[key] for key in (*ARRAYS, *more) if key not in missing}
    except Exception as error:  # zipfile and numpy raise nearly anything on a damaged file
        raise UsageError(f"{path} cannot be read: {error}; replace or remove it") from error
    if missing:
        raise UsageError(f"{path} lacks {', '.join(missing)}; it must hold {', '.join(ARRAYS)}")
    if len(more) == 1:
        raise UsageError(
            f"{path} has {more[0]} without the other of {VALIDATION}_images and {VALIDATION}_labels; add it"
        )
    for split in splits_in(arrays) if side else ():
        arrays[f"{split}_images"] = resized(arrays[f"{split}_images"], side or SIDE)
    return arrays


def resized(images: Array, side: int) -> Array:
    """Returns images uint8 (n, h, w, 3), cut to squares at the middle and resized to `side` pixels; others as they
    are."""
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or images.shape[1:3] == (side, side):
        return images
    pictures = (ImageOps.fit(Image.fromarray(each), (side, side), Image.Resampling.BICUBIC) for each in images)
    return np.stack([np.asarray(each) for each in pictures]) if len(images) else images.reshape(0, side, side, 3)


# The official archive


def torchvision_class(name: str) -> Any:
    """Returns torchvision's class for a CIFAR set; it knows the archive's address and checksums."""
    import torchvision  # here, as importing it takes a second

    return getattr(torchvision.datasets, CIFAR[name][0])


def archive(name: str, folder: Path) -> Path:
    """Returns the folder of the unpacked archive."""
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
    """Returns the ARRAYS of the archive, whose checksums torchvision compares; raises whatever torchvision does."""
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
    """Returns why the address cannot be reached, or "" if it answers within PROBE_SECONDS."""
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
