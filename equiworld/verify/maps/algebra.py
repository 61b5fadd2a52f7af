"""Does a map obey its group: is it a permutation, its own inverse where it has to be, and ρ(gh) = ρ(g)ρ(h)?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from equiworld.groups.labels import Labels
from equiworld.verify.maps.fault import MapFault
from equiworld.verify.maps.symmetry_map import SignedOrder, SymmetryMap

__all__ = ["Laws", "Violation", "differing", "order_faults"]


class Violation(NamedTuple):
    """ρ(generator)·ρ(element) ≠ ρ(generator·element) at some places.

    Attributes:
        generator: which isometry of the map.
        element: the place of the other one among the group's elements.
        places: where they differ.
    """

    generator: int
    element: int
    places: tuple[int, ...]


def order_faults(array: str, entry: int, given: SignedOrder) -> Iterator[MapFault]:
    """What keeps one (order, signs) from being a signed permutation."""
    size = len(given.order)
    for place, source in enumerate(given.order):
        if not 0 <= source < size:
            yield MapFault(array, entry, (place,), f"taken from {source}, and there are {size} numbers")
    missing = sorted(set(range(size)) - set(given.order))
    for source, times in Counter(given.order).items():
        if times > 1 and 0 <= source < size:
            places = tuple(place for place, each in enumerate(given.order) if each == source)
            lost = f"; {', '.join(map(str, missing))} taken nowhere" if missing else ""
            yield MapFault(array, entry, places, f"both taken from {source}{lost}")
    for place, sign in enumerate(given.signs):
        if sign not in (1, -1):
            yield MapFault(array, entry, (place,), f"has the sign {sign}, which is not ±1")


@dataclass(frozen=True)
class Laws:
    """The relations of a group, ready to be asked of many maps.

    Attributes:
        labels: the group.
        generators: the place of each isometry of a map among its elements.
    """

    labels: Labels
    generators: tuple[int, ...]

    @staticmethod
    def of(given: SymmetryMap) -> Laws:
        """Those of a map's group."""
        labels = given.group.labels
        return Laws(labels, tuple(index for _, index in labels.generators))

    def violations(self, entries: Sequence[SignedOrder]) -> list[Violation]:
        """Where signed permutations, one for each isometry, break the relations."""
        found = {0: SignedOrder.identity(len(entries[0].order))}
        queue, edges = [0], list[tuple[int, int, int]]()
        for element in queue:
            for number, generator in enumerate(self.generators):
                product = int(self.labels.table[generator, element])
                if product not in found:
                    found[product] = found[element].then(entries[number])
                    queue.append(product)
                else:
                    edges.append((number, element, product))
        broken = []
        for number, element, product in edges:
            places = differing(found[element].then(entries[number]), found[product])
            if places:
                broken.append(Violation(number, element, places))
        return broken

    def violated(self, entries: Sequence[SignedOrder]) -> set[int]:
        """All places that break a relation; all of the array while an order is no permutation."""
        if not all(each.is_permutation for each in entries):
            return set(range(len(entries[0].order)))
        return {place for each in self.violations(entries) for place in each.places}


def differing(first: SignedOrder, second: SignedOrder) -> tuple[int, ...]:
    """The places at which two signed permutations differ."""
    apart = (np.array(first.order) != second.order) | (np.array(first.signs) != second.signs)
    return tuple(np.flatnonzero(apart).tolist())
