"""What every world model is: encode, predict, and all that follows from the two."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sized
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn

from equiworld.arguments import reals
from equiworld.errors import ArgumentError
from equiworld.files import write_atomically
from equiworld.groups import Group
from equiworld.made_with import arguments_as_text
from equiworld.models.stage import Batch, Settings, Stage, Transitions
from equiworld.storage import save_tensors
from equiworld.symmetry import Bound, Features, Symmetry, symmetry_of
from equiworld.symmetry.bound import ActionSpace, bounds_of_space
from equiworld.symmetry.registry import make_env
from equiworld.symmetry.serialise import symmetry_to_dict
from equiworld.symmetry.spaces import scales_of_space
from equiworld.symmetry.tensors import features_of_action

__all__ = ["WorldModel"]

FORMAT = 2  # raised when weights of the same shapes mean something else; 1 is that of release 0.1.0


class WorldModel(nn.Module, ABC):
    """A model z′ = F(z, a) of how a typed latent state z follows an action a.

    Attributes:
        family: the name it is registered under.
        equivariant: whether encode and predict commute with the group, exactly: tests hold it to that.
        of_finite_groups, of_clouds: whether it is for these alone: finite groups, states with a cloud of points.
        symmetry: how observations and actions transform, as far as the family carries it.
        declared: how they do; policies decide under it.
        env_id, env_arguments: the environment it was made for; settings: what it was built with, JSON-able.
        action_repeat: environment steps that one prediction spans, the action's target held; set by training.
        action_bound: which actions it may be asked about, a `Bound` for each part of an action; set by `for_env` and
            narrowed by training to what was seen.
        action_space: which actions the environment takes, and of what dtype; set by `for_env`.
        scales, single: by observed field, a typical size of its numbers; whether they are rounded to float32.
        augmentation: the group whose elements turn each training batch; None for no augmentation.
    """

    family: ClassVar[str]
    equivariant: ClassVar[bool] = False
    of_clouds: ClassVar[bool] = False
    of_finite_groups: ClassVar[bool] = False
    augmentation: Group | None = None

    def __init__(self, symmetry: Symmetry, env_id: str, settings: dict[str, Any]) -> None:
        super().__init__()
        self.symmetry, self.declared, self.env_id, self.settings = symmetry, symmetry, env_id, settings
        self.env_arguments: dict[str, str] = {}
        self.action_repeat = 1
        self.action_bound: tuple[Bound, ...] = ()
        self.action_space = ActionSpace()
        self.scales: dict[str, float] = {}
        self.single = False

    def encode(self, obs: Any) -> Features:
        """The latent state of an observation, of its leading shape `(…)`, in the model's dtype."""
        return self.encode_features(self.symmetry.to_features(obs, dtype=self.dtype))

    def encode_goal(self, obs: Any) -> Features:
        """The goal of an observation, its channels those of `latent.goal`; of no channels if it shows none."""
        return self.symmetry.to_features(obs, self.symmetry.goal, dtype=self.dtype)

    def encode_features(self, observed: Features) -> Features:
        """The latent state of an observed state, as `Dataset.features` gives it: the same thing by default."""
        return observed

    @classmethod
    def carries(cls, symmetry: Symmetry) -> bool:
        """Whether its models commute with all of a declaration that moves labels."""
        return False

    @property
    def latent(self) -> Symmetry:
        """What the channels of latent states and goals are called and how they transform: as observed, by default."""
        return self.symmetry

    @abstractmethod
    def predict(self, z: Features, action: Features | Tensor) -> Features:
        """The latent state after one action.

        Args:
            z: latent state, batch shape `(…)`.
            action: its Features, or a tensor `(…, size)` in the environment's units.
        """

    def stepper(self) -> Callable[[Features, Features | Tensor], Features]:
        """`predict` for many calls in a row with the weights as they are now; the same numbers."""
        return self.predict

    @abstractmethod
    def loss(self, z: Features, action: Features, target: Features) -> Tensor:
        """Training loss of predicting the latent `target` from `z` and `action`: a scalar."""

    def fit_scales(self, z: Features, action: Features, target: Features) -> None:
        """Set what is set from training data once, before the first step. Nothing unless overridden."""

    def stages(self, data: Transitions, settings: Settings) -> list[Stage]:
        """How it is trained, one stage after the other: in one, by `loss`, unless overridden."""

        def prepare(rng: np.random.Generator) -> Batch:
            self.fit_scales(*data.features(torch.float64))
            return data.features(self.dtype)

        return [
            Stage(
                self.family,
                settings.steps,
                settings.batch_size,
                settings.learning_rate,
                list(self.parameters()),
                prepare,
                lambda batch, rng: self.loss(*batch),
                held_out=lambda held_out, rng: held_out.features(self.dtype),
            )
        ]

    def fits(self, symmetry: Symmetry) -> bool:
        """Whether data of another declaration of the environment can train it: the same arrays in the same units."""
        ours, theirs = ((each.channels(), each.action, each.centre) for each in (self.declared, symmetry))
        return ours == theirs

    def rollout(self, z: Features, actions: Tensor) -> Features:
        """The latent states after each of H actions `(…, H, size)`: Features of batch shape `(H, …)`."""
        if not isinstance(actions, Tensor) or actions.ndim < 2:
            raise ArgumentError("actions", actions, "a tensor (…, H, size)")
        states = []
        for step in range(actions.shape[-2]):
            z = self.predict(z, actions[..., step, :])
            states.append(z)
        return Features.stack(states)

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of its parameters."""
        return next(self.parameters()).dtype

    @property
    def parameter_count(self) -> int:
        """Trainable numbers."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)

    def action_features(self, action: Features | Tensor) -> Features:
        """Actions `(…, size)` as Features; Features are handed on."""
        if isinstance(action, Features):
            return action
        if not isinstance(action, Tensor):
            action = torch.as_tensor(reals("action", action), dtype=self.dtype)
        if action.is_complex() or action.dtype == torch.bool or not action.ndim or action.is_sparse:
            raise ArgumentError(
                "action", f"{action.dtype} of shape {tuple(action.shape)}", "real numbers (…, size)"
            )
        return features_of_action(self.symmetry, action)

    @staticmethod
    def for_env(
        env: gym.Env | str,
        family: str = "auto",
        seed: int = 0,
        *,
        symmetry: Symmetry | None = None,
        transitions: int | None = None,
        **settings: Any,
    ) -> WorldModel:
        """A fresh model for an environment.

        Args:
            env: the environment or its id.
            family: a registered family; "auto" takes the one that the declaration can carry best.
            seed: of the initial weights.
            symmetry: how observations and actions transform, if not as registered: that of data from elsewhere, say.
            transitions: how many it will be trained on, where that is known; "auto" looks at it.
            settings: of the family, such as `hidden=(128, 128)`.

        Raises:
            UnknownNameError: the environment's symmetry or the family is not registered.
            ArgumentError: a setting that the family does not have, or actions that are no numbers.

        >>> import equiworld.envs
        >>> WorldModel.for_env("equiworld/PushT-v0", hidden=(32, 32)).family
        'state'
        """
        from equiworld.models.registry import build

        if symmetry is not None and not isinstance(symmetry, Symmetry):
            raise ArgumentError("symmetry", symmetry, "a Symmetry, or None")
        if symmetry is None:
            symmetry = symmetry_of(env)  # first: its errors say what is registered
        if not isinstance(env, str) and not hasattr(env, "action_space"):
            raise ArgumentError("env", env, "an environment or its id")
        instance = make_env(env)
        try:
            spec = getattr(instance, "spec", None)
            space = getattr(instance, "single_action_space", instance.action_space)
            if not isinstance(space, gym.spaces.Box):
                raise ArgumentError("env", f"action space {space}", "a Box or Ball of continuous actions")
            bounds = bounds_of_space(symmetry, space)
            env_id = spec.id if spec else "unregistered"
            model = build(family, symmetry, env_id, {"seed": seed, **settings}, transitions)
            model.env_arguments = arguments_as_text(spec.kwargs if spec else {})
            model.action_bound = bounds
            low, high = (tuple(side.astype(float).ravel().tolist()) for side in (space.low, space.high))
            model.action_space = ActionSpace(low, high, str(np.dtype(space.dtype)))
            shown = getattr(instance, "single_observation_space", instance.observation_space)
            model.scales, model.single = scales_of_space(symmetry, shown)
            return model
        finally:
            if instance is not env:
                instance.close()

    @staticmethod
    def for_data(data: Any, family: str = "auto", seed: int = 0, **settings: Any) -> WorldModel:
        """A fresh model for recorded transitions: a `Dataset`, or what else has its `symmetry` and `provenance`.

        What actions are allowed training learns from the data. Arguments and errors are those of `for_env`.
        """
        from equiworld.models.registry import build

        if not isinstance(getattr(data, "symmetry", None), Symmetry):
            got = f"a {type(data).__name__}"
            raise ArgumentError("data", got, "a Dataset, or what has its symmetry and provenance")
        env_id = str(data.provenance.get("environment", "unregistered"))
        transitions = len(data) if isinstance(data, Sized) else None
        found = build(family, data.symmetry, env_id, {"seed": seed, **settings}, transitions)
        found.action_repeat = getattr(data, "action_repeat", 1)
        found.env_arguments = dict(data.provenance.get("arguments", {}))
        return found

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write `model.safetensors`, whole or not at all, and `model.json` for people to read."""
        folder = Path(folder)
        description = self.describe()
        save_tensors(folder / "model.safetensors", "model", self.state_dict(), description)
        text = json.dumps(description, indent=2).encode()
        write_atomically(folder / "model.json", lambda file: file.write(text))
        return folder

    def describe(self) -> dict[str, Any]:
        """All but the weights, JSON-able."""
        from equiworld.results import versions

        return {
            "format": FORMAT,
            "family": self.family,
            "env_id": self.env_id,
            "env_arguments": self.env_arguments,
            "settings": self.settings,
            "symmetry": symmetry_to_dict(self.declared),
            "action_repeat": self.action_repeat,
            "action_bound": [bound.to_dict() for bound in self.action_bound],
            "action_space": asdict(self.action_space),
            "scales": self.scales,
            "single": self.single,
            "dtype": str(self.dtype).removeprefix("torch."),
            "parameters": self.parameter_count,
            "versions": versions(),
        }

    @staticmethod
    def load(folder: str | os.PathLike[str]) -> WorldModel:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: no model there.
            CheckpointError: the file is cut off, damaged, foreign, or of another version.
            UnknownNameError: its family is not registered here.
        """
        from equiworld.models.loading import load_model

        return load_model(folder)

    def check_old_format(self) -> None:
        """Refuse weights of release 0.1.0 that mean something else now.

        Raises:
            CheckpointError: says what changed, and what to do.
        """

    def restore(self, tensors: dict[str, Tensor], description: dict[str, Any]) -> Self:
        """Take over the weights and what training had set."""
        from equiworld.models.loading import restore_settings

        self.load_state_dict(tensors)
        restore_settings(self, description)
        return self
