"""Claims of a recording, tested as far as the recording alone allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equiworld.arguments import instance, integer
from equiworld.errors import ArgumentError
from equiworld.groups.arrays import Array
from equiworld.verify.recordings.claims import FORMS, Claims, Places, matrices
from equiworld.verify.recordings.drift import offset_drift, turning_drift
from equiworld.verify.recordings.reading import Recording
from equiworld.verify.recordings.scoring import judged, rotation_between
from equiworld.verify.recordings.verdict import Verdict

__all__ = ["RecordingCheck", "check_recording"]

_NEAR = np.radians(5.0)  # a base that is turned by less is the world


@dataclass(frozen=True)
class RecordingCheck:
    """What a recording says of its claims. Consistent is not proven: other claims may explain it as well.

    Attributes:
        verdicts: one a claim.
    """

    verdicts: tuple[Verdict, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is contradicted."""
        return all(each.answer != "contradicted" for each in self.verdicts)

    @property
    def contradicted(self) -> tuple[Verdict, ...]:
        """What cannot be as it is claimed."""
        return tuple(each for each in self.verdicts if each.answer == "contradicted")

    def __str__(self) -> str:
        told = [str(each) for each in self.verdicts] or ["nothing is claimed that could be tested"]
        return "\n".join([*told, "necessary conditions only: what is consistent may still be wrong"])

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {"ok": self.ok, "verdicts": [each.to_dict() for each in self.verdicts]}


def check_recording(recording: Recording, claims: Claims, *, seed: int = 0) -> RecordingCheck:
    """Is the commanded step the measured one in the claimed frame, the orientation of the claimed form, left not right?

    A recording holds no counterfactual, so that only necessary conditions can be tested: the measured change of a step
    has to be proportional to the commanded one once both are in one frame. Each claim is compared with its rivals by
    the share of the measured variance that they explain, resampled by chunks of episodes:

    - the frame of the step: world, body, a base that is turned or mirrored, a target;
    - the form of the orientation: by commanded turns, or by steps in the body's frame;
    - the frame of the turn: world or body;
    - sides: whether left follows the commands of the left;
    - drift: whether the frame of the steps turns, or an offset grows, from the first to the last third of episodes.

    Args:
        recording: the episodes.
        claims: what is said of them.
        seed: of the resamples.

    Raises:
        ArgumentError: an argument is wrong; claimed places are not there.

    >>> rng = np.random.default_rng(0)
    >>> step = rng.normal(size=(200, 3))
    >>> place = np.concatenate([np.zeros((1, 3)), np.cumsum(0.1 * step, 0)])
    >>> recording = Recording([{"state": place, "action": step[:, [1, 0, 2]]}])
    >>> claims = Claims(position=("state", (0, 1, 2)), step=("action", (0, 1, 2)))
    >>> print(check_recording(recording, claims).verdicts[0].best)
    base, mirrored
    """
    instance("recording", recording, Recording)
    instance("claims", claims, Claims)
    claims.check(recording)
    rng = np.random.default_rng([integer("seed", seed, least=0), 0x7265636F])
    return RecordingCheck(tuple(_verdicts(recording, claims, rng)))


def _verdicts(recording: Recording, claims: Claims, rng: np.random.Generator) -> Iterator[Verdict]:
    position, step = (_rows(recording, each) for each in (claims.position, claims.step))
    turn, numbers = (_rows(recording, each) for each in (claims.turn, claims.rotation))
    poses = None if numbers is None else [matrices(each, claims.form) for each in numbers]
    if position is not None and step is not None:
        moved = [np.diff(each, axis=0) for each in position]
        asked = _cut(step, moved)
        yield _frame_of_step(claims, position, moved, asked, poses, rng)
        if claims.frame != "target":
            yield turning_drift(moved, _along(claims, asked, poses), rng)
    if numbers is not None:
        yield from _of_rotation(claims, position, step, numbers, turn, rng)
    if claims.sides is not None:
        yield _sides(recording, claims.sides, rng)
    if claims.commanded is not None:
        commanded, measured = _rows(recording, claims.commanded), _rows(recording, claims.measured)
        assert commanded is not None
        assert measured is not None
        yield offset_drift(commanded, measured)


def _rows(recording: Recording, places: Places | None) -> list[Array] | None:
    """By episode, the numbers of some places."""
    if places is None:
        return None
    return [episode[places[0]][:, list(places[1])] for episode in recording.episodes]


def _cut(actions: Sequence[Array], changes: Sequence[Array]) -> list[Array]:
    """Actions of those rows whose change is known."""
    short = [
        place
        for place, (action, change) in enumerate(zip(actions, changes, strict=True))
        if len(action) < len(change)
    ]
    if short:
        raise ArgumentError("recording", f"fewer actions than changes in episode {short[0]}", "as many")
    return [action[: len(change)] for action, change in zip(actions, changes, strict=True)]


