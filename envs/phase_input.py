"""A clock beside what is observed, so that a symmetric state is not a fixed point of a symmetric policy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from equiworld.arguments import number
from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.symmetry import Orthogonal, Symmetry, symmetry_of

__all__ = ["PhaseInput"]

_NAME = "phase"


class PhaseInput(gym.ObservationWrapper, RecordConstructorArgs):
    """Shows a phase of period T as (cos 2πφ, sin 2πφ), of which a mirror makes that half a period later.

    A state that is its own mirror image is a fixed point of every deterministic equivariant policy: a walker whose legs
    stand side by side keeps them so, and hops. With a phase no state is its own image, and what the left leg does now
    the right one does half a period later: a gait. φ starts anywhere, equally likely, so that what happens in law
    carries the symmetry; and goes on by 1/T a step, whatever is done.

    Args:
        env: one environment, of one flat Box or a Dict of such.
        period: T, in steps.
        symmetry: of the environment, or its id; that which `symmetry_of` finds if None.
        shifts: by generator of the group's labels (`group.labels.generators`), the share of a period that goes with
            it; half of one for each if None.

    Attributes:
        symmetry: of what is shown; what `symmetry_of` finds, and what the observation space carries to policies.
        phase: φ in [0, 1).

    Raises:
        ArgumentError: a group that moves no labels, shifts that do not fit it, or another kind of observation.

    Reference: Siekmann et al., Sim-to-real learning of all common bipedal gaits via periodic reward composition, ICRA
    2021, for a clock as an input.

    >>> import gymnasium as gym
    >>> env = PhaseInput(gym.make("Walker2d-v5"), period=50)
    >>> seen, _ = env.reset(seed=0)
    >>> mirror = env.symmetry.group.elements()[1]
    >>> later = env.symmetry.transform_observation(mirror, seen)
    >>> bool(np.abs(later[-2:] + seen[-2:]).max() < 1e-12)
    True
    """

    def __init__(
        self,
        env: gym.Env,
        period: float,
        symmetry: Any = None,
        shifts: Sequence[float] | None = None,
    ) -> None:
        RecordConstructorArgs.__init__(self, period=period, symmetry=symmetry, shifts=shifts)
        gym.ObservationWrapper.__init__(self, env)
        self.period = number("period", period, above=0.0)
        self.symmetry = _with_phase(
            symmetry_of(env if symmetry is None else symmetry).sized(env.observation_space), shifts
        )
        self.phase = 0.0
        self.observation_space = _wider(env.observation_space)
        self.observation_space.symmetry = self.symmetry  # type: ignore[attr-defined]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """As the environment, the phase drawn from its generator; `options={"phase": φ}` says which."""
        given = dict(options or {})
        phase = given.pop(_NAME, None)
        seen, info = self.env.reset(seed=seed, options=given if options is not None else None)
        self.phase = float(self.np_random.uniform() if phase is None else number(_NAME, phase)) % 1.0
        return self.observation(seen), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """As the environment, a step of the clock later."""
        seen, reward, ended, cut, info = self.env.step(action)
        self.phase = (self.phase + 1.0 / self.period) % 1.0
        return self.observation(seen), reward, ended, cut, info

    def follow(self, g: GroupElement) -> None:
        """Bring the phase to where g takes it, with a simulator that is brought to g·s."""
        angle = math.tau * self.phase
        clock = np.array([math.cos(angle), math.sin(angle)])
        cosine, sine = self.symmetry.observation[_NAME].transform(self.symmetry.own(g), clock)
        self.phase = math.atan2(sine, cosine) / math.tau % 1.0

    def observation(self, observation: Any) -> Any:
        """What is seen, and the phase beside it."""
        angle = math.tau * self.phase
        clock = np.array([math.cos(angle), math.sin(angle)])
        if isinstance(observation, dict):
            return {**observation, _NAME: clock}
        found: NDArray[Any] = np.concatenate([observation, clock]).astype(np.asarray(observation).dtype)
        return found


def _with_phase(symmetry: Symmetry, shifts: Sequence[float] | None) -> Symmetry:
    """The declaration of what is shown."""
    generators = symmetry.group.labels.generators
    if not generators:
        raise ArgumentError(
            "symmetry", symmetry.group, "a group with mirrors or other labels for a phase to go with"
        )
    given = [0.5] * len(generators) if shifts is None else [number("shifts", each) for each in shifts]
    if len(given) != len(generators):
        raise ArgumentError("shifts", shifts, f"one for each of {[name for name, _ in generators]}")
    if _NAME in symmetry.observation:
        raise ArgumentError("env", "one that observes a phase already", "one without")
    images = []
    for shift in given:
        cosine, sine = math.cos(math.tau * shift), math.sin(math.tau * shift)
        turn = np.array([[cosine, -sine], [sine, cosine]])
        images.append(np.where(np.abs(turn - np.round(turn)) < 1e-12, np.round(turn) + 0.0, turn).tolist())
    phase, places = Orthogonal(images), dict(symmetry.places)
    phase.label_images(symmetry.group)  # refuses shifts that are no representation
    if symmetry.flat and places:
        size = sum(field.size(symmetry.dim) for field in symmetry.observation.values())
        places[_NAME] = ("observation", (size, size + 1))
    return replace(
        symmetry,
        observation={**symmetry.observation, _NAME: phase},
        state=(*symmetry.state, _NAME),
        places=places,
    )


def _wider(space: spaces.Space) -> spaces.Space:
    """The space with room for the phase."""
    clock = spaces.Box(-1.0, 1.0, (2,), np.float64)
    if isinstance(space, spaces.Dict):
        return spaces.Dict({**space.spaces, _NAME: clock})
    if not isinstance(space, spaces.Box) or len(space.shape) != 1:
        raise ArgumentError("env", space, "observations of one flat array, or a Dict of arrays")
    low, high = (
        np.concatenate([side, one]) for side, one in ((space.low, clock.low), (space.high, clock.high))
    )
    return spaces.Box(low.astype(space.dtype), high.astype(space.dtype), dtype=space.dtype)  # type: ignore[arg-type]
