"""What do dropout between its layers, augmentation, and a mean in place of a fully connected head bring a NIN?

Lin et al. 2014, https://arxiv.org/abs/1312.4400, tables 1 and 5: errors of a Network in Network on CIFAR-10, without
dropout, with it behind both poolings, and with flips and shifts as well; then, in place of the mean of each of the
last maps, a layer that is fully connected to all of their pixels, with half of these dropped and without; both keep
the dropout between the layers. Differs: the network, its training and its standardised pixels are those of the module
`xu`, whose ReLU row has the same runs as the control; the paper normalises contrast and whitens (GCN and ZCA). Its
last maps are ten, one for each class, and rectified; here the classifier reads those of the layer before, as ten
rectified ones under a fully connected head did not leave guessing in two epochs. Reduced: as there, half the width,
9,000 images for 20 epochs. Images are cut, not passes: over-fitting, which the rows are against, takes these.
"""

from dataclasses import replace

from ablations.augmentation import Shift
from benchmark.baseline import InTurn, flip
from benchmark.networks import Chain, Drop, Flat, Mean
from benchmark.recipe import Better, Claim, More, Published, Recipe
from papers.xu import base as base
from papers.xu import layers

PUBLISHED = {
    ("cifar10", ""): {
        "no dropout": Published(100 - 14.51, "quoted"),
        "dropout": Published(100 - 10.41, "quoted"),
        "dropout, flip and shift": Published(100 - 8.81, "quoted"),
        "fully connected": Published(100 - 11.59, "recalled"),
        "fully connected + dropout": Published(100 - 10.88, "recalled"),
    }
}
CLAIMS = [
    Claim("NIN 1", "Dropout between the layers helps.", Better("dropout", than="no dropout")),
    Claim("NIN 1", "Dropout narrows the gap.", More("no dropout", than="dropout", of="gap")),
    Claim("NIN 2", "Augmentation on top helps.", Better("dropout, flip and shift", than="dropout")),
    Claim("NIN 3", "The mean beats a fully connected head.", Better("dropout", than="fully connected")),
    Claim("NIN 4", "Dropout helps that head.", Better("fully connected + dropout", than="fully connected")),
    Claim("NIN 5", "The mean beats that too.", Better("dropout", than="fully connected + dropout")),
]


def variants(base: Recipe) -> dict[str, Recipe]:
    full = base.images is None
    maps = layers(full, (Drop(0.5),))
    return {
        "no dropout": replace(base, network=Chain((*layers(full, ()), Mean()))),
        "dropout": base,
        "dropout, flip and shift": replace(base, augment=InTurn((flip, Shift(4)))),
        "fully connected": replace(base, network=Chain((*maps, Flat()))),
        "fully connected + dropout": replace(base, network=Chain((*maps, Drop(0.5), Flat()))),
    }
