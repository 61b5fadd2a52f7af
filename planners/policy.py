"""A planner over a world model as a policy with stable-baselines3's `predict`."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from equiworld.planners.cem import CEM
from equiworld.planners.frames import planning_frame, reference_point
from equiworld.planners.planner import Planner
from equiworld.planners.problem import Bound, Plan, Problem
from equiworld.planners.tasks import Task, task_of
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from equiworld.errors import ArgumentError
from equiworld.models import WorldModel
from equiworld.symmetry.holding import held_action
from equiworld.symmetry.validation import check_leading

__all__ = ["MPCPolicy", "PolicyState"]


class PolicyState(NamedTuple):
    """All that a policy carries from step to step, for each of B environments; arrays, as SB3's states are.

    Attributes:
        plan: `(B, K, H, size)` the last plan, in world axes, its first action being carried out; behind it what else
            the planner wants the next decision to start from.
        origin: `(B, d)` where the point that actions are measured from was at the last decision.
        steps: `(B,)` environment steps since the last decision.
        decisions: `(B,)` decisions taken in the episode.
    """

    plan: NDArray[np.float64]
    origin: NDArray[np.float64]
    steps: NDArray[np.int64]
    decisions: NDArray[np.int64]


class MPCPolicy:
    """Model-predictive control, a drop-in for a stable-baselines3 policy.

    One decision plans H actions of the model, each spanning the `action_repeat` environment steps that the model was
    trained with; the first is held that long, then the plan, shifted, starts the next decision. The same seed,
    observations and decision count give the same action, whoever else is in the batch.

    Args:
        model: a trained world model; the policy works on a copy in its own dtype.
        planner: such as `CEM()`.
        dtype: "float32" or "float64".
        seed: of the planner's noise.
        task: cost and proposals; those registered for the model's environment if None.
        prior: another policy with `predict`, of stable-baselines3 say. What it would do, imagined in the model where
            the model's state is all that it observes and else its action held on, is one of the plans that each
            decision starts from. Plans turn with the world only if it does.

    >>> import equiworld.envs
    >>> import gymnasium as gym
    >>> env = gym.make("equiworld/PushT-v0")
    >>> policy = MPCPolicy(WorldModel.for_env(env, hidden=(16,)), CEM(samples=16), seed=0)
    >>> observation, _ = env.reset(seed=0)
    >>> action, state = policy.predict(observation)
    >>> action.shape, env.action_space.contains(action)
    ((2,), True)
    """

    def __init__(
        self,
        model: WorldModel,
        planner: Planner | None = None,
        dtype: Literal["float32", "float64"] = "float32",
        seed: int = 0,
        task: Task | None = None,
        prior: Any = None,
    ) -> None:
        if dtype not in ("float32", "float64"):
            raise ArgumentError("dtype", repr(dtype), "a floating dtype", ("float32", "float64"))
        self.dtype = getattr(torch, dtype)
        self.model = copy.deepcopy(model).to(self.dtype).eval()
        self.planner = planner or CEM()
        self.seed = seed
        self.symmetry, self.latent = model.symmetry, model.latent
        self.task = task or task_of(model.env_id)
        self.bound = Bound.of(model.action_bound, self.dtype)
        self._cost = self.task.objective().bind(self.latent)
        self._propose = self.task.proposal(
            self.latent, self.bound.length(self.symmetry.dim), self.model.action_repeat
        )
        if prior is not None and not callable(getattr(prior, "predict", None)):
            raise ArgumentError("prior", type(prior).__name__, "a policy with predict(observation), or None")
        self.prior = prior
        self._free_generator = torch.Generator().manual_seed(seed)

    def predict(
        self,
        observation: NDArray[Any] | Mapping[str, NDArray[Any]],
        state: tuple[NDArray[Any], ...] | None = None,
        episode_start: ArrayLike | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[np.float64], PolicyState]:
        """The action to take.

        Args:
            observation: of one environment, or of B of them, stacked.
            state: what the last call returned; None at the beginning.
            episode_start: `(B,)` bool, where a new episode begins; all of them if `state` is None, none otherwise.
            deterministic: the same noise at the same decision of every episode; else fresh noise at each call.

        Returns:
            The action `(size,)` or actions `(B, size)`, float64, within the bounds, and the state to hand back.

        Raises:
            ArgumentError: the observation is of the wrong shape, dtype or fields, or not finite; or the state is
                that of another number of environments.
        """
        batched = self._is_batched(observation)
        observation = self._stacked(observation, batched)
        z = self.model.encode(observation)
        envs = z.batch_shape[0]
        now = self._origin(observation, envs)
        start = self._starts(state, episode_start, envs)
        memory = self._recalled(state, envs, now)
        memory.steps[start] = 0
        memory.decisions[start] = 0
        deciding = np.flatnonzero((memory.steps == 0) | (memory.steps >= self.model.action_repeat))
        if len(deciding):
            plan = self._decide(observation, z, deciding, memory, deterministic)
            memory.plan[deciding] = plan.carried.to(torch.float64).numpy()
            memory.origin[deciding] = now[deciding]
            memory.steps[deciding] = 0
            memory.decisions[deciding] += 1
        actions = self._held(memory, now)
        memory.steps[:] += 1
        return (actions if batched else actions[0]), memory

    def plan(self, observation: Any, seed: int | None = None) -> Plan:
        """Plan afresh for one observation or a stack of them, without memory; for looking at plans."""
        stacked = self._stacked(observation, self._is_batched(observation))
        z = self.model.encode(stacked)
        envs = z.batch_shape[0]
        generators = seeded_generators(self.seed if seed is None else seed, [0] * envs)
        return self.planner.plan(self._problem(stacked, z), generators)

    def _decide(
        self, observation: Any, z: Any, deciding: NDArray[np.int64], memory: PolicyState, deterministic: bool
    ) -> Plan:
        index = torch.from_numpy(deciding)
        chosen = (
            {name: array[deciding] for name, array in observation.items()}
            if isinstance(observation, dict)
            else observation[deciding]
        )
        problem = self._problem(chosen, z[index])
        counters = memory.decisions[deciding].tolist()
        if deterministic:
            generators = seeded_generators(self.seed, counters)
        else:
            generators = [self._free_generator] * len(counters)
        # Shifted by one action; the last is repeated. Episodes that begin have no past to start from.
        last = memory.plan[deciding]
        warm = np.concatenate([last[:, :, 1:], last[:, :, -1:]], 2)
        warm_start = torch.as_tensor(warm, dtype=self.dtype)
        fresh = torch.from_numpy(memory.decisions[deciding] == 0)
        if fresh.any():
            blank = problem.blank(self.planner.horizon)[:, None]
            warm_start = torch.where(fresh[:, None, None, None], blank, warm_start)
        if self.prior is not None:
            warm_start = torch.cat([warm_start, self._imagined(chosen, problem.state)[:, None]], 1)
        return self.planner.plan(problem, generators, warm_start)

    @torch.no_grad()
    def _imagined(self, observation: Any, z: Any) -> Tensor:
        """What the prior would do, `(B, H, size)`."""
        symmetry, actions = self.symmetry, list[Tensor]()
        # Only then can what it will observe be told from the model's state.
        named = {*symmetry.state, *symmetry.goal} == {*symmetry.observation}
        whole = named and not symmetry.flat and self.latent is symmetry
        for _ in range(self.planner.horizon):
            if whole or not actions:
                action, _ = self.prior.predict(observation, deterministic=True)
                actions.append(torch.as_tensor(np.asarray(action), dtype=self.dtype))
            else:
                actions.append(actions[-1])
            if whole:
                z = self.model.predict(z, actions[-1])
                observation = observation | symmetry.observation_arrays(z)
        return torch.stack(actions, 1)

    def _problem(self, observation: Any, z: Any) -> Problem:
        symmetry, goal = self.latent, self.model.encode_goal(observation)
        rest, points = None, symmetry.action.feature_type(symmetry.dim).points
        if points:
            # Features are about the scene's centre, actions are not.
            middle = reference_point(symmetry, z) + torch.tensor(symmetry.centre, dtype=self.dtype)
            rest = middle.repeat(1, points)
        return Problem(
            state=z,
            predict=self.model.predict,
            cost=self._cost,
            size=symmetry.action.size(symmetry.dim),
            dim=symmetry.dim,
            frame=planning_frame(self.planner.frame, symmetry, z, goal),
            bound=self.bound,
            goal=goal,
            rest=rest,
            propose=self._propose,
        )

    def _held(self, memory: PolicyState, now: NDArray[np.float64]) -> NDArray[np.float64]:
        """The first action of each plan, asked for again from where its origin is now, within bounds."""
        name = self.symmetry.action_origin
        actions = memory.plan[:, 0, 0]
        if name is not None:
            actions = held_action(self.symmetry, actions, {name: memory.origin}, {name: now})
        bounded = self.bound.project(torch.as_tensor(actions), self.symmetry.dim)
        return bounded.numpy().astype(np.float64)

    def _origin(self, observation: Any, envs: int) -> NDArray[np.float64]:
        name = self.symmetry.action_origin
        if name is None:
            return np.zeros((envs, self.symmetry.dim))
        return np.asarray(observation[name], np.float64)

    def _initial(self, envs: int, now: NDArray[np.float64]) -> PolicyState:
        size = self.symmetry.action.size(self.symmetry.dim)
        return PolicyState(
            np.zeros((envs, self.planner.carried, self.planner.horizon, size)),
            now.copy(),
            np.zeros(envs, np.int64),
            np.zeros(envs, np.int64),
        )

    def _recalled(self, state: Any, envs: int, now: NDArray[np.float64]) -> PolicyState:
        """A copy of `state` after checking it, or a blank one."""
        blank = self._initial(envs, now)
        if state is None:
            return blank
        if not isinstance(state, tuple | list) or len(state) != len(blank):
            raise ArgumentError("state", f"a {type(state).__name__}", "what the last call returned, or None")
        memory = PolicyState(*(np.array(part) for part in state))
        if memory.steps.shape != (envs,):
            raise ArgumentError("state", f"of {memory.steps.size} environments", f"one of {envs}, or None")
        for name, found, expected in zip(PolicyState._fields, memory, blank, strict=True):
            if found.shape != expected.shape:
                raise ArgumentError(f"state.{name}", f"shape {found.shape}", f"shape {expected.shape}")
        return memory

    @staticmethod
    def _starts(state: Any, episode_start: ArrayLike | None, envs: int) -> NDArray[np.bool_]:
        if episode_start is None:
            return np.full(envs, state is None)
        start = np.atleast_1d(np.asarray(episode_start, dtype=bool))
        if start.shape != (envs,):
            raise ArgumentError("episode_start", f"shape {start.shape}", f"shape ({envs},)")
        return start if state is not None else np.full(envs, True)

    def _is_batched(self, observation: Any) -> bool:
        if self.symmetry.flat:
            return np.asarray(observation).ndim > 1
        if not isinstance(observation, Mapping):
            raise ArgumentError(
                "observation", type(observation).__name__, "a mapping", self.symmetry.observation
            )
        first = next(iter(self.symmetry.observation))
        if first not in observation:
            raise ArgumentError(
                "observation", f"no key {first!r}", "every declared key", self.symmetry.observation
            )
        return np.asarray(observation[first]).ndim > 1

    @staticmethod
    def _stacked(observation: Any, batched: bool) -> Any:
        if isinstance(observation, Mapping):
            stacked = {
                key: np.asarray(value) if batched else np.asarray(value)[None]
                for key, value in observation.items()
            }
            # State and goal are encoded apart: neither sees how many there are of the other.
            check_leading(stacked)
            return stacked
        return np.asarray(observation) if batched else np.asarray(observation)[None]


def seeded_generators(seed: int, counters: list[int]) -> list[torch.Generator]:
    """One generator for each environment, made from the policy's seed and how often it has decided so far."""
    # An odd multiplier keeps different (seed, counter) pairs apart.
    return [
        torch.Generator().manual_seed((seed * 0x9E3779B97F4A7C15 + counter) % 2**63) for counter in counters
    ]
