"""Where the cloud is among what is observed, and what stands in its place in a latent."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equiworld.errors import ArgumentError
from equiworld.symmetry import Cloud, Features, FeatureType, Field, Objects, Point, Scalar, Symmetry, Vector
from equiworld.symmetry.bodies import clouds_in
from equiworld.symmetry.concatenation import Concatenation

__all__ = ["CloudLayout", "with_points"]


class CloudLayout:
    """An observed state and goal with a cloud each, and latents with what an encoder finds in it instead.

    The state's may be one cloud for each of several bodies of one shape, `Objects(Cloud(N), n)`, or one behind the
    other where their exchange is not carried; so is then what is found.

    Attributes:
        symmetry: of the environment.
        latent: of the latent: `keypoints`, all other fields of the state, `latent_vectors` and `latent_scalars` where
            there are some; of the goal likewise, `goal_keypoints` and so on. Its reference are the keypoints, where
            they are those of one body.
        bodies: how many clouds the state has.

    Args:
        symmetry: a Dict of observations, one field of clouds in the state and at most one Cloud in the goal.
        kind: what the encoder finds in a cloud.

    Raises:
        ArgumentError: other clouds than that, or a field of a name that the latent needs.
    """

    def __init__(self, symmetry: Symmetry, kind: FeatureType) -> None:
        state, goal = (
            [name for name in names if clouds_in(symmetry.observation[name])]
            for names in (symmetry.state, symmetry.goal)
        )
        if len(state) != 1 or len(goal) > 1 or symmetry.flat:
            expected = "a Dict of observations, one Cloud in the state and at most one in the goal"
            raise ArgumentError(
                "symmetry", f"{len(state)} clouds in the state, {len(goal)} in the goal", expected
            )
        self.symmetry = symmetry
        self._several = symmetry.observation[state[0]]
        self.bodies = clouds_in(self._several)
        self._cloud: dict[bool, str] = {False: state[0], **({True: goal[0]} if goal else {})}
        self.latent = self._latent(kind)
        single = with_points(symmetry, 1)
        self._channels = {False: single.channels(), True: single.channels(symmetry.goal)}

    @property
    def has_goal(self) -> bool:
        """Whether a cloud says where to go."""
        return True in self._cloud

    def features(self, obs: Any, dtype: torch.dtype, goal: bool = False) -> Features:
        """What is observed of the state or the goal, its cloud of any size."""
        try:
            size = np.shape(obs[self._cloud[goal]])[-1]
        except (KeyError, IndexError, TypeError, ValueError):
            size = 0  # what is wrong, the symmetry's own checks say
        bodies = 1 if goal else self.bodies
        count = max(math.ceil(size / (self.symmetry.dim * bodies)), 1)
        symmetry = with_points(self.symmetry, count) if size else self.symmetry
        return symmetry.to_features(obs, symmetry.goal if goal else None, dtype)

    def split(self, shown: Features, goal: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """The cloud's points `(…, d, N)`, and the points before and after it."""
        channels = self._channels[goal]
        start = channels[self._cloud[goal]].start
        behind = sum(
            each.stop - each.start
            for each in channels.values()
            if each.kind == "points" and each.start > start
        )
        stop = shown.points.shape[-1] - behind
        if stop <= start:
            raise ArgumentError(self._cloud[goal], "no points", "at least one")
        return shown.points[..., start:stop], shown.points[..., :start], shown.points[..., stop:]

    def with_cloud(self, shown: Features, cloud: Tensor) -> Features:
        """The same state with another cloud."""
        _, before, after = self.split(shown)
        return Features(shown.scalars, shown.vectors, torch.cat([before, cloud, after], -1))

    def join(self, found: Features, shown: Features, goal: bool = False) -> Features:
        """The latent: what was found in the cloud beside what else is shown."""
        _, before, after = self.split(shown, goal)
        return Features(
            torch.cat([shown.scalars, found.scalars], -1),
            torch.cat([shown.vectors, found.vectors], -1),
            torch.cat([found.points, before, after], -1),
        )

    def _latent(self, kind: FeatureType) -> Symmetry:
        symmetry, clouds = self.symmetry, self._cloud.values()
        one: dict[str, Field] = {"keypoints": Point(kind.points)}
        if kind.vectors:
            one["latent_vectors"] = Vector(kind.vectors)
        if kind.scalars:
            one["latent_scalars"] = Scalar(kind.scalars)
        goals = {f"goal_{name}": field for name, field in one.items()} if self.has_goal else {}
        found = {name: _repeated(field, self._several) for name, field in one.items()}
        state, goal = (
            tuple(name for name in names if name not in clouds) for names in (symmetry.state, symmetry.goal)
        )
        others = {name: symmetry.observation[name] for name in (*state, *goal)}
        for name in others:
            if name in found or name in goals:
                raise ArgumentError("symmetry", f"a field {name!r}", "a name that latents do not use", others)
        first, *rest = found
        return replace(
            symmetry,
            observation={**found, **others, **goals},
            state=(first, *state, *rest),  # keypoints first: frames are made of the first points
            goal=(*list(goals)[:1], *goal, *list(goals)[1:]),
            reference=None if self.bodies > 1 else first,
            heading=None,
            info={},
        )


def with_points(symmetry: Symmetry, count: int) -> Symmetry:
    """The symmetry with clouds of another number of points."""

    def resized(field: Field) -> Field:
        return _repeated(Cloud(count), field) if clouds_in(field) else field

    return replace(
        symmetry, observation={name: resized(field) for name, field in symmetry.observation.items()}
    )


def _repeated(one: Field, like: Field) -> Field:
    """A field for each of the bodies that have a cloud in another field, exchanged as these are."""
    if isinstance(like, Objects):
        return Objects(one, like.n)
    return Concatenation((one,) * clouds_in(like)) if clouds_in(like) > 1 else one
