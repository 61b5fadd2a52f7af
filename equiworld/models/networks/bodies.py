"""One network for each of several interchangeable bodies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from equiworld.errors import ArgumentError
from equiworld.groups import Permutation, Product
from equiworld.models.networks.network import Network
from equiworld.models.state_layout import StateLayout
from equiworld.nn import BodiesNetwork, BodyChannels
from equiworld.settings import settle_integers, settle_sizes
from equiworld.symmetry import Heading, Objects, Rotation, Symmetry
from equiworld.symmetry.concatenation import leaves

__all__ = ["Bodies"]


@dataclass(frozen=True)
class Bodies(Network):
    """A network shared by interchangeable bodies, in the frame of each, what the others do to it summed.

    Exact under S_n × the group of space, and for any number of bodies of the same weights.

    Attributes:
        hidden: sizes of the hidden layers from which a body's motion is read.
        pair: sizes of the layers that see one body from another.
        periodic: learned sine features in the frame, for the sharp edges of contact.
    """

    hidden: tuple[int, ...] = (128, 128)
    pair: tuple[int, ...] = (128, 128)
    periodic: int = 64

    of_bodies: ClassVar[bool] = True
    one_length: ClassVar[bool] = True

    def __post_init__(self) -> None:
        settle_sizes(self, "hidden")
        settle_sizes(self, "pair")
        settle_integers(self, "periodic", least=0)

    def carries(self, symmetry: Symmetry) -> bool:
        return interchangeable(symmetry) is not None

    def ties_labels(self, symmetry: Symmetry) -> bool:
        return True

    def build(self, layout: StateLayout, generator: torch.Generator) -> nn.Module:
        symmetry, count = layout.symmetry, interchangeable(layout.symmetry)
        if count is None:
            raise ArgumentError(
                "symmetry",
                f"{symmetry.group!r} with {symmetry.state}",
                "Product(…, Permutation(n)) with Objects(…, n) in the state, and nothing else that labels move; "
                "families 'state' and 'state-steerable' take the others",
            )
        assert isinstance(symmetry.group, Product)
        return BodiesNetwork(
            layout.in_type,
            layout.out_type,
            symmetry.group.space,
            body_channels(layout, count),
            hidden=self.hidden,
            pair=self.pair,
            periodic=self.periodic,
            generator=generator,
        )


def interchangeable(symmetry: Symmetry) -> int | None:
    """How many interchangeable bodies the state holds; None where labels move anything else, or mirror them."""
    group = symmetry.group
    if not isinstance(group, Product) or not isinstance(group.moving, Permutation) or group.axis is not None:
        return None
    count, held = group.moving.n, [symmetry.observation[name] for name in symmetry.state]
    bodies = [field for field in held if isinstance(field, Objects) and field.n == count]
    parts = [leaf for field in (*held, symmetry.action) for leaf in leaves(field)]
    moved = [field for field in (*held, symmetry.action) if field.labelled and not isinstance(field, Objects)]
    pseudo = not group.proper and any(leaf.pseudo or leaf.labelled for leaf in parts)
    plain = not any(leaf.labelled for leaf in parts)
    return count if bodies and not moved and not pseudo and plain else None


def body_channels(layout: StateLayout, count: int) -> BodyChannels:
    """Which of a layout's channels belong to which body; places come first among each body's vectors."""
    symmetry, points = layout.symmetry, layout.state_type.points
    scalars: list[list[int]] = [[] for _ in range(count)]
    vectors: list[list[int]] = [[] for _ in range(count)]
    poses = list[bool]()
    for body, kind, channel, is_pose in _owned(symmetry, points, count):
        (scalars if kind == "scalars" else vectors)[body].append(channel)
        if kind != "scalars" and not body:
            poses.append(is_pose)
    order = sorted(range(len(vectors[0])), key=lambda k: vectors[0][k] >= points)
    vectors, poses = [[each[k] for k in order] for each in vectors], [poses[k] for k in order]
    width = 3 if symmetry.dim == 3 else 1
    first = poses.index(True) if True in poses else None
    arrows, numbers = layout.in_type.vectors, layout.in_type.scalars
    owned_scalars, owned = ({each for body in whose for each in body} for whose in (scalars, vectors))
    return BodyChannels(
        scalars=tuple(map(tuple, scalars)),
        vectors=tuple(map(tuple, vectors)),
        common_scalars=tuple(each for each in range(numbers) if each not in owned_scalars),
        common_vectors=tuple(each for each in range(arrows) if each not in owned),
        places=tuple(layout.places),
        pose=None if first is None else slice(first, first + width),
        given=(layout.out_type.scalars, layout.out_type.vectors),
    )


def _owned(symmetry: Symmetry, points: int, count: int) -> Iterator[tuple[int, str, int, bool]]:
    """Body, kind, channel, and whether it is an axis of the body, of all channels that are bodies'."""
    used = {"scalars": 0, "vectors": points, "points": 0}
    for name in symmetry.state:
        field = symmetry.observation[name]
        parts = list(leaves(field))
        for number, leaf in enumerate(parts):
            width = getattr(leaf.feature_type(symmetry.dim), leaf.kind)
            if isinstance(field, Objects) and field.n == count:
                posed = isinstance(leaf, Heading | Rotation)
                for channel in range(width):
                    yield number * count // len(parts), leaf.kind, used[leaf.kind] + channel, posed
            used[leaf.kind] += width
