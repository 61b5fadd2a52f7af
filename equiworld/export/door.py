"""The door in torch operations alone, so that it is exported with what decides behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from equiworld.errors import ArgumentError
from equiworld.export.moving import Element, Mover
from equiworld.symmetry import Door, Features, Symmetry
from equiworld.symmetry.framed import Pose
from equiworld.symmetry.observing import Apart
from equiworld.symmetry.representative import MARGIN, irrational
from equiworld.symmetry.tensors import features_of_tensors, tensors_of_features

__all__ = ["TorchDoor", "Way"]


class Way(NamedTuple):
    """The way back out of B frames.

    Attributes:
        inner: elements under the subgroup that moves no labels.
        outer: elements for their labels, applied afterwards; None where no labels are moved.
        degenerate: `(B,)` bool, where nothing fixes the frame although actions turn with it.
        margin: `(B,)` in [0, 1/2], how near a seam of the grid is, in steps.
    """

    inner: Element
    outer: Element | None
    degenerate: Tensor
    margin: Tensor


class TorchDoor(nn.Module):
    """A `Door` whose ways in and back are torch operations: what NumPy does there, to rounding.

    Args:
        door: whose frames they are.
        example: an observation, one or a batch: it says how many points clouds have, and whether numbers are rounded.

    Raises:
        ArgumentError: observations whose arrays have several axes; or a door that leaves declared fields out.
    """

    def __init__(self, door: Door, example: Any) -> None:
        super().__init__()
        self.door = door = door.suited_to(example)
        self.symmetry = symmetry = door.symmetry
        if symmetry.shapes:
            raise ArgumentError(
                "symmetry", f"arrays of several axes: {dict(symmetry.shapes)}", "arrays of numbers in a row"
            )
        if set(door.names) != set(symmetry.observation):
            raise ArgumentError("door", f"one that sees {door.names}", "one that sees all declared fields")
        cosets = door.cosets
        inner = door if cosets is None else cosets.door
        assert isinstance(inner, Door)
        self.inner = inner
        group, centre = symmetry.group, symmetry.centre
        kernel = self.inner.symmetry
        self.act = Mover(kernel.action, kernel.group, centre)
        self.movers, self.labels = nn.ModuleDict(), 1
        if cosets is not None:
            self.labels = len(cosets.section)
            self.outer_act = Mover(symmetry.action, group, centre)
            fields = {name: symmetry.observation[name] for name in self.inner.names}
            self.movers.update({_key(name): Mover(field, group, centre) for name, field in fields.items()})
            self._section, self._back = Element.of(cosets.section), Element.of(cosets.section.inverse())
            self._units = cosets.units

    def forward(self, observation: Mapping[str, Tensor] | Tensor) -> tuple[dict[str, Tensor], Way]:
        """Observations by field `(B, size)`, float64, in their frames and on the grid; and the way back."""
        arrays = taken_apart(self.symmetry, observation)
        if self.door.cosets is None:
            inside, pose = self._framed(arrays)
            element = Element.framed(self.symmetry.group, pose.rotation, pose.origin)
            return inside, Way(element, None, (pose.fixed == 0) & self.door.turns, pose.margin)
        return self._of_labels(arrays)

    def leave(self, action: Tensor, way: Way) -> Tensor:
        """Actions `(B, size)` of the frames in the world."""
        action = self.act(way.inner, action.to(torch.float64))
        return action if way.outer is None else self.outer_act(way.outer, action)

    def _framed(self, arrays: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Pose]:
        """In the frames of the subgroup that moves no labels."""
        symmetry, names = self.inner.symmetry, self.inner.names
        seen = features_of_tensors(symmetry, Apart(arrays), names)
        inside, pose = self.inner.framed(
            {"scalars": seen.scalars, "vectors": seen.vectors, "points": seen.points}
        )
        found = tensors_of_features(
            symmetry, Features(inside["scalars"], inside["vectors"], inside["points"]), names
        )
        return found, pose

    def _of_labels(self, arrays: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Way]:
        """As `Cosets.enter`: the label whose image of what is observed comes nearest to a fixed direction."""
        count, batch = self.labels, next(iter(arrays.values())).shape[0]
        turned: dict[str, Tensor] = {}
        for name in self.inner.names:
            images = [self.movers[_key(name)](_row(self._back, k), arrays[name]) for k in range(count)]
            turned[name] = torch.cat(images, 0)
        inside, pose = self._framed(turned)
        whole = torch.cat([inside[name] / self._units[name] for name in self.inner.names], -1)
        score = (whole @ irrational(whole.shape[-1])).unflatten(0, (count, -1))
        best, chosen = score.max(0).values, score.argmax(0)
        tied = score >= best - MARGIN
        rows = chosen * batch + torch.arange(batch, device=chosen.device)
        kernel = Element.framed(self.inner.symmetry.group, pose.rotation, pose.origin)
        inner = Element(*(each[rows] for each in (kernel.matrix, kernel.shift, kernel.label)))
        outer = _row(self._section, chosen)
        lost = self._differ(kernel, tied, inner, outer)
        fixed = (pose.fixed[rows] == 0) & self.inner.turns
        way = Way(inner, outer, fixed | lost, pose.margin[rows])
        return {name: found[rows] for name, found in inside.items()}, way

    def _differ(self, kernel: Element, tied: Tensor, inner: Element, outer: Element) -> Tensor:
        """Whether another of the elements that tie would decide otherwise, `(B,)`."""
        action = irrational(self.symmetry.action.size(self.symmetry.dim))
        here = self.outer_act(outer, self.act(inner, action.expand(tied.shape[1], -1)))
        there = self.act(kernel, action.expand(kernel.label.shape[0], -1)).unflatten(0, (self.labels, -1))
        apart = torch.stack(
            [
                (self.outer_act(_row(self._section, k), there[k]) - here).abs().amax(-1)
                for k in range(self.labels)
            ]
        )
        most = torch.where(tied, apart, 0.0).amax(0)
        return (tied.sum(0) > 1) & (most > MARGIN * self.symmetry.length_scale)


def taken_apart(symmetry: Symmetry, observation: Mapping[str, Tensor] | Tensor) -> dict[str, Tensor]:
    """The tensors of an observation by field."""
    segments = dict(symmetry.segments()) if symmetry.flat else {}
    found = {}
    for name in symmetry.observation:
        if symmetry.flat:
            assert isinstance(observation, Tensor)
            found[name] = observation[..., segments[name]]
            continue
        assert isinstance(observation, Mapping)
        key, at = symmetry.places.get(name, (name, None))
        found[name] = observation[key] if at is None else observation[key][..., list(at)]
    return found


def put_together(symmetry: Symmetry, arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of fields as an observation shows them, by key; of a flat one as "observation"."""
    if symmetry.flat and not symmetry.places:
        return {"observation": torch.cat([arrays[name] for name in symmetry.observation], -1)}
    parts: dict[str, list[str]] = {}
    for name in symmetry.observation:
        key = "observation" if symmetry.flat else symmetry.places.get(name, (name, None))[0]
        parts.setdefault(key, []).append(name)
    found = {}
    for key, names in parts.items():
        if names[0] not in symmetry.places:
            found[key] = arrays[names[0]]
            continue
        places = [place for name in names for place in symmetry.places[name][1]]
        order = torch.tensor(sorted(range(len(places)), key=places.__getitem__))
        found[key] = torch.cat([arrays[name] for name in names], -1)[..., order]
    return found


def _row(element: Element, index: int | Tensor) -> Element:
    return Element(element.matrix[index], element.shift[index], element.label[index])


def _key(name: str) -> str:
    """A name that a module may have."""
    return "field_" + "".join(letter if letter.isalnum() else f"_{ord(letter)}_" for letter in name)
