"""Reads folders of pictures: NAME/{train,test}/CLASS/*.png, .jpg or .jpeg, and NAME/val where there is one.

A picture comes from somebody's camera or from the internet. It is read by two decoders only, of PNG and JPEG; turned
upright as its EXIF data say; 16 bits become 8; transparent parts become white; grey becomes RGB. What cannot be done
rightly is refused with a sentence that names the file. Hidden files and files of other kinds are left out; the latter
are counted.
"""

from __future__ import annotations

import os
import stat
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from benchmark.data.canonical import SIDE, VALIDATION, Array, Arrays
from benchmark.errors import UsageError

PICTURES = {".png", ".jpg", ".jpeg"}
DECODERS = ("PNG", "JPEG")  # Pillow would run a PostScript file under any name
MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "I", "I;16", "I;16B"}
DEEP = {"I", "I;16", "I;16B"}  # how Pillow opens a grey PNG of 16 bits
LARGEST = 64_000_000  # pixels; a small file can unfold to gigabytes
VALIDATION_FOLDERS = ("val", "valid", "validation")
LEFT_BY_SYSTEMS = {"thumbs.db", "desktop.ini", "__macosx", "@eadir"}  # left out without a word
LEFT_BY_SYSTEMS |= {"$recycle.bin", "system volume information", "lost+found"}


def read_tree(tree: Path, side: int | None) -> Arrays:
    """Returns the arrays of an image folder, with remarks; classes are the sorted names of the folders in train.

    Pictures are cut to a square at the middle and resized to `side` pixels; if that is None, they must have SIDE.
    """
    folders = {split: tree / split for split in ("train", "test")}
    for split, place in folders.items():
        if not place.is_dir():
            raise UsageError(f"{tree} has no folder {split!r}; it must hold {{train,test}}/CLASS/*.png")
    validation = [place for name in VALIDATION_FOLDERS if (place := tree / name).is_dir()]
    folders |= {VALIDATION: validation[0]} if validation else {}
    classes = sorted({class_name(path) for path in class_folders(tree / "train")})
    if not classes:
        raise UsageError(f"{tree / 'train'} has no class folders; it must hold CLASS/*.png")
    if len(classes) == 1:
        raise UsageError(f"{tree / 'train'} has a single class, {classes[0]!r}; add a folder with pictures of another")
    seen = Counter[str]()
    arrays: Arrays = {"classes": np.array(classes)}
    for split, place in folders.items():
        images, labels = [], []
        for folder in class_folders(place):
            if (name := class_name(folder)) not in classes:
                raise UsageError(f"{path_text(folder)}: there is no class {name!r} in train; add or remove it")
            found = [read_picture(path, side, seen) for path in picture_files(folder, seen)]
            images += found
            labels += [classes.index(name)] * len(found)
        size = side or SIDE
        arrays[f"{split}_images"] = np.array(images, np.uint8).reshape(-1, size, size, 3)  # also of none
        arrays[f"{split}_labels"] = np.array(labels, np.int64)
    arrays["remarks"] = np.array([f"{tree.name}: {each}" for each in remarks(seen)], dtype=np.str_)
    return arrays


def remarks(seen: Counter[str]) -> Iterator[str]:
    """Yields what a user should know of how the pictures were read."""
    endings = {kind: count for kind, count in sorted(seen.items()) if kind.startswith(".") or not kind}
    if total := sum(endings.values()):
        kinds = ", ".join(f"{count} {kind or 'without any'}" for kind, count in endings.items())
        yield f"{total} files with other endings are left out ({kinds}); save pictures as PNG or JPEG"
    for kind in ("with transparent parts, which are white now", "turned upright, as their EXIF data say"):
        if seen[kind]:
            yield f"{seen[kind]} pictures {kind}"
    if seen["cut"]:
        yield f"{seen['cut']} pictures are cut to a square at the middle"


def class_folders(place: Path) -> list[Path]:
    """Returns the folders of the classes, sorted, without hidden ones and those that systems leave."""
    return sorted(path for path in place.iterdir() if path.is_dir() and not is_left_out(path))


