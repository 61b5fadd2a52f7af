"""Exact by canonicalisation: any network, inside a frame that turns with the world."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from equiworld.errors import ArgumentError
from equiworld.groups import Group
from equiworld.nn.mlp import MLP
from equiworld.nn.vectors import check_dim
from equiworld.symmetry.features import Features, FeatureType
from equiworld.symmetry.frame import Frame

__all__ = ["CanonicalNetwork"]


class CanonicalNetwork(nn.Module):
    """f(z) = frame(z) · MLP(frame(z)⁻¹ · z): exactly equivariant wherever the frame is.

    Where the features fix no axis, or only some, what the network says along the others is dropped: no vector but
    zero turns with the world there.

    Args:
        in_type: channels that come in; bring lengths to order 1 first.
        out_type: channels that go out.
        group: the group to commute with.
        frame_of: the frame of some features, frame(g·z) = g·frame(z); a module is trained along.
        hidden: sizes of the hidden layers.
        periodic: sine features in the frame; see `Periodic`.
        generator: a CPU generator, the only source of randomness.

    Raises:
        ArgumentError: a dimension differs from the group's.

    >>> import torch
    >>> from equiworld.groups import SE2
    >>> from equiworld.symmetry import frame_of
    >>> network = CanonicalNetwork(
    ...     FeatureType(2, vectors=2, points=3), FeatureType(2, points=1), SE2(),
    ...     frame_of=lambda z: frame_of(z.vectors, SE2(), origin=z.points[..., 0]),
    ...     hidden=(16,), generator=torch.Generator().manual_seed(0),
    ... )
    >>> z = Features(torch.zeros(5, 0), torch.randn(5, 2, 2), torch.randn(5, 2, 3))
    >>> g = SE2().rotation(1.0)
    >>> torch.allclose(network(z.transform(g)).points, network(z).transform(g).points, atol=1e-5)
    True
    """

    def __init__(
        self,
        in_type: FeatureType,
        out_type: FeatureType,
        group: Group,
        *,
        frame_of: Callable[[Features], Frame],
        hidden: Sequence[int] = (256, 256),
        periodic: int = 0,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        check_dim(group, in_type=in_type, out_type=out_type)
        self.in_type, self.out_type, self.group = in_type, out_type, group
        self.frame_of = frame_of
        self.network = MLP(in_type.size, out_type.size, hidden=hidden, periodic=periodic, generator=generator)

    def forward(self, features: Features) -> Features:
        """Map features of `in_type` to features of `out_type`, any batch shape."""
        if features.type != self.in_type:
            raise ArgumentError("features", features.type, f"features of {self.in_type}")
        return self.prepared()(features)

    def prepared(self) -> Callable[[Features], Features]:
        """`forward` for many calls in a row, without checks."""
        network, frame_of, dim = self.network.prepared(), self.frame_of, self.out_type.dim
        count, vectors = self.out_type.scalars, self.out_type.vectors

        def run(features: Features) -> Features:
            frame, arrows, scalars = frame_of(features), features.vectors, features.scalars
            axes, origin = frame.axes, None if frame.origin is None else frame.origin.unsqueeze(-1)
            if features.points.shape[-1]:
                points = features.points if origin is None else features.points - origin
                arrows = torch.cat((arrows, points), -1)
            # Channels before coordinates: what goes to the network and comes from it lies in a row without a copy.
            inside = (arrows.mT @ axes).flatten(-2)
            found = network(torch.cat((scalars, inside), -1) if scalars.shape[-1] else inside)
            outside = (found[..., count:].unflatten(-1, (-1, dim)) @ axes.mT).mT
            points = outside[..., vectors:]
            if points.shape[-1] and origin is not None:
                points = points + origin
            return Features(found[..., :count], outside[..., :vectors], points)

        return run
