"""Small models to train, and ways to interrupt their training."""

from __future__ import annotations

import torch

import equiworld.envs  # noqa: F401  registers PushT
from equiworld.models import WorldModel
from equiworld.training import TrainingConfig

SMALL = {"state-steerable": {"scalars": 12, "vectors": 6, "depth": 2}}
PLAIN = {"hidden": (16, 16), "periodic": 4}
CONFIG = TrainingConfig(steps=30, batch_size=32, checkpoint_every=7)


def fresh(family: str = "state", dtype: torch.dtype = torch.float32, **settings) -> WorldModel:
    return WorldModel.for_env("equiworld/PushT-v0", family, **(SMALL.get(family, PLAIN) | settings)).to(dtype)


def same(one: WorldModel, other: WorldModel) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return list(first) == list(second) and all(torch.equal(first[name], second[name]) for name in first)


class Stop(Exception):
    """What interrupts a training."""


def interrupted(model: WorldModel, at: int, then=None) -> WorldModel:
    """A model whose errors, at training's call number `at`, raise; or are what `then` makes of them."""
    errors, calls = model.dynamics.errors, 0

    def counted(*arguments):
        nonlocal calls
        calls += torch.is_grad_enabled()  # held-out episodes are judged without gradients
        if calls != at:
            return errors(*arguments)
        if then is None:
            raise Stop
        return then(errors(*arguments))

    model.dynamics.errors = counted  # type: ignore
    return model
