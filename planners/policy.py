"""A planner over a world model as a policy with stable-baselines3's `predict`, decided in the frame at the door."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from equiworld.planners.cem import CEM
from equiworld.planners.memory import PolicyState
from equiworld.planners.planner import Planner
from equiworld.planners.planning import seeded_generators
from equiworld.planners.problem import Plan, Problem, project
from equiworld.planners.registry import planner_from_dict, planner_to_dict
from equiworld.planners.tasks import Task, task_of
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from equiworld.arguments import integer
from equiworld.errors import ArgumentError, CheckpointError
from equiworld.files import write_atomically
from equiworld.groups import GroupElement
from equiworld.models import WorldModel
from equiworld.symmetry import Bound, Canonical, Door
from equiworld.symmetry.fields import leaves
from equiworld.symmetry.holding import held_action, origin_of
from equiworld.symmetry.validation import check_leading

__all__ = ["MPCPolicy"]

_FILE = "policy.json"
_MADE = ("_cost", "_predict", "_propose")
_DTYPES = {"float32": torch.float32, "float64": torch.float64}
_BEYOND_ROUNDING = 1e-6  # share of an action that a clip must move to be more than rounding


class MPCPolicy:
    """Model-predictive control, a drop-in for a stable-baselines3 policy, that turns with the world.

    What is observed is brought into its frame in float64 and snapped to a grid; the plan is made there, and its first
    action brought back (see `equiworld.symmetry.Door`). So the same is decided at s and at g·s whatever model and
    planner are; cost and bounds have to be invariant, which is tried at construction.

    One decision plans H actions of the model, each spanning the `action_repeat` environment steps that the model was
    trained with; the first is held that long, then the plan, shifted, starts the next decision. The same seed,
    observations and decision count give the same action; bits may change with the batch's size and torch's threads.

    Args:
        model: a trained world model; the policy works on a copy in its own dtype.
        planner: such as `CEM()`.
        dtype: "float32" or "float64".
        seed: of the planner's noise.
        task: cost and proposals; those registered for the model's environment if None.
        prior: another policy with `predict`, of stable-baselines3 say, asked in the frame. What it would do, imagined
            in the model where that predicts all that it observes and else its action held on, is one of the plans that
            each decision starts from.
        door: whether to decide in the frame; without it planning goes on along the world's axes, exact nowhere.
        device: "cpu".
        bound: of vectors in a box: the largest "ball" inside it, which turns; or the whole "box", which then cuts off
            what is turned out of it.

    Attributes:
        inexact: why decisions can be exact in law only, in words; empty if they are exact wherever the frame is fixed,
            which `PolicyState.degenerate` tells.

    Raises:
        ArgumentError: an argument is wrong; actions have no bound; or the task's cost or proposals name a direction of
            the world.
        UnknownNameError: no task is registered for the model's environment.

    >>> import equiworld.envs
    >>> import gymnasium as gym
    >>> env = gym.make("equiworld/PushT-v0")
    >>> policy = MPCPolicy(WorldModel.for_env(env, hidden=(16,)), CEM(samples=16), seed=0)
    >>> observation, _ = env.reset(seed=0)
    >>> action, state = policy.predict(observation)
    >>> action.shape, env.action_space.contains(action), state.degenerate, policy.inexact
    ((2,), True, array([False]), ())
    """

    def __init__(
        self,
        model: WorldModel,
        planner: Planner | None = None,
        dtype: Literal["float32", "float64"] = "float32",
        seed: int = 0,
        task: Task | None = None,
        prior: Any = None,
        door: bool = True,
        device: str = "cpu",
        bound: Literal["ball", "box"] = "ball",
    ) -> None:
        if dtype not in _DTYPES:
            raise ArgumentError("dtype", repr(dtype), "a floating dtype", tuple(_DTYPES))
        if torch.device(device).type != "cpu":
            raise ArgumentError("device", repr(device), "a device that planning works on", ("cpu",))
        if bound not in ("ball", "box"):
            raise ArgumentError("bound", repr(bound), "how a box bounds a vector", ("ball", "box"))
        if prior is not None and not callable(getattr(prior, "predict", None)):
            raise ArgumentError("prior", type(prior).__name__, "a policy with predict(observation), or None")
        self.seed = integer("seed", seed)
        self.dtype = _DTYPES[dtype]
        self.task = task or task_of(model.env_id)
        self.planner = planner or CEM()
        self.prior, self.bound, self._rounded = prior, bound, model.single
        self.symmetry, self.latent = model.symmetry, model.latent
        self.bounds = _planning_bounds(model, bound)
        # Positions are seen from the frame's origin, which stands at the centre; their balls are about it.
        absolute = any(leaf.kind == "points" for leaf in leaves(self.symmetry.action))
        self._bounds_in_world = tuple(
            replace(one, radius=None) if one.item is not None and (absolute or bound == "box") else one
            for one in self.bounds
        )
        self.door = self._make_door(model, model.single) if door else None
        self._coarse = self._make_door(model, True) if door else None
        self._null_action = self._make_null_action()
        self._radius = next((one.radius for one in self.bounds if one.radius is not None), 1.0)
        if door:
            self.task.check_invariance(self.latent, self._radius, model.action_repeat)
        self._free_generator = torch.Generator().manual_seed(self.seed % 2**63)
        with torch.inference_mode(False):
            self.model = copy.deepcopy(model).to(self.dtype).eval()
            self._bind()

    def _make_door(self, model: WorldModel, single: bool) -> Door:
        symmetry = self.symmetry
        names = [*symmetry.state, *symmetry.goal, *([symmetry.reference] if symmetry.reference else [])]
        return Door(symmetry, names if self.prior is None else None, model.scales, single)

    def _bind(self) -> None:
        """Make of the task what planning calls; not pickled, for functions made here cannot be."""
        self._cost = self.task.objective().bind(self.latent)
        self._predict = self.model.stepper()
        self._propose = self.task.proposal(self.latent, self._radius, self.model.action_repeat)

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in vars(self).items() if name not in _MADE}
        return state | {"_free_generator": self._free_generator.get_state()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._free_generator = torch.Generator()
        self._free_generator.set_state(state["_free_generator"])
        with torch.inference_mode(False):
            self._bind()

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the model and `policy.json`: planner, seed and other settings, but neither task nor prior.

        Raises:
            ArgumentError: it has a prior, which no file can hold.
        """
        if self.prior is not None:
            raise ArgumentError("prior", type(self.prior).__name__, "a policy without one, to be saved")
        folder = self.model.save(folder)
        settings = {
            "planner": planner_to_dict(self.planner),
            "dtype": str(self.dtype).removeprefix("torch."),
            "seed": self.seed,
            "door": self.door is not None,
            "bound": self.bound,
        }
        write_atomically(folder / _FILE, lambda file: file.write(json.dumps(settings, indent=2).encode()))
        return folder

    @staticmethod
    def load(folder: str | os.PathLike[str], task: Task | None = None, prior: Any = None) -> MPCPolicy:
        """Read what `save` wrote.

        Args:
            folder: that was written to.
            task: as when it was made; that registered for the model's environment if None.
            prior: likewise.

        Raises:
            FileNotFoundError: no policy there.
            CheckpointError: a file is damaged, or of another version.
        """
        path = Path(folder) / _FILE
        model = WorldModel.load(folder)
        try:
            settings = json.loads(path.read_text(encoding="utf-8"))
            planner = planner_from_dict(settings.pop("planner"))
            kinds = {"dtype": str, "seed": int, "door": bool, "bound": str}
            known = settings.get("dtype") in _DTYPES and settings.get("bound") in ("ball", "box")
            if not known or {name: type(value) for name, value in settings.items()} != kinds:
                raise ArgumentError("settings", settings, "a dtype, a seed, a door and a bound")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise CheckpointError(f"{path} is damaged, or of another version: {error}") from error
        return MPCPolicy(model, planner, task=task, prior=prior, **settings)

    @property
    def inexact(self) -> tuple[str, ...]:
        """See the class."""
        found = ["door=False: planned along the world's axes, exact nowhere"] if self.door is None else []
        used = self._coarse if self._rounded else self.door
        found += [] if used is None else used.inexact
        if self.planner.time_budget is not None:
            found.append("time_budget: how many iterations fit depends on the machine")
        turns = self.door is not None and self.door.turns
        if turns and np.dtype(self.model.action_space.dtype).itemsize < 8:
            found.append(
                f"actions are {self.model.action_space.dtype}: rounded in the world, equal in law only; an action space "
                "of float64 makes it exact"
            )
        if self.bound == "box" and self.bounds != self._bounds_in_world:
            found.append("box on a vector: what is turned out of it is cut off")
        return tuple(found)

    def predict(
        self,
        observation: NDArray[Any] | Mapping[str, NDArray[Any]],
        state: tuple[NDArray[Any], ...] | None = None,
        episode_start: ArrayLike | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[np.floating], PolicyState]:
        """The action to take.

        Args:
            observation: of one environment, or of B of them, stacked.
            state: what the last call returned; None at the beginning.
            episode_start: `(B,)` bool, where a new episode begins; all of them if `state` is None, none otherwise.
            deterministic: the same noise at the same decision of every episode; else fresh noise at each call.

        Returns:
            The action `(size,)` or actions `(B, size)`, within the action space and of its dtype, and the state to
            hand back.

        Raises:
            ArgumentError: the observation is of the wrong shape, dtype or fields, or not finite; or the state is
                that of another number of environments, or not finite.
        """
        with torch.inference_mode(False), torch.no_grad():
            batched = self._is_batched(observation)
            observation = self._stacked(observation, batched)
            now = self._origin(observation)
            size = self.symmetry.action.size(self.symmetry.dim)
            shape = (self.planner.n_carried, self.planner.horizon, size)
            memory = PolicyState.recalled(state, episode_start, now, shape)
            deciding = np.flatnonzero((memory.steps == 0) | (memory.steps >= self.model.action_repeat))
            if len(deciding):
                self._decide(observation, deciding, memory, deterministic)
                memory.origin[deciding] = now[deciding]
                memory.steps[deciding] = 0
                memory.decisions[deciding] += 1
            actions = self._held(memory, now)
            memory.steps[:] += 1
        return (actions if batched else actions[0]), memory

    def plan(self, observation: Any, seed: int | None = None) -> Plan:
        """Plan afresh for one observation or a stack of them, without memory, in the world; for looking at plans."""
        with torch.inference_mode(False), torch.no_grad():
            inside = self._entered(self._stacked(observation, self._is_batched(observation)))
            generators = seeded_generators(
                self.seed if seed is None else integer("seed", seed), [0] * len(inside.margin)
            )
            found = self.planner.plan(self._problem(inside.observation), generators)
            carried = torch.from_numpy(self._moved(inside.element, found.carried.double().numpy())).to(
                self.dtype
            )
            degeneracy, margin = (torch.from_numpy(each) for each in (inside.degeneracy, inside.margin))
            return replace(
                found, actions=carried[:, 0], carried=carried, degeneracy=degeneracy, margin=margin
            )

    # --- deciding ------------------------------------------------------------------------------------

    def _decide(
        self, observation: Any, deciding: NDArray[np.int64], memory: PolicyState, deterministic: bool
    ) -> None:
        """Plan for some of the environments, and write what comes of it to the memory."""
        chosen = (
            {name: array[deciding] for name, array in observation.items()}
            if isinstance(observation, dict)
            else observation[deciding]
        )
        inside = self._entered(chosen)
        problem = self._problem(inside.observation)
        counters = memory.decisions[deciding].tolist()
        if deterministic:
            generators = seeded_generators(self.seed, counters)
        else:
            generators = [self._free_generator] * len(counters)
        start = self._warm_start(problem, inside.element, memory, deciding)
        if self.prior is not None:
            start = torch.cat([start, self._imagined(inside.observation, problem.state)[:, None]], 1)
        carried = self.planner.plan(problem, generators, start).carried.double().numpy()
        memory.plan[deciding] = carried
        memory.rotation[deciding], memory.shift[deciding] = inside.element.matrix, inside.element.translation
        memory.action[deciding] = self._moved(inside.element, carried[:, 0, 0])
        memory.degenerate[deciding], memory.seam_margin[deciding] = inside.degenerate, inside.margin

    def _entered(self, observation: Any) -> Canonical:
        """The observation in its frame; as it is, without the door."""
        if self.door is not None and self._coarse is not None:
            arrays = observation.values() if isinstance(observation, dict) else [observation]
            rounded = any(array.dtype in (np.float32, np.float16) for array in arrays)
            self._rounded = self._rounded or rounded  # only to say so
            return (self._coarse if rounded else self.door).enter(observation)
        count = len(self._origin(observation))
        nothing = np.zeros(count)
        return Canonical(
            observation, self.symmetry.group.identity(count), nothing, nothing > 0, np.full(count, 0.5)
        )

    def _problem(self, observation: Any) -> Problem:
        """What to plan for observations in their frames."""
        z, goal = self.model.encode(observation), self.model.encode_goal(observation)
        return Problem(
            state=z,
            predict=self._predict,
            cost=self._cost,
            size=self.symmetry.action.size(self.symmetry.dim),
            bounds=self.bounds,
            goal=goal,
            null_action=self._null_action,
            propose=self._propose,
        )

    def _warm_start(
        self, problem: Problem, now: GroupElement, memory: PolicyState, deciding: NDArray[np.int64]
    ) -> Tensor:
        """The last plans, shifted by one action, in the frames of now; episodes that begin have no past."""
        last = memory.plan[deciding]
        shifted = np.concatenate([last[:, :, 1:], last[:, :, -1:]], 2)  # the last action is repeated
        if self.door is not None:
            before = GroupElement(self.symmetry.group, memory.rotation[deciding], memory.shift[deciding])
            shifted = self._moved(self.door.relative(before, now), shifted)
        start = torch.as_tensor(shifted, dtype=self.dtype)
        fresh = torch.from_numpy(memory.decisions[deciding] == 0)
        return torch.where(fresh[:, None, None, None], problem.blank(self.planner.horizon)[:, None], start)

    def _moved(self, element: GroupElement, actions: NDArray[np.float64]) -> NDArray[np.float64]:
        """ρ(g)·actions for a batch `(B,)` of elements and actions `(B, …, size)`."""
        batch, dim = actions.shape[:-1], self.symmetry.dim
        inner = (1,) * (len(batch) - 1)
        matrix = np.broadcast_to(element.matrix.reshape(-1, *inner, dim, dim), (*batch, dim, dim))
        shift = np.broadcast_to(element.translation.reshape(-1, *inner, dim), (*batch, dim))
        return self.symmetry.transform_action(GroupElement(element.group, matrix, shift), actions)  # type: ignore[return-value]

    def _held(self, memory: PolicyState, now: NDArray[np.float64]) -> NDArray[np.floating]:
        """The first action of each plan, asked for again from where its origin is now, within the action space."""
        name, space = self.symmetry.action_origin, self.model.action_space
        asked = (
            memory.action
            if name is None
            else held_action(self.symmetry, memory.action, {name: memory.origin}, {name: now})
        )
        asked = project(torch.from_numpy(asked.copy()), self._bounds_in_world).numpy()
        within = space.clip(asked)
        cut = np.abs(within - asked).max(-1, initial=0.0)
        memory.clipped[:] = cut > _BEYOND_ROUNDING * np.abs(asked).max(-1, initial=0.0)
        return within.astype(space.dtype)

    def _imagined(self, observation: Any, z: Any) -> Tensor:
        """What the prior would do, `(B, H, size)`."""
        symmetry, actions = self.symmetry, list[Tensor]()
        # Future observations can be rebuilt only if every field is in the state or the goal.
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

    def _make_null_action(self) -> Tensor | None:
        """Where absolute targets are looked for: about the frame's origin. None for actions that are relative."""
        symmetry, parts = self.symmetry, list[NDArray[Any]]()
        if not any(leaf.kind == "points" for leaf in leaves(symmetry.action)):
            return None
        for leaf in leaves(symmetry.action):
            here = (
                np.tile(symmetry.centre, leaf.count)
                if leaf.kind == "points"
                else np.zeros(leaf.size(symmetry.dim))
            )
            parts.append(here)
        return torch.from_numpy(np.concatenate(parts)).to(self.dtype)

    # --- what comes in -------------------------------------------------------------------------------

    def _origin(self, observation: Any) -> NDArray[np.float64]:
        """`(B, d)`, where the point is that actions are measured from."""
        if self.symmetry.action_origin is not None:
            return origin_of(self.symmetry, observation)
        first = observation if self.symmetry.flat else next(iter(observation.values()))
        return np.zeros((len(first), self.symmetry.dim))

    def _is_batched(self, observation: Any) -> bool:
        if self.symmetry.flat:
            return np.ndim(observation) > 1
        self.symmetry.observed(observation)
        return np.ndim(observation[next(iter(self.symmetry.observation))]) > 1

    def _stacked(self, observation: Any, batched: bool) -> Any:
        """Arrays with a leading axis, all finite, of one length; notices those that are rounded to float32."""
        named = dict(observation) if isinstance(observation, Mapping) else {"observation": observation}
        stacked = {
            name: np.asarray(value) if batched else np.asarray(value)[None] for name, value in named.items()
        }
        check_leading(stacked)
        for name, array in stacked.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                rows = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(1)).tolist()
                raise ArgumentError(name, f"NaN or infinity in row(s) {rows[:8]}", "finite numbers")
        return stacked if isinstance(observation, Mapping) else stacked["observation"]


def _planning_bounds(model: WorldModel, how: str) -> tuple[Bound, ...]:
    """The bounds of each part of an action, all of them closed."""
    bounds = model.action_space.circumscribed(model.action_bound) if how == "box" else model.action_bound
    if not bounds or any(bound.open for bound in bounds):
        raise ArgumentError(
            "model.action_bound",
            "actions without limits" if bounds else "nothing about which actions are allowed",
            "limits for each part of an action: train the model, which takes them from the data, or give the "
            "environment a finite action space (gymnasium.wrappers.RescaleAction, ClipAction)",
        )
    return bounds
