"""Exact under the exchange of bodies: one network for each of them, in its own frame, the others' parts summed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equiworld.errors import ArgumentError
from equiworld.groups import Group
from equiworld.nn.constant import Constant
from equiworld.nn.mlp import MLP
from equiworld.symmetry.arrows import frame_of
from equiworld.symmetry.features import Features, FeatureType

__all__ = ["BodiesNetwork", "BodyChannels"]


@dataclass(frozen=True)
class BodyChannels:
    """Which channels are whose.

    Attributes:
        scalars, vectors: by body, its channels among those that come in, `(n, k)`, alike for all.
        common_scalars, common_vectors: all other channels that come in.
        places: which of the vectors that come in are places, seen from a point that all share; what a body sees is
            seen from the first of its own.
        pose: which of a body's vectors are its axes; None if it has none.
        given: how many scalars and vectors go out; those that come in first, in their order.
    """

    scalars: tuple[tuple[int, ...], ...]
    vectors: tuple[tuple[int, ...], ...]
    common_scalars: tuple[int, ...]
    common_vectors: tuple[int, ...]
    places: tuple[int, ...]
    pose: slice | None
    given: tuple[int, int]

    def returned(self) -> tuple[tuple[list[int], list[int]], tuple[list[int], list[int]]]:
        """What goes out, scalars and vectors: positions among a body's channels, and common channels."""
        scalars, vectors = self.given
        own = (
            [k for k, channel in enumerate(self.scalars[0]) if channel < scalars],
            [k for k, channel in enumerate(self.vectors[0]) if channel < vectors],
        )
        common = (
            [channel for channel in self.common_scalars if channel < scalars],
            [channel for channel in self.common_vectors if channel < vectors],
        )
        return own, common


