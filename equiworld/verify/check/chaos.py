"""Long runs from s and from g·s, as far as they mean anything: chaos makes rounding grow until all is lost."""

from __future__ import annotations

import numpy as np

from equiworld.groups import GroupElement
from equiworld.verify.check.pairs import EXACT, blocks_of, gathered
from equiworld.verify.check.trials import Run, Simulator

__all__ = ["before_chaos"]

_JUMP = 1e5  # by how much a broken symmetry is more than rounding that a step has made grow
_LEAST = 1e-7  # relative: what is less may be such rounding after all


def before_chaos(
    simulator: Simulator, reference: Run, run: Run, elements: GroupElement, element: int, tolerance: float
) -> Run:
    """A run from g·s as far as it is exact, and a step further if that is a jump: no rounding grows so fast.

    Args:
        simulator: that made both.
        reference: the run from s.
        run: the run from g·s.
        elements: the batch.
        element: which g.
        tolerance: relative.
    """
    symmetry = simulator.symmetry
    seen = gathered([reference], {(0, element): run}, simulator.roundings)["observation"]
    off, exact = np.zeros(min(len(run), len(reference))), np.ones(min(len(run), len(reference)), bool)
    for name, pairs in seen.items():
        for block in blocks_of(symmetry.observation[name], pairs, elements, symmetry):
            np.maximum.at(off, pairs.step, block.relative)
            np.logical_and.at(exact, pairs.step, block.within(tolerance))
    if exact.all():
        return run
    first = int(np.flatnonzero(~exact)[0])
    before = off[:first].max(initial=EXACT / _JUMP)
    jumps = off[first] > max(_LEAST, tolerance, _JUMP * before)
    return run[: first + 1] if jumps or first == 0 else run[:first]
