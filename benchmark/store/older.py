"""Tables of stores written before schema 2, in the form of today."""

from __future__ import annotations

from typing import Any

from benchmark.claim import CONTROL

Json = dict[str, Any]  # an object of a file, whose values may be of any kind until they are checked

DESIGNS_OF_SCHEMA_1 = ("pairs", "leave-one-out")  # in schema 1 only the name of the ablation showed a design


def upgraded_table(old: Json) -> Json:
    """Returns a table of studies.json of schema 1 with the fields of today, as far as it has them.

    Raises KeyError or TypeError for one that was no such table.
    """
    control, claims = old["control"], [upgraded_claim(claim) for claim in old["claims"]]
    moved = ("control", "claims", "arms", "looks")
    return {name: value for name, value in old.items() if name not in moved} | {
        "design": old["ablation"] if old["ablation"] in DESIGNS_OF_SCHEMA_1 else "add-one",
        "tricks": tricks_of(old),
        "control": {"variant": CONTROL, "recipe": control["recipe"], "seeds": control["seeds"]},
        "same": control["same"],
        "arms": [upgraded_arm(arm) for arm in old["arms"]],
        "claims": claims,
        "interims": old.get("looks", []),
    }


def upgraded_arm(old: Json) -> Json:
    """Returns an arm of schema 1 with the fields of today."""
    kept = {name: old[name] for name in ("variant", "recipe", "seeds", "changes")}
    ensemble = {"copies": old["copies"], "combine": old["combine"]} if old.get("kind") == "ensemble" else None
    return kept | {"ensemble": ensemble}


def upgraded_claim(old: Json) -> Json:
    """Returns a claim of schema 1, whose comparison lay among its fields, with the comparison as a value."""
    own = ("name", "text", "context")
    return {name: old[name] for name in own} | {"holds": {n: value for n, value in old.items() if n not in own}}


def tricks_of(old: Json) -> list[str]:
    """Returns the tricks of a design of schema 1, which its claims or the names of its arms showed."""
    if old["ablation"] == "pairs":
        return list(dict.fromkeys(claim[side] for side in ("first", "second") for claim in old["claims"]))
    if old["ablation"] == "leave-one-out":
        names = [arm["variant"] for arm in old["arms"]]
        return [name.removeprefix("without ") for name in names if name.startswith("without ")]
    return []
