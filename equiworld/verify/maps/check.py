"""Is a hand-written map right? By itself, against its own other parts, and against the simulator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from equiworld.arguments import instance
from equiworld.errors import ArgumentError
from equiworld.rollout import EnvLike
from equiworld.verify.check.report import SymmetryCheck
from equiworld.verify.check.trials import Move
from equiworld.verify.check_symmetry import check_symmetry
from equiworld.verify.maps.against_model import model_faults
from equiworld.verify.maps.algebra import Laws, order_faults
from equiworld.verify.maps.fault import MapFault
from equiworld.verify.maps.mending import Mend, mends
from equiworld.verify.maps.peers import peers_of
from equiworld.verify.maps.symmetry_map import SignedOrder, SymmetryMap

__all__ = ["MapCheck", "check_map"]

_MOST_ALTERNATIVES = 4


@dataclass(frozen=True)
class MapCheck:
    """What is wrong with a map.

    Attributes:
        checked: the map.
        faults: wrong entries, each with what mends it where one exchange does.
        mended: the map with all of them mended; None where something is left open.
        physics: what the simulator says of it; None if there was none, or the map is none that could be declared.
        with_model: whether it was compared with a model file.
    """

    checked: SymmetryMap
    faults: tuple[MapFault, ...]
    mended: SymmetryMap | None
    physics: SymmetryCheck | None
    with_model: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing was found; the simulator's verdict with it, where it was asked."""
        return not self.faults and (self.physics is None or self.physics.ok)

    def __str__(self) -> str:
        lines = [str(each) for each in self.faults]
        if not lines:
            lines = [f"the map obeys {self.checked.group!r}"]
        if self.with_model:
            lines.append("compared with the model file")
        if self.physics is not None:
            lines.append(str(self.physics))
        elif not self.with_model:
            lines.append("not asked of a simulator: a wrong sign that is wrong everywhere may be left")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "ok": self.ok,
            "group": repr(self.checked.group),
            "faults": [each.to_dict() for each in self.faults],
            "mended": self.mended is not None,
            "physics": None if self.physics is None else self.physics.to_dict(),
        }


def check_map(
    given: SymmetryMap,
    env: EnvLike | None = None,
    *,
    move: Move | None = None,
    model: Any = None,
    joints: Sequence[str] | None = None,
    **settings: Any,
) -> MapCheck:
    """Check a map of joints: permutations, inverses, ρ(gh) = ρ(g)ρ(h), its own repetitions, and the simulator.

    Positions, velocities and last actions are maps of the same joints: where three or more blocks of the map agree but
    for an entry, the odd one out is named. A sign that is wrong everywhere, in a joint that keeps its place or in both
    of a pair, obeys every law: only the simulator tells.

    Args:
        given: the map, such as `read_function` and `read_morphosymm` give.
        env: the simulator, by `check_symmetry`; None to leave the physics out.
        move: `move(env, g)` brings it from s to g·s, as in `check_symmetry`.
        model: a MuJoCo model, its file, XML or environment: the joints' places and axes tell what the map has to be.
        joints: the names of the map's joints in order; those of the model in its own order if None.
        settings: further ones of `check_symmetry`.

    Raises:
        ArgumentError: an argument is wrong.

    >>> wrong = SymmetryMap({"policy": [((1, 0, 3, 2), (1, 1, 1, -1))]}, action=[((1, 0), (1, 1))])
    >>> print(check_map(wrong).faults[0].mend)
    place 2 from 3 with sign −, or place 3 from 2 with sign +
    """
    instance("given", given, SymmetryMap)
    if (env is None and (settings or move)) or (model is None and joints is not None):
        alone = "joints" if joints is not None else "move" if move else next(iter(settings))
        raise ArgumentError(alone, "given", "an env that it is for, or a model of which joints are")
    faults, mended, laws = list[MapFault](), given, Laws.of(given)
    open_ = False
    for array in given.arrays:
        found, changes = _by_law(given, array, laws)
        faults += found
        open_ = open_ or len(found) > len(changes)
        for number, entry, _ in changes:
            mended = mended.with_entry(array, number, entry)
    for number in range(len(given.action)):
        for fault, (_, block, _) in peers_of(mended, number).outliers():
            faults.append(fault)
            mended = _with_place(mended, fault, block)
    # what the law left open, the other maps of the same joints may have told
    open_ = open_ and any(_by_law(mended, array, laws)[0] for array in mended.arrays)
    if model is not None and not open_:
        for fault, start, right in list(model_faults(mended, model, joints)):
            faults.append(fault)
            mended = _with_block(mended, fault, start, right)
    physics = None
    if env is not None and not faults:
        physics = check_symmetry(env, given.symmetry(), move=move, **settings)
    return MapCheck(given, tuple(faults), None if open_ else mended, physics, model is not None)


