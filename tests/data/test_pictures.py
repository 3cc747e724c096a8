"""Folders of pictures as people have them: sizes, modes, names, links, and what must not be let in."""

from __future__ import annotations

import io
import os
import struct
import unicodedata
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark.baseline import at_side, baseline
from benchmark.budgets import asked_side, bare_name
from benchmark.data import pictures
from benchmark.data.load import choose, load
from benchmark.engine.network import assembled
from benchmark.errors import UsageError

Refusal = Callable[[], str]


def picture(seed: int, size: tuple[int, int] = (32, 32)) -> Image.Image:
    """Returns noise."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An image folder of two classes, six pictures each to train on and two to test on."""
    for at, (split, count) in enumerate((("train", 6), ("test", 2))):
        for kind in ("cat", "dog"):
            place = tmp_path / "mine" / split / kind
            place.mkdir(parents=True)
            for number in range(count):
                picture(1000 * at + 100 * (kind == "dog") + number).save(place / f"{number}.png")
    return tmp_path / "mine"


@pytest.fixture
def refusal(tree: Path) -> Refusal:
    """Returns the sentence that the folder is refused with."""

    def of() -> str:
        with pytest.raises(UsageError) as caught:
            load("mine", tree.parent)
        assert str(caught.value).encode()  # it can be printed
        return str(caught.value)

    return of


def only_test_picture(tree: Path, kind: str = "cat") -> np.ndarray:
    """Returns the picture of a class that has one for testing, (32, 32, 3)."""
    found = load("mine", tree.parent)
    (at,) = (found.test.labels == found.classes.index(kind)).nonzero().flatten().tolist()
    return found.test.images[at].numpy()


def alone(tree: Path, name: str = "0.png") -> Path:
    """Returns where the only test picture of class cat belongs."""
    for path in (tree / "test/cat").iterdir():
        path.unlink()
    return tree / "test/cat" / name


def test_16_bits_become_8(tree: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (32, 32)).astype(np.uint16)
    Image.fromarray(deep).save(alone(tree))
    expected = np.round(deep / 65535 * 255)
    np.testing.assert_array_equal(only_test_picture(tree), np.stack([expected] * 3, 2))


def test_transparent_parts_become_white(tree: Path) -> None:
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[:, :16] = (10, 20, 30, 255)
    pixels[:, 16:24] = (0, 0, 0, 51)
    Image.fromarray(pixels).save(alone(tree))
    found = only_test_picture(tree)
    assert found[0, 0].tolist() == [10, 20, 30]
    assert found[0, 20].tolist() == [204, 204, 204]  # 255 - 51
    assert found[0, 31].tolist() == [255, 255, 255]
    assert load("mine", tree.parent).remarks == ("mine: 1 pictures with transparent parts, which are white now",)


def test_an_alpha_of_which_nothing_is_transparent_and_a_palette(tree: Path) -> None:
    whole = picture(5)
    whole.convert("RGBA").save(alone(tree))
    np.testing.assert_array_equal(only_test_picture(tree), np.asarray(whole))
    palette = whole.quantize(16)
    palette.save(alone(tree, "1.png"))
    np.testing.assert_array_equal(only_test_picture(tree), np.asarray(palette.convert("RGB")))
    assert load("mine", tree.parent).remarks == ()


def test_grey_1_bit_and_cmyk(tree: Path) -> None:
    grey = picture(5).convert("L")
    for other in (grey, grey.convert("1")):
        other.save(alone(tree))
        np.testing.assert_array_equal(only_test_picture(tree), np.stack([np.asarray(other.convert("L"))] * 3, 2))
    Image.new("CMYK", (32, 32), (0, 255, 255, 0)).save(alone(tree, "1.jpg"), quality=100)
    red = only_test_picture(tree)[5, 5].astype(int)
    assert (abs(red - [255, 0, 0]) < 9).all()


