"""Latents that a network finds in a typed state, as joint-embedding models have them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from equiworld.models.encoders.encoder import Encoder, LearnedEncoder
from equiworld.models.state_layout import StateLayout
from equiworld.nn import MLP, SteerableNetwork
from equiworld.settings import settle_integers
from equiworld.symmetry import Features, FeatureType, Field, Point, Scalar, Symmetry, Vector

__all__ = ["State"]


@dataclass(frozen=True)
class State(Encoder):
    """Keypoints, vectors and scalars of a whole state, none of its own fields beside them.

    A goal shows other fields than a state: it is not encoded, and there is no planning in such latents.

    Attributes:
        keypoints: K, at least 2.
        vectors: further vectors that the encoder finds.
        scalars: likewise.
        width: hidden scalar and vector channels; of the baselines three times as many numbers.
        depth: residual blocks, or hidden layers.
    """

    keypoints: int = 4
    vectors: int = 4
    scalars: int = 4
    width: int = 32
    depth: int = 2

    learns: ClassVar[bool] = True

    def __post_init__(self) -> None:
        settle_integers(self, "keypoints", least=2)
        settle_integers(self, "width", "depth", least=1)
        settle_integers(self, "vectors", "scalars", least=0)

    def build(
        self, symmetry: Symmetry, equivariant: bool, centred: bool, generator: torch.Generator
    ) -> LearnedEncoder:
        given = symmetry.feature_type()
        found = FeatureType(symmetry.dim, self.scalars, self.vectors, self.keypoints)
        inner: nn.Module
        if equivariant:
            sizes = {"scalars": self.width, "vectors": self.width, "depth": self.depth}
            inner = SteerableNetwork(given, found, symmetry.group, generator=generator, **sizes)
        else:
            hidden = (3 * self.width,) * self.depth
            inner = MLP(given.size, found.size, hidden=hidden, generator=generator)
        return _StateEncoder(symmetry, _Scaled(StateLayout(symmetry, centred), found, inner))


class _Scaled(nn.Module):
    """A network of features whose lengths are of order 1, points about their mean if the layout is centred."""

    lengths: Tensor

    def __init__(self, layout: StateLayout, out_type: FeatureType, network: nn.Module) -> None:
        super().__init__()
        self.given, self.out_type, self.network = layout.state_type, out_type, network
        self.length, self.centred = layout.symmetry.length_scale, layout.centred and self.given.points > 0
        lengths = torch.full((self.given.vectors,), self.length, dtype=torch.float32)
        lengths[[index - self.given.points for index in layout.units_out]] = 1.0
        self.register_buffer("lengths", lengths, persistent=False)

    def forward(self, observed: Features) -> Features:
        """The latent, in the units of the state."""
        points = observed.points
        middle = points.mean(-1, keepdim=True) if self.centred else points.new_zeros(*points.shape[:-1], 1)
        seen = Features(observed.scalars, observed.vectors / self.lengths, (points - middle) / self.length)
        if isinstance(self.network, MLP):
            found = Features.unflatten(self.network(seen.flatten()), self.out_type)
        else:
            found = self.network(seen)
        return Features(found.scalars, found.vectors * self.length, found.points * self.length + middle)

    def rounds(self, states: Tensor) -> tuple[Features, list[Tensor]]:
        """The latents of flattened states, which are found at once."""
        return self(Features.unflatten(states, self.given)), []


class _StateEncoder(LearnedEncoder):
    def __init__(self, symmetry: Symmetry, network: _Scaled) -> None:
        super().__init__()
        self.symmetry, self.network, kind = symmetry, network, network.out_type
        fields: dict[str, Field] = {"keypoints": Point(kind.points)}
        if kind.vectors:
            fields["latent_vectors"] = Vector(kind.vectors)
        if kind.scalars:
            fields["latent_scalars"] = Scalar(kind.scalars)
        shared: dict[str, Any] = {"goal": (), "heading": None, "action_origin": None, "info": {}}
        self.latent = replace(
            symmetry, observation=fields, state=tuple(fields), reference="keypoints", flat=False, **shared
        )

    def observed(self, obs: Any, dtype: torch.dtype, goal: bool = False) -> Features:
        return self.symmetry.to_features(obs, () if goal else None, dtype)

    def forward(self, observed: Features, goal: bool = False, network: nn.Module | None = None) -> Features:
        return observed if goal else (network or self.network)(observed)

    def views(self, observed: Features, rng: np.random.Generator, count: int) -> list[Tensor]:
        """The state as it is: there is no other view of it."""
        return [observed.flatten()] * count

    def join(self, found: Features, observed: Features) -> Features:
        return found

    def subsampled(self, observed: Features, rng: np.random.Generator) -> Features:
        return observed
