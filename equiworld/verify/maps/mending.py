"""The single exchange after which a map obeys its group, or agrees with the other maps of the same joints."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

from equiworld.verify.maps.symmetry_map import SignedOrder

__all__ = ["Mend", "in_words", "mends"]

Mend = tuple[int, SignedOrder, str]
"""Under which isometry, the map as it should be, and the exchange in words."""

_MOST_PLACES = 60  # whose pairs are tried


def mends(
    entries: Sequence[SignedOrder], suspects: Sequence[int], holds: Callable[[list[SignedOrder]], bool]
) -> list[Mend]:
    """All single exchanges of one kind that mend, the plainest kind first; nothing if none does.

    Args:
        entries: the map under each isometry.
        suspects: places that may be wrong.
        holds: whether changed entries are right.
    """
    for kind in (_signs, _sources, _swaps, _signs_of_pairs):
        found = list[Mend]()
        for number, entry in enumerate(entries):
            for changed in kind(entry, suspects):
                tried = list(entries)
                tried[number] = changed
                mend = number, changed, in_words(entry, changed)
                if changed.is_permutation and mend not in found and holds(tried):
                    found.append(mend)
        if found:
            return found
    return []


def in_words(before: SignedOrder, after: SignedOrder) -> str:
    """What changes from one map to another: "place 3 from 8 with sign −"."""
    told = []
    for place, (old, new) in enumerate(zip(zip(*before, strict=True), zip(*after, strict=True), strict=True)):
        if old != new:
            told.append(f"place {place} from {new[0]} with sign {'+' if new[1] > 0 else '−'}")
    return ", ".join(told)


def _signs(entry: SignedOrder, suspects: Sequence[int]) -> Iterator[SignedOrder]:
    for place in suspects:
        yield entry._replace(signs=_flipped(entry.signs, (place,)))


def _sources(entry: SignedOrder, suspects: Sequence[int]) -> Iterator[SignedOrder]:
    """A place that takes a number which is taken nowhere, with either sign."""
    missing = sorted(set(range(len(entry.order))) - set(entry.order))
    for place, source in itertools.product(suspects, missing):
        order = (*entry.order[:place], source, *entry.order[place + 1 :])
        yield SignedOrder(order, entry.signs)
        yield SignedOrder(order, _flipped(entry.signs, (place,)))


def _swaps(entry: SignedOrder, suspects: Sequence[int]) -> Iterator[SignedOrder]:
    for i, j in itertools.combinations(suspects[:_MOST_PLACES], 2):
        order = list(entry.order)
        order[i], order[j] = order[j], order[i]
        yield entry._replace(order=tuple(order))
        signs = list(entry.signs)
        signs[i], signs[j] = signs[j], signs[i]
        yield SignedOrder(tuple(order), tuple(signs))


def _signs_of_pairs(entry: SignedOrder, suspects: Sequence[int]) -> Iterator[SignedOrder]:
    for place in suspects:
        other = entry.order[place]
        if place < other < len(entry.order):
            yield entry._replace(signs=_flipped(entry.signs, (place, other)))


def _flipped(signs: tuple[int, ...], places: Sequence[int]) -> tuple[int, ...]:
    return tuple(-sign if place in places else sign for place, sign in enumerate(signs))
