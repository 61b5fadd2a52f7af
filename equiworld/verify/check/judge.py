"""From runs at s and at g·s to a verdict for each field, what would fit instead, and what could not be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from equiworld.groups import GroupElement
from equiworld.symmetry import Field, Scalar, Symmetry
from equiworld.verify.check.diagnosis import false_at_first, mended_action, mended_field, mended_order
from equiworld.verify.check.pairs import STILL, Block, Pairs, blocks_of, gathered
from equiworld.verify.check.report import (
    FOLLOWS,
    FieldCheck,
    Role,
    Verdict,
    places_in_words,
    shown,
)
from equiworld.verify.check.trials import Run, Simulator, Trial

__all__ = ["Judge"]

_SOON = 3  # steps until a wrong action shows, where anything does
_FLOAT32 = 64 * float(np.finfo(np.float32).eps)  # what actions rounded on their way do, a few steps later


@dataclass(frozen=True)
class Judge:
    """All runs, and what they say.

    Attributes:
        simulator: that made them, for further ones.
        elements: the batch of g.
        starts: of each state.
        reference: by state, the run from s.
        turned: by state and element, the run from g·s.
        tolerance: relative.
        acts: whether other actions led elsewhere.
    """

    simulator: Simulator
    elements: GroupElement
    starts: Sequence[Trial]
    reference: Sequence[Run]
    turned: Mapping[tuple[int, int], Run]
    tolerance: float
    acts: bool

    @property
    def symmetry(self) -> Symmetry:
        return self.simulator.symmetry

    @cached_property
    def seen(self) -> dict[str, dict[str, Pairs]]:
        """By role and name, what was seen."""
        return gathered(self.reference, self.turned, self.simulator.roundings)

    @cached_property
    def declared(self) -> dict[tuple[Role, str], Field]:
        """All that was seen and is declared, rewards and ends among it."""
        found: dict[tuple[Role, str], Field] = {
            ("observation", name): each for name, each in self.symmetry.observation.items()
        }
        found |= {("info", name): each for name, each in self.symmetry.info.items()}
        return found | {("reward", "reward"): Scalar(), ("end", "end"): Scalar(2)}

    @cached_property
    def blocks(self) -> dict[tuple[Role, str], list[Block]]:
        """By role and name, how far off it is; nothing of what was never seen."""
        slack = 0.0 if self.simulator.dtype in (None, np.float64) else _FLOAT32
        return {
            (role, name): blocks_of(each, self.seen[role][name], self.elements, self.symmetry, slack)
            for (role, name), each in self.declared.items()
            if name in self.seen[role]
        }

    @cached_property
    def fields(self) -> list[FieldCheck]:
        """A verdict for each, in the order of the arrays, then action, reward and end."""
        found = [self._fitted(self._judged(role, name)) for role, name in self.declared]
        seen = [each for each in found if each.role in ("observation", "info")]
        rest = [each for each in found if each.role not in ("observation", "info")]
        action = self._action(seen)
        return [*(self._explained(each, action) for each in seen), action, *rest]

    @cached_property
    def early(self) -> list[str]:
        """Observed fields that are false right after the move already."""
        return false_at_first(self.seen["observation"], self.elements, self.symmetry, self.tolerance)

    @cached_property
    def order(self) -> str | None:
        """What exchange of fields or numbers would mend all of those, in words; None if none does."""
        if not self.early:
            return None
        seen, lack = self.seen["observation"], any(self.mended(name) is None for name in self.early)
        return mended_order(self.early, seen, self.elements, self.symmetry, self.tolerance, lack)

    def _explained(self, found: FieldCheck, action: FieldCheck) -> FieldCheck:
        """With what mends it beside another type of its own."""
        if found.verdict != "false":
            return found
        if found.role == "observation" and found.name in self.early:
            return replace(found, fits=found.fits or self.order)
        return replace(found, fits=FOLLOWS) if action.fits else found

    # --- one field -----------------------------------------------------------------------------------

    def _judged(self, role: Role, name: str) -> FieldCheck:
        declared = self.declared[role, name]
        about = FieldCheck(name, role, shown(declared), self._place(role, name), "untested")
        blocks = self.blocks.get((role, name))
        if not blocks:
            return replace(about, notes=("never seen",))
        pairs, worst = self.seen[role][name], worst_of(blocks)
        holds = np.all([block.within(self.tolerance) for block in blocks], 0)
        verdict: Verdict = "approximate" if holds.all() else "false"
        if all(block.within().all() for block in blocks):
            verdict = "untested" if all(block.still for block in blocks) else "exact"
        # The same moment for all fields that hold, so that an array is seen as it is; else the worst.
        example = int(worst.argmax()) if verdict == "false" else _latest(pairs)
        if verdict == "false" and role in ("reward", "end") and not self.symmetry.reward:
            verdict = "broken"  # as declared
        g = self.elements[pairs.element[example]]
        moved = declared.transform(g, pairs.before[example], np.asarray(self.symmetry.centre))
        before, after, expected = (
            tuple(each.tolist()) for each in (pairs.before[example], pairs.after[example], moved)
        )
        return replace(
            about,
            verdict=verdict,
            relative=float(worst.max()),
            by_step=_by_step(worst, pairs.step),
            scale=max(block.unit for block in blocks),
            first_step=None if holds.all() else int(pairs.step[~holds].min()),
            element=int(pairs.element[worst.argmax()]),
            before=before,
            after=after,
            expected=expected,
            notes=tuple(self._remarks(role, name, pairs, verdict)),
        )

    def _place(self, role: Role, name: str) -> str:
        symmetry, size = self.symmetry, self.declared[role, name].size(self.symmetry.dim)
        if role in ("reward", "end"):
            return "–"
        if role == "info":
            return f"info[{name!r}]"
        if symmetry.flat:
            at = dict(symmetry.segments())[name]
            return places_in_words(at if isinstance(at, list) else range(at.start, at.stop))
        key, places = symmetry.places.get(name, (name, tuple(range(size))))
        return f"{key} {places_in_words(places)}"

    def _remarks(self, role: Role, name: str, pairs: Pairs, verdict: Verdict) -> Iterator[str]:
        """What a verdict does not say."""
        if role == "end":
            if verdict == "untested":
                yield "no episode ended, so nothing is known of when they do"
            return
        if verdict == "untested":
            yield "never changed, so nothing can be told"
            return
        still = np.ptp(np.concatenate([pairs.before, pairs.after]), axis=0) <= STILL
        if still.any() and len(still) > 1:
            yield f"numbers {places_in_words(np.flatnonzero(still).tolist())} never changed"
        if role == "observation" and name not in self.symmetry.goal and not moves(pairs):
            yield "did not change within an episode: its look at g·s was compared, not its motion"

    def _fitted(self, found: FieldCheck) -> FieldCheck:
        """With what would fit, if it is false."""
        if found.verdict != "false" or found.role not in ("observation", "info"):
            return found
        return replace(found, fits=self.mended(found.name, found.role))

    def mended(self, name: str, role: Role = "observation") -> str | None:
        """In words, what else would fit of a false field by itself."""
        if (role, name) not in self._mended:
            pairs, declared = self.seen[role][name], self.declared[role, name]
            fits = mended_field(declared, pairs, self.elements, self.symmetry, self.tolerance)
            self._mended[role, name] = fits
        return self._mended[role, name]

    @cached_property
    def _mended(self) -> dict[tuple[Role, str], str | None]:
        return {}

    # --- the action ----------------------------------------------------------------------------------

    def _action(self, seen: Sequence[FieldCheck]) -> FieldCheck:
        """Actions are not seen: they are right where what follows them is."""
        symmetry = self.symmetry
        before = self.starts[0].actions[0]
        after = tuple(symmetry.transform_action(self.elements[0], before).tolist())
        places = places_in_words(range(len(before)))
        about = FieldCheck("action", "action", shown(symmetry.action), places, "untested")
        about = replace(about, before=tuple(before.tolist()), after=after, expected=after)
        if not self.acts:
            return replace(about, notes=("other actions led to the same: nothing can be told of them",))
        false = [each for each in seen if each.role == "observation" and each.verdict == "false"]
        lost = [each.name for each in false if each.name not in self.early and not each.fits]
        if lost or not any(len(run) > 1 for run in self.turned.values()):
            mended = [each.name for each in false if each.fits]
            return self._suspected(about, mended)
        told = [
            each for each in seen if each.role == "observation" and each.verdict in ("exact", "approximate")
        ]
        if not told:
            return replace(about, notes=("no observed field fits, by which they could be told",))
        worst = max(told, key=lambda each: each.relative)
        return replace(about, verdict=worst.verdict, relative=worst.relative, by_step=worst.by_step)

    def _suspected(self, about: FieldCheck, mended: Sequence[str]) -> FieldCheck:
        """What follows actions deviates, or never came, though all looked right before: their fault, or the world's."""
        watched = [name for name in self.symmetry.observation if name not in self.early]
        suspects = {
            key: len(run)
            for key, run in self.turned.items()
            if run[-1].refused is not None and len(run) <= _SOON
        }
        for name in watched:
            pairs = self.seen["observation"][name]
            off = ~np.all([block.within(self.tolerance) for block in self.blocks["observation", name]], 0)
            for row in np.flatnonzero(off & (pairs.step <= _SOON)).tolist():
                key = int(pairs.state[row]), int(pairs.element[row])
                suspects[key] = min(suspects.get(key, _SOON), int(pairs.step[row]))
        shortest = sorted(
            [(*key, step) for key, step in suspects.items()],
            key=lambda each: len(self.starts[each[0]].walk) + each[2],
        )
        others = [name for name in watched if name not in mended]
        for names in ((watched, others) if others != watched else (watched,)) if shortest else ():
            fits = mended_action(
                self.simulator, self.starts, self.reference, self.elements, names, shortest, self.tolerance
            )
            if fits is not None:
                return replace(about, verdict="false", fits=fits)
        note = "what follows them deviates, and no other declaration that was tried mends it: it may be the world that "
        note += "breaks the symmetry"
        if all(run[-1].refused is not None for run in self.turned.values()):
            note = "the simulator took none of the turned ones: nothing can be told of them"
        return replace(about, notes=(note,))


def worst_of(blocks: Sequence[Block]) -> NDArray[np.float64]:
    """`(n,)`, the largest relative deviation of any block."""
    return np.max([block.relative for block in blocks], 0)


def _latest(pairs: Pairs) -> int:
    """The last row of the last state under the first element that was tried there."""
    rows = np.flatnonzero(pairs.state == pairs.state.max())
    rows = rows[pairs.element[rows] == pairs.element[rows].min()]
    return int(rows[pairs.step[rows].argmax()])


def _by_step(worst: NDArray[np.float64], step: NDArray[np.int_]) -> tuple[float, ...]:
    found = (worst[step == each] for each in range(int(step.max()) + 1))
    return tuple(float(each.max()) if len(each) else float("nan") for each in found)


def moves(pairs: Pairs) -> bool:
    """Whether it changes in any episode."""
    return any(
        np.ptp(pairs.before[pairs.state == state], axis=0).max(initial=0.0) > STILL
        for state in np.unique(pairs.state)
    )
