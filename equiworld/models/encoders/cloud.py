"""Latents that a network finds in an unordered cloud of points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from equiworld.models.encoders.cloud_layout import CloudLayout
from equiworld.models.encoders.encoder import Encoder, LearnedEncoder
from equiworld.nn import CloudEncoder
from equiworld.settings import settle_integers
from equiworld.symmetry import Features, FeatureType, Symmetry

__all__ = ["Cloud", "CloudObservationEncoder"]


@dataclass(frozen=True)
class Cloud(Encoder):
    """Keypoints, vectors and scalars of a cloud, beside what else is observed; for a state with one Cloud.

    Attributes:
        keypoints: K, at least d + 1.
        vectors: further vectors that the encoder finds.
        scalars: likewise; only data of several bodies has some to find.
        width: of the network, channels of each point.
        refinements: of its first guess.
        cloud_points: points of the clouds trained on: two disjoint parts of a larger observed one.
    """

    keypoints: int = 4
    vectors: int = 0
    scalars: int = 0
    width: int = 64
    refinements: int = 2
    cloud_points: int = 128

    of_clouds: ClassVar[bool] = True
    learns: ClassVar[bool] = True

    def __post_init__(self) -> None:
        settle_integers(self, "cloud_points", least=1)
        settle_integers(self, "keypoints", "vectors", "scalars", "width", "refinements", least=0)

    def build(
        self, symmetry: Symmetry, equivariant: bool, centred: bool, generator: torch.Generator
    ) -> CloudObservationEncoder:
        found = FeatureType(symmetry.dim, self.scalars, self.vectors, self.keypoints)
        network = CloudEncoder(
            found,
            symmetry.group if equivariant else None,
            length=symmetry.length_scale,
            width=self.width,
            refinements=self.refinements,
            centred=centred,
            generator=generator,
        )
        return CloudObservationEncoder(CloudLayout(symmetry, found), network, self.cloud_points)


class CloudObservationEncoder(LearnedEncoder):
    """Keypoints, vectors and scalars of a network of clouds, joined with the other observed fields.

    `latent` names the fields of latents: `keypoints` and `goal_keypoints` above all.

    Args:
        layout: where the clouds are among what is observed.
        network: of clouds.
        cloud_points: points of the clouds trained on.
    """

    network: CloudEncoder

    def __init__(self, layout: CloudLayout, network: CloudEncoder, cloud_points: int) -> None:
        super().__init__()
        self.layout, self.network, self.cloud_points = layout, network, cloud_points
        self.symmetry, self.latent = layout.symmetry, layout.latent

    def seen_in(self, dtype: torch.dtype) -> torch.dtype:
        """float64: a cloud far from the scene's centre would else have lost its digits on the way to its own."""
        return torch.float64

    def observed(self, obs: Any, dtype: torch.dtype, goal: bool = False) -> Features:
        if goal and not self.layout.has_goal:
            return self.symmetry.to_features(obs, self.symmetry.goal, dtype=dtype)
        return self.layout.features(obs, self.seen_in(dtype), goal)

    def forward(
        self, observed: Features, goal: bool = False, network: CloudEncoder | None = None
    ) -> Features:
        """The latent in the network's dtype, whatever that of the observation.

        Args:
            observed: see `ObservationEncoder`.
            goal: likewise.
            network: another of the same kind, an average of past ones say.
        """
        if goal and not self.layout.has_goal:
            return observed
        network = self.network if network is None else network
        found = network(self.layout.split(observed, goal)[0])
        return self.layout.join(found, observed, goal).to(next(network.parameters()).dtype)

    def views(self, observed: Features, rng: np.random.Generator, count: int) -> list[Tensor]:
        """Disjoint parts of the observed clouds, as clouds of the same instant: points drawn at random.

        A cloud of one point is all of them.
        """
        cloud = self.layout.split(observed)[0]
        size = min(self.cloud_points, max(cloud.shape[-1] // 2, 1))
        drawn = rng.permutation(cloud.shape[-1])
        order = torch.from_numpy(np.resize(drawn, max(count * size, len(drawn)))).to(cloud.device)
        return [cloud[..., order[index * size : (index + 1) * size]] for index in range(count)]

    def join(self, found: Features, observed: Features) -> Features:
        """Beside what else is observed."""
        return self.layout.join(found, observed)

    def subsampled(self, observed: Features, rng: np.random.Generator) -> Features:
        """The observation with some points of its cloud."""
        return self.layout.with_cloud(observed, self.views(observed, rng, 1)[0])
