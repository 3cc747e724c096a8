"""The generator, the chaos game and the finished data set, which must be the same bytes everywhere."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

import numpy as np
import pytest

from benchmark.data import fractals
from benchmark.data.fractals import Random

GOLDEN = "fe5e1c9ed7dc7831f32f460fd0a75694c2dc0cec72aae51138f27de144e5aefb"


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    return fractals.fractal10()


# The whole set


def test_the_bytes_never_change(whole: dict[str, Any]) -> None:
    digest = hashlib.sha256(" ".join(whole["classes"]).encode())
    for key in ("train_images", "train_labels", "test_images", "test_labels"):
        digest.update(whole[key].tobytes())
    assert digest.hexdigest() == GOLDEN


@pytest.mark.parametrize(("split", "n"), [("train", 5_000), ("test", 1_000)])
def test_each_split_holds_equally_many_images_of_each_class(whole: dict[str, Any], split: str, n: int) -> None:
    images, labels = whole[f"{split}_images"], whole[f"{split}_labels"]
    assert (images.dtype, images.shape) == (np.uint8, (n, 32, 32, 3))
    assert (labels.dtype, labels.shape) == (np.uint8, (n,))
    assert np.bincount(labels).tolist() == [n // 10] * 10
    assert whole["classes"].tolist() == [f"fractal {i}" for i in range(10)]


def test_no_image_occurs_twice(whole: dict[str, Any]) -> None:
    assert len({image.tobytes() for split in ("train", "test") for image in whole[f"{split}_images"]}) == 6_000


def test_colours_do_not_tell_the_class(whole: dict[str, Any]) -> None:
    colours = {split: whole[f"{split}_images"].mean(axis=(1, 2)) for split in ("train", "test")}
    centres = np.stack([colours["train"][whole["train_labels"] == i].mean(axis=0) for i in range(10)])
    error = colours["train"].std(axis=0) / 500**0.5
    assert (abs(centres - colours["train"].mean(axis=0)) < 4 * error).all()
    guesses = ((colours["test"][:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    assert abs((guesses == whole["test_labels"]).mean() - 0.1) < 0.03


def test_fewer_images_are_the_first_ones(whole: dict[str, Any]) -> None:
    few = fractals.fractal10(train=fractals.CHUNK, test=10)
    assert (few["train_images"] == whole["train_images"][: fractals.CHUNK]).all()
    assert few["test_labels"].tolist() == list(range(10))


# Its parts


def test_the_generator_is_splitmix64() -> None:
    reference = [  # for this seed, https://rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    random = Random(1234567)
    assert random.words(2).tolist() + random.words(0).tolist() + random.words(3).tolist() == reference
    assert Random(1234567).bytes(3, 3).tobytes() == b"".join(word.to_bytes(8, "little") for word in reference)[:9]
    expected = [2 * (word >> 11) / 2**53 - 1 for word in reference]
    assert Random(1234567).uniform(-1, 1, 5, 1).tolist() == [[number] for number in expected]


def test_maps_contract_and_their_number_varies() -> None:
    random = Random(0)
    draws = [fractals.draw_maps(random) for _ in range(100)]
    assert {int(maps.any(axis=1).sum()) for maps in draws} == set(range(2, 8))
    assert all(np.linalg.norm(row[:4].reshape(2, 2), 2) < 1 for maps in draws for row in maps)


def test_a_map_is_as_probable_as_its_determinant_is_large() -> None:
    maps = np.zeros((fractals.MAPS, 6))
    maps[:3, [0, 3]] = [[0.5, 0.5], [0.5, -0.25], [-0.25, 0.5]]
    assert np.bincount(fractals.tabulate(maps)).tolist() == [128, 64, 64]


def test_the_chaos_game_finds_the_sierpinski_triangle() -> None:
    maps = np.zeros((2, fractals.MAPS, 6))
    maps[:, :3] = [[0.5, 0, 0, 0.5, *corner] for corner in ((0, 0), (0.5, 0), (0, 0.5))]
    x, y, last = fractals.play(maps, np.stack([fractals.tabulate(m) for m in maps]), Random(0))
    assert (np.floor(x * 64).astype(int) & np.floor(y * 64).astype(int) == 0).all()
    assert (last == np.floor(x * 2) + 2 * np.floor(y * 2)).all()
    counts = fractals.count(x * 32, y * 32, last)
    assert counts.sum(axis=(1, 2, 3)).tolist() == [fractals.STEPS * fractals.WALKERS] * 2
    assert (counts[:, 1, :, :16] == 0).all()  # map 1 leads to the right half
    rows, columns = np.indices((32, 32))
    assert ((counts.sum(axis=1) > 0) == (rows & columns == 0)).all()


def test_half_of_the_images_are_reflected() -> None:
    n = 1_000
    x = np.broadcast_to([0.0, 0.1, 0.2, 1.0], (1, n, 4))
    y = np.broadcast_to([0.5, 0.0, 1.0, 0.5], (1, n, 4))
    u, v = fractals.place_in_image(x, y, Random(0))
    across, up = u[0, :, 3] - u[0, :, 0], v[0, :, 2] - v[0, :, 1]
    assert 450 < (across > 0).sum() < 550
    assert (up > 0).all()


def test_classes_differ_in_shape() -> None:
    classes = fractals.find_classes(Random(fractals.SEED))
    tables = np.stack([fractals.tabulate(maps) for maps in classes])
    x, y, last = fractals.play(classes, tables, Random(0))
    shapes = fractals.count(fractals.fit_to_unit(x) * 31, fractals.fit_to_unit(y) * 31, last).sum(axis=1) > 0
    assert all(0.15 < shape.mean() < 0.65 for shape in shapes)
    for one, other in itertools.combinations(shapes, 2):
        for seen in (other, other[:, ::-1]):
            assert (one ^ seen).sum() > 0.4 * (one | seen).sum()
