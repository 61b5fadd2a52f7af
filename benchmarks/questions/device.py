"""How many decisions a second on each device, and are they the same?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, panels
from equiworld.benchmarks.suite.question import Question
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.timing import TIMES, race, summary
from equiworld.benchmarks.worlds.rule import SYMMETRY, TASK, fresh_model, observations, turned_apart
from equiworld.devices import available_devices, processor_name, usable_device
from equiworld.planners import CEM, MPPI, MPCPolicy, Planner, RecordedDynamics
from equiworld.planners.captured import CapturedCalls, capture
from equiworld.planners.planning import seeded_generators
from equiworld.planners.problem import Problem
from equiworld.planners.search import Search
from equiworld.symmetry import Features

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Device"]

Costs = Callable[[Tensor], Tensor]

PARTS = ("decision", "agreement", "orbit", "rollout")
PLANNERS: dict[str, Planner] = {"CEM": CEM(), "MPPI": MPPI()}
AS_IT_IS, GRAPH, COMPILED = "rollout as it is", "rollout as a CUDA graph", "rollout compiled"
_MOST_ROWS = 2**18  # that are rolled out at a time on an accelerator
_AGREEING = 64  # environments in which devices are compared, at most


@dataclass(frozen=True)
class Device(Question):
    """Decisions in a world without a simulator, their rollouts alone, devices side by side, and orbits on each.

    Attributes:
        devices: by name; all that torch finds here if empty.
        envs: how many environments are decided for at a time.
        decisions: timed for each, the median counts.
        seconds: after which no further decision of one size is timed; one is at least.
        elements: of the group, at which closed loops are compared.
        steps: of those.
        compiled: also time torch.compile of a rollout, which takes a minute to compile.
    """

    devices: tuple[str, ...] = ()
    envs: tuple[int, ...] = (1, 64, 4096)
    decisions: int = 50
    seconds: float = 6.0
    elements: int = 16
    steps: int = 5
    compiled: bool = False

    name = "device"
    title = "How many decisions a second on each device, and are they the same?"
    timed = True
    closed = True
    worlds = ("rule",)
    arms = (*PLANNERS, AS_IT_IS, GRAPH, COMPILED)
    choosing = ("devices", "envs", "compiled")
    small: ClassVar[Mapping[str, Any]] = {
        "envs": (1, 8),
        "decisions": 3,
        "seconds": 1.0,
        "elements": 4,
        "steps": 2,
    }
    measures: ClassVar[Mapping[str, Measure]] = {
        "processor": Measure("", "the device's model"),
        **TIMES,
        "per_second": Measure("1/s", "environments decided for, a second", log=True),
        "planning_ms": Measure("ms", "the planner's part of a decision, from states on the device", log=True),
        "largest_deviation": Measure("1", "of a cost from that of the rollout as it is", log=True),
        "reason": Measure("", "why a way of rolling out fails here"),
        "same_noise": Measure("", "whether noise is the CPU's to the bit"),
        "median_apart_px": Measure("px", "median distance of an action from the CPU's", log=True),
        "most_apart_px": Measure("px", "the largest", log=True),
        "beyond_1e-3_px": Measure("1", "share of actions that are farther than 1e-3 px from the CPU's"),
        "action_px": Measure("px", "farthest that an action at g·s is from g·(that at s)", log=True),
        "path_px": Measure("px", "farthest that agent or block is in the loop from g·s", log=True),
    }

    def points(self, world: str, arm: str) -> Iterator[Mapping[str, Any]]:
        """What is asked on each device, the CPU last, which takes longest."""
        for device in [str(usable_device(name)) for name in self.devices or available_devices()][::-1]:
            kind = torch.device(device).type
            if arm in PLANNERS:
                yield from ({"device": device, "part": "decision", "envs": envs} for envs in self.envs)
                near = max((envs for envs in self.envs if envs <= _AGREEING), default=_AGREEING)
                yield {"device": device, "part": "agreement", "envs": near}
                for dtype in ("float32", "float64") if kind != "mps" else ("float32",):
                    yield {"device": device, "part": "orbit", "dtype": dtype}
                continue
            # On the CPU rollouts go in chunks: no call is as large as the last.
            sizes = self.envs if kind == "cuda" else [envs for envs in self.envs if envs <= _AGREEING]
            if arm == COMPILED:
                sizes = sizes[:2][-1:] if self.compiled else ()
            if arm != GRAPH or kind == "cuda":
                yield from ({"device": device, "part": "rollout", "envs": envs} for envs in sizes)

    def depends(self, cell: Cell) -> Mapping[str, Any]:
        """Which device that is."""
        return {"processor": _processor(cell.point["device"])}

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """The row of a part."""
        ways = dict(zip(PARTS, (self._decision, self._agreement, self._orbit, self._rollout), strict=True))
        return [{"processor": _processor(cell.point["device"]), **ways[cell.point["part"]](cell)}]

    def _decision(self, cell: Cell) -> Row:
        """A decision, and of it the planning alone, from states on the device."""
        planner, envs, policy = PLANNERS[cell.arm], cell.point["envs"], _policy(cell)
        seen = observations(envs, cell.seed)
        problem = _problem(policy, seen)
        calls: dict[str, Callable[[int], object]] = {
            "whole": lambda _: policy.predict(seen),
            "planning": lambda _: planner.plan(problem, seeded_generators(cell.seed, range(envs))),
        }
        times = race(calls, self.decisions, limit=2 * self.seconds, device=cell.point["device"])
        row = summary(times["whole"])
        planning = float(np.median(times["planning"]))
        return {**row, "per_second": 1e3 * envs / row["median_ms"], "planning_ms": planning}

    def _orbit(self, cell: Cell) -> Row:
        """Closed loops from s and from g·s, on this device."""
        policy, rng = _policy(cell, cell.point["dtype"]), np.random.default_rng([cell.seed, 62])
        g = SYMMETRY.group.sample(rng, self.elements, scale=100.0)
        return turned_apart(policy, observations(4, cell.seed), g, self.steps)

    def _agreement(self, cell: Cell) -> Row:
        """The noise and the actions of this device beside the CPU's."""
        planner, seen = PLANNERS[cell.arm], observations(cell.point["envs"], cell.seed)
        policies, noise = [_policy(cell, device="cpu"), _policy(cell)], []
        for problem in (_problem(policy, seen) for policy in policies):
            generators = seeded_generators(cell.seed, range(problem.envs))
            search = Search(problem, planner, generators, problem.blank(planner.horizon)[:, None])
            noise.append(search.drawn((planner.horizon, planner.samples, problem.size), Tensor.normal_).cpu())
        near, far = (policy.predict(seen)[0] for policy in policies)
        apart = np.linalg.norm(near - far, axis=-1)
        return {
            "same_noise": torch.equal(*noise),
            "median_apart_px": float(np.median(apart)),
            "most_apart_px": float(apart.max()),
            "beyond_1e-3_px": float((apart > 1e-3).mean()),
        }

    def _rollout(self, cell: Cell) -> Row:
        """Rolling out and costing the candidates of one iteration of CEM; or the reason why this way fails here."""
        device, count = cell.point["device"], min(cell.point["envs"] * CEM().samples, _MOST_ROWS)
        generator = torch.Generator().manual_seed(cell.seed)
        given = (30.0 * torch.randn(CEM().horizon, count, 2, generator=generator)).to(device)
        rollout = _costs(cell.seed, device, count)
        with torch.no_grad():
            expected = rollout(given)
            try:
                call = WAYS[cell.arm](rollout, given)
                apart = float((call(given) - expected).abs().max())
                times = race({"": lambda _: call(given)}, self.decisions, limit=self.seconds, device=device)
            except Exception as error:  # whatever a compiler or a driver says is what there is to report
                return {"reason": f"{type(error).__name__}: {str(error).strip()[:200]}"}
        return {**summary(times[""]), "largest_deviation": apart}

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """Decisions a second against environments."""
        asked = [
            {**row, "arm": f"{row['arm']}, {row['device']}"} for row in rows if row["part"] == "decision"
        ]
        return panels(asked, [Panel("decisions a second", "envs", "per_second", "environments", log="xy")])


