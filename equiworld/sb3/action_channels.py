"""An action as one row of channels: how labels move them, and which numbers share their noise."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from equiworld.errors import ArgumentError
from equiworld.groups.arrays import Array
from equiworld.models.labels import block_images, orbits, turned
from equiworld.nn.constant import Constant
from equiworld.symmetry import Frame, Heading, Rotation, Symmetry
from equiworld.symmetry.concatenation import leaves
from equiworld.symmetry.images import block_diagonal
from equiworld.symmetry.tensors import features_of_action

__all__ = ["ActionChannels", "Block"]


class Block(NamedTuple):
    """Numbers of an action that share one noise: one number, or the coordinates of a vector.

    Attributes:
        places: of the numbers among the channels.
        radial: whether they turn into each other, so that only their length may be bounded.
    """

    places: tuple[int, ...]
    radial: bool


class ActionChannels:
    """The m channels of an action in a row: scalars, then vectors and points coordinate by coordinate.

    Args:
        symmetry: whose action it is.

    Attributes:
        size: m.
        images: `(k, m, m)`, what one element for each label of the group does to them.
        blocks: c of them.
        mixing: `(k, c, c)`, how labels permute the blocks.
        orbit: `(m,)`, which of the noises each number has that no element tells apart.
        absolute: whether some are points.
        moved: whether any element moves any of them.

    Raises:
        ArgumentError: the action is an angle or an orientation, which have no normal distribution; or points that a
            mirror exchanges.

    >>> from equiworld.groups import SO2
    >>> from equiworld.symmetry import Concatenation, Scalar, Vector
    >>> channels = ActionChannels(Symmetry(SO2(), {"way": Vector()}, Concatenation((Vector(), Scalar()))))
    >>> channels.of(torch.tensor([[1.0, 2.0, 3.0]])), channels.orbit
    (tensor([[3., 1., 2.]]), [0, 1, 1])
    """

    def __init__(self, symmetry: Symmetry) -> None:
        self.symmetry, dim = symmetry, symmetry.dim
        for leaf in leaves(symmetry.action):
            if isinstance(leaf, Heading | Rotation) or getattr(leaf, "mirror", None):
                raise ArgumentError(
                    "action",
                    repr(leaf),
                    "an action of scalars, joints, vectors or points, such as a turning rate",
                )
        symmetry.action.check_features("action", symmetry.group)
        self.size = symmetry.action.size(dim)
        bare = replace(symmetry, centre=(0.0,) * dim)
        row = torch.arange(self.size, dtype=torch.float64)
        order = features_of_action(bare, row).flatten().long()
        kind = symmetry.action.feature_type(dim)
        self._order, self._back = Constant(order), Constant(order.argsort())
        self._in_order = bool((order == torch.arange(self.size)).all())
        middle = np.zeros(self.size)
        if kind.points:
            middle[self.size - dim * kind.points :] = np.tile(symmetry.centre, kind.points)
        self._middle = Constant(torch.from_numpy(middle)) if middle.any() else None
        self.absolute, self.kind = kind.points > 0, kind
        found = block_images([symmetry.action], symmetry)
        turns = symmetry.group.section().matrix
        self.images: Array = block_diagonal(
            [found["scalars"], turned(found["vectors"], turns), turned(found["points"], turns)]
        )
        self.blocks = _blocks(found["scalars"], kind.vectors + kind.points, dim)
        self.mixing = _mixing(self.images, self.blocks)
        self.block = [index for index, block in enumerate(self.blocks) for _ in block.places]
        self.orbit = [0] * self.size
        for index, members in enumerate(orbits(self.mixing)):
            for block in members:
                for place in self.blocks[block].places:
                    self.orbit[place] = index
        pseudo = [leaf for leaf in leaves(symmetry.action) if leaf.pseudo and not symmetry.group.proper]
        self.moved = bool(kind.vectors or kind.points or pseudo or symmetry.action.labelled)
        parts = np.split(_frame_basis(symmetry), [1, 2, 2 + dim * dim])
        self._needed = [index for index, part in enumerate(parts) if part.any()]
        self._basis = Constant(torch.from_numpy(np.concatenate([parts[index] for index in self._needed])))

    def of(self, action: Tensor) -> Tensor:
        """The channels `(…, m)` of actions `(…, m)`."""
        row = action if self._in_order else action.index_select(-1, self._order.like(action))
        return row if self._middle is None else row - self._middle.like(row)

    def back(self, row: Tensor) -> Tensor:
        """The actions `(…, m)` whose channels these are."""
        return self.ordered(row if self._middle is None else row + self._middle.like(row))

    def ordered(self, row: Tensor) -> Tensor:
        """Numbers `(…, m)` of channels in the order of the action's."""
        return row if self._in_order else row.index_select(-1, self._back.like(row))

    def turn(self, frame: Frame) -> Tensor:
        """The matrices `(B, m, m)` that bring channels from a frame to the world, where no labels are moved.

        Where nothing fixes an axis, what lies along it is dropped: nothing but zero turns with the world there.
        """
        axes, one = frame.axes, torch.ones_like(frame.axes[..., :1, 0])
        hand = one if frame.handedness is None else frame.handedness.unsqueeze(-1)
        axial = axes if frame.axial is None else frame.axial
        every = one, hand, axes.flatten(-2), axial.flatten(-2)
        known = torch.cat([every[index] for index in self._needed], -1)
        return (known @ self._basis.like(known)).unflatten(-1, (self.size, self.size))


