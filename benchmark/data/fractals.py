"""Draws the data set fractal10: ten classes of coloured fractals, for computers that have no other images.

After Kataoka et al., Pre-training without Natural Images, 2020 [1]. A class is an iterated function system: 2 to
7 random affine maps of the plane. An image shows its attractor, found by the chaos game: apply one of the maps,
drawn with a probability proportional to its |determinant|, again and again. The images of a class differ in
small changes of the maps, in position, size, rotation, reflection, colours and background; all these are drawn
alike for every class, so that only the shape tells the classes apart. Unlike in the paper, maps are redrawn
until they contract, so that none diverges.

The bytes are the same on every machine and with every numpy: random numbers come from splitmix64 [2], and
floats meet only + - * /, floor, minimum and maximum, which IEEE 754 defines exactly; where the order of
evaluation is not fixed, as in sums over an axis, there are only integers.

[1] https://arxiv.org/abs/2101.08515
[2] https://prng.di.unimi.it/splitmix64.c
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt

from benchmark.data.canonical import SIDE, Array

Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]

SEED = 1
CLASSES, TRAIN, TEST = 10, 5_000, 1_000  # both splits hold equally many images of each class
CHUNK = 200  # images drawn at a time, so that they stay in the processor's cache

# The classes
MAPS = 7  # at most; at least 2, as in the paper
FILL = (0.2, 0.6)  # share of the pixels that a class touches; the paper's least, and no mere blobs
APART = 0.5  # least share of the pixels touched by either of two classes that are touched by one only
WALKERS, WARM_UP, STEPS = 64, 12, 48  # of the chaos game; the steps on the way to the attractor are not drawn

# How the images of a class differ: so much that the quick baseline gets about 3 of 4 test images right
CHANGE = 0.18  # most that is added to or taken from a coefficient of a map
EXTENT = (0.6, 1.1)  # width and height, as shares of the image's side
TURN = 0.15  # most tangent of half the angle of rotation
SHIFT = 6.0  # most pixels from the middle
SOFTNESS = (1.0, 6.0)  # points that make a pixel half opaque
CELLS = 4  # of the background along a side; colours run smoothly between their corners
SPREAD = 80.0  # most levels (of 0 to 255) that the background departs from its mean
NOISE = 20.0  # most levels that are added to or taken from a channel of a pixel


class Random:
    """The generator splitmix64."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def words(self, count: int) -> npt.NDArray[np.uint64]:
        """Returns the next numbers of 64 bits, uint64 (count,)."""
        gamma = 0x9E3779B97F4A7C15
        z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(gamma) + np.uint64(self.state)
        self.state = (self.state + count * gamma) % 2**64
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))

    def bytes(self, *shape: int) -> Bytes:
        """Numbers from 0 to 255, uint8 of the given shape."""
        count = math.prod(shape)
        return self.words(-(-count // 8)).astype("<u8").view(np.uint8)[:count].reshape(shape)

    def uniform(self, low: float, high: float, *shape: int) -> Floats:
        """Numbers from low to high, float64 of the given shape."""
        numbers = (self.words(math.prod(shape)) >> np.uint64(11)).astype(np.float64)  # below 2**53, thus exact
        return low + (high - low) * (numbers / 2**53).reshape(shape)


def fractal10(train: int = TRAIN, test: int = TEST) -> dict[str, Array]:
    """Returns the data set, the same at every call; tests draw fewer images.

    train_images and test_images, RGB, uint8 (n, 32, 32, 3); train_labels and test_labels, uint8 (n,), 0 to 9;
    classes, the name of each label, text (10,).
    """
    random = Random(SEED)
    classes = find_classes(random)
    tables = np.stack([tabulate(maps) for maps in classes])
    labels = np.arange(train + test) % CLASSES
    images = np.empty((len(labels), SIDE, SIDE, 3), np.uint8)
    for start in range(0, len(labels), CHUNK):
        chunk = labels[start : start + CHUNK]
        maps = classes[chunk] + random.uniform(-CHANGE, CHANGE, len(chunk), MAPS, 6)
        x, y, last = play(maps, tables[chunk], random)
        images[start : start + CHUNK] = paint(count(*place_in_image(x, y, random), last), random)
    return {
        "train_images": images[:train],
        "train_labels": labels[:train].astype(np.uint8),
        "test_images": images[train:],
        "test_labels": labels[train:].astype(np.uint8),
        "classes": np.array([f"fractal {i}" for i in range(CLASSES)]),
    }


def find_classes(random: Random) -> Floats:
    """Returns the maps of sufficiently different shapes, also if reflected, float64 (CLASSES, MAPS, 6)."""
    found: list[Floats] = []
    shapes: list[npt.NDArray[np.bool_]] = []  # of the classes found and their mirror images
    while len(found) < CLASSES:
        maps = draw_maps(random)
        x, y, last = play(maps[None], tabulate(maps)[None], random)
        shape = count(fit_to_unit(x) * (SIDE - 1), fit_to_unit(y) * (SIDE - 1), last)[0].sum(axis=0) > 0
        filling = FILL[0] <= shape.sum() / SIDE**2 <= FILL[1]
        if filling and all((shape ^ other).sum() >= APART * (shape | other).sum() for other in shapes):
            found.append(maps)
            shapes += [shape, shape[:, ::-1]]
    return np.stack(found)


def draw_maps(random: Random) -> Floats:
    """Maps x, y -> a x + b y + e, c x + d y + f, float64 (MAPS, 6) in the order a to f; unused rows are 0."""
    maps = np.zeros((MAPS, 6))
    for row in range(2 + int(random.bytes(1)[0]) % (MAPS - 1)):
        squares = determinant = 2.0
        while determinant**2 >= 1 or squares >= 1 + determinant**2:  # until both singular values are below 1
            maps[row] = random.uniform(-1, 1, 6)
            a, b, c, d = maps[row, :4].tolist()
            squares, determinant = a * a + b * b + c * c + d * d, a * d - b * c
    return maps


def tabulate(maps: Floats) -> Bytes:
    """Returns the map to apply for each value of a random byte, uint8 (256,), as often as its
    |determinant| demands."""
    sizes = np.abs(maps[:, 0] * maps[:, 3] - maps[:, 1] * maps[:, 2])
    bounds = list(itertools.accumulate(sizes.tolist()))
    values = [(i + 0.5) / 256 * bounds[-1] for i in range(256)]
    return np.array([sum(bound <= value for bound in bounds) for value in values], np.uint8)


def play(maps: Floats, tables: Bytes, random: Random) -> tuple[Floats, Floats, Bytes]:
    """Plays the chaos game and returns points x and y of n attractors and the map that led to each, all (STEPS, n,
    WALKERS).

    maps is (n, MAPS, 6), tables (n, 256).
    """
    n = len(maps)
    image = np.arange(n)[:, None]
    coefficients = np.ascontiguousarray(maps.reshape(-1, 6).T)
    xs, ys = np.empty((2, STEPS, n, WALKERS))
    last = np.empty((STEPS, n, WALKERS), np.uint8)
    x = y = np.zeros((n, WALKERS))
    for step in range(-WARM_UP, STEPS):
        choice = tables[image, random.bytes(n, WALKERS)]
        a, b, c, d, e, f = coefficients[:, image * MAPS + choice]
        x, y = a * x + b * y + e, c * x + d * y + f
        if step >= 0:
            xs[step], ys[step], last[step] = x, y, choice
    return xs, ys, last


def fit_to_unit(x: Floats) -> Floats:
    """Coordinates (STEPS, n, WALKERS) shifted and scaled so that those of each image run from 0 to 1."""
    low: Floats = x.min(axis=(0, 2), keepdims=True)
    high: Floats = x.max(axis=(0, 2), keepdims=True)
    return (x - low) / (high - low)


def place_in_image(x: Floats, y: Floats, random: Random) -> tuple[Floats, Floats]:
    """Returns points scaled, turned, moved and, half of them, reflected, in pixels; some may be outside the image."""
    n = x.shape[1]
    width, height = SIDE * random.uniform(*EXTENT, 2, n, 1)
    u = (fit_to_unit(x) - 0.5) * width * np.where(random.bytes(n, 1) < 128, -1, 1)
    v = (fit_to_unit(y) - 0.5) * height
    t = random.uniform(-TURN, TURN, n, 1)
    cosine, sine = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
    right, down = SIDE / 2 + random.uniform(-SHIFT, SHIFT, 2, n, 1)
    return cosine * u - sine * v + right, sine * u + cosine * v + down


def count(x: Floats, y: Floats, last: Bytes) -> Array:
    """Returns points in each pixel, integers (n, 2, SIDE, SIDE), apart for those that even and odd maps led to."""
    n = x.shape[1]
    inside = (x >= 0) & (x < SIDE) & (y >= 0) & (y < SIDE)
    layer = np.arange(n)[:, None] * 2 + last % 2
    pixel = (layer * SIDE + np.floor(y).astype(np.int64)) * SIDE + np.floor(x).astype(np.int64)
    return np.bincount(pixel[inside], minlength=n * 2 * SIDE**2).reshape(n, 2, SIDE, SIDE)


def paint(counts: Array, random: Random) -> Bytes:
    """Returns images, uint8 (n, SIDE, SIDE, 3): both layers of points, in a colour each, on a background,
    and noise."""
    n = len(counts)
    points = counts[..., None].astype(np.float64)
    total = points[:, 0] + points[:, 1]
    colours = random.uniform(0, 255, n, 2, 1, 1, 3)
    front = (points[:, 0] * colours[:, 0] + points[:, 1] * colours[:, 1]) / np.maximum(total, 1)
    back = random.uniform(0, 255, n, 1, 1, 3) + clouds(n, random)
    opacity = total / (total + random.uniform(*SOFTNESS, n, 1, 1, 1))
    noise = (random.bytes(n, SIDE, SIDE, 3).astype(np.float64) / 127.5 - 1) * NOISE
    return np.clip(back + (front - back) * opacity + noise, 0, 255).astype(np.uint8)


def clouds(n: int, random: Random) -> Floats:
    """Returns smoothly varying colours from -SPREAD to SPREAD, float64 (n, SIDE, SIDE, 3)."""
    corners = random.uniform(-SPREAD, SPREAD, n, CELLS + 1, CELLS + 1, 3)
    cell, rest = np.divmod(np.arange(SIDE) * CELLS, SIDE)
    part = (rest / SIDE)[:, None]
    rows = corners[:, cell] + (corners[:, cell + 1] - corners[:, cell]) * part[:, None]
    return rows[:, :, cell] + (rows[:, :, cell + 1] - rows[:, :, cell]) * part