def class_name(folder: Path) -> str:
    """Returns a folder's name in composed form, as a Mac decomposes it. Raises UsageError for one that is no UTF-8."""
    name = unicodedata.normalize("NFC", folder.name)
    if name != printable(name):
        raise UsageError(f"{path_text(folder)}: the name of a class must be UTF-8; rename the folder")
    return name


def picture_files(folder: Path, seen: Counter[str]) -> list[Path]:
    """Returns the pictures in a folder, sorted. Raises UsageError if there is none; other files are counted."""
    files = sorted(path for path in folder.iterdir() if not is_left_out(path))
    found = [path for path in files if path.suffix.lower() in PICTURES]
    seen.update(path.suffix.lower() for path in files if path.suffix.lower() not in PICTURES and path.is_file())
    if not found:
        raise UsageError(f"{path_text(folder)} has no .png, .jpg or .jpeg file; add images or remove the folder")
    return found


def is_left_out(path: Path) -> bool:
    """Returns whether a file or folder is hidden (._x next to x is a Mac's), or left by a system."""
    return path.name.startswith(".") or path.name.lower() in LEFT_BY_SYSTEMS


def read_picture(path: Path, side: int | None, seen: Counter[str]) -> Array:
    """Returns one picture, uint8 (side, side, 3), and counts what was done to it.

    Raises UsageError, naming the file, for what cannot be read, or not rightly.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for, for ever
            raise UsageError(f"{path_text(path)} is no regular file; remove it")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd metadata, which do no harm
            with Image.open(path, formats=DECODERS) as picture:
                upright = prepared(picture, path, seen)
    except UsageError:
        raise
    except Exception as error:  # Pillow raises nearly anything on a damaged file
        why = printable(f"{type(error).__name__}: {error}" if not str(error) else str(error))
        raise UsageError(f"{path_text(path)} cannot be read as an image: {why}; replace or remove it") from error
    width, height = upright.size
    if side is None and (width, height) != (SIDE, SIDE):
        raise UsageError(
            f"{path_text(path)} is {width} x {height} pixels; resize all images to {SIDE} x {SIDE}, or let "
            f"--image-size {SIDE} do it, or another number of pixels"
        )
    if side is not None:
        seen["cut"] += width != height
        upright = ImageOps.fit(upright, (side, side), Image.Resampling.BICUBIC)
    return np.asarray(upright)


def prepared(picture: Image.Image, path: Path, seen: Counter[str]) -> Image.Image:
    """Returns a picture upright, in RGB, of 8 bits, without transparency. Raises UsageError where that cannot be."""
    width, height = picture.size
    if width * height > LARGEST:
        raise UsageError(f"{path_text(path)} is {width} x {height} pixels, more than {LARGEST:,}; make it smaller")
    if picture.mode not in MODES:
        raise UsageError(f"{path_text(path)} has the mode {picture.mode}; save it as RGB or grey, of 8 bits")
    if picture.format == "PNG" and getattr(picture, "n_frames", 1) > 1:
        raise UsageError(f"{path_text(path)} is animated; save one picture of it")
    turned = ImageOps.exif_transpose(picture)
    seen["turned upright, as their EXIF data say"] += picture.getexif().get(0x0112, 1) in range(2, 9)
    if turned.mode in DEEP:
        deep = np.asarray(turned).astype(np.int64)
        return Image.fromarray(((deep * 255 + 32767) // 65535).astype(np.uint8)).convert("RGB")
    if not turned.has_transparency_data:
        return turned.convert("RGB")
    layered = turned.convert("RGBA")
    if layered.getchannel("A").getextrema() == (255, 255):
        return layered.convert("RGB")
    seen["with transparent parts, which are white now"] += 1
    return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered).convert("RGB")


def path_text(path: Path) -> str:
    """Returns a path in words that can be printed, whatever bytes its name has."""
    return printable(str(path))


def printable(text: str) -> str:
    """Returns a text with the bytes that are no UTF-8 as \\x.."""
    return os.fsencode(text).decode("utf-8", "backslashreplace")
