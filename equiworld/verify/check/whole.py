"""What a check says of the whole: which elements hold, which were never tried, what would mend several fields."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from equiworld.verify.check.judge import Judge, moves, worst_of
from equiworld.verify.check.pairs import STILL
from equiworld.verify.check.report import Role, kind_of, traits_of

__all__ = ["by_kind", "never_tried", "notes_of"]


def never_tried(judge: Judge) -> tuple[str, ...]:
    """What elements do and no run began at: "turns", "mirrors", "shifts", "exchanges"."""
    begun = {element for _, element in judge.turned}
    has: dict[str, bool] = {}
    for index, g in enumerate(judge.elements):
        for trait in traits_of(g):
            has[trait] = has.get(trait, False) or index in begun
    return tuple(trait for trait, tried in has.items() if not tried)


def by_kind(judge: Judge) -> dict[str, float]:
    """By kind of element the largest deviation of any observed field, and of the reward if it is to stay."""
    found: dict[str, float] = {}
    roles = ("observation", "reward") if judge.symmetry.reward else ("observation",)
    for (role, name), blocks in judge.blocks.items():
        if role in roles:
            worst, element = worst_of(blocks), judge.seen[role][name].element
            for index in np.unique(element).tolist():
                kind = kind_of(judge.elements[index])
                found[kind] = max(found.get(kind, 0.0), float(worst[element == index].max()))
    return found


def notes_of(judge: Judge) -> Iterator[str]:
    """What no field says by itself."""
    false = [each for each in judge.fields if each.verdict == "false"]
    refused = [run[-1].refused for run in judge.turned.values() if run[-1].refused is not None]
    if refused:
        yield f"{len(refused)} of {len(judge.turned)} runs ended early, for ρ(g)·a was refused: {refused[0]}"
    if judge.order is not None:
        yield f"{', '.join(judge.early)}: {judge.order}"
    keys: list[tuple[Role, str]] = [(each.role, each.name) for each in false if each.role != "action"]
    if keys:
        yield from _which_hold(judge, keys)
    if not judge.symmetry.reward:
        yield from _rewards(judge)
    yield from _goals(judge)


def _within(judge: Judge, key: tuple[Role, str]) -> NDArray[np.bool_]:
    """`(n,)`, in which rows a field is within the tolerance."""
    return np.all([block.within(judge.tolerance) for block in judge.blocks[key]], 0)


def _which_hold(judge: Judge, false: list[tuple[Role, str]]) -> Iterator[str]:
    """Under which elements, and in how many runs, all holds that is false elsewhere."""
    names, kinds = [kind_of(g) for g in judge.elements], dict[str, bool]()
    runs = dict.fromkeys(judge.turned, True)
    for role, name in false:
        pairs, within = judge.seen[role][name], _within(judge, (role, name))
        for state, element, held in zip(
            pairs.state.tolist(), pairs.element.tolist(), within.tolist(), strict=True
        ):
            kinds[names[element]] = kinds.get(names[element], True) and held
            runs[state, element] = runs[state, element] and held
    kept, broken = ([kind for kind, held in kinds.items() if held is side] for side in (True, False))
    if kept:
        yield f"what is false holds under {', '.join(kept)}, and fails under {', '.join(broken)}"
    yield f"{sum(runs.values())} of {len(runs)} runs hold to their end; declared to hold {judge.symmetry.holds}"


def _rewards(judge: Judge) -> Iterator[str]:
    """What a declaration that gives up the reward gives up, and whether it has to."""
    found = [each for each in judge.fields if each.role in ("reward", "end")]
    for each in found:
        if each.verdict == "broken":
            by = f"by {each.relative:.2g} of its scale, as declared by reward=False"
            yield f"the {each.name} deviates {by}: the verdict is of the physics alone"
    if {each.verdict for each in found} <= {"exact", "approximate", "untested"}:
        yield "declared with reward=False, and yet the reward stayed the same in all that was tried"


def _goals(judge: Judge) -> Iterator[str]:
    """Goals that move while something of their type stays."""
    seen, symmetry = judge.seen["observation"], judge.symmetry
    if not symmetry.goal or not all(moves(seen[name]) for name in symmetry.goal):
        return
    for goal in symmetry.goal:
        for name, declared in symmetry.observation.items():
            alike = declared == symmetry.observation[goal] and name not in symmetry.goal
            if alike and not moves(seen[name]) and np.ptp(seen[name].before, axis=0).max() > STILL:
                yield f"the goal {goal!r} moves in an episode and {name!r} does not: are they exchanged?"
