"""Which difference it is: the deviation of the dynamics with one thing after another mended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equiworld.verify.mechanism.differences import Difference
from equiworld.verify.mechanism.dynamics import Deviation
from equiworld.verify.mechanism.measuring import EXACT, Measure
from equiworld.verify.mechanism.mending import Mend, mended
from equiworld.verify.mechanism.model_map import Model

__all__ = ["EXACT", "Cause", "Causes", "causes_of"]

_HELPS = 0.5  # an option counts as a cause if without it less than this share of a deviation is left
_NEGLIGIBLE = 1e-7  # of the deviation
_STATES = 8  # from which shares are measured: all the others only confirm what is left


@dataclass(frozen=True)
class Cause:
    """One thing that breaks a symmetry, and how much of the deviation it is.

    Attributes:
        name: such as "stiffness of joint", "derived constants", "solver".
        words: what differs, with the names of the elements and the values.
        share: the deviation of velocities that is left if everything but this is mended, as a share of the one as
            shipped, averaged over the states that deviate; of the sum of these over all causes. So shares do not depend
            on an order, nor on the few states in which contacts amplify everything.
        alone: the largest deviation of velocities that is left then [m/s, rad/s].
        after: the deviation of velocities after this and all causes before it were mended, one after another.
        differences: that it consists of.
    """

    name: str
    words: str
    share: float
    alone: float
    after: float
    differences: tuple[Difference, ...] = ()

    def __str__(self) -> str:
        return f"{100 * self.share:.3g} %: {self.words} (alone {self.alone:.1e}, mended up to here {self.after:.1e})"

    @property
    def short(self) -> str:
        """The words with one of several differences, the largest."""
        if len(self.differences) < 2:
            return self.words
        largest = max(self.differences, key=lambda each: each.relative)
        return f"{largest}, and {len(self.differences) - 1} more"

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        found: dict[str, Any] = {"name": self.name, "words": self.words, "share": self.share}
        found |= {"alone": self.alone, "after": self.after}
        return {**found, "differences": [each.to_dict() for each in self.differences]}


@dataclass(frozen=True)
class Causes:
    """All causes, the largest first, and what is left when they are mended.

    Attributes:
        causes: that matter.
        harmless: what differs without changing anything measured, in words.
        rest: the deviation with everything mended, from all states.
        states: from how many the shares were measured.
    """

    causes: tuple[Cause, ...]
    harmless: tuple[str, ...]
    rest: Deviation
    states: int = 0


def causes_of(
    model: Model,
    deviation: Deviation,
    measure: Measure,
    parameters: Sequence[Mend],
    constants: Mend | None,
    options: Sequence[Mend],
    states: int = _STATES,
) -> Causes:
    """Mend one thing after another and measure again, from a few states that tell; and from all, what is left.

    Where from all of them something matters that did not from a few, all is measured from all.

    Args:
        model: as it is; copies are mended.
        deviation: of it.
        measure: what measures a mended copy.
        parameters: what differs in the model.
        constants: what is derived from them; None where there is nothing of that.
        options: what may be at fault besides; of these as few are taken as are needed.
        states: how many are few.
    """
    if deviation.position <= EXACT and deviation.velocity <= 100 * EXACT:
        return Causes((), tuple(each.words for each in parameters), deviation)
    base = [*parameters, *([constants] if constants is not None else [])]
    everywhere, whole = measure, deviation
    measure, deviation = measure.telling(deviation, states)
    chosen = _needed(model, base, options, measure)
    everything = [*base, *chosen]
    rest = measure(mended(model, everything))
    alone = [measure(mended(model, [each for each in everything if each is not one])) for one in everything]
    excess = np.array([max(0.0, each.velocity - rest.velocity) for each in alone])
    shares = _shares(deviation, alone, rest)
    order = sorted(
        range(len(everything)),
        key=lambda i: (everything[i] in chosen, everything[i] is constants, -shares[i]),
    )
    found, harmless, applied = list[Cause](), list[Mend](), list[Mend]()
    for i in order:
        mend = everything[i]
        applied.append(mend)
        if excess[i] <= _NEGLIGIBLE * deviation.velocity and len(everything) > 1:
            harmless.append(mend)
            continue
        after = measure(mended(model, _constants_last(applied, constants)))
        cause = Cause(mend.name, mend.words, shares[i], alone[i].velocity, after.velocity, mend.differences)
        found.append(cause)
    if len(deviation.velocities) < len(whole.velocities):
        rest = everywhere(mended(model, everything))
        left = (
            everywhere(mended(model, [each for each in everything if each not in harmless]))
            if harmless
            else rest
        )
        if left.velocity > 2 * rest.velocity + max(_NEGLIGIBLE * whole.velocity, 100 * EXACT):
            return causes_of(model, whole, everywhere, parameters, constants, options, len(whole.velocities))
    words = tuple(each.words for each in harmless if each is not constants)
    return Causes(tuple(found), words, rest, len(deviation.velocities))


def _shares(deviation: Deviation, alone: Sequence[Deviation], rest: Deviation) -> list[float]:
    """By cause its part, each state that deviates counting the same: contacts amplify a few of them beyond measure."""
    whole = np.array(deviation.velocities)
    affected = whole > EXACT
    if not affected.any():
        return [1.0 / len(alone)] * len(alone)
    left = [np.maximum(np.array(each.velocities) - np.array(rest.velocities), 0.0) for each in alone]
    parts = [float(np.minimum(each[affected] / whole[affected], 1.0).mean()) for each in left]
    total = sum(parts)
    return [part / total if total else 0.0 for part in parts]


def _needed(model: Model, base: Sequence[Mend], options: Sequence[Mend], measure: Measure) -> list[Mend]:
    """The fewest options that bring the deviation down, the one that helps most first, the last resort at the end."""
    chosen, left = list[Mend](), [each for each in options if not each.last_resort]
    resort = [each for each in options if each.last_resort]
    now = measure(mended(model, base)).velocity
    while now > EXACT:
        if not left:
            left, resort = resort, []
        if not left:
            break
        tried = [measure(mended(model, [*base, *chosen, each])).velocity for each in left]
        best = int(np.argmin(tried))
        if tried[best] > _HELPS * now:
            left = []
            continue
        chosen.append(left.pop(best))
        now = tried[best]
    return chosen


def _constants_last(applied: Sequence[Mend], constants: Mend | None) -> list[Mend]:
    return [each for each in applied if each is not constants] + [
        each for each in applied if each is constants
    ]
