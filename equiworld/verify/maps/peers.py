"""Maps of the same joints within one map: positions, velocities, last actions, the action itself have to agree."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from equiworld.verify.maps.algebra import differing
from equiworld.verify.maps.fault import MapFault
from equiworld.verify.maps.mending import Mend
from equiworld.verify.maps.symmetry_map import SignedOrder, SymmetryMap

__all__ = ["Peers", "peers_of"]

_LEAST = 4  # joints: fewer agree by chance
_ALIKE = 0.75  # share of places that agree in maps of the same joints


class Peers(NamedTuple):
    """Blocks of arrays that map the same joints under one isometry.

    Attributes:
        number: which isometry.
        blocks: by array and first place, the map as the block has it.
    """

    number: int
    blocks: dict[tuple[str, int], SignedOrder]

    def entry(self, joint: int) -> tuple[int, int] | None:
        """What most blocks say of one joint, (source, sign); None where fewer than three blocks or no majority."""
        told = Counter((each.order[joint], each.signs[joint]) for each in self.blocks.values())
        best, times = told.most_common(1)[0]
        return best if len(self.blocks) > 2 and 2 * times > len(self.blocks) else None

    def outliers(self) -> list[tuple[MapFault, Mend]]:
        """Entries that say something else than most blocks do."""
        found = []
        for (array, start), block in self.blocks.items():
            for joint in range(len(block.order)):
                best = self.entry(joint)
                if best is None or best == (block.order[joint], block.signs[joint]):
                    continue
                place, source = start + joint, start + best[0]
                sign = "+" if best[1] > 0 else "−"
                mend = f"place {place} from {source} with sign {sign}"
                what = f"taken from {start + block.order[joint]} with sign {'+' if block.signs[joint] > 0 else '−'}"
                what += f", and not so in the other {len(self.blocks) - 1} maps of the same joints"
                fault = MapFault(array, self.number, (place,), what, mend)
                order, signs = list(block.order), list(block.signs)
                order[joint], signs[joint] = best
                found.append((fault, (self.number, SignedOrder(tuple(order), tuple(signs)), mend)))
        return found

    def agrees(self, array: str, changed: SignedOrder) -> bool:
        """Whether a changed map of an array says of all its blocks what most blocks say."""
        for (name, start), block in self.blocks.items():
            if name != array:
                continue
            for joint in range(len(block.order)):
                best, place = self.entry(joint), start + joint
                if best is not None and (changed.order[place] - start, changed.signs[place]) != best:
                    return False
        return True


def peers_of(given: SymmetryMap, number: int) -> Peers:
    """The blocks of all arrays that map joints as the action does under isometry `number`, nearly."""
    own = given.action[number]
    size = len(own.order)
    blocks = {("action", 0): own}
    if size >= _LEAST and any(sign < 0 for sign in own.signs):  # without signs all blocks would look alike
        for name, entries in given.observation.items():
            whole, start = entries[number], 0
            while start + size <= len(whole.order):
                order = tuple(each - start for each in whole.order[start : start + size])
                block = SignedOrder(order, whole.signs[start : start + size])
                if size - len(differing(block, own)) >= _ALIKE * size:
                    blocks[name, start] = block
                    start += size
                else:
                    start += 1
    return Peers(number, blocks)
