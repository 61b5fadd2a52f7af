"""Exact by canonicalisation: any network, inside a frame that turns with the world."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from equiworld.errors import ArgumentError
from equiworld.groups import Group
from equiworld.nn.frames import Frame
from equiworld.nn.mlp import MLP
from equiworld.nn.vectors import check_dim
from equiworld.symmetry.features import Features, FeatureType

__all__ = ["CanonicalNetwork"]


class CanonicalNetwork(nn.Module):
    """f(z) = frame(z) · MLP(frame(z)⁻¹ · z): exactly equivariant wherever the frame is.

    A frame is a rotation, so groups with reflections are refused: the network would keep only their
    rotations.

    Args:
        in_type: channels that come in; bring lengths to order 1 first.
        out_type: channels that go out.
        group: the group to commute with, without reflections.
        frame_of: the frame of some features, frame(g·z) = g·frame(z); a module is trained along.
        hidden: sizes of the hidden layers.
        periodic: sine features in the frame; see `Periodic`.
        generator: a CPU generator, the only source of randomness.

    Raises:
        ArgumentError: the group has reflections, or a dimension differs from the group's.

    >>> import torch
    >>> from equiworld.groups import SE2
    >>> from equiworld.nn.frames import frame_from_heading
    >>> network = CanonicalNetwork(
    ...     FeatureType(2, vectors=2, points=3), FeatureType(2, points=1), SE2(),
    ...     frame_of=lambda z: frame_from_heading(z.vectors[..., 0], z.points[..., 0]),
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
        if not group.proper:
            raise ArgumentError("group", group, "a group without reflections, or a SteerableNetwork")
        self.in_type, self.out_type, self.group = in_type, out_type, group
        self.frame_of = frame_of
        self.network = MLP(in_type.size, out_type.size, hidden=hidden, periodic=periodic, generator=generator)

    def forward(self, features: Features) -> Features:
        """Map features of `in_type` to features of `out_type`, any batch shape."""
        if features.type != self.in_type:
            raise ArgumentError("features", features.type, f"features of {self.in_type}")
        frame = self.frame_of(features)
        inside = self.network(frame.to_frame(features).flatten())
        return frame.from_frame(Features.unflatten(inside, self.out_type))
