"""The door of a group that moves labels: the door of what moves none, at one element for each label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from equiworld.groups import GroupElement
from equiworld.symmetry.batches import rows_of
from equiworld.symmetry.canonical import Canonical
from equiworld.symmetry.field import Array, numbers
from equiworld.symmetry.grid import power_of_two
from equiworld.symmetry.layout import Layout
from equiworld.symmetry.observing import Apart
from equiworld.symmetry.representative import MARGIN, irrational
from equiworld.symmetry.symmetry import Symmetry
from equiworld.symmetry.validation import check_leading, goal_among

__all__ = ["Cosets", "fields_by_name", "kernel_symmetry", "needs_cosets"]


def needs_cosets(symmetry: Symmetry) -> bool:
    """Whether a frame alone brings no observation into a form that all of its orbit share."""
    group = symmetry.group
    return symmetry.labelled or group.stores_labels or (group.axis is not None and not group.proper)


def kernel_symmetry(symmetry: Symmetry) -> Symmetry:
    """The same fields under the subgroup that moves no labels."""
    return symmetry.restricted(symmetry.group.kernel())


class KernelDoor(Protocol):
    """A `Door` under a group that moves no labels."""

    names: tuple[str, ...]
    layout: Layout

    def enter(self, observation: Any) -> Canonical:
        """Bring observations `(B, …)` by field into their frames."""

    @property
    def inexact(self) -> tuple[str, ...]:
        """Why decisions behind it are exact in law only, in words; empty where they are exact."""


class Cosets:
    """Which label brings an observation into the form that its orbit shares, and the frame there.

    A group G is its kernel K, whose elements move no labels, at one element h for each label. Observations h⁻¹·x are
    brought into their frames under K; of these k forms, which are the same set all over the orbit, the one is taken
    that lies nearest to a fixed direction of no symmetry.

    Args:
        symmetry: of observations and actions.
        door: that of `kernel_symmetry(symmetry)`, whose observations are mappings by field.
    """

    def __init__(self, symmetry: Symmetry, door: KernelDoor) -> None:
        self.symmetry, self.door = symmetry, door
        self.section = symmetry.group.section()
        self._back = self.section.inverse()
        self.units = {name: power_of_two(scale) for name, scale in door.layout.scales.items()}

    def enter(self, observation: Any) -> Canonical:
        """As `Door.enter`, of float64 observations."""
        symmetry, names, count = self.symmetry, self.door.names, len(self.section)
        arrays = symmetry.observed(observation, names)
        fields = symmetry.observation
        values = {name: numbers(arrays[name], fields[name].size(symmetry.dim), name) for name in names}
        check_leading(values)
        batch = len(next(iter(values.values())))
        turned = Apart(
            {
                name: np.concatenate(
                    [
                        fields[name].transform(g, value.astype(np.float64), symmetry.centre, name)
                        for g in self._back
                    ]
                )
                for name, value in values.items()
            }
        )
        inside = self.door.enter(turned)
        score = self._scores(inside.observation).reshape(count, batch)
        best, chosen = score.max(0), score.argmax(0)
        tied = score >= best - MARGIN
        gap = best - np.where(tied, -np.inf, score).max(0)
        rows = chosen * batch + np.arange(batch)
        elements = self.section[np.repeat(np.arange(count), batch)] @ inside.element.within(symmetry.group)
        lost = self._differ(elements, rows, tied)
        found = rows_of(inside.observation, rows)
        whole = len(found) == len(fields)
        return replace(
            inside,
            observation=symmetry.assembled(found) if whole else found,
            element=elements[rows],
            degeneracy=np.where(lost, 1.0, np.maximum(inside.degeneracy[rows], 1.0 - np.minimum(gap, 1.0))),
            degenerate=inside.degenerate[rows] | lost,
            margin=inside.margin[rows],
        )

    def _scores(self, observation: Mapping[str, NDArray[Any]]) -> Array:
        """How near observations `(n, …)` come to a fixed direction, `(n,)`, each number in units of its scale."""
        whole = np.concatenate([observation[name] / self.units[name] for name in self.door.names], -1)
        return whole @ irrational(whole.shape[-1]).numpy()

    def _differ(
        self, elements: GroupElement, rows: NDArray[np.int64], tied: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Whether what is decided would come out otherwise by another of the elements that tie, `(B,)`."""
        several = tied.sum(0) > 1
        if not several.any():
            return several
        action = irrational(self.symmetry.action.size(self.symmetry.dim)).numpy()
        moved = self.symmetry.transform_action(elements, action)
        apart = np.abs(moved - moved[np.tile(rows, len(tied))]).max(-1).reshape(tied.shape)
        return several & (np.where(tied, apart, 0.0).max(0) > MARGIN * self.symmetry.length_scale)

    def never_fixed(self, some: Any) -> bool:
        """Whether labels move actions, and nothing that is observed tells which."""
        return bool(self.enter(some).degenerate.all())


def fields_by_name(symmetry: Symmetry, names: Sequence[str]) -> Symmetry:
    """The same symmetry of observations that are mappings by field, of these alone."""
    kept = {name: symmetry.observation[name] for name in names}

    def known(name: str | None) -> str | None:
        return name if name in kept else None

    return replace(
        symmetry,
        observation=kept,
        places={},
        shapes={},
        flat=False,
        state=tuple(name for name in symmetry.state if name in kept) or tuple(kept),
        goal=goal_among(symmetry, kept),
        action_origin=known(symmetry.action_origin),
        reference=known(symmetry.reference),
        heading=known(symmetry.heading),
    )
