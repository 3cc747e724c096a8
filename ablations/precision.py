"""Does arithmetic in bfloat16 cost accuracy?

Convolutions and matrix products in bfloat16 (8 bits of significand), weights and everything else in float32:
Micikevicius et al. 2018, https://arxiv.org/abs/1710.03740; Kalamkar et al. 2019, https://arxiv.org/abs/1905.12322.
"""

from dataclasses import replace

from benchmark.recipe import Alike, Claim, Recipe

CLAIMS = [Claim("bf16", "Training in bfloat16 ends where training in float32 does.", Alike("bf16", than="fp32"))]


def variants(base: Recipe) -> dict[str, Recipe]:
    return {"fp32": replace(base, precision="fp32"), "bf16": replace(base, precision="bf16")}