def test_pictures_are_turned_upright(tree: Path) -> None:
    turned, exif = Image.new("RGB", (32, 32), "black"), Image.Exif()
    turned.paste("white", (0, 0, 32, 8))  # a white bar above, as the camera's sensor saw it
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    turned.save(alone(tree, "0.jpg"), exif=exif, quality=100)
    found = only_test_picture(tree).astype(int)
    assert found[16, 30].min() > 240  # the bar is at the right
    assert found[16, 2].max() < 15
    assert load("mine", tree.parent).remarks == ("mine: 1 pictures turned upright, as their EXIF data say",)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_other_formats_under_the_name_of_a_png_are_refused(tree: Path, refusal: Refusal, kind: str) -> None:
    text = io.BytesIO()
    picture(0).save(text, kind)
    (tree / "train/cat/9.png").write_bytes(text.getvalue())
    assert f"{tree / 'train/cat/9.png'} cannot be read as an image" in refusal()


def test_postscript_is_never_run(tree: Path, refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subprocess.check_call", lambda *given, **more: pytest.fail("Ghostscript was called"))
    text = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n%%EndComments\nshowpage\n%%EOF\n"
    (tree / "train/cat/9.png").write_bytes(text)
    assert "cannot be read as an image" in refusal()


def test_an_animated_picture_is_refused(tree: Path, refusal: Refusal) -> None:
    picture(0).save(tree / "train/cat/9.png", save_all=True, append_images=[picture(1)])
    assert "9.png is animated" in refusal()


def test_pipes_circles_and_dead_links(tree: Path, refusal: Refusal) -> None:
    os.mkfifo(tree / "train/cat/pipe.png")
    assert "pipe.png is no regular file" in refusal()
    (tree / "train/cat/pipe.png").unlink()
    (tree / "train/cat/again").symlink_to(tree)
    (tree / "train/cat/once more").symlink_to(tree)
    assert len(load("mine", tree.parent).test.labels) == 4
    (tree / "train/cat/lost.png").symlink_to(tree / "nowhere.png")
    assert "lost.png" in refusal()


def png(width: int, height: int) -> bytes:
    """Returns a small file that says it is a picture of any size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(9000, 9000), (20_000, 20_000), (2_000_000_000, 1)])
def test_a_small_file_that_unfolds_to_gigabytes_is_refused(
    tree: Path, refusal: Refusal, size: tuple[int, int]
) -> None:
    (tree / "train/cat/9.png").write_bytes(png(*size))
    assert "9.png" in (said := refusal())
    assert "pixels" in said


def test_hidden_files_and_other_endings(tree: Path) -> None:
    (tree / "train/cat/._0.png").write_bytes(b"\0\5\26\7")  # as a Mac leaves it on other disks
    (tree / "train/dog/.DS_Store").write_bytes(b"x")
    (tree / "train/dog/Thumbs.db").write_bytes(b"x")
    (tree / "train/__MACOSX").mkdir()
    (tree / "test/.ipynb_checkpoints").mkdir()
    assert load("mine", tree.parent).remarks == ()
    for number, ending in enumerate((".bmp", ".webp", ".tif", ".BMP")):
        (tree / f"train/cat/x{number}{ending}").write_bytes(b"x")
    (tree / "train/dog/LICENSE").write_bytes(b"x")
    assert load("mine", tree.parent).remarks == (
        "mine: 5 files with other endings are left out (1 without any, 2 .bmp, 1 .tif, 1 .webp); "
        "save pictures as PNG or JPEG",
    )


def test_the_names_of_classes_are_compared_as_they_look(tree: Path, refusal: Refusal) -> None:
    composed, decomposed = (unicodedata.normalize(form, "Bär") for form in ("NFC", "NFD"))
    (tree / "train/cat").rename(tree / "train" / composed)
    (tree / "test/cat").rename(tree / "test" / decomposed)
    assert load("mine", tree.parent).classes == (composed, "dog")
    (tree / "test" / decomposed).rename(tree / "test/Bar")
    assert "there is no class 'Bar' in train" in refusal()


def test_names_that_are_no_utf8(tree: Path, refusal: Refusal) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    try:
        picture(7).save(tree / "train/cat" / name)
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    assert len(load("mine", tree.parent).test.labels) == 4
    (tree / "train/cat" / name).write_bytes(b"")
    assert r"caf\xe9.png cannot be read" in refusal()
    (tree / "train/cat" / name).unlink()
    (tree / "train/dog").rename(tree / "train" / os.fsdecode(b"h\xfcnd"))
    assert r"h\xfcnd: the name of a class must be UTF-8" in refusal()


def test_the_same_picture_in_train_and_test(tree: Path) -> None:
    for number in range(2):
        (tree / f"test/cat/{number}.png").write_bytes((tree / f"train/dog/{number}.png").read_bytes())
    (remark,) = load("mine", tree.parent).remarks
    assert remark.startswith("mine: 2 of 4 test images are among the training or validation images too")


def test_a_folder_of_validation_pictures(tree: Path) -> None:
    before = load("mine", tree.parent)
    assert (len(before.train.labels), len(before.validation.labels)) == (11, 1)
    for kind in ("cat", "dog"):
        (tree / "val" / kind).mkdir(parents=True)
        for number in range(3):
            picture(5000 + 100 * (kind == "dog") + number).save(tree / "val" / kind / f"{number}.png")
    found = load("mine", tree.parent)
    assert (len(found.train.labels), len(found.validation.labels), len(found.test.labels)) == (12, 6, 4)
    assert found.validation.labels.bincount().tolist() == [3, 3]
    assert found.fingerprint != before.fingerprint
    assert load("mine", tree.parent).fingerprint == found.fingerprint  # from the cache
    (tree / "val/emu").mkdir()
    picture(9).save(tree / "val/emu/0.png")
    with pytest.raises(UsageError, match="there is no class 'emu' in train"):
        load("mine", tree.parent)


def test_pictures_of_any_size_are_cut_and_resized_once(
    tree: Path, refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = Image.new("RGB", (200, 100), "red")
    wide.paste("blue", (50, 0, 150, 100))
    wide.save(alone(tree))
    assert "0.png is 200 x 100 pixels; resize all images to 32 x 32, or let --image-size" in refusal()
    found = load("mine@64", tree.parent)
    assert found.name == "mine@64"
    assert found.train.images.shape == (11, 64, 64, 3)
    middle = found.test.images[found.test.labels == 0][0]
    assert (middle[:, 1:-1] == torch.tensor([0, 0, 255])).all()  # the square at the middle
    assert found.remarks == ("mine: 1 pictures are cut to a square at the middle",)
    monkeypatch.setattr(pictures, "read_picture", lambda *given: pytest.fail("the cache was not used"))
    assert load("mine@64", tree.parent).fingerprint == found.fingerprint


def test_arrays_of_any_size_are_resized(tmp_path: Path) -> None:
    images = np.stack([np.asarray(picture(seed, (40, 48))) for seed in range(14)])
    labels = np.arange(14) % 2
    more = {"validation_images": images[:2], "validation_labels": labels[:2]}
    arrays = {"train_images": images[:12], "train_labels": labels[:12], "classes": np.array(["a", "b"])}
    np.savez(tmp_path / "mine.npz", test_images=images[12:], test_labels=labels[12:], **arrays, **more)
    found = load("mine@24", tmp_path)
    assert found.train.images.shape == (12, 24, 24, 3)
    assert found.validation.images.shape == (2, 24, 24, 3)


@pytest.mark.parametrize("name", ["cifar10@64", "fractal10@16", "auto@64"])
def test_sets_that_are_what_their_name_says_are_not_resized(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="has images of 32 pixels; --image-size is for sets of your own"):
        choose(name, tmp_path)


def test_sizes_that_nobody_wants(tree: Path) -> None:
    for side in (7, 513, 10**9):
        with pytest.raises(UsageError, match=f"8 to 512 pixels, got {side}"):
            choose(f"mine@{side}", tree.parent)


def test_the_size_in_a_name() -> None:
    assert [bare_name(each) for each in ("mine@64", "mine", "me@home", "@64")] == ["mine", "mine", "me@home", ""]
    assert [asked_side(each) for each in ("mine@64", "mine", "me@home")] == [64, None, None]


@pytest.mark.parametrize(("side", "count"), [(8, 1), (16, 2), (28, 3), (32, 3), (48, 4), (64, 4), (128, 5)])
def test_the_depth_follows_the_size(side: int, count: int) -> None:
    stages = at_side(((16, 1), (32, 2), (64, 2)), side)
    assert len(stages) == count
    assert stages[:3] == ((16, 1), (32, 2), (64, 2))[:count]
    network = assembled(baseline(f"mine@{side}", "quick"), 5, [])
    assert network(torch.zeros(2, 3, side, side)).shape == (2, 5)