def _blocks(scalars: Array, arrows: int, dim: int) -> list[Block]:
    """Each scalar by itself where labels permute them up to sign, otherwise those that they mix; each vector."""
    count = scalars.shape[-1]
    if np.isin(scalars, (-1.0, 0.0, 1.0)).all():
        found = [Block((place,), False) for place in range(count)]
    else:
        found = [Block(tuple(map(int, each)), len(each) > 1) for each in orbits(scalars)]
        if [place for block in found for place in block.places] != list(range(count)):
            raise ArgumentError(
                "action", "labels that mix numbers that do not lie side by side", "side by side"
            )
    return found + [
        Block(tuple(range(count + dim * index, count + dim * (index + 1))), True) for index in range(arrows)
    ]


def _mixing(images: Array, blocks: list[Block]) -> Array:
    """How matrices of channels permute blocks of them."""
    share = np.zeros((len(blocks), images.shape[-1]))
    for index, block in enumerate(blocks):
        share[index, list(block.places)] = 1.0
    return (share @ np.abs(images) @ share.T > 1e-9).astype(np.float64)


def _frame_basis(symmetry: Symmetry) -> Array:
    """The weights `(2 + 2d², m²)` of 1, det A, A and det A · A in what brings channels from a frame A to the world."""
    dim, group = symmetry.dim, symmetry.group
    size = symmetry.action.size(dim)
    basis = np.zeros((2 + 2 * dim * dim, size, size))
    for kind in ("scalars", "vectors", "points"):
        start = {"scalars": 0}.get(kind, _start(symmetry, kind))
        for leaf in leaves(symmetry.action):
            pseudo = leaf.pseudo and not group.proper
            for _ in range(getattr(leaf.feature_type(dim), kind)):
                if kind == "scalars":
                    basis[int(pseudo), start, start] = 1.0
                    start += 1
                    continue
                first = 2 + dim * dim * pseudo
                for entry in range(dim * dim):
                    basis[first + entry, start + entry // dim, start + entry % dim] = 1.0
                start += dim
    return basis.reshape(len(basis), -1)


def _start(symmetry: Symmetry, kind: str) -> int:
    """Where the channels of a kind begin."""
    found = symmetry.action.feature_type(symmetry.dim)
    return found.scalars + (symmetry.dim * found.vectors if kind == "points" else 0)
