"""The frame at the door: observations are brought into their frame and snapped to a grid; actions are brought back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equiworld.arguments import instance
from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.symmetry.arrows import frame_of
from equiworld.symmetry.batches import is_rounded
from equiworld.symmetry.canonical import Canonical
from equiworld.symmetry.concatenation import leaves
from equiworld.symmetry.cosets import Cosets, fields_by_name, kernel_symmetry, needs_cosets
from equiworld.symmetry.crossing import as_tensors
from equiworld.symmetry.features import Kind
from equiworld.symmetry.field import Array
from equiworld.symmetry.fields import Cloud
from equiworld.symmetry.frame import Frame
from equiworld.symmetry.framed import Framed, Pose
from equiworld.symmetry.grid import lean
from equiworld.symmetry.holding import moved
from equiworld.symmetry.layout import Layout
from equiworld.symmetry.observing import Apart, counted, read, resized
from equiworld.symmetry.passage import Passage
from equiworld.symmetry.sampling import random_observation
from equiworld.symmetry.symmetry import Symmetry
from equiworld.symmetry.validation import door_arguments

__all__ = ["Door"]


Channels = dict[Kind, Tensor]


class Door:
    """Brings observations into their frame, and says how well that is fixed.

    The frame is that of a pose or heading of the state; else of arrows: of what the state's clouds look like, then, in
    order of declaration, from the origin to each point and to the middle of each cloud, then vectors; of the state
    first, then of the goal. A frame of the body comes first, for one that turns with whoever pushes it feeds errors of
    the pusher's place back into his direction, and they grow from step to step. The origin is the
    symmetry's `origin_field`; without translations the centre.
    All is done in float64 and then snapped to a grid that round numbers do not meet. So what is decided at g·s and at
    s is decided from the same bits, whoever decides.

    Args:
        symmetry: of observations and actions.
        names: the observed fields that are wanted; all of them if None.
        scales: by name, a typical size of a field's numbers, which its grid is measured by. A field's own comes first;
            points have the length scale, angles 1, as has what nobody knows better.
        single: whether observations are rounded to float32, whatever they come in: the grid is then so coarse that most
            of it is not seen. Arrays of less than float64 are seen to be rounded.
        reference_pose: where the frame stands in canonical observations: at the symmetry's centre, unturned, if None.

    Raises:
        ArgumentError: actions are absolute and no point is observed that they could be seen from.

    >>> import gymnasium as gym, equiworld.envs
    >>> from equiworld.symmetry import symmetry_of
    >>> observation, _ = gym.make("equiworld/PushT-v0").reset(seed=0)
    >>> inside = Door(symmetry_of("equiworld/PushT-v0")).enter({name: x[None] for name, x in observation.items()})
    >>> inside.observation["block_heading"].round(6) + 0.0, inside.degenerate
    (array([[0.]]), array([False]))
    """

    def __init__(
        self,
        symmetry: Symmetry,
        names: Sequence[str] | None = None,
        scales: Mapping[str, float] | None = None,
        single: bool = False,
        reference_pose: GroupElement | None = None,
    ) -> None:
        instance("symmetry", symmetry, Symmetry)
        symmetry = counted(symmetry)
        names, sizes, single = door_arguments(symmetry, names, scales, single, reference_pose)
        ranked = tuple(dict.fromkeys((*symmetry.state, *symmetry.goal, *symmetry.observation)))
        self.names = ranked if names is None or symmetry.flat else tuple(n for n in ranked if n in names)
        self.symmetry, self.single, self.reference_pose = symmetry, single, reference_pose
        self.layout: Layout
        self._cosets: Cosets | None = None
        if needs_cosets(symmetry):
            under = kernel_symmetry(fields_by_name(symmetry, self.names))
            known = {name: size for name, size in sizes.items() if name in under.observation}
            self._cosets = Cosets(symmetry, Door(under, None, known, single, reference_pose))
            self.layout = self._cosets.door.layout
        else:
            self.layout = Layout(symmetry, self.names, sizes, single)
        pose = None if reference_pose is None else torch.from_numpy(reference_pose.matrix)
        self._turns = [turn.mT for turn in (self.layout.turned, pose) if turn is not None]
        self.turns = symmetry.action.labelled or any(
            leaf.kind != "scalars" or (leaf.pseudo and not symmetry.group.proper)
            for leaf in leaves(symmetry.action)
        )
        self._passage = Passage(symmetry, self.layout.step)
        self._limits = self._check()
        self._rounded = single  # or has been, once
        self._suited: dict[tuple[bool, tuple[int, ...]], Door] = {}

    @property
    def inexact(self) -> tuple[str, ...]:
        """Why what is decided behind it is exact in law only, in words; empty where it is exact."""
        single = "observations are float32: equal in law only; float64 observations make it exact"
        return (single, *self._limits) if self._rounded else self._limits

    @property
    def kernel(self) -> Door:
        """The door of what moves no labels: itself where nothing does."""
        if self._cosets is None:
            return self
        assert isinstance(self._cosets.door, Door)
        return self._cosets.door

    def enter(self, observation: Any) -> Canonical:
        """Bring observations into their frames.

        Args:
            observation: a mapping of arrays `(B, size)`, or one array `(B, size)` if the symmetry is flat. Clouds may
                have any number of points.

        Raises:
            ArgumentError: a field is missing, misshapen, not numeric or not finite.
        """
        door = self.suited_to(observation)
        if door._cosets is not None:
            return door._cosets.enter(observation)
        (channels,) = read(door.symmetry, observation, door.names)
        inside, pose = door.framed(dict(zip(channels, as_tensors(channels, torch.float64), strict=True)))
        plain, found = pose.leave(self.symmetry.group, self.turns, *inside.values())
        return replace(found, observation=door._decoded(dict(zip(inside, plain, strict=True))))

    def bring(
        self,
        observation: Any,
        groups: Sequence[Sequence[str]],
        plans: Array,
        before: GroupElement,
        shown: bool = False,
        seen_by: Symmetry | None = None,
    ) -> Framed:
        """Bring observations, and plans from the frames of an earlier decision, into their frames: in torch once read.

        Where labels are moved it goes by way of NumPy all the same.

        Args:
            observation: as for `enter`.
            groups: names of the fields that are wanted as Features, such as those of the state and of the goal.
            plans: actions `(B, …, size)` in the frames `before`.
            before: see `relative`.
            shown: whether the observation in its frame is wanted too, as `enter` gives it.
            seen_by: whose Features are wanted, if not those of the door's own symmetry: a model that knows a part of
                the group only may see what labels move, such as the heading of a body, as something else.
        """
        door = self.suited_to(observation)
        if shown or door._cosets is not None:
            found = door.enter(observation)
            start = moved(self.symmetry, self.relative(before, found.element), plans)
            return Framed.seen(seen_by or door.symmetry, found, groups, start)
        (channels,) = read(door.symmetry, observation, door.names)
        past = {"plan": plans, "axes": before.matrix, "place": before.translation}
        *parts, held, axes, place = as_tensors(channels | past, torch.float64)
        inside, pose = door.framed(dict(zip(channels, parts, strict=True)))
        features = door.layout.features(inside, groups)
        carried = self._passage.carried(held, axes, place, pose.rotation, pose.origin)
        return Framed(features, carried, partial(pose.leave, self.symmetry.group, self.turns))

    def frame(self, channels: Channels) -> Frame:
        """The frame that channels fix, in torch, where no labels are moved; as it is, without a reference pose.

        Args:
            channels: by kind scalars `(B, n)`, vectors and points `(B, d, n)` about the symmetry's centre, of `names`.
        """
        layout, points = self.layout, channels["points"]
        units = {kind: each.to(points.device) for kind, each in layout.units.items()}
        vectors = channels["vectors"] / units["vectors"]
        origin = self.stand(points)
        arrows = [lean(points[..., cloud] / self.symmetry.length_scale) for cloud in layout.clouds]
        if points.shape[-1]:
            apart = points - origin.unsqueeze(-1)
            arrows += [apart @ layout.arrows.to(points.device) / self.symmetry.length_scale]
        axial = bool(len(layout.axial))
        arrows += [vectors[..., layout.polar.to(points.device)] if axial else vectors]
        pseudo: dict[str, Tensor] = {}
        if layout.mirrors:
            scalars = channels["scalars"] / units["scalars"]
            pseudo = {"pseudoscalars": scalars[..., layout.pseudoscalars.to(points.device)]}
        if axial:
            pseudo["pseudovectors"] = vectors[..., layout.axial.to(points.device)]
        known = arrows[0] if len(arrows) == 1 else torch.cat(arrows, -1)
        return frame_of(known, self.symmetry.group, pose=layout.pose, origin=origin, **pseudo)

    def relative(self, before: GroupElement, now: GroupElement) -> GroupElement:
        """now⁻¹·before, snapped: it re-expresses in this decision's frame what was planned in an earlier one's."""
        return self._passage.relative(before, now)

    @property
    def cosets(self) -> Cosets | None:
        """What chooses the label of an observation; None where no labels are moved."""
        return self._cosets

    # --- the declaration -----------------------------------------------------------------------------

    def _check(self) -> tuple[str, ...]:
        """What keeps every decision from being exact, tried on observations of no particular kind."""
        symmetry = self.symmetry
        some = random_observation(symmetry, np.random.default_rng(0), 8)
        absolute = any(leaf.kind == "points" for leaf in leaves(symmetry.action))
        if absolute and symmetry.group.has_translations and not len(self.layout.units["points"]):
            raise ArgumentError(
                "action",
                f"{symmetry.action!r} under {symmetry.group!r} where no point is observed",
                "an observed point that absolute actions can be seen from, or a Vector",
            )
        if self._cosets is not None:
            limits = self._cosets.door.inexact
            if not limits and self._cosets.never_fixed(some):
                limits = (
                    f"nothing observed tells the labels of {symmetry.group!r} apart: equal in law only; observe what "
                    "they move, such as joints",
                )
            return limits
        (channels,) = read(symmetry, some, self.names)
        seen = dict(zip(channels, as_tensors(channels, torch.float64), strict=True))
        fixed = self.frame(seen).fixed
        if self.turns and fixed is not None and not bool(fixed.any()):
            more = "a heading" if symmetry.dim == 2 else "a Rotation"
            return (
                f"nothing observed fixes a frame under {symmetry.group!r}: equal in law only; observe {more}, or "
                "more points or vectors, such as the way to the goal",
            )
        return ()

    def suited_to(self, observation: Any) -> Door:
        """This door, or its like for clouds of as many points as are observed, and for numbers that are rounded."""
        single = self.single or is_rounded(self.symmetry, observation, self.names)
        self._rounded = self._rounded or single  # only to say so
        symmetry = resized(self.symmetry, observation, self.names)
        if single == self.single and symmetry is self.symmetry:
            return self
        fields = symmetry.observation
        counts = tuple(
            field.count for field in map(fields.__getitem__, self.names) if isinstance(field, Cloud)
        )
        if (single, counts) not in self._suited:
            self._suited[single, counts] = Door(
                symmetry, self.names, self.layout.scales, single, self.reference_pose
            )
        return self._suited[single, counts]

    # --- the way in ----------------------------------------------------------------------------------

    def framed(self, channels: Channels) -> tuple[Channels, Pose]:
        """Scalars `(B, n)`, vectors and points `(B, d, n)` about the symmetry's centre, in their frames."""
        frame, rotation, origin = self._posed(self.frame(channels))
        inside, near = self.layout.snapped(frame, rotation, origin, channels)
        surely = torch.ones_like(near)
        certainty, fixed = (surely if each is None else each for each in (frame.certainty, frame.fixed))
        return inside, Pose(rotation, origin, near, certainty, fixed)

    def stand(self, points: Tensor) -> Tensor:
        """Where frames stand, `(B, d)`, among points `(B, d, n)`."""
        if self.layout.origin.ndim != 1:
            return points.new_zeros(points.shape[:-1])
        found = points @ self.layout.origin.to(points.device)
        return self._passage.shifts(found)

    def _posed(self, frame: Frame) -> tuple[Frame, Tensor, Tensor]:
        """The frame as the reference pose has it, its rotation, whole, and where it stands."""
        rotation = frame.axes if frame.fixed is None else frame.completed()
        origin = frame.origin
        assert origin is not None  # `_frame` says where it stands
        for turn in self._turns:
            frame, rotation = frame.combined(turn), rotation @ turn
        if self.reference_pose is not None:
            origin = origin - rotation @ torch.from_numpy(self.reference_pose.translation)
        return frame, rotation, origin

    def _decoded(self, channels: Mapping[Kind, Array]) -> Any:
        symmetry, centre = self.symmetry, np.asarray(self.symmetry.centre)
        arrays = Apart(
            {
                name: symmetry.observation[name].decode(
                    {kind: channels[kind][..., where] for kind, where in slices.items()}, centre
                )
                for name, slices in self.layout.slices.items()
            }
        )
        whole = len(arrays) == len(symmetry.observation)
        return symmetry.assembled(arrays) if whole else arrays
