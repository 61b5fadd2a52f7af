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

    Of several interchangeable bodies with a cloud each, `Objects(Cloud(N), n)`, one network finds them in each: the
    latent is exchanged as the bodies are.

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
            getattr(symmetry.group, "space", symmetry.group) if equivariant else None,
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
        cloud = self.layout.split(observed, goal)[0]
        found = network(cloud) if goal else self._together(network(self._apart(cloud)))
        return self.layout.join(found, observed, goal).to(next(network.parameters()).dtype)

    def views(self, observed: Features, rng: np.random.Generator, count: int) -> list[Tensor]:
        """Disjoint parts of the observed clouds, as clouds of the same instant: points drawn at random.

        A cloud of one point is all of them. The clouds of several bodies follow one another, instant by instant.
        """
        cloud = self._apart(self.layout.split(observed)[0])
        cloud = cloud.flatten(0, -3) if self.layout.bodies > 1 else cloud
        size = min(self.cloud_points, max(cloud.shape[-1] // 2, 1))
        drawn = rng.permutation(cloud.shape[-1])
        order = torch.from_numpy(np.resize(drawn, max(count * size, len(drawn)))).to(cloud.device)
        return [cloud[..., order[index * size : (index + 1) * size]] for index in range(count)]

    def join(self, found: Features, observed: Features) -> Features:
        """Beside what else is observed."""
        bodies = self.layout.bodies
        if bodies > 1:
            found = self._together(found.map(lambda part: part.unflatten(0, (-1, bodies))))
        return self.layout.join(found, observed)

    def subsampled(self, observed: Features, rng: np.random.Generator) -> Features:
        """The observation with some points of its cloud."""
        view = self.views(observed, rng, 1)[0]
        if self.layout.bodies > 1:
            view = view.unflatten(0, (-1, self.layout.bodies)).movedim(-3, -2).flatten(-2)
        return self.layout.with_cloud(observed, view)

    def _apart(self, cloud: Tensor) -> Tensor:
        """The clouds of n bodies `(…, n, d, N)`, of all their points `(…, d, n·N)`; a single one stays as it is."""
        bodies = self.layout.bodies
        return cloud if bodies == 1 else cloud.unflatten(-1, (bodies, -1)).movedim(-2, -3)

    def _together(self, found: Features) -> Features:
        """Features `(…)` with the channels of the bodies `(…, n)` one after another."""
        if self.layout.bodies == 1:
            return found
        vectors, points = (part.movedim(-3, -2).flatten(-2) for part in (found.vectors, found.points))
        return Features(found.scalars.flatten(-2), vectors, points)