def _by_law(given: SymmetryMap, array: str, laws: Laws) -> tuple[list[MapFault], list[Mend]]:
    """What breaks the laws in one array, and the exchanges that mend it."""
    entries = list(given.arrays[array])
    wrong = [
        (fault, set(fault.places))
        for number, entry in enumerate(entries)
        for fault in order_faults(array, number, entry)
    ]
    faults, changes = [], list[Mend]()
    for fault, places in wrong or _broken(laws, array, entries):
        found = _agreed(given, array, _mends(laws, entries, places))
        words = ", or ".join(mend for _, _, mend in found[:_MOST_ALTERNATIVES]) or None
        number = found[0][0] if len(found) == 1 else fault.entry
        faults.append(MapFault(array, number, fault.places, fault.what, words))
        if len(found) == 1:
            changes.append(found[0])
            entries[found[0][0]] = found[0][1]
    return faults, changes


def _broken(laws: Laws, array: str, entries: Sequence[SignedOrder]) -> Iterator[tuple[MapFault, set[int]]]:
    """Places that break a relation of the group, those that are exchanged among each other together."""
    relations = laws.violations(entries)
    places = laws.violated(entries)
    for cluster in _clusters(places, entries):
        number = next(each.generator for each in relations if not cluster.isdisjoint(each.places))
        what = "applied twice it does not come back" if len(entries) == 1 else "ρ(gh) ≠ ρ(g)ρ(h)"
        yield MapFault(array, number, tuple(sorted(cluster & places)), what), cluster


def _mends(laws: Laws, entries: Sequence[SignedOrder], cluster: set[int]) -> list[Mend]:
    """The exchanges after which no place of a cluster breaks a law, and no other one does that did not."""
    before = laws.violated(entries)

    def holds(tried: list[SignedOrder]) -> bool:
        after = laws.violated(tried)
        return after.isdisjoint(cluster) and after <= before

    return mends(entries, sorted(cluster), holds)


def _agreed(given: SymmetryMap, array: str, found: list[Mend]) -> list[Mend]:
    """Of several exchanges, those that the other maps of the same joints speak for."""
    if len(found) < 2:
        return found
    agreed = [mend for mend in found if peers_of(given, mend[0]).agrees(array, mend[1])]
    return agreed or found


def _with_block(given: SymmetryMap, fault: MapFault, start: int, block: SignedOrder) -> SymmetryMap:
    """The map with one entry as a block that begins at `start` has it."""
    entry, place = given.arrays[fault.array][fault.entry], fault.places[0]
    order, signs = list(entry.order), list(entry.signs)
    order[place] = start + block.order[place - start]
    signs[place] = block.signs[place - start]
    return given.with_entry(fault.array, fault.entry, SignedOrder(tuple(order), tuple(signs)))


def _with_place(given: SymmetryMap, fault: MapFault, block: SignedOrder) -> SymmetryMap:
    """The map with the one entry that a fault names as a block has it."""
    size, place = len(block.order), fault.places[0]
    starts = [start for name, start in peers_of(given, fault.entry).blocks if name == fault.array]
    start = next(each for each in starts if each <= place < each + size)
    return _with_block(given, fault, start, block)


def _clusters(places: set[int], entries: Sequence[SignedOrder]) -> list[set[int]]:
    """Places by which of them are exchanged, with those that they are exchanged with."""
    clusters: list[set[int]] = []
    for place in sorted(places):
        own = {place, *(entry.order[place] for entry in entries)}
        own |= {where for entry in entries for where, source in enumerate(entry.order) if source in own}
        touching = [each for each in clusters if not each.isdisjoint(own)]
        clusters = [each for each in clusters if each.isdisjoint(own)] + [own.union(*touching)]
    return clusters
