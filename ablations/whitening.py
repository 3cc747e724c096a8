"""Is whitening worth it in front of a convolutional network, and how large should its epsilon be?

Wei 2015, section 2, http://lamda.nju.edu.cn/weixs/project/CNNTricks/CNNTricks.html. From an image, as one row of d
numbers in [0, 1], the mean of the training images is subtracted. "decorrelated": turned into the eigenbasis E of their
d x d covariance, E' (x - mean). "PCA": that divided by sqrt(eigenvalue + eps). "ZCA": that turned back by E; Bell &
Sejnowski 1997, https://doi.org/10.1016/S0042-6989(97)00121-1. Published: ZCA 4.17, mean and deviation 4.00 % error,
https://arxiv.org/abs/1605.07146. The number in a name is eps. It is added to eigenvalues of images in [0, 1], which
for CIFAR-10 go from 56 down to 1.6e-6; for images in 0...255 all would be 65,025 times as large. Components fill an
image in order, the largest first, and no longer lie as pixels do. Of fewer images than d some eigenvalues are 0, and
eps alone decides. The product is taken in float32 whatever the network's precision: in bfloat16 a pixel would be off
by more than many a component varies.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from benchmark.recipe import Better, Claim, NotBetter, Published, Recipe, Transform


@dataclass(frozen=True)
class Whitened:
    epsilon: float | None  # None: turned, not divided
    back: bool  # turned back

    def __post_init__(self) -> None:
        if self.epsilon is not None and not self.epsilon > 0:
            raise ValueError(f"Whitened.epsilon must be above 0, or None, got {self.epsilon!r}")

    def __call__(self, train_images: Tensor) -> Transform:
        mean, eigenvalues, basis = eigenbasis(train_images)
        matrix = basis if self.epsilon is None else basis / (eigenvalues + self.epsilon).sqrt()
        return Product(mean.float(), matrix.float() @ basis.float().T if self.back else matrix.float())


@dataclass(frozen=True, eq=False)
class Product:
    """(x - mean) @ matrix of each image as one row of its pixels."""

    mean: Tensor
    matrix: Tensor

    def __call__(self, images: Tensor) -> Tensor:
        by_pixel = images.permute(0, 2, 3, 1)
        with torch.autocast(images.device.type, enabled=False):
            rows = (by_pixel.flatten(1) - self.mean) @ self.matrix
        return rows.view(by_pixel.shape).permute(0, 3, 1, 2)


_kept: dict[str, tuple[Tensor, Tensor, Tensor]] = {}  # of the last images: all arms share it


def eigenbasis(train_images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (d,), eigenvalues (d,) from the largest down, eigenvectors as columns (d, d); float64."""
    rows = train_images.permute(0, 2, 3, 1).flatten(1)
    key = f"{rows.device} {hashlib.sha256(rows.flatten().cpu().numpy().data).hexdigest()}"
    if key not in _kept:
        _kept.clear()
        mean = rows.mean(0, dtype=torch.float64)
        _kept[key] = mean, *spectrum(rows, mean)
    return _kept[key]


def spectrum(rows: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    n, d = rows.shape
    if n < d:  # 0.6 s for 216 images, where the covariance takes 10 s
        _, values, basis = torch.linalg.svd(rows - mean, full_matrices=True)
        return torch.cat([values**2 / n, values.new_zeros(d - n)]), basis.T
    covariance = torch.zeros(d, d, dtype=mean.dtype, device=mean.device)
    for part in rows.split(4096):  # in parts, for the memory's sake
        centred = part - mean
        covariance.addmm_(centred.T, centred, alpha=1 / n)
    values, basis = torch.linalg.eigh(covariance)
    return values.flip(0).clamp_min(0), basis.flip(1)


CLAIMS = [
    Claim("S2.4", "Whitening is seldom worth it.", NotBetter(f"{way} {epsilon}"))
    for way in ("PCA", "ZCA")
    for epsilon in ("1e-5", "1e-3", "1e-1")
] + [
    Claim("S2.5", "More epsilon mends the noise.", Better(f"{way} 1e-1", than=f"{way} 1e-5")) for way in ("PCA", "ZCA")
]
PUBLISHED = {  # Zagoruyko & Komodakis 2016, https://arxiv.org/abs/1605.07146, WRN-28-10
    ("cifar10", ""): {"baseline": Published(96.00, "quoted"), "ZCA 1e-1": Published(95.83, "quoted")}
}
TOUR = ("ZCA 1e-1",)


def variants(base: Recipe) -> dict[str, Recipe]:
    ways: dict[str, Callable[[Tensor], Transform]] = {
        "decorrelated": Whitened(None, back=False),
        "PCA 1e-5": Whitened(1e-5, back=False),
        "PCA 1e-3": Whitened(1e-3, back=False),
        "PCA 1e-1": Whitened(1e-1, back=False),
        "ZCA 1e-5": Whitened(1e-5, back=True),
        "ZCA 1e-3": Whitened(1e-3, back=True),
        "ZCA 1e-1": Whitened(1e-1, back=True),
    }
    return {name: replace(base, preprocess=way) for name, way in ways.items()}
