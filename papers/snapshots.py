"""What are the snapshots of one run worth, against single networks and against short runs for the same cost?

Huang et al. 2017, https://arxiv.org/abs/1704.00109, table 1, ResNet-110: errors on CIFAR-10 and CIFAR-100. One run
with a step schedule; its checkpoints ("no cycles"); independent runs of a fifth of its length; the ends of five cosine
cycles of one run, at twice its rate. Probabilities are averaged. Differs: the full form is ResNet-20, and validation
images are held out. The checkpoints are those of the control's own runs, so that their difference is a little surer
than its interval says. Reduced: the small VGG of the budget `quick` on 9,000 images for 20 epochs. Short runs are its
rows: both images and passes are fewer than the paper's, and what is asked is an order at equal cost.
"""

from dataclasses import replace
from typing import Literal

from ablations.ensemble import Cycles
from ablations.schedule import Steps
from benchmark.baseline import SGD, Crop, InTurn, batch_norm, flip, he_normal, relu, standardise
from benchmark.ensembles import mean_probability
from benchmark.networks import VGG, residual_network
from benchmark.recipe import Arm, Better, Claim, Ensemble, Member, Published, Recipe

CYCLES = 5
SHARES = tuple(n / CYCLES for n in range(1, CYCLES))  # of the training, at which all but the last cycle end
PUBLISHED = {
    ("cifar100", ""): {
        "single": Published(100 - 28.02, "read"),
        "checkpoints": Published(100 - 26.97, "read"),
        "short runs": Published(100 - 26.30, "read"),
        "snapshots": Published(100 - 24.19, "read"),
    },
    ("cifar10", ""): {
        "single": Published(100 - 5.52, "read"),
        "checkpoints": Published(100 - 5.49, "read"),
        "short runs": Published(100 - 7.35, "read"),
        "snapshots": Published(100 - 5.32, "read"),
    },
}
CLAIMS = [
    Claim("snapshots 1", "Snapshots beat a single run of equal cost.", Better("snapshots", than="single")),
    Claim("snapshots 2", "They beat short runs of equal cost.", Better("snapshots", than="short runs")),
    Claim("snapshots 3", "They beat checkpoints of a run without cycles.", Better("snapshots", than="checkpoints")),
]


def base(data: str, precision: Literal["fp32", "bf16"], full: bool) -> Recipe:
    return Recipe(
        data=data,
        images=None if full else 9000,
        validation_images=None if full else 500,
        augment=InTurn((Crop(4), flip)),
        preprocess=standardise,
        network=residual_network(20) if full else VGG(((16, 1), (32, 2), (64, 2))),
        activation=relu,
        norm=batch_norm,
        initialise=he_normal,
        epochs=200 if full else 20,
        batch_size=64,
        learning_rate=0.1,
        schedule=Steps(10, (0.5, 0.75)),
        optimiser=SGD(momentum=0.9, nesterov=False),
        weight_decay=1e-4,
        precision=precision,
        snapshots=SHARES,
    )


def variants(base: Recipe) -> dict[str, Arm]:
    cyclic = replace(base, schedule=Cycles((*SHARES, 1.0)), learning_rate=2 * base.learning_rate)
    short = replace(base, epochs=max(1, base.epochs // CYCLES), schedule=Cycles((1.0,)), snapshots=())
    return {
        "single": base,
        "checkpoints": shots(base),
        "short runs": Ensemble(tuple(Member(short, offset) for offset in range(CYCLES)), mean_probability),
        "snapshots": shots(cyclic),
    }


def shots(recipe: Recipe) -> Ensemble:
    return Ensemble(tuple(Member(recipe, at=share) for share in (*SHARES, 1.0)), mean_probability)
