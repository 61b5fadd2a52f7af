"""A planner over a world model as a policy with stable-baselines3's `predict`, decided in the frame at the door."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from equiworld.arguments import flag, instance, integer
from equiworld.devices import usable_device
from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.models import WorldModel
from equiworld.planners.allowed import blank_action, check_task, held, planning_bounds, reasons
from equiworld.planners.captured import CapturedCalls
from equiworld.planners.cem import CEM
from equiworld.planners.memory import PolicyState
from equiworld.planners.planner import Planner
from equiworld.planners.planning import seeded_generators
from equiworld.planners.posing import posed
from equiworld.planners.prior import imagined
from equiworld.planners.problem import Plan, Problem
from equiworld.planners.recorded import RecordedDynamics
from equiworld.planners.saving import load_settings, save_settings, settings_as_text
from equiworld.symmetry import Canonical, Door
from equiworld.symmetry.batches import as_batch, rows_of
from equiworld.symmetry.field import Array
from equiworld.symmetry.framed import Framed
from equiworld.symmetry.holding import action_origin, moved
from equiworld.symmetry.limits import Limits, bounds_in_world
from equiworld.tasks import Task, task_of

__all__ = ["MPCPolicy"]

_MADE = ("_captured", "_cost", "_predict", "_propose")
_DTYPES = {"float32": torch.float32, "float64": torch.float64}


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
        planner: such as `CEM()`; the task's own if None, and `CEM()` where it names none.
        dtype: "float32" or "float64".
        seed: of the planner's noise.
        task: cost and proposals; those registered for the model's environment if None.
        prior: another policy with `predict`, of stable-baselines3 say, asked in the frame. What it would do, imagined
            in the model where that predicts all that it observes and else its action held on, is one of the plans that
            each decision starts from.
        door: whether to decide in the frame; without it planning goes on along the world's axes, exact nowhere.
        device: where model and planner compute, such as "cuda" or a torch.device. The door stays on the CPU, and the
            noise is drawn there: it is the same on every device.
        bound: of vectors in a box: the largest "ball" inside it, which turns; or the whole "box", which then cuts off
            what is turned out of it.

    Attributes:
        inexact: why decisions are exact in law only, in words; empty if they are exact wherever the frame is fixed.

    Raises:
        ArgumentError: an argument is wrong; actions have no bound; or cost or proposals name a direction of the world.
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
        device: str | torch.device = "cpu",
        bound: Literal["ball", "box"] = "ball",
    ) -> None:
        instance("model", model, WorldModel)
        if not isinstance(dtype, str) or dtype not in _DTYPES:
            raise ArgumentError("dtype", repr(dtype), "a floating dtype", tuple(_DTYPES))
        if not isinstance(bound, str) or bound not in ("ball", "box"):
            raise ArgumentError("bound", repr(bound), "how a box bounds a vector", ("ball", "box"))
        if prior is not None and not callable(getattr(prior, "predict", None)):
            raise ArgumentError("prior", type(prior).__name__, "a policy with predict(observation)")
        self.seed = integer("seed", seed)
        self.task = task_of(model.env_id) if task is None else task
        instance("task", self.task, Task)
        self.planner: Planner = self.task.planner or CEM() if planner is None else planner
        instance("planner", self.planner, Planner)
        self.dtype, self.prior, self.bound = _DTYPES[dtype], prior, bound
        self.device = usable_device(device, self.dtype)
        self.symmetry, self.latent = self.task.symmetry_of(model.declared), model.latent
        self.bounds = planning_bounds(model, bound)
        self._bounds_in_world = bounds_in_world(self.symmetry, self.bounds, bound)
        read = [*self.symmetry.state, *self.symmetry.goal, *filter(None, [self.symmetry.reference])]
        names = read if prior is None else None
        made = Door(self.symmetry, names, model.scales, model.single) if flag("door", door) else None
        self.door: Door | None = made
        self._blank, self._null_action = blank_action(self.symmetry, self.bounds, self.dtype, self.device)
        self._radius = next((one.radius for one in self.bounds if one.radius is not None), 1.0)
        check_task(self.task, model, self.symmetry, self._radius, door)
        self._free_generator = torch.Generator().manual_seed(self.seed % 2**63)
        with torch.inference_mode(False):
            self.model = copy.deepcopy(model).to(self.device, self.dtype).eval().requires_grad_(False)
            self._bind()

    def behind(self, door: Door, limits: Limits | None = None) -> MPCPolicy:
        """A copy that decides behind another door, of the model's fields, in an environment with these limits.

        Raises:
            ArgumentError: cost or proposals change with elements of the door's group.
        """
        made = copy.deepcopy(self)
        made.door = door
        made.symmetry = made.model.declared = door.symmetry
        check_task(made.task, made.model, made.symmetry, made._radius, True)
        if limits is not None and limits.bounds:
            made._bounds_in_world, made.model.action_space = limits.bounds, limits.space
        return made

    def _bind(self) -> None:
        """Make of the task what planning calls; not pickled, for functions made here cannot be."""
        self._cost = self.task.objective().bind(self.latent)
        self._predict = RecordedDynamics(self.model.stepper())
        self._captured = CapturedCalls() if self.device.type == "cuda" else None
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
            ArgumentError: it has a prior, which no file can hold, or its planner is not registered; nothing is written.
        """
        if self.prior is not None:
            raise ArgumentError("prior", type(self.prior).__name__, "a policy without one, to be saved")
        settings = {"seed": self.seed, "door": self.door is not None, "bound": self.bound}
        text = settings_as_text(self.planner, dtype=str(self.dtype).removeprefix("torch."), **settings)
        self.model.save(folder)
        return save_settings(folder, text)

    @staticmethod
    def load(
        folder: str | os.PathLike[str],
        task: Task | None = None,
        prior: Any = None,
        device: str | torch.device = "cpu",
    ) -> MPCPolicy:
        """Read what `save` wrote.

        Args:
            folder: that was written to.
            task, prior: as when it was made; the task that is registered for the model's environment if None.
            device: to plan on, whatever it was saved from.

        Raises:
            FileNotFoundError: no policy there.
            CheckpointError: a file is damaged, or of another version.
        """
        model, (planner, settings) = WorldModel.load(folder), load_settings(folder)
        return MPCPolicy(model, planner, task=task, prior=prior, device=device, **settings)

    @property
    def inexact(self) -> tuple[str, ...]:
        """See the class."""
        return reasons(self.door, self.planner, Limits(self._bounds_in_world, self.model.action_space))

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
            ArgumentError: the observation is of the wrong shape, dtype or fields, or not finite; the state is that of
                another number of environments, or not finite; or the prior's actions are misshapen or not finite.
        """
        with torch.inference_mode(False), torch.no_grad():
            observation, batched = as_batch(self.symmetry, observation)
            now, size = action_origin(self.symmetry, observation), len(self._blank)
            shape = (self.planner.n_carried, self.planner.horizon, size)
            memory = PolicyState.recalled(state, episode_start, now, shape)
            deciding = np.flatnonzero((memory.steps == 0) | (memory.steps >= self.model.action_repeat))
            if len(deciding):
                self._decide(observation, deciding, memory, flag("deterministic", deterministic))
                memory.origin[deciding] = now[deciding]
                memory.steps[deciding] = 0
                memory.decisions[deciding] += 1
            actions = held(memory, self.symmetry, now, self._bounds_in_world, self.model.action_space)
            memory.steps[:] += 1
        return (actions if batched else actions[0]), memory

    def plan(self, observation: Any, seed: int | None = None) -> Plan:
        """Plan afresh for one observation or a stack of them, without memory, in the world; for looking at plans."""
        with torch.inference_mode(False), torch.no_grad():
            observation, _ = as_batch(self.symmetry, observation)
            envs = len(action_origin(self.symmetry, observation))
            nothing = np.zeros((envs, 1, self.planner.horizon, len(self._blank)))
            inside = self._entered(observation, nothing, self.symmetry.group.identity(envs), range(envs))
            chosen = self.seed if seed is None else integer("seed", seed)
            found = self._planned(inside, seeded_generators(chosen, [0] * envs))
            (carried,), way = inside.leave(found.carried.cpu())
            turned = torch.from_numpy(moved(self.symmetry, way.element, carried)).to(self.dtype)
            well = (torch.from_numpy(each) for each in (way.degeneracy, way.margin))
            return Plan(turned[:, 0], found.cost.cpu(), turned, found.iterations, *well)

    def _decide(
        self, observation: Any, deciding: NDArray[np.int64], memory: PolicyState, deterministic: bool
    ) -> None:
        """Plan for some of the environments, and write what comes of it to the memory."""
        decisions = memory.decisions[deciding].tolist()
        generators = [self._free_generator] * len(decisions)
        if deterministic:
            generators = seeded_generators(self.seed, decisions)
        before, shifted = memory.shifted(deciding, self.symmetry.group)
        fresh = [row for row, count in enumerate(decisions) if not count]  # episodes that begin have no past
        inside = self._entered(rows_of(observation, deciding), shifted, before, fresh)
        found = self._planned(inside, generators)
        (carried,), way = inside.leave(found.carried.cpu())
        memory.keep(deciding, carried, moved(self.symmetry, way.element, carried[:, 0, 0]), way)

    def _entered(self, observation: Any, plans: Array, before: GroupElement, fresh: Sequence[int]) -> Framed:
        """Observations and plans in the frames of now; as they are, without the door."""
        groups = (seen_by := self.model.symmetry).state, tuple(seen_by.goal)
        if self.door is not None:
            inside = self.door.bring(observation, groups, plans, before, self.prior is not None, seen_by)
        else:
            found = Canonical.unmoved(self.symmetry, observation, len(plans))
            inside = Framed.seen(seen_by, found, groups, plans)
        if fresh:
            inside.plans[list(fresh)] = self._blank
        return inside

    def _planned(self, inside: Framed, generators: Sequence[torch.Generator]) -> Plan:
        """The plan, in the frames of now, on the device."""
        z, goal, plans = posed(self.model, inside)
        if self.prior is not None:
            made = imagined(self.prior, self.model, self.planner.horizon, inside.observation, z)
            plans = torch.cat([plans, made[:, None]], 1)
        problem = Problem(
            state=z,
            predict=self._predict,
            cost=self._cost,
            size=len(self._blank),
            bounds=self.bounds,
            goal=goal,
            null_action=self._null_action,
            propose=self._propose,
            captured=self._captured,
        )
        return self.planner.plan(problem, generators, plans)
