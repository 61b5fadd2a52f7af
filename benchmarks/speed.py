"""How fast are a PushT step, the group-action wrapper, and a planning decision?"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch

from equiworld.benchmarks.stages import ENV
from equiworld.envs import GroupAction
from equiworld.groups import SE2
from equiworld.models import WorldModel
from equiworld.planners import CEM, MPCPolicy
from equiworld.results import make_result, write_json

__all__ = ["SpeedConfig", "run"]

BLOCK = 50  # calls timed together, so that the clock itself does not count


@dataclass(frozen=True)
class SpeedConfig:
    """How often things are timed.

    Attributes:
        out: folder for `speed.json`.
        seed: of actions and models.
        quick: a small version.
        repeats: interleaved rounds; medians over them are reported.
    """

    out: Path = Path("runs/speed")
    seed: int = 0
    quick: bool = False
    repeats: int = 60

    def reduced(self) -> SpeedConfig:
        """The small version, if asked for."""
        return replace(self, repeats=5) if self.quick else self


def run(config: SpeedConfig) -> dict[str, Any]:
    """Time everything in turn, on one thread; write `speed.json`."""
    began = time.perf_counter()
    config = config.reduced()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = [*_steps(config), *_decisions(config)]
    finally:
        torch.set_num_threads(threads)
    result = make_result("speed", asdict(config), rows, time.perf_counter() - began)
    write_json(config.out / "speed.json", result)
    return result


def _steps(config: SpeedConfig) -> list[dict[str, Any]]:
    """Environment steps that push the block, the same targets for all, in turn."""
    import gym_pusht  # noqa: F401  registers gym_pusht/PushT-v0

    g = SE2().rotation(2.1)

    def stock() -> gym.Env:
        return gym.make("gym_pusht/PushT-v0", obs_type="state", disable_env_checker=True)

    envs = {
        "stock": stock(),
        "stock in GroupAction": GroupAction(stock(), g),
        "ours": gym.make(ENV, disable_env_checker=True),
        "ours in GroupAction": GroupAction(gym.make(ENV, disable_env_checker=True), g),
    }
    rng = np.random.default_rng(config.seed)
    times: dict[str, list[float]] = {name: [] for name in envs}
    for _ in range(config.repeats):
        push = rng.normal(size=2) * 30.0
        for name, env in envs.items():
            env.reset(seed=int(config.seed))
            # The same push for all: a target for gym-pusht's own, a displacement for ours.
            action: Any = np.array([256.0, 256.0]) + push if name.startswith("stock") else push * 0.2
            if isinstance(env, GroupAction):
                action = env.symmetry.transform_action(g, action)
            times[name].append(_seconds(partial(env.step, action)))
    over = [
        {
            "what": f"GroupAction over the bare environment, {name}",
            "ratio": float(np.median(np.array(times[f"{name} in GroupAction"]) / np.array(times[name]))),
            "repeats": config.repeats,
        }
        for name in ("stock", "ours")
    ]
    return [_row(f"step, {name}", values, times["stock"]) for name, values in times.items()] + over


def _decisions(config: SpeedConfig) -> list[dict[str, Any]]:
    env = gym.make(ENV, disable_env_checker=True)
    observation, _ = env.reset(seed=config.seed)
    rows = []
    for family in ("state", "state-steerable"):
        for dtype in ("float32", "float64"):
            model = WorldModel.for_env(env, family, seed=config.seed)
            model.action_repeat = 2
            policy = MPCPolicy(model, CEM(), dtype=dtype, seed=config.seed)  # type: ignore[arg-type]
            # Without memory every call decides.
            times = [_seconds(partial(policy.predict, observation), calls=3) for _ in range(config.repeats)]
            rows.append({**_row(f"decision, {family}", times), "dtype": dtype, "threads": 1})
    return rows


def _seconds(call: Callable[[], object], calls: int = BLOCK) -> float:
    began = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - began) / calls


def _row(what: str, seconds: list[float], against: list[float] | None = None) -> dict[str, Any]:
    row = {
        "what": what,
        "median_ms": 1e3 * float(np.median(seconds)),
        "minimum_ms": 1e3 * min(seconds),
        "per_second": 1.0 / float(np.median(seconds)),
        "repeats": len(seconds),
    }
    if against is not None:
        row["ratio"] = float(np.median(np.array(against) / np.array(seconds)))
    return row
