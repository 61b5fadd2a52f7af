"""Whether a calibration drifts: what holds in the first third of episodes no longer holds in the last."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from equiworld.groups.arrays import Array
from equiworld.verify.recordings.scoring import rotation_between
from equiworld.verify.recordings.verdict import Answer, Verdict

__all__ = ["offset_drift", "turning_drift"]

_RESAMPLES = 200
_RARE = 0.01  # how often chance may make a drift that is reported
_BLOCK = 5  # rows that are exchanged together: neighbours are alike
_SMALL_TURN = np.radians(2.0)  # what is smaller is of no matter
_SMALL_OFFSET = 0.02  # of the measured numbers' own spread
_EPISODES = 4  # fewer are no sample


def turning_drift(moved: Sequence[Array], asked: Sequence[Array], rng: np.random.Generator) -> Verdict:
    """Whether the rotation from commanded to measured steps is another in the last third of episodes.

    Args:
        moved: by episode, measured steps `(T, 3)` in the world.
        asked: likewise the commanded ones, in the claimed frame.
        rng: of the resamples.
    """
    claim, declared = "drift of the frame", "none"
    thirds = [(_thirds(x), _thirds(y)) for x, y in zip(asked, moved, strict=True) if len(x) >= 9]
    if len(thirds) < _EPISODES:
        return Verdict(claim, declared, declared, {}, "untestable", 1.0, f"fewer than {_EPISODES} episodes")
    whole = [np.concatenate(parts) for parts in zip(*((*x, *y) for x, y in thirds), strict=True)]
    early, _, late = zip(whole[:3], whole[3:], strict=True)
    found = _angle(early, late)
    # Without a drift, rows of the first and of the last third may be exchanged.
    both = [np.concatenate(pair) for pair in zip(early, late, strict=True)]
    blocks = np.arange(len(both[0])) // _BLOCK
    larger = 0
    for _ in range(_RESAMPLES):
        chosen = rng.permutation(blocks[-1] + 1)[blocks] < (blocks[-1] + 1) / 2
        split = ((both[0][side], both[1][side]) for side in (chosen, ~chosen))
        larger += _angle(*split) >= found
    chance = (1 + larger) / (1 + _RESAMPLES)
    note = f"the frame turns by {np.degrees(found):.1f}° from the first to the last third"
    return _answered(claim, _explained(moved, asked), chance, found > _SMALL_TURN, note)


def _angle(early: tuple[Array, Array], late: tuple[Array, Array]) -> float:
    """Between the rotations from commanded to measured steps of two sets of rows [rad]."""
    change = rotation_between(*late) @ rotation_between(*early).T
    return float(np.arccos(np.clip((np.trace(change) - 1) / 2, -1.0, 1.0)))


def offset_drift(commanded: Sequence[Array], measured: Sequence[Array]) -> Verdict:
    """Whether the measured numbers drift away from the commanded ones within episodes.

    Args:
        commanded: by episode, targets `(T, k)`.
        measured: likewise what follows them.
    """
    claim, declared = "drift of the offset", "none"
    drifts, spread = list[Array](), np.concatenate(list(measured)).std(0) + 1e-12
    for target, seen in zip(commanded, measured, strict=True):
        count = min(len(target), len(seen))
        if count >= 9:
            off = (seen[:count] - target[:count]) / spread
            parts = _thirds(off)
            drifts.append(parts[2].mean(0) - parts[0].mean(0))
    if len(drifts) < _EPISODES:
        return Verdict(claim, declared, declared, {}, "untestable", 1.0, f"fewer than {_EPISODES} episodes")
    rows = np.stack(drifts)
    from scipy.stats import ttest_1samp

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of numbers that do not vary at all
        chances = np.nan_to_num(np.asarray(ttest_1samp(rows, 0.0).pvalue), nan=1.0)
    worst = int(chances.argmin())
    # As many numbers as there are may drift by chance.
    chance = min(float(chances[worst]) * rows.shape[1], 1.0)
    drift = float(rows[:, worst].mean())
    note = f"number {worst} drifts by {drift * spread[worst]:.3g} from the first to the last third"
    return _answered(claim, 1.0, chance, abs(drift) > _SMALL_OFFSET, note)


def _answered(claim: str, explained: float, chance: float, large: bool, note: str) -> Verdict:
    """Contradicted if what is found is large, and chance makes it rarely."""
    if explained < 0.3:
        return Verdict(
            claim, "none", "none", {}, "untestable", 1.0, "the steps are not explained to begin with"
        )
    found = large and chance < _RARE
    answer: Answer = "contradicted" if found else "consistent"
    return Verdict(
        claim, "none", "drift" if found else "none", {}, answer, 1 - chance if found else 1.0, note
    )


def _explained(moved: Sequence[Array], asked: Sequence[Array]) -> float:
    x, y = np.concatenate(list(asked)), np.concatenate(list(moved))
    x = x @ rotation_between(x, y).T
    return float(max((x * y).sum(), 0.0) ** 2 / ((x**2).sum() * (y**2).sum() + 1e-300))


def _thirds(rows: Array) -> list[Array]:
    return np.array_split(rows, 3)
