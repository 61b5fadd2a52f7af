"""What equivariant policies are told beyond what stable-baselines3's are: their symmetry and their form."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from gymnasium import spaces

from equiworld.errors import ArgumentError
from equiworld.sb3.canonical_form import CanonicalForm
from equiworld.sb3.observation_form import ObservationForm
from equiworld.sb3.steerable_form import SteerableForm
from equiworld.symmetry import Symmetry, symmetry_of

__all__ = ["FORMS", "Form", "check_scaled", "settled", "symmetry_for"]

Form = Literal["canonical", "steerable"]

FORMS: dict[str, type[ObservationForm]] = {"canonical": CanonicalForm, "steerable": SteerableForm}


def symmetry_for(observation_space: spaces.Space, symmetry: Any) -> Symmetry:
    """The symmetry that a policy is given, or that its observation space carries.

    Raises:
        ArgumentError: neither.
    """
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


def settled(
    observation_space: spaces.Space,
    action_space: spaces.Space,
    symmetry: Any,
    form: str,
    scales: Mapping[str, float] | None,
    given: Mapping[str, Any],
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
