"""What breaks an environment's symmetry, observed: then policies and models keep the whole symmetry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from equiworld.arguments import instance
from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.symmetry import Context, Symmetry, symmetry_of, with_context
from equiworld.symmetry.context import checked_contexts

__all__ = ["WithContext"]


class WithContext(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """The same environment, with what breaks its symmetry among what is observed.

    Gravity, walls, a table become fields of the observation and of the wrapper's `symmetry`, parts of the state. So
    π(g·s, g·c) = g·π(s, c) holds for the whole group, as far as model and policy are equivariant, while at a fixed c
    only those g count that keep it. `reset(options={"group_element": g})` begins at g·s in a world whose context is at
    g·c, which lasts for the episode: the simulator then carries the whole group, and audits and active certificates
    test it.

    Args:
        env: an environment with a symmetry.
        contexts: what to observe; the environment's own `contexts` if None, as PushT and CloudPush have them.
        symmetry: of the environment without them; `symmetry_of(env)` if None.

    Raises:
        ArgumentError: there are no contexts; a name is taken; or observations are neither a Dict nor one array.

    >>> import gymnasium as gym, equiworld.envs
    >>> env = WithContext(gym.make("equiworld/PushT-v0"))
    >>> observation, _ = env.reset(seed=0)
    >>> observation["walls"].shape, env.symmetry.observation["walls"], env.symmetry.holds
    ((16,), Segments(n=4, reach=None), 'everywhere')
    """

    def __init__(
        self, env: gym.Env, contexts: Iterable[Context] | None = None, symmetry: Symmetry | None = None
    ) -> None:
        instance("env", env, gym.Env)
        given = [contexts] if isinstance(contexts, Context) else contexts
        if given is not None:
            instance("contexts", given, Iterable)
            given = tuple(given)
        RecordConstructorArgs.__init__(self, contexts=given, symmetry=symmetry)
        gym.Wrapper.__init__(self, env)
        bare = symmetry_of(env if symmetry is None else symmetry)
        own = getattr(env.unwrapped, "contexts", None) if given is None else given
        if own is None:
            expected = "contexts=[Context(…), …], for an environment that has none of its own"
            raise ArgumentError("contexts", "None", expected)
        self.contexts = checked_contexts(own, bare.dim)
        self.symmetry = with_context(bare, self.contexts)
        self.observation_space = self._space(env.observation_space)
        self._centre, self._dim = bare.centre, bare.dim
        self._now = {each.name: each.numbers(bare.dim) for each in self.contexts}
        self._away = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; with `options={"group_element": g}` at g·s, in a world that is turned along.

        Raises:
            ArgumentError: a context that nobody can turn in the simulator.
        """
        g = (options or {}).get("group_element")
        if isinstance(g, GroupElement) or self._away:
            self._turn(g if isinstance(g, GroupElement) else None)
        observation, info = self.env.reset(seed=seed, options=options)
        return self._shown(observation), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """A step of the wrapped environment, its observation with the contexts."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return self._shown(observation), reward, terminated, truncated, info

    def _turn(self, g: GroupElement | None) -> None:
        """Put all contexts where g brings them; back where they were if there is none."""
        for context in self.contexts:
            value = context.numbers(self._dim) if g is None else context.moved(g, self._centre)
            if context.place is None:
                if np.abs(value - self._now[context.name]).max() > 1e-9 * max(1.0, np.abs(value).max()):
                    got = f"one that moves {context.name!r}"
                    expected = (
                        "an element that keeps it; or Context(place=…), which turns it in the simulator"
                    )
                    raise ArgumentError("options['group_element']", got, expected)
                continue
            context.place(self.env.unwrapped, value)
            self._now[context.name] = value
        self._away = g is not None

    def _shown(self, observation: Any) -> Any:
        if isinstance(observation, Mapping):
            return {**observation, **{name: value.copy() for name, value in self._now.items()}}
        row: NDArray[Any] = np.asarray(observation)
        return np.concatenate([row, *self._now.values()]).astype(row.dtype)

    def _space(self, space: spaces.Space[Any]) -> spaces.Space[Any]:
        """The space of observations with the contexts."""
        sizes = {context.name: len(context.value) for context in self.contexts}
        if isinstance(space, spaces.Dict):
            more = {name: spaces.Box(-np.inf, np.inf, (size,), np.float64) for name, size in sizes.items()}
            return spaces.Dict({**space.spaces, **more})
        if isinstance(space, spaces.Box) and len(space.shape) == 1:
            ends = np.full(sum(sizes.values()), np.inf)
            low, high = np.concatenate([space.low, -ends]), np.concatenate([space.high, ends])
            return spaces.Box(low.astype(space.dtype), high.astype(space.dtype), dtype=space.dtype)  # type: ignore[arg-type]
        raise ArgumentError("env", f"observations of {space}", "a Dict, or a Box of one axis")
