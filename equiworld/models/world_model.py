"""World models: encode, predict, and all that follows from the two."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sized
from dataclasses import asdict
from pathlib import Path
from typing import Any, final

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn

from equiworld.arguments import instance, integer
from equiworld.errors import ArgumentError
from equiworld.files import write_atomically
from equiworld.made_with import arguments_as_text
from equiworld.models.encoders.cloud_layout import with_points
from equiworld.models.families import best_family, carried_symmetry, recipe_of
from equiworld.models.files import FORMAT, load_model
from equiworld.models.recipe import Recipe
from equiworld.models.surface_dynamics import dynamics_of
from equiworld.results import versions
from equiworld.storage import save_tensors
from equiworld.symmetry import Bound, Features, Symmetry, symmetry_of
from equiworld.symmetry.bound import ActionSpace, bounds_of_space
from equiworld.symmetry.cosets import kernel_symmetry
from equiworld.symmetry.registry import make_env
from equiworld.symmetry.serialise import symmetry_to_dict
from equiworld.symmetry.spaces import scales_of_space

__all__ = ["WorldModel"]


@final
class WorldModel(nn.Module):
    """A model z′ = F(z, a) of how a typed latent state z follows an action a: an encoder and dynamics.

    Args:
        symmetry: how observations and actions transform.
        recipe: what it is made of.
        seed: of the initial weights.
        family: the name of the recipe.
        env_id: the environment that it is for.

    Attributes:
        family, recipe, seed: see above.
        encoder, dynamics: its two parts.
        symmetry: how observations and actions transform, as far as the recipe carries it.
        declared: how they do; policies decide under it.
        env_id, env_arguments: the environment it was made for.
        action_repeat: environment steps that one prediction spans, the action's target held; set by training.
        action_bound: which actions it may be asked about, a `Bound` for each part of an action; set by `for_env` and
            narrowed by training to what was seen.
        action_space: which actions the environment takes, and of what dtype; set by `for_env`.
        scales, single: by observed field, a typical size of its numbers; whether they are rounded to float32.
        augmentation: the group whose elements move each training batch; None for no augmentation.

    Raises:
        ArgumentError: the recipe cannot carry the symmetry.
    """

    def __init__(
        self,
        symmetry: Symmetry,
        recipe: Recipe,
        seed: int = 0,
        family: str = "custom",
        env_id: str = "unregistered",
    ) -> None:
        super().__init__()
        if not isinstance(symmetry, Symmetry):
            raise ArgumentError("symmetry", symmetry, "a Symmetry, such as `ew.symmetry_of(env)` gives")
        instance("recipe", recipe, Recipe)
        instance("family", family, str)
        instance("env_id", env_id, str)
        self.seed = integer("seed", seed, least=0, most=2**63 - 1)
        self.family, self.env_id, self.declared = family, env_id, symmetry
        self.recipe = recipe = recipe.suited_to(symmetry)
        self.symmetry = symmetry = carried_symmetry(recipe, symmetry)
        with torch.inference_mode(False):  # whose tensors could never be trained
            one, other = (torch.Generator().manual_seed(self.seed) for _ in range(2))
            self.encoder = recipe.encoder.build(symmetry, recipe.equivariant, recipe.centred, one)
            self.dynamics = dynamics_of(self.latent, recipe.network, recipe.centred, other)
        self.augmentation = recipe.augmentation(symmetry)
        self.env_arguments: dict[str, str] = {}
        self.action_repeat = 1
        self.action_bound: tuple[Bound, ...] = ()
        self.action_space = ActionSpace()
        self.scales: dict[str, float] = {}
        self.single = False

    @property
    def equivariant(self) -> bool:
        """Whether encode and predict commute with the group, exactly."""
        return self.recipe.equivariant

    @property
    def latent(self) -> Symmetry:
        """What the channels of latent states and goals are called and how they transform."""
        return self.encoder.latent

    def encode(self, obs: Any) -> Features:
        """The latent state of an observation, of its leading shape `(…)`, in the model's dtype, on its device."""
        return self.encoder(self.encoder.observed(obs, self.dtype).to(device=self.device))

    def encode_goal(self, obs: Any) -> Features:
        """The goal of an observation, its channels those of `latent.goal`; of no channels if it shows none."""
        return self.encoder(self.encoder.observed(obs, self.dtype, True).to(device=self.device), True)

    def encode_features(self, observed: Features) -> Features:
        """The latent state of an observed state, as `Dataset.features` gives it."""
        return self.encoder(observed)

    def predict(self, z: Features, action: Features | Tensor) -> Features:
        """The latent state after one action.

        Args:
            z: latent state, batch shape `(…)`.
            action: its Features, or a tensor `(…, size)` in the environment's units.
        """
        return self.dynamics(z, action)

    def stepper(self) -> Callable[[Features, Features | Tensor], Features]:
        """`predict` for many calls in a row with the weights as they are now; the same numbers."""
        return self.dynamics.stepper()

    def fits(self, symmetry: Symmetry) -> bool:
        """Whether data of another declaration can train it: the same arrays in the same units, clouds of any size."""
        ours, theirs = (
            (with_points(each, 1).channels(), each.action, each.centre) for each in (self.declared, symmetry)
        )
        return ours == theirs

    def carried(self, symmetry: Symmetry) -> Symmetry:
        """A declaration that fits, carried as the model carries its own: each array stays in its form."""
        known = self.symmetry.labelled or not self.declared.labelled
        return symmetry if known else kernel_symmetry(symmetry)

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
    def device(self) -> torch.device:
        """The device of its parameters."""
        return next(self.parameters()).device

    @property
    def parameter_count(self) -> int:
        """Trainable numbers."""
        return sum(parameter.numel() for parameter in self.parameters())

    def action_features(self, action: Features | Tensor) -> Features:
        """Actions `(…, size)` as Features; Features are handed on."""
        return self.dynamics.action_features(action)

    @staticmethod
    def for_symmetry(
        symmetry: Symmetry,
        family: str | Recipe = "auto",
        seed: int = 0,
        *,
        env_id: str = "unregistered",
        transitions: int | None = None,
        **settings: Any,
    ) -> WorldModel:
        """A fresh model for a declaration, of an environment that need not be at hand. See `for_env`."""
        if isinstance(family, Recipe):
            return WorldModel(symmetry, family.with_settings(**settings), seed, env_id=env_id)
        if not isinstance(family, str):
            raise ArgumentError("family", f"a {type(family).__name__}", "the name of a family, or a Recipe")
        instance("symmetry", symmetry, Symmetry)
        if transitions is not None:
            transitions = integer("transitions", transitions, least=0)
        family = best_family(symmetry, transitions) if family == "auto" else family
        return WorldModel(symmetry, recipe_of(family).with_settings(**settings), seed, family, env_id)

    @staticmethod
    def for_env(
        env: gym.Env | str,
        family: str | Recipe = "auto",
        seed: int = 0,
        *,
        symmetry: Symmetry | None = None,
        transitions: int | None = None,
        **settings: Any,
    ) -> WorldModel:
        """A fresh model for an environment.

        Args:
            env: the environment or its id.
            family: a registered family, or a recipe; "auto" takes the family that the declaration can carry best.
            seed: of the initial weights.
            symmetry: how observations and actions transform, if not as registered: that of data from elsewhere, say.
            transitions: how many it will be trained on, where that is known; "auto" depends on it.
            settings: of the recipe, such as `hidden=(128, 128)`; see `Recipe.with_settings`.

        Raises:
            UnknownNameError: the environment's symmetry or the family is not registered.
            ArgumentError: a setting that the family does not have, or actions that are no numbers.

        >>> import equiworld.envs
        >>> WorldModel.for_env("equiworld/PushT-v0", hidden=(32, 32)).family
        'state'
        """
        symmetry = symmetry_of(env) if symmetry is None else symmetry  # first: says what is registered
        instance("symmetry", symmetry, Symmetry)
        if not isinstance(env, str) and not hasattr(env, "action_space"):
            raise ArgumentError("env", env, "an environment or its id")
        made = make_env(env)
        try:
            spec = getattr(made, "spec", None)
            space = getattr(made, "single_action_space", made.action_space)
            if not isinstance(space, gym.spaces.Box) or np.dtype(space.dtype).kind != "f":
                raise ArgumentError("env", f"action space {space}", "a Box or Ball of continuous actions")
            env_id = spec.id if spec else "unregistered"
            model = WorldModel.for_symmetry(
                symmetry, family, seed, env_id=env_id, transitions=transitions, **settings
            )
            model.env_arguments = arguments_as_text(spec.kwargs if spec else {})
            model.action_bound = bounds_of_space(symmetry, space)
            model.action_space = ActionSpace.of(symmetry, space)
            shown = getattr(made, "single_observation_space", made.observation_space)
            model.scales, model.single = scales_of_space(symmetry, shown)
            return model
        finally:
            if made is not env:
                made.close()

    @staticmethod
    def for_data(data: Any, family: str | Recipe = "auto", seed: int = 0, **settings: Any) -> WorldModel:
        """A fresh model for recorded transitions: a `Dataset`, or what else has its `symmetry` and `provenance`.

        What actions are allowed training learns from the data. Arguments and errors are those of `for_env`.
        """
        if not isinstance(getattr(data, "symmetry", None), Symmetry):
            expected = "a Dataset, or what has its symmetry and provenance"
            raise ArgumentError("data", f"a {type(data).__name__}", expected)
        env_id = str(data.provenance.get("environment", "unregistered"))
        transitions = len(data) if isinstance(data, Sized) else None
        found = WorldModel.for_symmetry(
            data.symmetry, family, seed, env_id=env_id, transitions=transitions, **settings
        )
        found.action_repeat = getattr(data, "action_repeat", 1)
        found.env_arguments = dict(data.provenance.get("arguments", {}))
        return found

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write `model.safetensors`, whole or not at all, and `model.json` for people to read."""
        folder, description = Path(folder), self.describe()
        save_tensors(folder / "model.safetensors", "model", self.state_dict(), description)
        text = json.dumps(description, indent=2).encode()
        write_atomically(folder / "model.json", lambda file: file.write(text))
        return folder

    def describe(self) -> dict[str, Any]:
        """All but the weights, JSON-able."""
        return {
            "format": FORMAT,
            "family": self.family,
            "env_id": self.env_id,
            "env_arguments": self.env_arguments,
            "recipe": self.recipe.to_dict(),
            "seed": self.seed,
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
            UnknownNameError: its network or encoder is not registered here.
        """
        return load_model(folder, WorldModel)
