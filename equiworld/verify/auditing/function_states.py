"""States that two functions read and write, and whose arrays are fields: anybody's simulator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np

from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.groups.arrays import Array
from equiworld.symmetry import Field, Symmetry
from equiworld.verify.auditing.access import StateAccess
from equiworld.verify.moving import observe_now

__all__ = ["FunctionStates"]


class FunctionStates(StateAccess):
    """A state as named arrays, `get(env)` and `set(env, state)`; g moves each by its field.

    Args:
        get: reads the whole state.
        set: writes it; returns what is observed then, or None if `env._get_obs` tells it.
        fields: of each array; those of the observation of the same name where it is not given.
        symmetry: whose group and centre.

    Raises:
        ArgumentError: one of the two is no function.

    >>> import gymnasium as gym
    >>> from equiworld.groups import O2
    >>> from equiworld.symmetry import Heading, Pseudoscalar, Scalar, Symmetry, Vector
    >>> symmetry = Symmetry(O2(), {"seen": Vector()}, action=Scalar())
    >>> fields = {"angle": Heading(), "rate": Pseudoscalar()}
    >>> def get(env):
    ...     return {"angle": env.unwrapped.state[:1], "rate": env.unwrapped.state[1:]}
    >>> def set(env, state):
    ...     env.unwrapped.state = np.concatenate([state["angle"], state["rate"]])
    >>> env = gym.make("Pendulum-v1")
    >>> _ = env.reset(seed=0)
    >>> states = FunctionStates(get, set, symmetry, fields)
    >>> state = states.get(env)
    >>> _ = states.begin(env, state, O2().reflection(0.0))
    >>> bool(np.allclose(states.get(env)["angle"], -state["angle"]))
    True
    """

    def __init__(
        self,
        get: Callable[[gym.Env], Mapping[str, Any]],
        set: Callable[[gym.Env, Mapping[str, Array]], Any],
        symmetry: Symmetry,
        fields: Mapping[str, Field] | None = None,
    ) -> None:
        if not callable(get) or not callable(set):
            raise ArgumentError(
                "access", f"({get!r}, {set!r})", "two functions, get(env) and set(env, state)"
            )
        self._get, self._set, self.symmetry = get, set, symmetry
        self.fields = {**symmetry.observation, **(fields or {})}

    def get(self, env: gym.Env) -> dict[str, Array]:
        """Copies of the arrays, float64.

        Raises:
            ArgumentError: there is an array without a field; names it.
        """
        found = self._get(env)
        if not isinstance(found, Mapping) or not found:
            raise ArgumentError("access", f"a get(env) that returned {found!r}", "arrays by name")
        state = {name: np.array(each, np.float64) for name, each in found.items()}
        for name in state:
            if name not in self.fields:
                expected = "a field for each array of the state, in state_fields={…}"
                raise ArgumentError("access", f"the array {name!r} without a field", expected, self.fields)
        return state

    def begin(self, env: gym.Env, state: Mapping[str, Array], g: GroupElement) -> Any:
        """With each array moved by its field."""
        element, centre = self.symmetry.own(g), np.asarray(self.symmetry.centre)
        moved = {
            name: np.asarray(self.fields[name].transform(element, each, centre, name), np.float64)
            for name, each in state.items()
        }
        observation = self._set(env, moved)
        return observe_now(env) if observation is None else observation

    def numbers(self, env: gym.Env) -> Mapping[str, Array]:
        """The channels of each array."""
        centre = np.asarray(self.symmetry.centre)
        return {
            f"{name}.{kind}": np.ravel(channels)
            for name, each in self.get(env).items()
            for kind, channels in self.fields[name].encode(each, centre).items()
        }
