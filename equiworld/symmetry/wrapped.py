"""What wrappers make of a declaration: Gymnasium's, single and vectorised, and those of stable-baselines3."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec, load_env_creator

from equiworld.errors import ArgumentError
from equiworld.symmetry.acting import check_actions
from equiworld.symmetry.followed import FOLLOWED, HELP
from equiworld.symmetry.symmetry import Symmetry

__all__ = ["carried_by", "layers_of", "through_wrappers", "without_unrecorded"]

_LIBRARIES = ("gymnasium", "stable_baselines3")
_DECIDING = ("observation", "observations", "reset", "step", "step_async", "step_wait")


def layers_of(env: Any) -> list[Any]:
    """The environment and what it wraps, from outside to inside; down to one that carries its symmetry.

    Of several environments side by side the first stands for all, as far as this process has it.
    """
    return list(_layers(env))


def carried_by(layer: Any) -> Symmetry | None:
    """The Symmetry that an environment or a wrapper itself has as its attribute `symmetry`."""
    # Not by getattr: some wrappers hand on what they do not have.
    found = getattr(layer, "__dict__", {}).get("symmetry", getattr(type(layer), "symmetry", None))
    return found if isinstance(found, Symmetry) else None


def through_wrappers(layers: list[Any], symmetry: Symmetry) -> Symmetry:
    """The declaration of what the outermost of some layers shows, of that of the innermost one.

    Filters, stacks of frames, observations that are flattened, reshaped, or told the time are followed; wrappers that
    leave observations alone are passed over, if what they make of actions turns with them.

    Args:
        layers: as `layers_of` gives them.
        symmetry: of the last of them.

    Raises:
        ArgumentError: a wrapper changes the numbers that are observed, or shows zeros in place of some, which do not
            turn; or one changes actions otherwise than they turn.
    """
    for layer in reversed(layers[:-1]):
        check_actions(layer, symmetry)
        kind = type(layer)
        base = _followed(kind)
        if base is not None:
            own = _deciding(kind.__mro__[: kind.__mro__.index(base)])
            if own:
                got = f"one in {kind.__name__}, which has its own {', '.join(own)} in place of {base.__name__}'s"
                raise ArgumentError("env", got, HELP)
            symmetry = FOLLOWED[base.__name__](layer, symmetry)
        elif _observes(kind):
            raise ArgumentError("env", f"one in {kind.__name__}, which changes what is observed", HELP)
    return symmetry


def without_unrecorded(spec: EnvSpec) -> EnvSpec:
    """A spec without those wrappers that did not record their arguments, such as stable-baselines3's Monitor.

    Raises:
        ArgumentError: one of them may change what is observed or what acts.
    """
    kept = []
    for wrapper in spec.additional_wrappers:
        if wrapper.kwargs is not None:
            kept.append(wrapper)
            continue
        try:
            refused = _may_change(load_env_creator(wrapper.entry_point))  # type: ignore[arg-type]
        except (ImportError, AttributeError):  # a class inside a function
            refused = True
        if refused:
            got = f"one in {wrapper.name}, in another process, which does not record its arguments"
            expected = "a wrapper that derives from gymnasium.utils.RecordConstructorArgs too, or symmetry="
            raise ArgumentError("env", got, expected)
    return replace(spec, additional_wrappers=tuple(kept))


def _may_change(kind: type) -> bool:
    """Whether wrappers of a class may change what is observed or what acts, as far as the class tells.

    Those of Gymnasium and stable-baselines3 say so by what they derive from. Of others that step by themselves, or
    say how what they show transforms, more than the class has to be known.
    """
    own = [each for each in kind.__mro__ if each.__module__.partition(".")[0] not in _LIBRARIES]
    told = _observes(kind) or _followed(kind) is not None or issubclass(kind, gym.ActionWrapper)
    return told or any("symmetry" in vars(each) for each in own) or bool(_deciding(own))


def _followed(kind: type) -> type | None:
    """The nearest class of a wrapper's that is followed or refused by name; None where none is."""
    return next((base for base in kind.__mro__ if base.__name__ in FOLLOWED), None)


def _deciding(classes: Sequence[type]) -> list[str]:
    """The methods of some classes that decide what a wrapper shows and asks for."""
    return [name for name in _DECIDING if any(name in vars(each) for each in classes)]


def _observes(kind: type) -> bool:
    return issubclass(kind, gym.ObservationWrapper | gym.vector.VectorObservationWrapper)


def _layers(env: Any) -> Iterator[Any]:
    while env is not None:
        yield env
        if carried_by(env) is not None:
            return
        members = getattr(env, "envs", None)  # of SyncVectorEnv, DummyVecEnv
        if isinstance(env, gym.Wrapper | gym.vector.VectorWrapper):
            env = env.env
        elif isinstance(members, list | tuple) and members and not isinstance(env, gym.Env):
            env = members[0]
        else:
            env = getattr(env, "venv", None)  # of stable-baselines3's wrappers
