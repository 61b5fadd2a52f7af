"""What equivariant policies are told beyond what stable-baselines3's are: their symmetry and their form."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.wrappers import NormalizeObservation
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import unwrap_vec_normalize

from equiworld.errors import ArgumentError
from equiworld.sb3.canonical_form import CanonicalForm
from equiworld.sb3.observation_form import ObservationForm
from equiworld.sb3.steerable_form import SteerableForm
from equiworld.symmetry import Symmetry, symmetry_of

__all__ = ["FORMS", "Form", "check_normalised", "check_scaled", "settled", "symmetry_for"]

Form = Literal["canonical", "steerable"]

FORMS: dict[str, type[ObservationForm]] = {"canonical": CanonicalForm, "steerable": SteerableForm}


_DEEP = 8
"""Calls between an algorithm that makes a policy and who asks for it: constructors of subclasses among them."""


def symmetry_for(
    observation_space: spaces.Space, symmetry: Any, others: tuple[type[BaseAlgorithm], ...] = ()
) -> Symmetry:
    """The symmetry that a policy is given, or that its observation space carries.

    Args:
        observation_space: of the policy.
        symmetry: that it is given.
        others: algorithms that such a policy is not for.

    Raises:
        ArgumentError: neither; or the algorithm that makes the policy is one of the others, or its environment scales
            each number by itself.
    """
    algorithm = _maker()
    if algorithm is not None:
        if isinstance(algorithm, others):
            name = type(algorithm).__name__
            raise ArgumentError(
                "policy", f"one that {name} has no use for", f"that for {name}; see equiworld.sb3"
            )
        _check_environment(algorithm.env)
    if symmetry is None:
        symmetry = getattr(observation_space, "symmetry", None)
    if symmetry is None:
        raise ArgumentError(
            "symmetry",
            None,
            "how the environment transforms, for a policy knows its spaces alone: "
            "policy_kwargs=dict(symmetry=equiworld.symmetry_of(env)), or its id, symmetry='Reacher-v5'; "
            "or train in equiworld.sb3.with_symmetry(env), whose observation space carries it",
        )
    return symmetry_of(symmetry)


def _maker() -> BaseAlgorithm | None:
    """The algorithm that is making a policy, if one is: of the stack, for a policy is told its spaces alone."""
    frame: Any = sys._getframe(1)
    for _ in range(_DEEP):
        maker = frame.f_locals.get("self") if frame.f_code.co_name == "_setup_model" else None
        if isinstance(maker, BaseAlgorithm):
            return maker
        frame = frame.f_back
        if frame is None:
            break
    return None


def _check_environment(env: Any) -> None:
    """Refuse environments that scale each number by itself, whose observations do not turn as the simulator's do."""
    if env is None:
        return
    check_normalised(unwrap_vec_normalize(env))
    if any(env.env_is_wrapped(NormalizeObservation)):
        check_normalised(NormalizeObservation)


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
    others: tuple[type[BaseAlgorithm], ...],
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
        others: see `symmetry_for`.
        eps: of Adam, where `given` does not say.

    Raises:
        ArgumentError: what no equivariant policy can be made of.
    """
    found = symmetry_for(observation_space, symmetry, others)
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
    size = found.action.size(found.dim)
    if not isinstance(action_space, spaces.Box) or action_space.shape != (size,):
        raise ArgumentError("action space", action_space, f"a Box of {size} numbers, as {found.action!r} has")
    settings: dict[str, Any] = {"symmetry": found, "scales": scales}
    kind = FORMS[form]
    for why in kind(observation_space, **settings).inexact:
        warnings.warn(why, UserWarning, stacklevel=4)
    extractor = {"features_extractor_class": kind, "features_extractor_kwargs": settings}
    return {**given, **_optimizer(given, eps), **extractor}


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
