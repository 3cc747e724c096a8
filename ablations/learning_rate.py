"""Which peak learning rate trains best, and what do rates far from it do?

Only the rate changes; it is that of a batch's mean loss, under the baseline's schedule, momentum and batch size.
Starting from 0.1, and what too high, high and low rates look like: Wei 2015,
http://lamda.nju.edu.cn/weixs/project/CNNTricks/CNNTricks.html, sections 4 and 7. Published for ResNet-preact-20 on
CIFAR-10: a U with its minimum at 0.2 to 0.8, https://github.com/hysts/pytorch_image_classification. A run whose loss
leaves the finite numbers is recorded as diverged.
"""

from dataclasses import replace

from benchmark.recipe import Claim, Fails, More, NotBetter, Recipe

RATES = (0.0005, 0.01, 0.03, 0.1, 0.3, 1, 3, 8)

CLAIMS = [
    *(Claim("S4.3", "0.1 is a good place to start.", NotBetter(f"{r}", than="0.1")) for r in RATES if r != 0.1),
    Claim("S5.10", "Too high a rate kills rectifier units.", More("3", than="0.1", of="dead units")),
    Claim("S7.4", "A high rate's loss falls fast at the beginning.", More("0.1", than="3", of="early loss")),
    Claim("S7.1", "Too high a rate: the loss explodes, nothing is learned.", Fails("8")),
    Claim("S7.1", "A high rate ends with a higher loss than a good one.", More("3", than="0.1", of="train loss")),
    Claim("S7.1", "A low rate learns slowly.", More("0.1", than="0.0005", of="speed")),
    Claim("S7.1", "A low rate ends with a higher loss.", More("0.0005", than="0.1", of="train loss")),
]

TOUR = ("0.01", "3")


def variants(base: Recipe) -> dict[str, Recipe]:
    return {f"{rate}": replace(base, learning_rate=rate) for rate in RATES}
