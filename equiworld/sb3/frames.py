"""In which frames a policy behind the door is asked: one, every one of a finite group, or one that is drawn."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.symmetry import Symmetry
from equiworld.symmetry.concatenation import leaves
from equiworld.symmetry.field import Array

__all__ = ["HOW", "Ask", "Averaged", "Drawn", "How", "frames_of"]

How = Literal["representative", "average", "random"]
HOW: tuple[How, ...] = ("representative", "average", "random")

Ask = Callable[[Any, Any], tuple[Array, Any]]
"""Actions `(B, size)` and the policy's next state, of observations in some frames and its state."""

_STREAM = 0x6672616D


def frames_of(symmetry: Symmetry, how: How, seed: int) -> Averaged | Drawn | None:
    """The frames beside the canonical one; None if that is the only one.

    Raises:
        ArgumentError: an average over infinitely many elements, or of actions that are orientations.
    """
    if how == "average":
        return Averaged(symmetry, seed)
    return Drawn(symmetry, seed) if how == "random" else None


class _States(tuple[Any, ...]):
    """The states of a policy in several frames."""


class _Kept(NamedTuple):
    """What stays in one frame through an episode: the policy's state, and the elements `(B, d, d)`, `(B,)`."""

    inner: Any
    matrix: Any
    label: Any


class Drawn:
    """One element k of the group an episode: the policy sees k⁻¹·(what the frame shows), and its action is moved by k.

    Where decisions are to be deterministic k is drawn from what is seen when the episode begins, so that at s and at
    g·s it is the same one; else from a generator.

    Args:
        symmetry: whose group it is drawn from: rotations, reflections and labels, for the frame fixes where it stands.
        seed: of the drawing.
    """

    def __init__(self, symmetry: Symmetry, seed: int) -> None:
        self.symmetry, self.seed = symmetry, seed
        self._generator = np.random.default_rng([seed, _STREAM])

    def decide(
        self, ask: Ask, observation: Any, state: Any, begins: NDArray[np.bool_], deterministic: bool
    ) -> tuple[Array, Any]:
        """Actions in the canonical frame, and the state: the policy's, and the elements."""
        memory = state if isinstance(state, _Kept) else _Kept(None, None, None)
        now = self._elements(observation, memory, begins, deterministic)
        seen = self.symmetry.transform_observation(now.inverse(), observation)
        action, inner = ask(seen, memory.inner)
        moved = np.asarray(self.symmetry.transform_action(now, action), np.float64)
        return moved, _Kept(inner, now.matrix, now.stored_label)

    def _elements(
        self, observation: Any, memory: _Kept, begins: NDArray[np.bool_], deterministic: bool
    ) -> GroupElement:
        """Those of before, and where episodes begin new ones."""
        group, count = self.symmetry.group, len(begins)
        fresh = np.ones(count, bool) if memory.matrix is None else begins
        matrix = np.tile(np.eye(group.dim), (count, 1, 1)) if memory.matrix is None else memory.matrix.copy()
        label = None
        if group.stores_labels:
            label = np.zeros(count, np.int64) if memory.label is None else memory.label.copy()
        for row in np.flatnonzero(fresh):
            rng = self._generator
            if deterministic:
                rng = np.random.default_rng([self.seed, _STREAM, _digest(observation, int(row))])
            drawn = group.sample(rng, scale=0.0)
            matrix[row] = drawn.matrix
            if label is not None:
                label[row] = drawn.label
        return GroupElement(group, matrix, np.zeros(matrix.shape[:-1]), label)


class Averaged:
    """The mean over all elements of a finite group: π̄(o) = Σ_k ρ(k)·π(k⁻¹·o) / |G|, whose seams do not jump.

    A policy that is to draw its action is asked in one frame, drawn for the decision: a mean of draws is concentrated
    between the modes of what they are drawn from.

    Args:
        symmetry: of a finite group.
        seed: of frames that are drawn.

    Raises:
        ArgumentError: an infinite group, or actions of which there is no mean.
    """

    def __init__(self, symmetry: Symmetry, seed: int) -> None:
        if not symmetry.group.finite:
            expected = f"a finite group; {symmetry.group!r} has how='representative' or 'random'"
            raise ArgumentError("how", "'average'", expected)
        if any(not leaf.affine for leaf in leaves(symmetry.action)):
            raise ArgumentError("how", f"'average' of {symmetry.action!r}", "actions that a mean is one of")
        self.symmetry, self._one = symmetry, Drawn(symmetry, seed)
        self._elements = symmetry.group.elements()

    def decide(
        self, ask: Ask, observation: Any, state: Any, begins: NDArray[np.bool_], deterministic: bool
    ) -> tuple[Array, Any]:
        """Actions in the canonical frame, and the states of the policy, one for each element."""
        if not deterministic:
            return self._one.decide(ask, observation, state, np.ones_like(begins), False)
        symmetry, many = self.symmetry, self._elements
        states = state if isinstance(state, _States) else _States((None,) * len(many))
        total: Array | None = None
        after = []
        for k, before in zip(many, states, strict=True):
            action, inner = ask(symmetry.transform_observation(k.inverse(), observation), before)
            moved = np.asarray(symmetry.transform_action(k, action), np.float64)
            total = moved if total is None else total + moved
            after.append(inner)
        assert total is not None
        return total / len(many), _States(after)


def _digest(observation: Any, row: int) -> int:
    """A number of an observation's bits."""
    arrays = observation.values() if isinstance(observation, Mapping) else [observation]
    found = 0
    for array in arrays:
        found = zlib.crc32(np.ascontiguousarray(array[row]).tobytes(), found)
    return found
