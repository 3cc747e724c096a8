"""Sources, fingerprints, cache and splits, on small random images; no network and no real data set."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import pickle
import socket
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torchvision  # type: ignore[import-untyped]  # it ships no types
from PIL import Image

from benchmark.data import canonical, load, sources, splits
from benchmark.errors import UsageError

CLASSES = ("cat", "dog", "emu")


def make(train: int = 60, test: int = 9, classes: tuple[str, ...] = CLASSES, seed: int = 0) -> dict[str, Any]:
    """Random arrays with equally many images of each class, in random order."""
    rng = np.random.default_rng(seed)
    arrays: dict[str, Any] = {"classes": np.array(classes)}
    for split, n in (("train", train), ("test", test)):
        arrays[f"{split}_images"] = rng.integers(0, 256, (n, 32, 32, 3), np.uint8)
        arrays[f"{split}_labels"] = rng.permutation(np.arange(n, dtype=np.uint8) % len(classes))
    return arrays


def save(path: Path, **changes: Any) -> dict[str, Any]:
    arrays = make() | changes
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return arrays


def save_tree(tree: Path, arrays: dict[str, Any], suffix: str = ".png") -> None:
    for split in ("train", "test"):
        for i, (image, label) in enumerate(zip(arrays[f"{split}_images"], arrays[f"{split}_labels"], strict=True)):
            path = tree / split / str(arrays["classes"][label]) / f"{i}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)


def save_archive(folder: Path, arrays: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Packs arrays as the official archive is packed, and makes torchvision take its checksums for right."""

    def rows(split: str, part: slice) -> dict[str, Any]:
        images, labels = arrays[f"{split}_images"][part], arrays[f"{split}_labels"][part]
        return {"data": images.transpose(0, 3, 1, 2).reshape(len(images), -1), "labels": labels.tolist()}

    contents = {f"data_batch_{i + 1}": rows("train", slice(i * 12, i * 12 + 12)) for i in range(5)}
    contents |= {
        "test_batch": rows("test", slice(None)),
        "batches.meta": {"label_names": arrays["classes"].tolist()},
    }
    files = {name: pickle.dumps(content) for name, content in contents.items()}
    checksums = {name: hashlib.md5(text).hexdigest() for name, text in files.items()}
    packed = folder / "cifar-10-python.tar.gz"
    with tarfile.open(packed, "w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
    kind = torchvision.datasets.CIFAR10
    monkeypatch.setattr(kind, "tgz_md5", hashlib.md5(packed.read_bytes()).hexdigest())
    monkeypatch.setattr(kind, "train_list", [[name, checksums[name]] for name in contents if "data" in name])
    monkeypatch.setattr(kind, "test_list", [["test_batch", checksums["test_batch"]]])
    monkeypatch.setattr(kind, "meta", kind.meta | {"md5": checksums["batches.meta"]})


def combined(arrays: dict[str, Any]) -> str:
    """The data set's fingerprint from its definition."""
    parts = [
        canonical.fingerprint_of(arrays[f"{split}_images"], arrays[f"{split}_labels"]) for split in ("train", "test")
    ]
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def same(a: splits.DataSet, b: splits.DataSet) -> bool:
    splits = [(getattr(a, name), getattr(b, name)) for name in ("train", "validation", "test")]
    equal = all(torch.equal(x.images, y.images) and torch.equal(x.labels, y.labels) for x, y in splits)
    return equal and (a.classes, a.fingerprint) == (b.classes, b.fingerprint)


@pytest.fixture
def anything_is_true(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any images may be called cifar10 or fractal10."""
    monkeypatch.setattr(canonical, "FINGERPRINTS", {})


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "probe", lambda url: "nobody answers")


@pytest.fixture
def unbuildable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the cache can be read."""
    monkeypatch.setattr(load, "build_cache", lambda *arguments: pytest.fail("the cache was not used"))


# Canonical form


def test_fingerprint_follows_its_definition() -> None:
    images = np.arange(3 * 3072, dtype=np.int64).astype(np.uint8).reshape(3, 32, 32, 3)
    images[1, 0, 0, 0] = 77
    first = hashlib.sha256(b"\x05" + images[0].tobytes()).digest()
    second = hashlib.sha256(b"\x00" + images[1].tobytes()).digest()
    third = hashlib.sha256(b"\xff" + images[2].tobytes()).digest()
    expected = hashlib.sha256(b"".join(sorted([first, second, third]))).hexdigest()
    assert canonical.fingerprint_of(images, np.array([5, 0, 255])) == expected


def test_canonical_form_does_not_depend_on_row_order_label_type_or_memory_layout() -> None:
    arrays = make()
    images, labels, fingerprint = canonical.canonical(arrays["train_images"], arrays["train_labels"])
    order = np.random.default_rng(1).permutation(len(labels))
    planes = np.ascontiguousarray(arrays["train_images"][order].transpose(0, 3, 1, 2))
    again = canonical.canonical(planes.transpose(0, 2, 3, 1), arrays["train_labels"][order].astype(np.int64))
    np.testing.assert_array_equal(images, again[0])
    np.testing.assert_array_equal(labels, again[1])
    assert again[2] == fingerprint
    digests = [hashlib.sha256(bytes([y]) + x.tobytes()).digest() for x, y in zip(images, labels.tolist(), strict=True)]
    assert digests == sorted(digests)


def test_one_changed_pixel_or_label_changes_the_fingerprint() -> None:
    images, labels = make()["train_images"], make()["train_labels"]
    before = canonical.fingerprint_of(images, labels)
    images[4, 5, 6, 1] ^= 1
    changed = canonical.fingerprint_of(images, labels)
    images[4, 5, 6, 1] ^= 1
    labels[4] ^= 1
    assert len({before, changed, canonical.fingerprint_of(images, labels)}) == 3


# Splits


@pytest.mark.parametrize(("classes", "each"), [(3, 40), (10, 30), (7, 50)])
def test_balanced_classes_stay_balanced_in_every_split_and_prefix(classes: int, each: int) -> None:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(classes), each))
    images = np.arange(len(labels)).astype(np.uint8).reshape(-1, 1, 1, 1) * np.ones((1, 32, 32, 3), np.uint8)
    train, validation = splits.hold_out(images, labels)
    assert validation.labels.bincount().tolist() == [each // 10] * classes
    assert train.labels.bincount().tolist() == [each - each // 10] * classes
    for k in range(1, each - each // 10):
        counts = train.labels[: k * classes].bincount(minlength=classes)
        assert (counts - k).abs().max() <= 1


def test_unbalanced_classes_are_held_out_in_proportion() -> None:
    labels = np.repeat([0, 1, 2], [700, 200, 100])
    train, validation = splits.hold_out(np.zeros((1000, 32, 32, 3), np.uint8), labels)
    assert validation.labels.bincount().tolist() == [70, 20, 10]
    assert train.labels[:90].bincount().tolist() == [63, 18, 9]


def test_an_absent_class_and_a_remainder_do_no_harm() -> None:
    labels = np.array([0, 2] * 9 + [2])
    train, validation = splits.hold_out(np.zeros((19, 32, 32, 3), np.uint8), labels)
    assert (len(train.labels), len(validation.labels)) == (18, 1)


def test_splits_are_disjoint_complete_and_typed(tmp_path: Path) -> None:
    arrays = save(tmp_path / "mine.npz")
    got = load.load("mine", tmp_path)
    assert got.name == "mine"
    assert got.classes == CLASSES
    for split, n in ((got.train, 54), (got.validation, 6), (got.test, 9)):
        assert (split.images.shape, split.images.dtype) == ((n, 32, 32, 3), torch.uint8)
        assert (split.labels.shape, split.labels.dtype) == ((n,), torch.int64)
    images = torch.cat([got.train.images, got.validation.images]).numpy()
    labels = torch.cat([got.train.labels, got.validation.labels]).numpy()
    train = canonical.fingerprint_of(arrays["train_images"], arrays["train_labels"])
    assert canonical.fingerprint_of(images, labels) == train
    assert got.fingerprint == combined(arrays)


# Sources


def test_every_source_gives_the_same_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anything_is_true: None, offline: None
) -> None:
    arrays, places = make(), [tmp_path / place for place in ("npz", "tree", "tar", "unpacked")]
    for place in places:
        place.mkdir()
    order = np.random.default_rng(1).permutation(60)
    shuffled = {key: arrays[key][order] for key in ("train_images", "train_labels")}
    np.savez(
        places[0] / "cifar10.npz",
        **(arrays | shuffled | {"test_labels": arrays["test_labels"].astype(">i4")}),
    )
    save_tree(places[1] / "cifar10", arrays, ".PNG")
    save_archive(places[2], arrays, monkeypatch)
    with tarfile.open(places[2] / "cifar-10-python.tar.gz") as tar:
        tar.extractall(places[3], filter="data")
    sets = [load.load("cifar10", place) for place in places]
    assert [load.choose("auto", place)[0] for place in places] == ["cifar10"] * 4
    assert all(same(sets[0], other) for other in sets)
    assert sets[0].fingerprint == combined(arrays)


def test_npz_comes_before_the_folder_and_the_folder_before_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anything_is_true: None
) -> None:
    save_archive(tmp_path, make(seed=1), monkeypatch)
    assert load.load("cifar10", tmp_path).fingerprint == combined(make(seed=1))
    save_tree(tmp_path / "cifar10", make(seed=2))
    assert load.load("cifar10", tmp_path).fingerprint == combined(make(seed=2))
    save(tmp_path / "cifar10.npz", **make(seed=3))
    assert load.load("cifar10", tmp_path).fingerprint == combined(make(seed=3))


def test_grey_and_jpeg_pictures_become_rgb(tmp_path: Path) -> None:
    save_tree(tmp_path / "mine", make(), ".jpg")
    Image.new("L", (32, 32), 9).save(tmp_path / "mine/test/cat/grey.jpeg")
    got = load.load("mine", tmp_path)
    assert (got.test.images == 9).flatten(1).all(1).sum() == 1


def test_fractal10_is_drawn_and_then_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anything_is_true: None
) -> None:
    calls: list[int] = []

    def draw() -> dict[str, Any]:
        calls.append(1)
        return make()

    monkeypatch.setitem(sys.modules, "benchmark.data.fractals", SimpleNamespace(fractal10=draw))
    first, second = load.load("fractal10", tmp_path / "new"), load.load("fractal10", tmp_path / "new")
    assert same(first, second)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"train_labels": None, "classes": None}, "lacks train_labels, classes"),
        ({"train_images": np.zeros((60, 32, 32, 3), np.float32)}, "found float32 (60, 32, 32, 3)"),
        ({"train_images": np.zeros((60, 3, 32, 32), np.uint8)}, "found uint8 (60, 3, 32, 32)"),
        ({"test_images": np.zeros((9, 64, 64, 3), np.uint8)}, "found uint8 (9, 64, 64, 3)"),
        (
            {"test_labels": np.zeros(8, np.uint8)},
            "test_labels must be integers (9,), one per image, found uint8 (8,)",
        ),
        ({"test_labels": np.zeros(9)}, "found float64 (9,)"),
        ({"train_labels": np.full(60, 3)}, "train_labels must be 0 to 2, as there are 3 classes, found 3"),
        ({"train_labels": np.full(60, -1)}, "found -1"),
        ({"classes": np.array(["a", "b", "a"])}, "classes must be text (n,), 2 to 256 different names"),
        ({"classes": np.arange(3)}, "found int64 (3,)"),
        ({"test_labels": np.array([None] * 9)}, "allow_pickle"),
        (make(train=9), "train_images must be at least 10, found 9"),
        (make(test=0), "test_images must be at least 1, found 0"),
    ],
)
def test_an_npz_that_is_no_data_set_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    save(tmp_path / "mine.npz", **changes)
    with pytest.raises(UsageError) as caught:
        load.load("mine", tmp_path)
    assert str(tmp_path / "mine.npz") in str(caught.value)
    assert said in str(caught.value)
    assert not (tmp_path / ".cache").exists()


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "flipped", "pickle"])
def test_a_damaged_npz_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "mine.npz"
    save(path)
    whole = path.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    texts = {
        "empty": b"",
        "text": b"no zip",
        "cut": whole[:-99],
        "flipped": flipped,
        "pickle": pickle.dumps([1]),
    }
    path.write_bytes(texts[damage])
    with pytest.raises(UsageError, match=r"mine\.npz cannot be read: .*; replace or remove it"):
        load.load("mine", tmp_path)


