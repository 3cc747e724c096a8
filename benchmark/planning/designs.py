"""Several tricks at once: each dropped from all of them, each pair with its interaction, or each on top of the last.

`run` measures each trick by itself, on the baseline. A trick can be worth less, or nothing, in company of others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from types import NoneType

from benchmark.baseline import baseline
from benchmark.claim import CONTROL, Additive, Better, Claim
from benchmark.engine.network import assembled
from benchmark.errors import UsageError, canonical_name, hint, unknown
from benchmark.planning.discovery import Ablation, choose_ablations, unadapted
from benchmark.planning.identity import changes, describe
from benchmark.planning.studies import Study, study
from benchmark.recipe import Recipe


@dataclass(frozen=True)
class Trick:
    """One variant of one ablation."""

    ablation: Ablation
    variant: str

    @property
    def name(self) -> str:
        """As tables show it."""
        return f"{self.ablation.name}: {self.variant}"

    def on(self, base: Recipe) -> Recipe:
        """Returns `base` with the trick. Raises UsageError if the ablation has no such variant, or it is an
        ensemble."""
        arms = self.ablation.variants(base, base)
        if self.variant not in arms:
            raise unknown(f"variant of {self.ablation.name}", self.variant, arms)
        recipe = arms[self.variant]
        if not isinstance(recipe, Recipe):
            raise UsageError(f"{self.name} is an ensemble, which no other trick goes together with; leave it out")
        return recipe


def find_tricks(asked: Sequence[str], ablations: Sequence[Ablation], broken: Sequence[str] = ()) -> list[Trick]:
    """Returns the tricks named ABLATION:VARIANT. Raises UsageError for fewer than two, and for a name that is not
    there."""
    found = []
    for text in asked:
        name, _, variant = (part.strip() for part in text.partition(":"))
        if not variant:
            raise UsageError(f"--trick {text!r} must be ABLATION:VARIANT, such as activation:PReLU; see `list`")
        if name in broken:
            raise UsageError(f"--trick {text!r}: {name} cannot be used; `list` says why")
        found.append(find_trick(name, variant, ablations))
    if len(set(found_names := [trick.name for trick in found])) < max(2, len(found)):
        raise UsageError(f"this design needs two or more different tricks, got {found_names}; name each by --trick")
    return found


def find_trick(name: str, variant: str, ablations: Sequence[Ablation]) -> Trick:
    """Returns the trick of these names, whose case does not matter. Raises UsageError if it is not there."""
    by_name = {canonical_name(each.name): each.name for each in ablations}
    if "(" in name and canonical_name(name.partition("(")[0]) in by_name:
        raise UsageError(
            f"--trick {name}:{variant} names a context; tricks go on the baseline: leave out the brackets"
        )
    (ablation,) = choose_ablations(ablations, (), [by_name.get(canonical_name(name), name)])
    base = baseline("cifar10", "quick")  # names are the same on any other
    there = {canonical_name(each): each for each in ablation.variants(base, base)}
    if canonical_name(variant) not in there:
        raise UsageError(f"unknown variant {variant!r} of {ablation.name}; {hint(variant, list(there.values()))}")
    return Trick(ablation, there[canonical_name(variant)])


def together(base: Recipe, several: Sequence[Trick]) -> Recipe:
    """Returns `base` with all of the tricks, put on in their order.

    Raises UsageError where one undoes another: both set the same field and the later does not build on the earlier,
    as an augmentation does that comes on top of what is there; or the network is the same with and without it.
    """
    full = stacked(base, several)
    for trick in several[: len(several) if len(several) > 1 else 0]:
        others = [other for other in several if other is not trick]
        less = stacked(base, others)
        if changes(less, full).keys() <= BUILT and anatomy(less) == anatomy(full):
            company = ", ".join(other.name for other in others)
            raise UsageError(f"{trick.name} changes nothing together with {company}; leave it out")
    return full


# What a recipe hands to its network builder, and the builder.
BUILT = {"network", "activation", "norm", "convolution", "pool", "after_stage", "before_head"}


def anatomy(recipe: Recipe) -> tuple[list[object], ...]:
    """Returns all that tells a recipe's network from another but for the numbers in its tensors: the layers with
    their settings, then the parameters with their shapes and whether they learn."""
    network = assembled(recipe, 10, [])
    layers = [
        (name, type(layer), {key: value for key, value in vars(layer).items() if isinstance(value, PLAIN_TYPES)})
        for name, layer in network.named_modules()
    ]
    return [repr(network), *layers], [(name, p.shape, p.requires_grad) for name, p in network.named_parameters()]


PLAIN_TYPES = (
    bool,
    int,
    float,
    str,
    tuple,
    NoneType,
)  # types of what a layer keeps that two layers can be compared by


def stacked(base: Recipe, several: Sequence[Trick]) -> Recipe:
    """Returns `base` with all of the tricks, field by field. Raises UsageError as `together` does, but for
    networks."""
    recipe, owner = base, dict[str, str]()
    for trick in several:
        after = trick.on(recipe)
        changed = changes(after, recipe)
        if not changed:
            company = f" together with {', '.join(owner.values())}" if owner else ""
            raise UsageError(f"{trick.name} changes nothing{company}; leave it out")
        for field in changed:
            before, text = getattr(recipe, field), describe(getattr(after, field))
            if field in owner and (isinstance(before, int | float | None) or describe(before) not in text):
                raise UsageError(f"{owner[field]} and {trick.name} both set {field!r}; leave one of them out")
            owner[field] = trick.name
        recipe = after
    return recipe


def leave_one_out(several: Sequence[Trick], base: Recipe) -> Study:
    """Returns the table with all of the tricks as the control and, as variants, each of the tricks dropped."""
    arms = {
        f"without {each.name}": together(base, [other for other in several if other is not each]) for each in several
    }
    full = together(base, several)
    question = "What is each of these tricks worth together with the others?"
    return design_table("leave-one-out", question, several, full, {"all": full, **arms, "none": base}, ())


def pairs_table(several: Sequence[Trick], base: Recipe) -> Study:
    """Returns the table of each trick by itself and each two together, with the interaction of each two as a claim."""
    arms = {each.name: each.on(base) for each in several}
    claims = []
    for first, second in combinations(several, 2):
        both = f"{first.name} + {second.name}"
        arms[both] = together(base, (first, second))
        text = f"{both} is worth the sum of what each is worth alone."
        claims.append(Claim("interaction", text, Additive(both, first.name, second.name)))
    return design_table("pairs", "Do these tricks add up?", several, base, arms, claims)


def ladder_table(several: Sequence[Trick], base: Recipe) -> Study:
    """Returns the table of the base and each trick on top of those before it, with what each step adds as a claim."""
    arms, claims, below = dict[str, Recipe](), [], CONTROL
    for count, trick in enumerate(several, 1):
        step = f"{count}. + {trick.name}"
        arms[step] = together(base, several[:count])
        claims.append(Claim("step", f"{trick.name} improves on what is below it.", Better(step, than=below)))
        below = step
    return design_table("ladder", "What does each trick add to those below it?", several, base, arms, claims)


DESIGNS = {"leave-one-out": leave_one_out, "pairs": pairs_table, "ladder": ladder_table}


def design_table(
    name: str,
    question: str,
    several: Sequence[Trick],
    base: Recipe,
    arms: Mapping[str, Recipe],
    claims: Sequence[Claim],
) -> Study:
    """Returns a design's table. Its context names the tricks, so that other tricks make another table."""
    context = ", ".join(trick.name for trick in several)
    sources = dict.fromkeys(link for trick in several for link in trick.ablation.sources)
    ablation = Ablation(name, question, tuple(sources), {context: unadapted}, lambda _, __: arms, tuple(claims))
    return replace(study(ablation, context, base, base), design=name, tricks=tuple(each.name for each in several))