def _turned(poses: Sequence[Array], arrows: Sequence[Array], inverse: bool = False) -> list[Array]:
    """Arrows of the body in the world."""
    rule = "nji,nj->ni" if inverse else "nij,nj->ni"
    return [np.einsum(rule, pose[: len(each)], each) for pose, each in zip(poses, arrows, strict=True)]


def _along(claims: Claims, asked: list[Array], poses: Sequence[Array] | None) -> list[Array]:
    return _turned(poses, asked) if claims.frame == "body" and poses is not None else asked


def _frame_of_step(
    claims: Claims,
    position: Sequence[Array],
    moved: Sequence[Array],
    asked: Sequence[Array],
    poses: Sequence[Array] | None,
    rng: np.random.Generator,
) -> Verdict:
    """World, body, base or target."""
    predicted = {"world": list(asked)}
    predicted["target"] = [each - place[: len(each)] for each, place in zip(asked, position, strict=True)]
    if poses is not None:
        predicted["body"] = _turned(poses, asked)
        predicted["body, inverted"] = _turned(poses, asked, inverse=True)
    whole, wanted = np.concatenate(asked), np.concatenate(moved)
    base, note = rotation_between(whole, wanted), ""
    angle = float(np.arccos(np.clip((np.trace(base) - 1) / 2, -1.0, 1.0)))
    if claims.frame == "base" or angle > _NEAR:
        predicted["base"] = [each @ base.T for each in asked]
        note = f"the base that fits best is turned by {np.degrees(angle):.0f}°"
    mirror = rotation_between(whole, wanted, mirrors=True)
    if np.linalg.det(mirror) < 0:
        note = ""
        predicted["base, mirrored"] = [each @ mirror.T for each in asked]
    if claims.frame not in predicted:
        raise ArgumentError("frame", claims.frame, "one that the claimed numbers allow", predicted)
    return judged("frame of the step", claims.frame, moved, predicted, rng, note)


def _of_rotation(
    claims: Claims,
    position: Sequence[Array] | None,
    step: Sequence[Array] | None,
    numbers: Sequence[Array],
    turn: Sequence[Array] | None,
    rng: np.random.Generator,
) -> Iterator[Verdict]:
    """The form of orientations, by turns or by steps of the body; and the frame of the turns."""
    forms = FORMS[numbers[0].shape[1]]
    forms = forms if claims.form in forms else (claims.form, *forms)
    by_form = {form: [matrices(each, form) for each in numbers] for form in forms}
    if turn is not None:
        rates = {form: [_rates(each, claims.turn_frame) for each in poses] for form, poses in by_form.items()}
        asked = _cut(turn, rates[claims.form])
        # What was asked for is the same for all hypotheses, what was measured is not: explained the other way round.
        yield judged("form of the orientation", claims.form, asked, rates, rng)
        frames = {
            frame: [_rates(each, frame) for each in by_form[claims.form]] for frame in ("world", "body")
        }
        yield judged("frame of the turn", claims.turn_frame, asked, frames, rng)
    elif position is not None and step is not None and claims.frame == "body":
        moved = [np.diff(each, axis=0) for each in position]
        asked = _cut(step, moved)
        predicted = {form: _turned(poses, asked) for form, poses in by_form.items()}
        yield judged("form of the orientation", claims.form, moved, predicted, rng)


def _rates(poses: Array, frame: str) -> Array:
    """Rotation vectors from each pose to the next, in the world's axes or in the body's; `(T − 1, 3)`.

    0 where a pose is no orientation, as numbers read in a rival's form may give: such a step explains nothing.
    """
    from scipy.spatial.transform import Rotation

    proper = np.linalg.det(poses) > 0
    poses = np.where(proper[:, None, None], poses, np.eye(3))
    before, after = Rotation.from_matrix(poses[:-1]), Rotation.from_matrix(poses[1:])
    change = after * before.inv() if frame == "world" else before.inv() * after
    return np.where((proper[:-1] & proper[1:])[:, None], change.as_rotvec(), 0.0)


def _sides(
    recording: Recording, sides: tuple[Places, Places, Places, Places], rng: np.random.Generator
) -> Verdict:
    """Whether the measured left follows the commands of the left; both as changes and as targets."""
    left, right, seen_left, seen_right = (_rows(recording, each) or [] for each in sides)
    pairs = zip(seen_left, seen_right, strict=True)  # one of the two may have a row more
    seen = [np.concatenate([each[: min(map(len, pair))] for each in pair], 1) for pair in pairs]
    moved = [np.diff(each, axis=0) for each in seen]

    def predicted(first: Sequence[Array], second: Sequence[Array], absolute: bool) -> list[Array]:
        found = []
        for one, other, here, change in zip(first, second, seen, moved, strict=True):
            count = len(change)
            told = np.concatenate([one[:count], other[:count]], 1)
            found.append(told - here[:count] if absolute else told)
        return found

    verdicts = []
    for absolute in (False, True):
        rivals = {
            "left is left": predicted(left, right, absolute),
            "left is right": predicted(right, left, absolute),
        }
        verdicts.append(judged("sides", "left is left", moved, rivals, rng))
    return max(verdicts, key=lambda each: each.scores[each.best])
