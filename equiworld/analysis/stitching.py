"""Parts of different runs put together through the gauge: the encoder of one, the dynamics of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from equiworld.analysis.gauge import Alignment, gauge_between
from equiworld.analysis.latents import flat, recorded
from equiworld.arguments import instance
from equiworld.errors import ArgumentError
from equiworld.models import WorldModel
from equiworld.symmetry import Features

__all__ = ["AveragedEncoder", "Stitched", "latent_error"]


@dataclass(frozen=True, eq=False)
class Stitched:
    """The encoder of one world model with the dynamics of another.

    Attributes:
        encoder: the model whose latents they are.
        dynamics: the model that predicts.
        alignment: from the first one's latents to the second one's; None to hand them over as they are.

    >>> import equiworld as ew
    >>> data = ew.collect("equiworld/PushT-v0", transitions=40, seed=0, workers=1)
    >>> first, second = (ew.WorldModel.for_data(data, "state-latent", seed=s, width=4) for s in range(2))
    >>> model = Stitched(first, second, gauge_between(first, second, data)["linear"])
    >>> latent_error(model, data) > 0
    True
    """

    encoder: WorldModel
    dynamics: WorldModel
    alignment: Alignment | None

    def __post_init__(self) -> None:
        for name in ("encoder", "dynamics"):
            instance(name, getattr(self, name), WorldModel)
        if self.alignment is not None:
            instance("alignment", self.alignment, Alignment)

    def encode_features(self, observed: Features) -> Features:
        """The latent state, in the coordinates of the dynamics."""
        z = self.encoder.encode_features(observed)
        if self.alignment is None:
            return z
        unit = self.encoder.symmetry.length_scale
        values = torch.as_tensor(self.alignment(flat(z, self.encoder)), dtype=z.dtype)
        found = Features.unflatten(values, z.type)
        return Features(found.scalars, found.vectors * unit, found.points * unit)

    def predict(self, z: Features, action: Features) -> Features:
        """The latent state after one action."""
        return self.dynamics.predict(z, action)


@dataclass(frozen=True, eq=False)
class AveragedEncoder:
    """The mean of several encoders' latents, each in the coordinates of the first.

    Attributes:
        models: world models of one declaration.
        alignments: to the first one's latents, of all but the first; None of a plain mean.
    """

    models: Sequence[WorldModel]
    alignments: Sequence[Alignment] | None

    def __post_init__(self) -> None:
        instance("models", self.models, Sequence)
        for model in self.models:
            instance("models", model, WorldModel)
        aligned = len(self.models) - 1 if self.alignments is None else len(self.alignments)
        if not self.models or aligned != len(self.models) - 1:
            got = f"{aligned} of them for {len(self.models)} models"
            raise ArgumentError("alignments", got, "one for each model but the first, or None")

    @staticmethod
    def of(models: Sequence[WorldModel], data: Any, name: str = "commuting") -> AveragedEncoder:
        """Aligned on data within a group of `Gauge`."""
        if len(models) < 2:
            raise ArgumentError("models", f"{len(models)} of them", "two or more")
        return AveragedEncoder(models, [gauge_between(each, models[0], data)[name] for each in models[1:]])

    def encode_features(self, observed: Features) -> Features:
        """The mean, which the first model's dynamics can go on from."""
        first = self.models[0]
        unit, found = first.symmetry.length_scale, [flat(first.encode_features(observed), first)]
        for index, model in enumerate(self.models[1:]):
            values = flat(model.encode_features(observed), model)
            found.append(values if self.alignments is None else self.alignments[index](values))
        mean = torch.as_tensor(np.mean(found, axis=0), dtype=first.dtype)
        z = Features.unflatten(mean, first.latent.feature_type())
        return Features(z.scalars, z.vectors * unit, z.points * unit)

    def predict(self, z: Features, action: Features) -> Features:
        """By the first model's dynamics."""
        return self.models[0].predict(z, action)


@torch.no_grad()
def latent_error(model: WorldModel | Stitched | AveragedEncoder, data: Any) -> float:
    """relMSE = Σ‖F(E(s), a) − E(s′)‖² / Σ‖E(s′) − E(s)‖², lengths in units of the scene's length scale.

    Args:
        model: a world model, or parts of several.
        data: a `Dataset`.
    """
    if not isinstance(model, WorldModel | Stitched | AveragedEncoder):
        raise ArgumentError("model", f"a {type(model).__name__}", "a WorldModel, or parts of several")
    base = model if isinstance(model, WorldModel) else _base(model)
    observed, action, following = recorded(data).features(base.dtype)
    z, target = model.encode_features(observed), model.encode_features(following)
    found = model.predict(z, action)
    here, there, guess = (flat(each, base) for each in (z, target, found))
    return float(np.square(guess - there).sum() / np.square(there - here).sum())


def _base(model: Stitched | AveragedEncoder) -> WorldModel:
    return model.encoder if isinstance(model, Stitched) else model.models[0]
