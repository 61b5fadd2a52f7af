"""A world model as a vectorised environment of stable-baselines3: episodes that are imagined, thousands at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from equiworld.arguments import instance, integer, reals
from equiworld.devices import usable_device
from equiworld.errors import ArgumentError, SimulationError
from equiworld.groups import Group
from equiworld.models import WorldModel
from equiworld.models.decoding import observation_after
from equiworld.sb3.starts import Starts, action_space_of, observation_space_of
from equiworld.symmetry import Features, Symmetry
from equiworld.symmetry.batches import rows_of
from equiworld.symmetry.limits import project
from equiworld.tasks import Task, task_of

__all__ = ["ImaginedVecEnv"]

Reward = Literal["cost", "progress"] | Callable[[Any, Any, Any], Any]


class ImaginedVecEnv(VecEnv):
    """A world model as a `VecEnv` to train policies in: PPO, SAC or any other algorithm of stable-baselines3.

    Episodes begin at states of data and follow z′ = F(z, a) for `horizon` steps, each of which spans the
    `action_repeat` environment steps that the model was trained with. What is shown is the predicted state, as the
    environment would show it, with the goal of the episode. Actions are brought within the model's `action_bound`: of
    others it knows nothing.

    It carries the symmetry that the model was declared with, and so does its observation space.

    Where the start is moved by elements of a group, the policy meets the whole orbit although the data do not; the
    model has to be equivariant, or augmented, to be right there.

    Args:
        model: whose states are the observed ones; it is copied.
        starts: observations `(N, …)` that episodes begin at, goal included; or a `Dataset`, with `goals`.
        n_envs: how many episodes go on at once.
        horizon: steps of an episode, at which it is truncated.
        reward: "cost", −cost of the next state; "progress", by how much the cost falls; or a function
            (observation, action, next observation), batches, → `(B,)`.
        task: whose cost it is; that of the model's environment if None.
        terminated: a function of the next observation → `(B,)` bool, whether the episode ends; if None it does not.
        goals: by goal field `(M, size)`, drawn for each episode; of `starts` that are observations their own if None.
        group: fresh elements of it move each start; none if None.
        attached: observed fields that are no part of the state and move with the body, such as marks on it: they are
            moved by what moves its pose.
        seed: of starts, goals and elements.
        device: that the model computes on.

    Raises:
        ArgumentError: an argument is wrong; the model does not predict all that is observed; or actions have no bound.

    >>> import equiworld.envs, gymnasium
    >>> model = WorldModel.for_env("equiworld/PushT-v0", hidden=(8,))
    >>> first = gymnasium.make("equiworld/PushT-v0").reset(seed=0)[0]
    >>> begin, marks = {name: each[None] for name, each in first.items()}, ["block_keypoints"]
    >>> envs = ImaginedVecEnv(model, begin, n_envs=4, horizon=2, attached=marks)
    >>> observation = envs.reset()
    >>> observation, reward, done, info = envs.step(np.zeros((4, 2)))
    >>> observation["block_pos"].shape, reward.shape, done.tolist()
    ((4, 2), (4,), [False, False, False, False])
    """

    def __init__(
        self,
        model: WorldModel,
        starts: Any,
        *,
        n_envs: int = 1024,
        horizon: int = 50,
        reward: Reward = "cost",
        task: Task | None = None,
        terminated: Callable[[Any], Any] | None = None,
        goals: Mapping[str, Any] | None = None,
        group: Group | None = None,
        attached: Sequence[str] = (),
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        import copy

        instance("model", model, WorldModel)
        self.horizon = integer("horizon", horizon, least=1)
        count, self._first_seed = integer("n_envs", n_envs, least=1), integer("seed", seed, least=0)
        if not callable(reward) and (not isinstance(reward, str) or reward not in ("cost", "progress")):
            raise ArgumentError("reward", repr(reward), "a function, or a name", ("cost", "progress"))
        if terminated is not None and not callable(terminated):
            raise ArgumentError("terminated", repr(terminated), "a function of observations, or None")
        self._starts = Starts(model, starts, goals, group, attached)
        self.reward, self.terminated = reward, terminated
        where = usable_device(device, model.dtype)
        self.model = copy.deepcopy(model).to(device=where).eval().requires_grad_(False)
        self._objective: Any = None
        if not callable(reward):
            found = task_of(model.env_id) if task is None else task
            instance("task", found, Task)
            self._objective = found.objective()
        self._bind()
        self._rng = np.random.default_rng(self._first_seed)
        self.render_mode: str | None = None
        self.symmetry: Symmetry = model.declared
        space = observation_space_of(model, self._starts)
        space.symmetry = self.symmetry  # type: ignore[attr-defined]
        super().__init__(count, space, action_space_of(model))
        self._actions: NDArray[np.float64] = np.zeros((count, *self.action_space.shape))  # type: ignore[misc]
        self._steps, self._returns = np.zeros(count, np.int64), np.zeros(count)
        self._shown: Any = None
        self._began = time.perf_counter()

    def _bind(self) -> None:
        """The functions that a file does not hold."""
        self._step = self.model.stepper()
        self._cost: Any = None if self._objective is None else self._objective.bind(self.model.latent)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_step", "_cost")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._bind()

    def reset(self) -> Any:
        """Begin all episodes."""
        if self._seeds and self._seeds[0] is not None:
            self._rng = np.random.default_rng(self._seeds[0])
        self._reset_seeds()
        self._reset_options()
        self._shown = self._starts.draw(self._rng, self.num_envs)
        self._steps[:], self._returns[:] = 0, 0.0
        self.reset_infos = [{} for _ in range(self.num_envs)]
        return _copied(self._shown)

    def step_async(self, actions: NDArray[Any]) -> None:
        given = reals("actions", actions)
        if given.size != self._actions.size or len(given) != self.num_envs:
            raise ArgumentError("actions", f"shape {given.shape}", f"{self._actions.shape}")
        self._actions = given.reshape(self._actions.shape)

    @torch.no_grad()
    def step_wait(self) -> tuple[Any, NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """One step of all episodes; where one ends the next one begins, and its last observation is in its info."""
        if self._shown is None:
            raise ArgumentError("step", "an environment that was never reset", "reset() first")
        model, before = self.model, self._shown
        acted = project(torch.from_numpy(self._actions.copy()), model.action_bound)
        z = model.encode(before)
        after = self._step(z, acted.to(z.vectors))
        shown = observation_after(model, before, after, self._starts.attached)
        _check_finite(shown)
        gained = self._gained(before, acted, shown, z, after)
        ended = self._ends(shown)
        self._steps += 1
        self._returns += gained
        truncated = (self._steps >= self.horizon) & ~ended
        done = ended | truncated
        infos: list[dict[str, Any]] = [{"TimeLimit.truncated": False} for _ in range(self.num_envs)]
        self._shown = shown
        if done.any():
            self._begin_again(np.flatnonzero(done), infos, ended, truncated)
        return _copied(self._shown), gained.astype(np.float32), done, infos

    def _begin_again(
        self,
        which: NDArray[np.int64],
        infos: list[dict[str, Any]],
        ended: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
    ) -> None:
        seconds = round(time.perf_counter() - self._began, 6)
        for row in which:
            told = {"r": float(self._returns[row]), "l": int(self._steps[row]), "t": seconds}
            infos[row] = {
                "TimeLimit.truncated": bool(truncated[row]),
                "terminal_observation": _copied(rows_of(self._shown, int(row))),
                "episode": told,
            }
            if self.terminated is not None:
                infos[row]["is_success"] = bool(ended[row])
        fresh = self._starts.draw(self._rng, len(which))
        _write(self._shown, which, fresh)
        self._steps[which], self._returns[which] = 0, 0.0

    def _gained(
        self, before: Any, action: torch.Tensor, after: Any, z: Features, next_z: Features
    ) -> NDArray[np.float64]:
        """The reward `(B,)`."""
        if callable(self.reward):
            found = np.asarray(self.reward(before, action.numpy(), after), np.float64)
        else:
            goal = self.model.encode_goal(before)
            found = -self._costs(next_z, action, goal)
            if self.reward == "progress":
                found = found + self._costs(z, action, goal)
        if found.shape != (self.num_envs,):
            raise ArgumentError("reward", f"shape {found.shape}", f"shape ({self.num_envs},)")
        if not np.isfinite(found).all():
            raise SimulationError("the reward of an imagined step is not finite")
        return found

    def _costs(self, z: Features, action: torch.Tensor, goal: Features) -> NDArray[np.float64]:
        acted = action.to(z.vectors)[None, :, None]
        found = torch.as_tensor(self._cost(z[None, :, None], acted, goal[None, :, None]))
        return found.double().cpu().reshape(-1).numpy()

    def _ends(self, shown: Any) -> NDArray[np.bool_]:
        if self.terminated is None:
            return np.zeros(self.num_envs, bool)
        found = np.asarray(self.terminated(shown))
        if found.shape != (self.num_envs,) or found.dtype.kind != "b":
            got = f"shape {found.shape}, dtype {found.dtype}"
            raise ArgumentError("terminated", got, f"bools of shape ({self.num_envs},)")
        return found

    # --- the protocol of VecEnv ----------------------------------------------------------------------

    def close(self) -> None:
        """Nothing to be closed."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """An attribute, the same for all."""
        value = getattr(self, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute, of all."""
        setattr(self, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """Refused: there is one model, and no environments that have methods.

        Raises:
            AttributeError: always.
        """
        raise AttributeError(f"{type(self).__name__} has no environments with {method_name!r}")

    def env_is_wrapped(self, wrapper_class: type[gym.Wrapper], indices: Any = None) -> list[bool]:
        """Whether returns are monitored, which they are; nothing else wraps what is imagined."""
        monitored = wrapper_class.__name__ == "Monitor"
        return [monitored for _ in self._get_indices(indices)]

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """None: nothing is drawn."""
        return [None for _ in range(self.num_envs)]


def _copied(observation: Any) -> Any:
    if isinstance(observation, Mapping):
        return {name: np.array(array) for name, array in observation.items()}
    return np.array(observation)


def _write(observation: Any, which: NDArray[np.int64], rows: Any) -> None:
    if isinstance(observation, Mapping):
        for name, array in observation.items():
            array[which] = rows[name]
    else:
        observation[which] = rows


def _check_finite(observation: Any) -> None:
    parts = observation.items() if isinstance(observation, Mapping) else [("observation", observation)]
    for name, array in parts:
        if not np.isfinite(array).all():
            row = int(np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(1))[0])
            raise SimulationError(
                f"{name} of imagined episode {row} is not finite: a shorter horizon, or more data"
            )
