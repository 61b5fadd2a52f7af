"""An arm's recording: commanded steps and turns, measured poses; and what may be planted in it."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from equiworld.verify.recordings import Claims, Recording

WIDTHS = {"rotvec": 3, "xyz": 3, "ZYX": 3, "wxyz": 4, "xyzw": 4, "6d": 6, "6d, rows": 6, "matrix": 9}


def written(poses: Rotation, form: str) -> np.ndarray:
    """Orientations in a form."""
    if form == "rotvec":
        return poses.as_rotvec()
    if form in ("wxyz", "xyzw"):
        return np.roll(poses.as_quat(), 1 if form == "wxyz" else 0, -1)
    if form == "matrix":
        return poses.as_matrix().reshape(-1, 9)
    if form == "6d":
        return np.swapaxes(poses.as_matrix()[:, :, :2], 1, 2).reshape(-1, 6)
    if form == "6d, rows":
        return poses.as_matrix()[:, :, :2].reshape(-1, 6)
    return poses.as_euler(form)


def arm(
    frame: str = "world",
    form: str = "rotvec",
    turn_frame: str = "world",
    base: Any = None,
    drift: float = 0.0,
    noise: float = 0.05,
    episodes: int = 12,
    length: int = 60,
    seed: int = 0,
) -> Recording:
    """Episodes whose measured step is 0.8 of the commanded one in its frame, with noise.

    Args:
        frame: of the steps.
        form: of the orientations.
        turn_frame: of the turns.
        base: `(3, 3)`, what takes commanded axes to the world's.
        drift: by how much the commanded axes turn about z over an episode [rad].
        noise: of measured steps, relative.
        episodes: how many.
        length: rows of each.
        seed: of all.
    """
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(episodes):
        steps = rng.normal(size=(length, 3)) * 0.02
        turns = rng.normal(size=(length, 3)) * 0.15
        pose, place = Rotation.random(random_state=rng), rng.normal(size=3) * 0.3
        poses, places = [pose], [place]
        for row in range(length - 1):
            step = steps[row] - place if frame == "target" else steps[row]
            step = pose.apply(step) if frame == "body" else step
            step = step if base is None else np.asarray(base) @ step
            step = Rotation.from_rotvec([0.0, 0.0, drift * row / length]).apply(step)
            place = place + 0.8 * step + noise * 0.02 * rng.normal(size=3)
            turn = Rotation.from_rotvec(0.8 * turns[row] + noise * 0.15 * rng.normal(size=3))
            pose = turn * pose if turn_frame == "world" else pose * turn
            poses.append(pose)
            places.append(place)
        state = np.concatenate([np.stack(places), written(Rotation.concatenate(poses), form)], 1)
        found.append({"state": state, "action": np.concatenate([steps, turns], 1)})
    return Recording(found, rate=20.0)


def claims(
    frame: str = "world", form: str = "rotvec", turn_frame: str = "world", turns: bool = True
) -> Claims:
    """What is said of such a recording."""
    return Claims(
        position=("state", (0, 1, 2)),
        rotation=("state", tuple(range(3, 3 + WIDTHS[form]))),
        form=form,
        step=("action", (0, 1, 2)),
        frame=frame,
        turn=("action", (3, 4, 5)) if turns else None,
        turn_frame=turn_frame,
    )


def arms(swapped: bool = False, drift: float = 0.0, seed: int = 0) -> Recording:
    """Two arms of three joints that follow their targets, slowly."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(8):
        targets, seen = np.zeros((80, 6)), np.zeros((80, 6))
        for row in range(79):
            targets[row] = rng.normal(size=6) if row % 8 == 0 else targets[row - 1]
            seen[row + 1] = seen[row] + 0.4 * (targets[row] - seen[row]) + 0.01 * rng.normal(size=6)
        targets[-1] = targets[-2]
        shown = seen[:, [3, 4, 5, 0, 1, 2]] if swapped else seen
        shown = shown + drift * np.arange(80)[:, None] / 80 * np.array([0, 1, 0, 0, 0, 0])
        found.append({"state": shown, "action": targets})
    return Recording(found)


SIDES = Claims(
    sides=(("action", (0, 1, 2)), ("action", (3, 4, 5)), ("state", (0, 1, 2)), ("state", (3, 4, 5))),
    commanded=("action", tuple(range(6))),
    measured=("state", tuple(range(6))),
)
