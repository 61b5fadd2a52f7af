"""What equivariant policies are told beyond what stable-baselines3's are: their symmetry and their form."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Mapping
from itertools import takewhile
from typing import Any, Literal

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.wrappers import NormalizeObservation
from stable_baselines3.common.vec_env import VecNormalize
from torch import nn

from equiworld.errors import ArgumentError
from equiworld.sb3.canonical_form import CanonicalForm
from equiworld.sb3.makers import maker
from equiworld.sb3.observation_form import ObservationForm
from equiworld.sb3.steerable_form import SteerableForm
from equiworld.symmetry import Symmetry, symmetry_of
from equiworld.symmetry.wrapped import layers_of, through_wrappers

__all__ = [
    "FORMS",
    "Form",
    "check_normalised",
    "check_scaled",
    "settled",
    "symmetry_for",
    "warn_of_reward",
]

Form = Literal["canonical", "steerable"]

FORMS: dict[str, type[ObservationForm]] = {"canonical": CanonicalForm, "steerable": SteerableForm}


def symmetry_for(observation_space: spaces.Space, symmetry: Any, env: Any = None) -> Symmetry:
    """The symmetry that a policy is given, or that its observation space carries.

    Args:
        observation_space: of the policy.
        symmetry: that it is given.
        env: that observations come from; that of the algorithm that makes the policy, if one does, if None.

    Raises:
        ArgumentError: neither; or the environment scales each number by itself, or changes what turns behind the layer
            that carries the symmetry.
    """
    if env is None:
        env = getattr(maker(), "env", None)
    _check_normalisers(env)
    carried = getattr(observation_space, "symmetry", None) if symmetry is None else None
    if symmetry is None and carried is None:
        raise ArgumentError(
            "symmetry",
            None,
            "how the environment transforms, for a policy knows its spaces alone: "
            "policy_kwargs=dict(symmetry=equiworld.symmetry_of(env)), or its id, symmetry='Reacher-v5'; "
            "or train in equiworld.sb3.with_symmetry(env), whose observation space carries it",
        )
    if carried is None:
        return symmetry_of(symmetry)
    if env is not None:
        _check_wrappers(env, carried)
    return symmetry_of(carried)


def _check_normalisers(env: Any) -> None:
    """Refuse environments that scale each number by itself, whose observations do not turn as the simulator's do."""
    if env is None:
        return
    layer = env
    while layer is not None:
        check_normalised(layer if isinstance(layer, VecNormalize) else None)
        layer = getattr(layer, "venv", None)
    # Vectorised environments of one's own need not know what wraps their members, or have any.
    with contextlib.suppress(AttributeError, NotImplementedError):
        if any(env.env_is_wrapped(NormalizeObservation)):
            check_normalised(NormalizeObservation)


def _check_wrappers(env: Any, symmetry: Symmetry) -> None:
    """Refuse wrappers that change numbers, and yet hand on the space that carries the symmetry."""

    def carries(layer: Any) -> bool:
        return getattr(layer.observation_space, "symmetry", None) == symmetry

    through_wrappers(list(takewhile(carries, layers_of(env))), symmetry)


def check_normalised(layer: Any) -> None:
    """Refuse what scales observations number by number.

    Args:
        layer: a `VecNormalize`, a wrapper's class, or None.

    Raises:
        ArgumentError: it scales observations, and not by what commutes.
    """
    kind = layer if isinstance(layer, type) else type(layer)
    if layer is not None and getattr(layer, "norm_obs", kind is layer) and not hasattr(kind, "commutes"):
        expected = "equiworld.sb3.VecNormalizeEquivariant, which commutes with turns"
        raise ArgumentError("env", f"one in {kind.__name__}, which scales each number by itself", expected)


