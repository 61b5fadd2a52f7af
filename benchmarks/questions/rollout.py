"""How wrong do predictions become over many steps, and as wrong at every orientation?"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray

from equiworld.benchmarks.questions.trained import TrainedQuestion
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, panels
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds.world import World
from equiworld.groups import GroupElement
from equiworld.models import WorldModel
from equiworld.rollout import Policy, Replay, Start, rollout, stack
from equiworld.symmetry import Point, Symmetry, symmetry_of
from equiworld.symmetry.holding import held_action

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Rollout"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Rollout(TrainedQuestion):
    """Actions of the world's exploration, played by the simulator from s and, turned, from g·s, and imagined by models.

    Starts are in the trained slice, near contact; where the pushes lead, nothing keeps the body in it. Errors are of
    points of the body, where the simulator that began at g·s has them, so that all models are asked for the same.

    Attributes:
        horizons: H, actions after which predictions are compared.
        trajectories: at each element.
        orbit: elements, the identity first.
    """

    horizons: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    trajectories: int = 200
    orbit: int = 8

    name: ClassVar[str] = "rollout"
    title: ClassVar[str] = (
        "How wrong do predictions become over many steps, and as wrong at every orientation?"
    )
    worlds: ClassVar[tuple[str, ...]] = ("pusht", "cloudpush")
    arms: ClassVar[tuple[str, ...]] = ("equivariant", "steerable", "plain", "centred", "augmented")
    seeds: ClassVar[int] = 3
    coordinates: ClassVar[tuple[str, ...]] = ("dtype", "horizon")
    measures: ClassVar[dict[str, Measure]] = {
        "error": Measure(
            "px|m", "mean distance of the body's points, predicted and real, unturned", log=True
        ),
        "error_worst": Measure("px|m", "the same at the element where it is largest", log=True),
        "ratio_excess": Measure("1", "error_worst / error − 1: 0 is flat", log=True),
        "deviation": Measure(
            "px|m",
            "largest distance of a predicted point, at an element, from g·(where it is unturned)",
            log=True,
        ),
        "relative_error": Measure(
            "1", "Σ|predicted − real|² / Σ|real − first|², unturned; 1: no motion", log=True
        ),
        "relative_worst": Measure("1", "the same at the element where it is largest", log=True),
        "motion": Measure("px|m", "mean distance of the body's points from where they began"),
        "simulator": Measure(
            "px|m",
            "largest distance of a point in the simulator begun at g·s from g·(where it is from s)",
            log=True,
        ),
        "diverged": Measure(
            "1", "predictions that are not finite, at all elements; of such there are no errors"
        ),
    }
    small: ClassVar[dict[str, Any]] = {
        "horizons": (1, 4),
        "trajectories": 4,
        "orbit": 3,
        "transitions": 1_000,
    }

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """One, in worlds that say where their body is."""
        known = self.world(world)
        if type(known).body is World.body:
            known.body(None, {})
        return ({},)

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """A row for each dtype and horizon."""
        world, model = self.world(cell.world), self.model(cell, store)
        half_width = self.scale_in(world).half_width
        elements, repeat = world.orbit(self.orbit, cell.seed), model.action_repeat
        envs = [
            world.make(max_episode_steps=max(self.horizons) * repeat + 1, **world.loop_arguments(half_width))
            for _ in range(self.trajectories)
        ]
        try:
            played = _played(world, envs, half_width, elements, max(self.horizons), repeat, cell.seed)
        finally:
            for env in envs:
                env.close()
        rows = []
        for dtype in (torch.float64, torch.float32):
            made = copy.deepcopy(model).to(dtype).eval()
            with np.errstate(all="ignore"):  # plain models may leave the finite numbers
                guesses = [one.imagined(world, made) for one in played]
                apart, strayed = [], []
                for guess, one in zip(guesses, played, strict=True):
                    apart.append(np.linalg.norm(guess - one.body[1:], axis=-1))
                    strayed.append(_astray(one.g, guesses[0], guess, made.symmetry.centre))
            for horizon in self.horizons:
                found = _row(played, np.array(apart), np.array(strayed), horizon)
                rows.append({"dtype": str(dtype).removeprefix("torch."), "horizon": horizon, **found})
        return rows

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """Errors against the horizon, unturned and at the worst element, and how far their ratio is from 1."""
        double, label = [row for row in rows if row["dtype"] == "float64"], "actions"
        titles = {
            "error": "error, unturned",
            "error_worst": "error, worst orientation",
            "ratio_excess": "ratio − 1",
        }
        return panels(
            double, [Panel(title, "horizon", name, label, log="xy") for name, title in titles.items()]
        )


@dataclass(frozen=True)
class _Played:
    """N trajectories begun at one element.

    Attributes:
        g: the element.
        first: what was observed at first, batch shape `(N)`.
        actions: of models, turned, `(N, H, size)`.
        body: points of the body after 0 … H actions, `(H + 1, N, n, d)`.
        astray: largest distance after 0 … H actions of a point from g·(where it is unturned), `(H + 1,)`.
    """

    g: GroupElement
    first: Any
    actions: Array
    body: Array
    astray: Array

    def imagined(self, world: World, model: WorldModel) -> Array:
        """The points after 1 … H actions as a model has them, `(H, N, n, d)`."""
        with torch.inference_mode():
            state = model.encode(self.first)
            states = model.rollout(state, torch.from_numpy(self.actions).to(model.dtype))
        return world.imagined_body(model, state, states, self.body[0])


def _row(played: Sequence[_Played], apart: Array, strayed: Array, horizon: int) -> Row:
    """What is found after so many actions.

    Args:
        played: G of them.
        apart: distances of predicted points from real ones, `(G, H, N, n)`.
        strayed: largest distance of a predicted one from g·(where it is predicted unturned), `(G, H)`.
        horizon: actions.
    """
    moved = np.linalg.norm([one.body[horizon] - one.body[0] for one in played], axis=-1)  # (G, N, n)
    apart = apart[:, horizon - 1]
    row: Row = {
        "motion": float(moved[0].mean()),
        "simulator": float(max(one.astray[: horizon + 1].max() for one in played)),
        "diverged": int((~np.isfinite(apart).all(-1)).sum()),
    }
    if row["diverged"] or not moved.any():
        return row
    errors, relative = apart.mean((1, 2)), np.square(apart).mean((1, 2)) / np.square(moved).mean((1, 2))
    found = {
        "error": errors[0],
        "error_worst": errors.max(),
        "ratio_excess": errors.max() / errors[0] - 1,
        "deviation": strayed[:, :horizon].max(),
        "relative_error": relative[0],
        "relative_worst": relative.max(),
    }
    return row | {name: float(value) for name, value in found.items()}


def _astray(g: GroupElement, here: Array, there: Array, centre: Sequence[float]) -> Array:
    """After each of some steps the largest distance of points `(T, N, n, d)` from where g takes others: `(T,)`."""
    flat = here.reshape(*here.shape[:2], -1)
    wanted = Point(here.shape[-2]).transform(g, flat, centre).reshape(here.shape)
    return np.linalg.norm(there - wanted, axis=-1).max((-2, -1))


class _Exploring:
    """Explorations as one policy of N environments, each action's target held for some steps.

    Attributes:
        chosen: the actions that were chosen, `(N, size)` each.
        asked: what was asked for at each step, likewise.
    """

    def __init__(
        self,
        explorations: Sequence[Any],
        rngs: Sequence[np.random.Generator],
        symmetry: Symmetry,
        repeat: int,
    ) -> None:
        self.each, self.symmetry, self.repeat = list(zip(explorations, rngs, strict=True)), symmetry, repeat
        self.chosen, self.asked = list[Array](), list[Array]()
        self._before: Any = None

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> tuple[Array, None]:
        """The actions of all environments."""
        if len(self.asked) % self.repeat == 0:
            self._before = observation
            rows = [
                {name: array[row] for name, array in observation.items()} for row in range(len(self.each))
            ]
            actions = [one.action(rng, row) for (one, rng), row in zip(self.each, rows, strict=True)]
            self.chosen.append(np.array(actions))
        self.asked.append(held_action(self.symmetry, self.chosen[-1], self._before, observation))
        return self.asked[-1], None


def _played(
    world: World,
    envs: Sequence[gym.Env],
    half_width: float,
    elements: Sequence[GroupElement],
    horizon: int,
    repeat: int,
    seed: int,
) -> list[_Played]:
    """Explore from starts in the slice, then begin the simulator at g·s for each other element and replay g·actions."""
    symmetry, steps = symmetry_of(envs[0]), horizon * repeat
    rngs = [np.random.default_rng([seed, 51, index]) for index in range(len(envs))]
    explorations = [world.exploration(env, half_width) for env in envs]
    each = zip(explorations, rngs, strict=True)
    starts = [Start(index, one.start(rng)) for index, (one, rng) in enumerate(each)]
    explorer = _Exploring(explorations, rngs, symmetry, repeat)
    first, here = _recorded(world, explorer, envs, starts, steps, repeat)
    asked, chosen = np.array(explorer.asked), np.stack(explorer.chosen, 1)
    found = [_Played(elements[0], first, chosen, here, np.zeros(len(here)))]
    for g in elements[1:]:
        replay = Replay(list(symmetry.transform_action(g, asked)))
        turned = [world.turned(start, g) for start in starts]
        first, body = _recorded(world, replay, envs, turned, steps, repeat)
        astray = _astray(g, here, body, symmetry.centre)
        acted = np.asarray(symmetry.transform_action(g, chosen), np.float64)
        found.append(_Played(g, first, acted, body, astray))
    return found


def _recorded(
    world: World, policy: Policy, envs: Sequence[gym.Env], starts: Sequence[Start], steps: int, repeat: int
) -> tuple[Any, Array]:
    """What is observed first, batch shape `(N)`, and the body after each action, `(H + 1, N, n, d)`."""
    first, body = list[Any](), [list[Array]() for _ in envs]
    for step in rollout(policy, envs, starts, steps=steps, ends=lambda step: False):
        if not step.number:
            first.append(step.observation)
        if step.number % repeat == 0:
            body[step.env].append(world.body(step.observation, step.info))
    return stack(first), np.stack([np.array(each) for each in body], 1)
