"""From what length of training on do tricks help that hurt a short one?

The baseline for once, twice, four and eight times its epochs, its schedule stretched with them, and on it tricks that
other modules measure at the baseline's length alone. Cutout, random erasing, mixup and CutMix were published at 200
epochs and more of all images: DeVries & Taylor 2017, https://arxiv.org/abs/1708.04552; Zhong et al. 2017,
https://arxiv.org/abs/1708.04896; Zhang et al. 2018, https://arxiv.org/abs/1710.09412; Yun et al. 2019,
https://arxiv.org/abs/1905.04899. At https://github.com/hysts/pytorch_image_classification a wide ResNet has 3.32 % of
errors with mixup after 200 epochs and 3.04 % after 400, with cutout 3.19 and 3.07 (single runs). Wightman, Touvron &
Jégou 2021, https://arxiv.org/abs/2110.00476, have procedures of 100, 300 and 600 epochs, and regularise the longest
the most. Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html, train two to three times as long with
dropout as without.
"""

from ablations import erasing, gyro_dropout, label_smoothing, mixing, muon
from benchmark.recipe import Better, Claim, Recipe, Scaled

CONTEXTS = {f"epochs x{times}": Scaled("epochs", times) for times in (1, 2, 4, 8)}
LONGEST = "epochs x8"
CLAIMS = [
    Claim("cutout", "Cutout helps in a long training.", Better("cutout 8"), LONGEST),
    Claim("random erasing", "Random erasing helps in a long training.", Better("random erasing"), LONGEST),
    Claim("mixup", "Mixup helps in a long training.", Better("mixup 0.2"), LONGEST),
    Claim("CutMix", "CutMix helps in a long training.", Better("CutMix"), LONGEST),
    Claim("dropout", "Dropout helps in a training twice as long and longer.", Better("dropout"), "epochs x2"),
    Claim("dropout", "Dropout helps in a training twice as long and longer.", Better("dropout"), LONGEST),
]


def variants(base: Recipe) -> dict[str, Recipe]:
    """The tricks of other modules as these define them, so that runs at the baseline's length are theirs."""
    return {
        **{name: erasing.variants(base)[name] for name in ("cutout 8", "random erasing")},
        **{name: mixing.variants(base)[name] for name in ("mixup 0.2", "CutMix")},
        "label smoothing 0.1": label_smoothing.variants(base)["0.1"],
        "dropout": gyro_dropout.variants(base)["dropout"],
        "Muon": muon.variants(base)["Muon"],
    }