def settled(
    observation_space: spaces.Space,
    action_space: spaces.Space,
    symmetry: Any,
    form: str,
    scales: Mapping[str, float] | None,
    given: Mapping[str, Any],
    activation: type[nn.Module] = nn.ReLU,
    eps: float = 1e-8,
) -> dict[str, Any]:
    """The arguments of stable-baselines3's policy, its features extractor and its optimiser's among them.

    Args:
        observation_space: of the policy.
        action_space: likewise.
        symmetry: see `EquivariantActorCriticPolicy`.
        form: likewise.
        scales: likewise.
        given: what else the policy is given.
        activation: stable-baselines3's for this policy.
        eps: of Adam, where `given` does not say.

    Raises:
        ArgumentError: what no equivariant policy can be made of.
    """
    found = symmetry_for(observation_space, symmetry)
    if form not in FORMS:
        raise ArgumentError("form", form, "a form of equivariant policies", tuple(FORMS))
    if given.get("use_sde"):
        expected = (
            "use_sde=False: gSDE draws one matrix of noise for all states, which does not turn with them"
        )
        raise ArgumentError("use_sde", True, expected)
    for name in ("features_extractor_class", "features_extractor_kwargs"):
        if given.get(name) is not None:
            raise ArgumentError(name, given[name], "none: the form of the observation is the extractor")
    asked = given.get("activation_fn", activation)
    if form == "steerable" and not found.group.finite and asked is not activation:
        expected = (
            f"none for form='steerable' under {found.group!r}: layers of scalars and vectors have their own"
        )
        raise ArgumentError("activation_fn", asked, expected)
    size = found.action.size(found.dim)
    if not isinstance(action_space, spaces.Box) or action_space.shape != (size,):
        raise ArgumentError("action space", action_space, f"a Box of {size} numbers, as {found.action!r} has")
    settings: dict[str, Any] = {"symmetry": found, "scales": scales}
    kind = FORMS[form]
    for why in kind(observation_space, **settings).inexact:
        warnings.warn(why, UserWarning, stacklevel=4)
    warn_of_reward(found, stacklevel=5)
    extractor = {"features_extractor_class": kind, "features_extractor_kwargs": settings}
    return {**given, **_optimizer(given, eps), **extractor}


def warn_of_reward(symmetry: Symmetry, stacklevel: int) -> None:
    """Say that the policy of a symmetry that the reward does not have may be unable to do what is rewarded.

    Args:
        symmetry: of the policy.
        stacklevel: of the warning, from here.
    """
    if not symmetry.reward:
        warnings.warn(
            f"the symmetry {symmetry.group!r} is declared with reward=False: a policy that turns with the world cannot "
            "prefer a direction that the reward names, unless it observes it. Observe that direction and declare it; "
            "or take the part that keeps the reward, symmetry.restricted(group, reward=True)",
            UserWarning,
            stacklevel=stacklevel,
        )


def _optimizer(given: Mapping[str, Any], eps: float) -> dict[str, Any]:
    """Adam in one call for all weights where nothing else is asked for: a quarter of the time, if they are few."""
    kwargs = given.get("optimizer_kwargs")
    if given.get("optimizer_class", torch.optim.Adam) is not torch.optim.Adam or "foreach" in (kwargs or {}):
        return {}
    return {"optimizer_kwargs": {"fused": True, **({"eps": eps} if kwargs is None else kwargs)}}


def check_scaled(symmetry: Symmetry, space: spaces.Box) -> None:
    """Refuse an action space whose scaling to [−1, 1] does not commute with the group.

    Raises:
        ArgumentError: actions that take each other's place have other bounds, or a vector's are not about 0.
    """
    if symmetry.action.feature_type(symmetry.dim).points:
        expected = (
            "relative actions: bounds of absolute positions are walls of the world, and do not move with it"
        )
        raise ArgumentError("action space", f"one of {symmetry.action!r}", expected)
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    middle, half = (low + high) / 2, (high - low) / 2
    elements = list(symmetry.group.section())
    elements += list(symmetry.group.sample(np.random.default_rng(0), 4))
    probe = np.random.default_rng(1).uniform(-1.0, 1.0, (8, len(half)))
    for g in elements:
        scaled = symmetry.transform_action(g, probe)
        inside = middle + half * scaled
        outside = symmetry.transform_action(g, middle + half * probe)
        if not np.abs(inside - outside).max() <= 1e-6 * max(1.0, float(half.max())):
            raise ArgumentError(
                "action space",
                space,
                "bounds that turn with the world: alike for what takes each other's place, about 0 for what changes "
                "sign, equal for all coordinates of a vector, and no absolute positions; rescale actions before",
            )
