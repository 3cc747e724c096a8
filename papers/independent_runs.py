"""What do two and three networks bring that differ in the seed alone, and do the last epochs of one run do it too?

Garipov et al. 2018, https://github.com/timgaripov/dnn-mode-connectivity: accuracies on CIFAR-100 of VGG-16 after 200
epochs, of 1, 2 and 3 independent runs. Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983, section 4.3, found
no gain in the snapshots of the last three epochs. Differs: the network and training of the module `snapshots`, whose
runs are shared: ResNet-20 in the full form, its rate divided by 10 after half and three quarters of the training.
Reduced: as there, the small VGG of the budget `quick` on 9,000 images for 20 epochs.
"""

from dataclasses import replace

from ablations.ensemble import copies, shots
from benchmark.ensembles import mean_probability
from benchmark.recipe import Arm, Better, Claim, Diminishing, Ensemble, NotBetter, Published, Recipe
from papers.snapshots import base as base

PUBLISHED = {
    ("cifar100", ""): {
        "1 run": Published(72.5, "read", deviation=0.1),
        "2 runs": Published(74.8, "read"),
        "3 runs": Published(75.6, "read"),
    }
}
CLAIMS = [
    Claim("runs 1", "Two runs beat one.", Better("2 runs", than="1 run")),
    Claim("runs 2", "Three runs beat two.", Better("3 runs", than="2 runs")),
    Claim("runs 3", "The third brings less than the second.", Diminishing("1 run", "2 runs", "3 runs", (1, 2, 3))),
    Claim("runs 4", "The last three epochs bring nothing.", NotBetter("last 3 epochs", than="1 run")),
]


def variants(base: Recipe) -> dict[str, Arm]:
    last = tuple((base.epochs - back) / base.epochs for back in (2, 1, 0))
    return {
        "1 run": base,
        **{f"{count} runs": Ensemble(copies(base, count), mean_probability) for count in (2, 3)},
        "last 3 epochs": shots(replace(base, snapshots=last[:-1]), last),
    }
