"""The stages of a model's training: what is optimised, on what, by which loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from equiworld.models import WorldModel
from equiworld.models.surface_dynamics import SurfaceDynamics
from equiworld.symmetry import Features
from equiworld.training.averages import average_of
from equiworld.training.config import TrainingConfig
from equiworld.training.losses import prediction_loss

__all__ = ["Batch", "Stage", "stages_of"]

Batch = tuple[Features, ...]

_ENCODED_AT_ONCE = 128  # clouds: what the caches hold
_AGREEMENT_WEIGHT = 0.01
_PASSES = 3  # random elements for each transition, where training is augmented


@dataclass(frozen=True)
class Stage:
    """One run of the training loop. A model has one or several, one after the other.

    Attributes:
        name: for the progress bar.
        steps: optimiser steps; 0 to leave it out.
        batch_size: examples in each.
        learning_rate: peak of the one-cycle schedule.
        parameters: what is optimised.
        prepare: the examples, Features of batch shape `(N,)`; called once, when what came before is done, with a
            generator of the stage's own. Called again when training is resumed, it must give the same.
        loss: of a batch and a generator, to a scalar.
        augmented: whether the model's augmentation turns each batch.
        after_step: called after each step of the optimiser.
        memory: what changes along beside the model, such as an average of past weights; checkpoints hold it.
        held_out: the examples that held-out transitions give, to judge the weights by the same loss; made when
            `prepare` has been called. None for a stage whose last weights are kept.
    """

    name: str
    steps: int
    batch_size: int
    learning_rate: float
    parameters: Sequence[nn.Parameter]
    prepare: Callable[[np.random.Generator], Batch]
    loss: Callable[[Batch, np.random.Generator], Tensor]
    augmented: bool = True
    after_step: Callable[[], None] | None = None
    memory: nn.Module | None = None
    held_out: Callable[[Any, np.random.Generator], Batch] | None = None


def stages_of(model: WorldModel, data: Any, config: TrainingConfig) -> list[Stage]:
    """The stages of a model's training, in order: the dynamics; where an encoder learns, that before.

    The encoder is trained to find the same in different views of one instant, kept from collapsing; the dynamics on
    encoded transitions; and both together, with the next latent from an average of past encoders as the target, as in
    joint-embedding prediction.

    Reference: Assran et al., Self-supervised learning from images with a joint-embedding predictive architecture,
    CVPR 2023, for the averaged target.

    Args:
        model: to be trained.
        data: the transitions, with `features(dtype)` as a `Dataset` has.
        config: how; `steps` is a number.
    """
    if model.recipe.encoder.learns:
        return _EncoderStages(model, data, config).stages()
    if isinstance(model.dynamics, SurfaceDynamics):
        return _surface_stages(model, model.dynamics, data, config)

    def prepare(rng: np.random.Generator) -> Batch:
        model.dynamics.fit_scales(*data.features(torch.float64))
        return data.features(model.dtype)

    return [
        Stage(
            model.family,
            config.steps or 0,
            config.batch_size,
            config.learning_rate,
            list(model.dynamics.parameters()),
            prepare,
            lambda batch, rng: prediction_loss(model.dynamics, *batch),
            held_out=lambda held_out, rng: held_out.features(model.dtype),
        )
    ]


def _surface_stages(
    model: WorldModel, dynamics: SurfaceDynamics, data: Any, config: TrainingConfig
) -> list[Stage]:
    """The free dynamics, on what came near no surface; then the correction, on what they would bring near one.

    Each has its own held-out transitions to judge it: what walls do is learned from few, and soon by heart.
    """

    def free(batch: Batch) -> Batch:
        z, action, target = batch
        after = dynamics.own(target)
        return _chosen((dynamics.own(z), action, after), ~dynamics.meets(z, after))

    def near(batch: Batch) -> Batch:
        z, action, target = (part.to(device=model.device) for part in batch)
        with torch.no_grad():
            after = dynamics.free(dynamics.own(z), action)
        return _chosen((z, action, target), dynamics.meets(z, after))

    def prepare(rng: np.random.Generator) -> Batch:
        dynamics.fit_scales(*data.features(torch.float64))
        return free(data.features(model.dtype))

    shared = (config.steps or 0, config.batch_size, config.learning_rate)
    return [
        Stage(
            model.family,
            *shared,
            list(dynamics.free.parameters()),
            prepare,
            lambda batch, rng: prediction_loss(dynamics.free, *batch),
            held_out=lambda held_out, rng: free(held_out.features(model.dtype)),
        ),
        Stage(
            f"{model.family} at surfaces",
            *shared,
            list(dynamics.near.parameters()),
            lambda rng: near(data.features(model.dtype)),
            lambda batch, rng: prediction_loss(dynamics, *batch),
            held_out=lambda held_out, rng: near(held_out.features(model.dtype)),
        ),
    ]


def _chosen(batch: Batch, which: Tensor) -> Batch:
    """The examples that count; all of them where none does."""
    return tuple(part[which] for part in batch) if which.any() else batch


class _EncoderStages:
    """The three stages of a model whose encoder learns."""

    def __init__(self, model: WorldModel, data: Any, config: TrainingConfig) -> None:
        self.model, self.data, self.config = model, data, config
        self.encoder = cast(Any, model.encoder)  # one that learns
        self.target = average_of(self.encoder.network, config.target_momentum)

    def stages(self) -> list[Stage]:
        """See `stages_of`."""
        model, config = self.model, self.config
        clouds, rate = max(config.batch_size // 16, 8), config.learning_rate
        encoder, dynamics = (list(part.parameters()) for part in (model.encoder, model.dynamics))
        return [
            Stage(
                f"{model.family} encoder",
                config.encoder_steps,
                clouds,
                0.2 * rate,
                encoder,
                lambda rng: self.data.features(model.dtype)[:1],
                lambda batch, rng: self._agreement(batch[0], rng)[0],
            ),
            Stage(
                f"{model.family} dynamics",
                config.steps or 0,
                config.batch_size,
                rate,
                dynamics,
                self._encoded,
                lambda batch, rng: prediction_loss(model.dynamics, *batch),
                augmented=False,  # the observations were, before they were encoded
                held_out=lambda held_out, rng: self._transitions(held_out.features(model.dtype), rng),
            ),
            Stage(
                f"{model.family} encoder and dynamics",
                config.joint_steps,
                clouds,
                0.02 * rate,
                [*encoder, *dynamics],
                self._begin_jointly,
                self._joint_loss,
                after_step=lambda: self.target.update_parameters(self.encoder.network),
                memory=self.target,
            ),
        ]

    def _encoded(self, rng: np.random.Generator) -> Batch:
        latents = self._transitions(self.data.features(self.model.dtype), rng)
        self.model.dynamics.fit_scales(*latents)
        return latents

    def _begin_jointly(self, rng: np.random.Generator) -> Batch:
        self.target.n_averaged.zero_()
        self.target.update_parameters(self.encoder.network)
        return self.data.features(self.model.dtype)

    def _agreement(self, observed: Features, rng: np.random.Generator) -> tuple[Tensor, Features]:
        """The encoder's loss of two views of each instant, and its output for the first."""
        views = torch.stack(self.encoder.views(observed, rng, 2))
        found, guesses = self.encoder.network.rounds(views)
        length, equivariant = self.model.symmetry.length_scale, self.model.equivariant
        group = self.encoder.latent.group
        return self.config.encoder_loss(found, guesses, length, equivariant, rng, group), found[0]

    def _joint_loss(self, batch: Batch, rng: np.random.Generator) -> Tensor:
        observed, action, following = batch
        agreement, found = self._agreement(observed, rng)
        z = self.encoder.join(found, observed)
        with torch.no_grad():
            seen = self.encoder.subsampled(following, rng)
            target = self.encoder(seen, network=self.target.module)
        return prediction_loss(self.model.dynamics, z, action, target) + _AGREEMENT_WEIGHT * agreement

    @torch.no_grad()
    def _transitions(self, parts: Batch, rng: np.random.Generator) -> Batch:
        """Latent transitions, from parts of the clouds; each under several random elements if augmented."""
        group, found = self.model.augmentation, list[Batch]()
        for _ in range(1 if group is None else _PASSES):
            for start in range(0, len(parts[0].scalars), _ENCODED_AT_ONCE):
                some = (part[start : start + _ENCODED_AT_ONCE] for part in parts)
                z, action, following = (part.to(device=self.model.device) for part in some)
                z, following = (self.encoder.subsampled(part, rng) for part in (z, following))
                if group is not None:
                    g = group.sample(rng, len(z.scalars))
                    z, action, following = (part.transform(g) for part in (z, action, following))
                found.append((self.encoder(z), action, self.encoder(following)))
        return tuple(_joined(column) for column in zip(*found, strict=True))


def _joined(parts: Sequence[Features]) -> Features:
    """Examples of several batches `(N,)` in one."""
    return Features(
        torch.cat([part.scalars for part in parts]),
        torch.cat([part.vectors for part in parts]),
        torch.cat([part.points for part in parts]),
    )
