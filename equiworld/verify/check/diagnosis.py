"""What is wrong with a false declaration: the one exchange that mends it, or whether the world itself breaks it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.groups.arrays import Array
from equiworld.symmetry import Field, Symmetry
from equiworld.verify.check.candidate import Candidate
from equiworld.verify.check.candidates import action_candidates, field_candidates
from equiworld.verify.check.pairs import STILL, Pairs, blocks_of, gathered
from equiworld.verify.check.report import places_in_words
from equiworld.verify.check.trials import Run, Simulator, Trial

__all__ = ["false_at_first", "mended_action", "mended_field", "mended_order"]

_MOST_FIELDS = 4  # whose order is tried in all ways
_ENOUGH = 4  # steps over which other actions are tried: later on rounding may have grown
_MOST_SWAPS = 3000  # pairs of numbers that are tried


def mended_field(
    declared: Field, pairs: Pairs, elements: GroupElement, symmetry: Symmetry, tolerance: float
) -> str | None:
    """In words, the declaration that fits what was seen of a field; None if none that is tried does."""
    blocks = blocks_of(declared, pairs, elements, symmetry)
    told = []
    for block in blocks:
        if block.within(tolerance).all():
            continue
        own = pairs.at(block.places)
        found = _fit(block.declared, own, elements, symmetry, tolerance)
        if found is None:
            return None
        part = f"numbers {places_in_words(block.places)}: " if len(blocks) > 1 else ""
        told.append(f"{part}{found}")
    return "; ".join(told) or None


def _fit(
    declared: Field, pairs: Pairs, elements: GroupElement, symmetry: Symmetry, tolerance: float
) -> str | None:
    """Over all steps if the world allows, else of what was seen right after the move."""
    for seen in (pairs, pairs.first):
        if _holds(declared, seen, elements, symmetry, tolerance):
            continue  # what fits as it is declared says nothing of others
        for candidate in field_candidates(declared, seen, elements, symmetry):
            residual = candidate.residual(seen, elements, symmetry, tolerance)
            if residual is not None:
                return f"{candidate.words} would fit to {residual:.1g}"
    return None


def _holds(
    declared: Field, pairs: Pairs, elements: GroupElement, symmetry: Symmetry, tolerance: float
) -> bool:
    blocks = blocks_of(declared, pairs, elements, symmetry)
    return all(block.within(tolerance).all() for block in blocks)


def false_at_first(
    seen: Mapping[str, Pairs], elements: GroupElement, symmetry: Symmetry, tolerance: float
) -> list[str]:
    """The observed fields that are false right after the move already, whatever the world does later."""
    return [
        name
        for name, pairs in seen.items()
        if not _holds(symmetry.observation[name], pairs.first, elements, symmetry, tolerance)
    ]


def mended_order(
    false: Sequence[str],
    seen: Mapping[str, Pairs],
    elements: GroupElement,
    symmetry: Symmetry,
    tolerance: float,
    numbers: bool,
) -> str | None:
    """In words, the fields of one array, or with `numbers` the two numbers, whose exchange mends all false fields."""
    places = _places(symmetry)
    arrays = {places[name][0] for name in false}
    if len(arrays) != 1:
        return None
    mates = [name for name, (key, _) in places.items() if key in arrays]
    wide = max(max(places[name][1]) for name in mates) + 1
    whole = {side: np.zeros((len(seen[mates[0]]), wide)) for side in ("before", "after")}
    for name in mates:
        for side, array in whole.items():
            array[:, places[name][1]] = getattr(seen[name], side)

    def fits(layout: Mapping[str, Sequence[int]]) -> bool:
        for name, columns in layout.items():
            pairs = replace(seen[name], before=whole["before"][:, columns], after=whole["after"][:, columns])
            if not _holds(symmetry.observation[name], pairs.first, elements, symmetry, tolerance):
                return False
        return True

    changes = np.ptp(np.concatenate([whole["before"], whole["after"]]), axis=0) > STILL
    swaps = _swaps(false, mates, places, changes) if numbers else ()
    layouts = itertools.chain(_orders(false, places), swaps)
    return next((words for words, layout in layouts if fits(layout)), None)


def _places(symmetry: Symmetry) -> dict[str, tuple[str, list[int]]]:
    """By observed field, the key of the array that holds it and where its numbers lie there."""
    found: dict[str, tuple[str, list[int]]] = {}
    segments = dict(symmetry.segments()) if symmetry.flat else {}
    for name, declared in symmetry.observation.items():
        key, at = symmetry.places.get(name, (name, tuple(range(declared.size(symmetry.dim)))))
        if symmetry.flat:
            segment = segments[name]
            at = tuple(range(segment.start, segment.stop)) if isinstance(segment, slice) else tuple(segment)
            key = "observation"
        found[name] = (key, list(at))
    return found


def _orders(
    false: Sequence[str], places: Mapping[str, tuple[str, list[int]]]
) -> Iterator[tuple[str, dict[str, list[int]]]]:
    """The false fields one behind the other in the places that they have together, in every other order."""
    if not 2 <= len(false) <= _MOST_FIELDS:
        return
    free = sorted(place for name in false for place in places[name][1])
    for order in itertools.permutations(false):
        layout, start = {}, 0
        for name in order:
            stop = start + len(places[name][1])
            layout[name] = free[start:stop]
            start = stop
        if any(layout[name] != places[name][1] for name in false):
            yield f"one behind the other as {', '.join(order)} they would fit", layout


def _swaps(
    false: Sequence[str],
    mates: Sequence[str],
    places: Mapping[str, tuple[str, list[int]]],
    changes: NDArray[np.bool_],
) -> Iterator[tuple[str, dict[str, list[int]]]]:
    """Two numbers exchanged, one of them of a false field."""
    owners = {place: name for name in mates for place in places[name][1]}
    first = places[false[0]][1]
    if len(first) * len(owners) > _MOST_SWAPS:
        return
    for i, j in itertools.product(first, owners):
        if i == j or (j in first and j < i) or not (changes[i] or changes[j]):
            continue
        exchange = {i: j, j: i}
        touched = dict.fromkeys([*false, owners[j]])
        layout = {name: [exchange.get(place, place) for place in places[name][1]] for name in touched}
        yield f"with the numbers {min(i, j)} and {max(i, j)} exchanged they would fit", layout


def mended_action(
    simulator: Simulator,
    starts: Sequence[Trial],
    reference: Sequence[Run],
    elements: GroupElement,
    watched: Sequence[str],
    suspects: Sequence[tuple[int, int, int]],
    tolerance: float,
) -> str | None:
    """In words, the declaration of actions under which the watched fields fit; None if none that is tried does.

    Args:
        simulator: in which they are tried.
        starts: states.
        reference: by state, the run from s.
        elements: the batch.
        watched: observed fields that fit right after the move.
        suspects: state and element of runs in which they do not fit later, and from which step on; quick ones first.
        tolerance: relative.
    """
    chosen = range(min(len(starts), 3))
    thorough = [
        (state, element, min(len(reference[state]), _ENOUGH))
        for state in chosen
        for element in range(len(elements))
    ]
    for candidate in action_candidates(simulator.symmetry):
        worst = [0.0]
        for state, element, steps in (*suspects[:3], *thorough):
            start, until = starts[state], reference[state][: steps + 1]
            g = elements[element]
            residual = _tried(simulator, candidate, start, until, g, watched, tolerance)
            if residual is None:
                break
            worst.append(residual)
        else:
            return f"{candidate.words} would fit to {max(worst):.1g}"
    return None


def _tried(
    simulator: Simulator,
    candidate: Candidate,
    start: Trial,
    reference: Run,
    g: GroupElement,
    watched: Sequence[str],
    tolerance: float,
) -> float | None:
    """How far one run from g·s is from where it should be; None if further than allowed, or if it fails."""
    symmetry = simulator.symmetry
    centre = np.asarray(symmetry.centre)
    try:
        first = simulator.begin(start, g)
    except ArgumentError:
        return 0.0  # refused as it was before: it says nothing
    try:
        steps = simulator.steps_of(start)[: len(reference) - 1]
        actions: list[Array] = [candidate.transform(g, each, centre) for each in steps]
        run = simulator.follow(first, actions, turned=True)
    except (ArgumentError, ValueError, RuntimeError):  # no such representation, or a simulator that failed
        return None
    if run[-1].refused is not None:
        return None
    found = [0.0]
    seen = gathered([reference], {(0, 0): run}, simulator.roundings)["observation"]
    for name in watched:
        for block in blocks_of(symmetry.observation[name], seen[name], GroupElement.stack([g]), symmetry):
            if not block.within(tolerance).all():
                return None
            found.append(float(block.relative.max(initial=0.0)))
    return max(found)