def _processor(device: str) -> str:
    """The model name of a device."""
    cuda = torch.device(device).type == "cuda"
    return torch.cuda.get_device_name(device) if cuda else processor_name()


def _policy(cell: Cell, dtype: str = "float32", device: str | None = None) -> MPCPolicy:
    model, planner, device = fresh_model(cell.seed), PLANNERS[cell.arm], device or cell.point["device"]
    return MPCPolicy(model, planner, dtype, cell.seed, TASK, device=device)  # type: ignore[arg-type]


def _problem(policy: MPCPolicy, seen: Any) -> Problem:
    """What a policy would plan for, as it is seen."""
    z, goal = policy.model.encode(seen), policy.model.encode_goal(seen)
    cost = policy.task.objective().bind(policy.latent)
    captured = CapturedCalls() if policy.device.type == "cuda" else None  # as policies do
    return Problem(
        z, RecordedDynamics(policy.model.stepper()), cost, 2, policy.bounds, goal, captured=captured
    )


def _costs(seed: int, device: str, count: int) -> Costs:
    """Costs `(count,)` of actions `(H, count, 2)`, from one state."""
    model, seen = fresh_model(seed).to(device).eval(), observations(1, seed)
    z = model.encode(seen).to(device=device).map(lambda part: part.repeat(count, *[1] * (part.ndim - 1)))
    goal = model.encode_goal(seen).to(device=device)
    step, cost = model.stepper(), TASK.objective().bind(SYMMETRY)

    def rollout(actions: Tensor) -> Tensor:
        state, states = z, []
        for action in actions.unbind():
            state = step(state, action)
            states.append(state)
        return cost(Features.stack(states), actions, goal[None]).mean(0)

    return rollout


def _replayed(call: Costs, given: Tensor) -> Costs:
    """The same as one launch, for inputs of this shape."""
    graph = capture(call, [given])
    if graph is None:
        raise RuntimeError("it cannot be captured")
    return graph


WAYS: dict[str, Callable[[Costs, Tensor], Costs]] = {
    AS_IT_IS: lambda call, given: call,
    GRAPH: _replayed,
    COMPILED: lambda call, given: torch.compile(call),
}