class BodiesNetwork(nn.Module):
    """y_i = R_i φ(x_i, Σ_{j≠i} ψ(x_i, x_j)), where x_k is what body i sees of body k from its place, in its axes R_i.

    What belongs to no body is seen too, and is given Σ_i R_i φ₀(…). So exchanging bodies exchanges what is given, and
    turning all turns it. The sum is over bodies, so that the same weights serve any number of them.

    Args:
        in_type: channels that come in, no points; lengths in one unit.
        out_type: channels that go out.
        group: of space.
        channels: which channels are whose.
        hidden: sizes of the hidden layers of φ.
        pair: sizes of the layers of ψ.
        periodic: sine features of ψ; see `Periodic`.
        generator: a CPU generator, the only source of randomness.

    Reference: Zaheer et al., Deep sets, NeurIPS 2017; Battaglia et al., Interaction networks, NeurIPS 2016.

    >>> import torch
    >>> from equiworld.groups import SE2
    >>> channels = BodyChannels(((), ()), ((0, 1), (2, 3)), (), (4,), (0, 2), slice(1, 2), (0, 4))
    >>> network = BodiesNetwork(
    ...     FeatureType(2, vectors=5), FeatureType(2, vectors=4), SE2(), channels,
    ...     generator=torch.Generator().manual_seed(0),
    ... )
    >>> heading = torch.nn.functional.normalize(torch.randn(2, 2), dim=0)
    >>> place = torch.randn(2, 2)
    >>> arrows = torch.stack([place[:, 0], heading[:, 0], place[:, 1], heading[:, 1], torch.ones(2)], -1)
    >>> z = Features(torch.zeros(0), arrows, torch.zeros(2, 0))
    >>> exchanged = Features(z.scalars, arrows[:, [2, 3, 0, 1, 4]], z.points)
    >>> torch.allclose(network(exchanged).vectors, network(z).vectors[:, [2, 3, 0, 1]], atol=1e-6)
    True
    """

    def __init__(
        self,
        in_type: FeatureType,
        out_type: FeatureType,
        group: Group,
        channels: BodyChannels,
        *,
        hidden: Sequence[int] = (128, 128),
        pair: Sequence[int] = (128,),
        periodic: int = 64,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        if not channels.vectors or not channels.vectors[0] or not pair:
            raise ArgumentError("channels, pair", (channels, pair), "one body or more, and one layer or more")
        self.in_type, self.out_type, self.group, self.channels = in_type, out_type, group, channels
        c, dim = channels, group.dim
        other = len(c.scalars[0]) + dim * len(c.vectors[0])
        seen = len(c.common_scalars) + dim * len(c.common_vectors) + other
        own, common = c.returned()
        self._given = [len(own[0]), len(common[0]), dim * (len(own[1]) + len(common[1]))]
        self.pair = MLP(seen + other, pair[-1], hidden=pair[:-1], periodic=periodic, generator=generator)
        self.trunk = MLP(seen + pair[-1], sum(self._given), hidden=hidden, generator=generator)
        count = len(c.vectors)
        others = [[other for other in range(count) if other != body] for body in range(count)]
        self._others = _indices(others)
        self._whose = _indices(c.scalars), _indices(c.vectors)
        self._common = _indices(c.common_scalars), _indices(c.common_vectors)
        self._placed = tuple(
            _indices([k in c.places for k in each]) for each in (c.vectors[0], c.common_vectors)
        )
        # Where each channel that goes out lies: those of the bodies come first.
        self._back = tuple(
            _indices(np.argsort([body[k] for body in whose for k in mine] + shared))
            for whose, mine, shared in zip((c.scalars, c.vectors), own, common, strict=True)
        )

    def forward(self, features: Features) -> Features:
        """Map features of `in_type` to features of `out_type`, any batch shape."""
        if features.type != self.in_type:
            raise ArgumentError("features", features.type, f"features of {self.in_type}")
        return self.prepared()(features)

    def prepared(self) -> Callable[[Features], Features]:
        """`forward` for many calls in a row, without checks."""
        pair, trunk, dim = self.pair.prepared(), self.trunk.prepared(), self.group.dim
        own = len(self.channels.returned()[0][1])

        def run(features: Features) -> Features:
            axes, head, others = self._seen(features.scalars, features.vectors)
            heads = head.unsqueeze(1).expand(*others.shape[:-1], head.shape[-1])
            felt = F.gelu(pair(torch.cat((heads, others), -1))).sum(1)
            mine, shared, turned = trunk(torch.cat((head, felt), -1)).split(self._given, -1)
            arrows = (turned.unflatten(-1, (-1, dim)) @ axes.mT).mT
            numbers = self._assembled(mine, shared, self._back[0])
            moved = self._assembled(arrows[..., :own], arrows[..., own:], self._back[1])
            return Features(numbers, moved, moved[..., :0])

        return run

    def _assembled(self, mine: Tensor, shared: Tensor, back: Constant) -> Tensor:
        """What is given to bodies `(n, …, k)` and to all `(n, …, m)`, in the order of the channels that go out."""
        whole = torch.cat((mine.movedim(0, -2).flatten(-2), shared.sum(0)), -1)
        return whole[..., back.like(whole)]

    def _seen(self, scalars: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """By body: its axes `(n, …, d, d)`, what it sees of itself and of what is no body's `(n, …, k)`, and of each
        other body `(n, n−1, …, m)`."""
        own = vectors[..., self._whose[1].like(vectors)].movedim(-2, 0)
        numbers = scalars[..., self._whose[0].like(scalars)].movedim(-2, 0)
        common = vectors[..., self._common[1].like(vectors)]
        shared = scalars[..., self._common[0].like(scalars)]
        others = self._others.like(vectors)
        placed, fixed = (mask.like(vectors).to(vectors.dtype) for mask in self._placed)
        here = own[..., :1] * placed[:1]
        mine, common = own - here * placed, common - here * fixed
        apart = own[others] - (here * placed).unsqueeze(1)
        # What is the body's own comes first: a frame that turned with whoever pushes it would feed back his errors.
        arrows = torch.cat((mine, common, apart.sum(1)), -1)
        axes = frame_of(arrows, self.group, pose=self.channels.pose).axes

        def inside(found: Tensor, axes: Tensor) -> Tensor:
            return (found.mT @ axes).flatten(-2)

        shared = shared.expand(len(numbers), *shared.shape)
        head = torch.cat((shared, numbers, inside(common, axes), inside(mine, axes)), -1)
        return axes, head, torch.cat((numbers[others], inside(apart, axes.unsqueeze(1))), -1)


def _indices(given: object) -> Constant:
    return Constant(torch.as_tensor(np.asarray(given, np.int64)))