def test_image_folders_that_are_no_data_set_are_refused(tmp_path: Path) -> None:
    tree = tmp_path / "mine"

    def refusal() -> str:
        with pytest.raises(UsageError) as caught:
            load.load("mine", tmp_path)
        return str(caught.value)

    tree.mkdir()
    assert "has no folder 'train'" in refusal()
    (tree / "train").mkdir()
    assert "has no folder 'test'" in refusal()
    (tree / "test").mkdir()
    assert "train has no class folders" in refusal()
    (tree / "train/cat").mkdir()
    assert "train has a single class, 'cat'; add a folder" in refusal()
    (tree / "train/dog").mkdir()
    assert "cat has no .png, .jpg or .jpeg file" in refusal()
    for i in range(10):
        Image.new("RGB", (32, 32), (i, 0, 0)).save(tree / f"train/cat/{i}.png")
    Image.new("RGB", (32, 32), (0, 9, 0)).save(tree / "train/dog/0.png")
    assert "test_images must be at least 1, found 0" in refusal()
    (tree / "test/yak").mkdir()
    assert "there is no class 'yak' in train" in refusal()
    (tree / "test/yak").rename(tree / "test/cat")
    whole = (tree / "train/cat/0.png").read_bytes()
    for broken in (b"", b"no picture", whole[: len(whole) // 2]):
        (tree / "test/cat/a.png").write_bytes(broken)
        assert f"{tree / 'test/cat/a.png'} cannot be read as an image" in refusal()
    (tree / "test/cat/a.png").write_bytes(whole)
    assert load.load("mine", tmp_path).classes == ("cat", "dog")
    Image.new("RGB", (33, 32)).save(tree / "train/cat/2.png")
    Image.new("RGB", (99, 32)).save(tree / "train/cat/3.png")
    assert f"{tree / 'train/cat/2.png'} is 33 x 32 pixels; resize" in refusal()


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_images_that_are_not_what_their_name_says_are_refused(tmp_path: Path, name: str) -> None:
    arrays = save(tmp_path / f"{name}.npz")
    count, fingerprint = canonical.FINGERPRINTS[name]["test"]
    found = canonical.fingerprint_of(arrays["test_images"], arrays["test_labels"])
    with pytest.raises(UsageError) as caught:
        load.load(name, tmp_path)
    expected = f"test should be {count} images with fingerprint {fingerprint[:8]}, found 9 with {found[:8]}"
    assert expected in str(caught.value)
    assert "and test" in str(caught.value)


def test_only_the_split_that_differs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = save(tmp_path / "cifar10.npz")
    truth = {
        "train": (60, canonical.fingerprint_of(arrays["train_images"], arrays["train_labels"])),
        "test": (9, "0" * 64),
    }
    monkeypatch.setattr(canonical, "FINGERPRINTS", {"cifar10": truth})
    with pytest.raises(UsageError, match="true cifar10: test should be 9 images with fingerprint 00000000"):
        load.load("cifar10", tmp_path)


# Names and the choice


def test_unknown_names_are_refused_with_the_nearest_ones(tmp_path: Path) -> None:
    save(tmp_path / "flowers.npz")
    (tmp_path / "cifar-10-batches-py").mkdir()
    with pytest.raises(UsageError, match="unknown data set 'flower'; did you mean flowers"):
        load.load("flower", tmp_path)
    with pytest.raises(UsageError, match="auto, cifar10, cifar100, flowers, fractal10"):
        load.choose("?", tmp_path)
    with pytest.raises(UsageError, match="unknown"):
        load.choose("../flowers", tmp_path / "missing")


def test_a_named_set_is_never_replaced_by_another(tmp_path: Path, offline: None) -> None:
    assert load.choose("cifar100", tmp_path) == ("cifar100", "asked for by name")
    with pytest.raises(UsageError) as caught:
        load.load("cifar100", tmp_path)
    text = str(caught.value)
    parts = ("nobody answers", "cifar100.npz", "{train,test}", "cifar-100-python.tar.gz", "--data fractal10")
    assert all(part in text for part in parts)


def test_auto_takes_cifar10_where_it_is_there_and_fractal10_where_it_cannot_be_had(
    tmp_path: Path, offline: None
) -> None:
    name, why = load.choose("auto", tmp_path)
    assert name == "fractal10"
    assert why.startswith(f"there is no cifar10 in {tmp_path} and no network: https://")
    assert "nobody answers" in why
    save(tmp_path / "cifar10.npz")
    assert load.choose("auto", tmp_path) == ("cifar10", f"found in {tmp_path}")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a small archive from which torchvision downloads, by a server on this machine."""
    folder = tmp_path / "server"
    folder.mkdir()
    save_archive(folder, make(), monkeypatch)
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        url = f"http://127.0.0.1:{web.server_port}/cifar-10-python.tar.gz"
        monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", url)
        monkeypatch.setenv("no_proxy", "*")
        thread = threading.Thread(target=web.serve_forever, args=(0.01,))  # seconds between looks at shutdown
        thread.start()
        yield folder
        web.shutdown()
        thread.join()


def test_auto_downloads(tmp_path: Path, server: Path, anything_is_true: None) -> None:
    folder = tmp_path / "new"
    name, why = load.choose("auto", folder)
    assert (name, why.split()[0]) == ("cifar10", "downloaded")
    assert load.load("auto", folder).fingerprint == combined(make())
    assert load.choose("auto", folder)[1] == f"found in {folder}"


@pytest.mark.parametrize("keep", [None, 0, 1000])
def test_a_failed_download_says_so_and_is_tried_again(
    tmp_path: Path, server: Path, anything_is_true: None, keep: int | None
) -> None:
    packed, folder, before = server / "cifar-10-python.tar.gz", tmp_path / "new", socket.getdefaulttimeout()
    whole = packed.read_bytes()
    if keep is None:
        packed.unlink()
    else:
        packed.write_bytes(whole[:keep])
    name, why = load.choose("auto", folder)
    assert name == "fractal10"
    assert ("404" if keep is None else "downloading or unpacking failed") in why
    assert socket.getdefaulttimeout() == before
    packed.write_bytes(whole)
    assert load.load("cifar10", folder).fingerprint == combined(make())


@pytest.mark.parametrize("content", [b"half", b"<html>not found</html>"])
def test_an_archive_that_is_damaged_is_named(tmp_path: Path, offline: None, content: bytes) -> None:
    packed = tmp_path / "cifar-10-python.tar.gz"
    packed.write_bytes(content)
    said = f"{packed} is damaged or not downloaded to its end ({len(content)} bytes, and its checksum differs)"
    with pytest.raises(UsageError) as caught:
        load.load("cifar10", tmp_path)
    assert str(caught.value).startswith(said)
    assert load.choose("auto", tmp_path)[1].startswith(said)


def test_a_half_unpacked_archive_is_mended_from_the_packed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anything_is_true: None, offline: None
) -> None:
    save_archive(tmp_path, make(), monkeypatch)
    (tmp_path / "cifar-10-batches-py").mkdir()
    assert load.load("cifar10", tmp_path).fingerprint == combined(make())
    (tmp_path / "cifar-10-python.tar.gz").unlink()
    (tmp_path / "cifar-10-batches-py/test_batch").write_bytes(b"half")
    with pytest.raises(UsageError, match="cifar-10-batches-py is damaged and no network"):
        load.load("cifar10", tmp_path)


def test_the_probe_gives_up_on_a_silent_or_absent_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "PROBE_SECONDS", 0.3)
    monkeypatch.setenv("no_proxy", "*")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        start = time.monotonic()
        assert sources.probe(f"http://127.0.0.1:{port}/")
        assert time.monotonic() - start < 3
    assert "refused" in sources.probe(f"http://127.0.0.1:{port}/")


# Cache


def test_the_cache_gives_what_the_source_gave(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    save(tmp_path / "mine.npz")
    first = load.load("mine", tmp_path)
    request.getfixturevalue("unbuildable")
    assert same(first, load.load("mine", tmp_path))
    (tmp_path / "mine.npz").unlink()
    assert same(first, load.load("mine", tmp_path))
    assert os.listdir(tmp_path / ".cache") == ["mine.npz"]


def test_a_changed_source_is_read_again(tmp_path: Path) -> None:
    save(tmp_path / "mine.npz")
    load.load("mine", tmp_path)
    save(tmp_path / "mine.npz", **make(seed=1))
    os.utime(tmp_path / "mine.npz", (1, 1))
    assert load.load("mine", tmp_path).fingerprint == combined(make(seed=1))
    (tmp_path / "mine.npz").unlink()
    save_tree(tmp_path / "mine", make(seed=2))
    assert load.load("mine", tmp_path).fingerprint == combined(make(seed=2))
    Image.new("RGB", (32, 32)).save(tmp_path / "mine/test/emu/new.png")
    assert len(load.load("mine", tmp_path).test.labels) == 10


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "foreign", "old"])
def test_a_damaged_cache_is_made_anew_or_refused_if_the_source_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    arrays, cache = save(tmp_path / "mine.npz"), tmp_path / ".cache/mine.npz"
    load.load("mine", tmp_path)

    def spoil() -> None:
        whole = cache.read_bytes()
        if damage == "old":
            monkeypatch.setattr("benchmark.data.cache.CACHE_FORMAT", "of another time")
        elif damage == "foreign":
            np.savez(cache, **arrays)
        else:
            middle = len(whole) // 2
            flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
            cache.write_bytes({"empty": b"", "cut": whole[:middle], "flipped": flipped}[damage])

    spoil()
    assert load.load("mine", tmp_path).fingerprint == combined(arrays)
    spoil()
    (tmp_path / "mine.npz").unlink()
    with pytest.raises(UsageError, match=r"mine\.npz is damaged, its source gone"):
        load.load("mine", tmp_path)


def test_a_cache_under_a_wrong_name_is_not_used(tmp_path: Path, offline: None) -> None:
    save(tmp_path / "mine.npz")
    load.load("mine", tmp_path)
    (tmp_path / ".cache/mine.npz").rename(tmp_path / ".cache/cifar10.npz")
    with pytest.raises(UsageError, match="there is no cifar10"):
        load.load("cifar10", tmp_path)


def test_a_full_disk_is_reported_and_leaves_nothing_behind(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    save(tmp_path / "mine.npz")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))  # bytes; writing more fails as on a full disk
    try:
        with pytest.raises(UsageError, match=r"cannot write .*mine\.npz: .*--data-dir"):
            load.load("mine", tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.listdir(tmp_path / ".cache") == []


def test_an_unwritable_folder_is_reported(tmp_path: Path) -> None:
    save(tmp_path / "mine.npz")
    (tmp_path / ".cache").write_text("in the way")
    with pytest.raises(UsageError, match=r"cannot write .*mine\.npz: .*--data-dir"):
        load.load("mine", tmp_path)


def test_several_writers_do_not_clash(tmp_path: Path) -> None:
    save(tmp_path / "mine.npz")
    with ThreadPoolExecutor(4) as pool:
        sets = list(pool.map(lambda _: load.load("mine", tmp_path), range(4)))
    assert all(same(sets[0], other) for other in sets)
    assert os.listdir(tmp_path / ".cache") == ["mine.npz"]
