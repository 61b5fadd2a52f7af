"""Is the decision at g·s to the bit the decision at s? Every planner, model and dtype, and random declarations."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

import equiworld.envs  # noqa: F401  registers the environments
from equiworld.benchmarks.door_bits import bits_row, counted, differing, observed, replayed
from equiworld.benchmarks.door_declarations import STATES, tried
from equiworld.benchmarks.door_loops import PEER, PLANNERS, loop_row, policy_of, round_starts, run_loops
from equiworld.benchmarks.parallel import in_parallel
from equiworld.benchmarks.stages import kept_rows, stage_folder
from equiworld.models import WorldModel
from equiworld.results import make_result, text_table, write_json
from equiworld.symmetry import Door, symmetry_of
from equiworld.training import Dataset, TrainingConfig, collect, train

__all__ = ["DoorConfig", "report", "run"]

PLANE, SPACE = "equiworld/PushT-v0", "equiworld/CloudPush-v0"
TARGETS = {"loop in the plane [px]": 1e-8, "loop in space [m]": 1e-9, "rate of unequal bits": 1e-5}
FAR = 1000.0  # [m], the longest shift in space


@dataclass(frozen=True)
class DoorConfig:
    """How much is tried.

    Attributes:
        out: folder for models, finished rows and `door.json`.
        seed: of everything random.
        quick: a small version whose numbers prove little.
        models: folders of trained models that are tried too: in the plane, plain ones included, or of clouds.
        planners: ours by name, and another library's if it is installed.
        dtypes: to plan in.
        elements: of each closed loop, none of them told.
        episodes: at each, half of them from whole numbers.
        steps: of each in the plane; half as many in space.
        pairs: (state, element) pairs whose bits are compared, for each of two kinds.
        declarations: drawn at random.
        labelled: likewise, about an axis, of finite groups, with fields that labels move.
        transitions: that the small models of this benchmark are trained on.
        workers: processes; as many as cores if None.
        progress: show progress bars.
    """

    out: Path = Path("runs/door")
    seed: int = 0
    quick: bool = False
    models: tuple[Path, ...] = ()
    planners: tuple[str, ...] = (*PLANNERS, PEER)
    dtypes: tuple[str, ...] = ("float32", "float64")
    elements: int = 16
    episodes: int = 4
    steps: int = 120
    pairs: int = 150_000
    declarations: int = 400
    labelled: int = 500
    transitions: int = 20_000
    workers: int | None = None
    progress: bool = True

    def reduced(self) -> DoorConfig:
        """The small version, if asked for."""
        if not self.quick:
            return self
        small = replace(self, planners=("CEM", "MPPI"), dtypes=("float32",), elements=2, episodes=2, steps=6)
        return replace(small, pairs=500, declarations=6, labelled=6, transitions=400)


def run(config: DoorConfig) -> dict[str, Any]:
    """Try everything, write `door.json` and return its content."""
    began = time.perf_counter()
    config = config.reduced()
    models = _models(config)
    jobs: list[tuple[Any, ...]] = [
        (config, _loops, str(folder), planner, dtype)
        for dtype in config.dtypes
        for planner in config.planners
        for folder in models
        if planner != PEER or _installed()
    ]
    # What is inexact by design, and the same policy with other noise: what "exact" is to be compared with.
    jobs += [(config, _loops, str(folder), "CEM, no door", "float32") for folder in models[:1]]
    jobs += [(config, _loops, str(folder), "CEM, other seed", "float32") for folder in models[:1]]
    jobs += [(config, _bits, kind) for kind in ("turned", "closed loops", "clouds")]
    for count, labels in ((config.declarations, False), (config.labelled, True)):
        step = max(1, count // 20)
        jobs += [
            (config, _declared, first, min(step, count - first), labels) for first in range(0, count, step)
        ]
    parts = in_parallel(partial(kept_rows, "door"), jobs, "door", config.workers, config.progress)
    settings = {**asdict(config), "targets": TARGETS, "planners": {k: asdict(v) for k, v in PLANNERS.items()}}
    settings["definitions"] = {
        "deviation": "largest distance of an observed point from g·(that of the unturned loop), all steps",
        "floor": "the same where the unturned loop's actions, turned, are replayed at g·s",
        "crossings": "episodes in which a decision at g·s was not the one at s, turned",
    }
    result = make_result(
        "door", settings, [row for part in parts for row in part], time.perf_counter() - began
    )
    write_json(config.out / "door.json", result, allow_nonfinite=True)
    return result


def _models(config: DoorConfig) -> list[Path]:
    """The models that were given, or small ones made here: trained, plain, and of clouds; and an untrained one."""
    found, made = list(config.models), [("untrained", PLANE, "state", 0)]
    if not config.models:
        made += [
            ("plain", PLANE, "mlp", 1500),
            ("trained", PLANE, "state", 1500),
            ("clouds", SPACE, "latent", 500),
        ]
    for name, env_id, family, steps in made:
        folder = stage_folder(
            config.out / "models", name, {"family": family, "steps": steps, "n": config.transitions}
        )
        found.append(folder)
        if (folder / "model.safetensors").exists():
            continue
        steps = min(steps, 20) if config.quick else steps
        env = gym.make(env_id, disable_env_checker=True)
        model = WorldModel.for_env(env, family, seed=config.seed)
        if steps:
            count = config.transitions // (4 if family == "latent" else 1)
            data: Dataset = collect(env, max(count, 200), 10_000 + config.seed, workers=1, progress=False)
            settings = TrainingConfig(steps=steps, encoder_steps=min(steps, 400), joint_steps=min(steps, 50))
            train(model, data, replace(settings, batch_size=512 if not config.quick else 64))
        model.save(folder)
        env.close()
    return found


def _loops(config: DoorConfig, folder: str, planner: str, dtype: str) -> list[dict[str, Any]]:
    """Closed loops of one planner over one model."""
    model = WorldModel.load(folder)
    space = model.symmetry.dim == 3
    name, _, variant = planner.partition(", ")
    policy = policy_of(model, name, dtype, config.seed, door=variant != "no door")
    rng = np.random.default_rng([config.seed, 3])
    if space:
        arguments: dict[str, Any] = {"points": 128}
        options: list[Mapping[str, Any]] = [{"seed": 8_000_000 + i} for i in range(config.episodes)]
        scale, steps = FAR, max(config.steps // 2, 2)
    else:
        arguments, scale, steps = {"walls": False}, 100.0, config.steps
        round_ones = round_starts(rng, config.episodes // 2)
        seeds = range(8_000_000, 8_000_000 + config.episodes - len(round_ones))
        options = [*({"state": start} for start in round_ones), *({"seed": seed} for seed in seeds)]
    envs = [gym.make(model.env_id, disable_env_checker=True, **arguments) for _ in options]
    elements = model.symmetry.group.sample(rng, config.elements, scale=scale)
    try:
        if variant == "other seed":
            return [
                _other_seed(
                    config, policy, policy_of(model, name, dtype, config.seed + 1), envs, options, steps
                )
            ]
        loop = run_loops(policy, envs, options, elements, steps)
    finally:
        for env in envs:
            env.close()
    what = {
        "model": Path(folder).name,
        "family": model.family,
        "planner": planner,
        "dtype": dtype,
        "steps": steps,
    }
    return [loop_row(loop, env=model.env_id, **what)]


def _other_seed(
    config: DoorConfig, policy: Any, other: Any, envs: list[gym.Env], options: list[Any], steps: int
) -> dict[str, Any]:
    """How far apart two policies come at g = identity that differ by the seed of their noise alone."""
    identity = policy.symmetry.group.identity(1)
    here = run_loops(policy, envs, options, identity, steps)
    there = run_loops(_Alternating(policy, other), envs, options, identity, steps)
    return loop_row(
        there, env=PLANE, model="", planner="CEM, other seed at g = identity", dtype="float32", steps=steps
    ) | {"floor": float(here.deviation.max())}


class _Alternating:
    """The first policy in the first run, the second in all that follow: a run begins without a state."""

    def __init__(self, first: Any, second: Any) -> None:
        self.policies, self.runs, self.symmetry = (first, second), 0, first.symmetry

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> Any:
        self.runs += state is None
        return self.policies[self.runs > 1].predict(observation, state, episode_start, deterministic)


def _bits(config: DoorConfig, kind: str) -> list[dict[str, Any]]:
    """Bits of canonical observations: of observations turned by hand, and of loops that the physics turned."""
    env_id = SPACE if kind == "clouds" else PLANE
    arguments: dict[str, Any] = {"points": 128} if kind == "clouds" else {"walls": False, "starts": "free"}
    envs = [gym.make(env_id, disable_env_checker=True, **arguments) for _ in range(2)]
    symmetry, rng = symmetry_of(envs[0]), np.random.default_rng([config.seed, 5])
    door = Door(symmetry, (*symmetry.state, *symmetry.goal), {"agent_vel": 100.0 if env_id == PLANE else 0.3})
    try:
        if kind != "closed loops":
            pairs = config.pairs if kind == "turned" else config.pairs // 30
            seen = observed(envs[0], rng, min(pairs, 2000))
            return [bits_row(door, symmetry, seen, pairs, rng, kind)]
        here, there, elements = replayed(envs, symmetry, rng, config.pairs)
    finally:
        for env in envs:
            env.close()
    first, second = door.enter(here), door.enter(there)
    rounding = symmetry.transform_observation(elements, here)
    apart = sum(
        (
            np.abs(rounding[name] - there[name]).clip(max=door.layout.step_of(name))
            / door.layout.step_of(name)
        ).sum(-1)
        for name in door.names
    )
    return [counted(kind, len(elements), differing(first, second), float(np.mean(apart)))]


def _declared(config: DoorConfig, first: int, count: int, labels: bool) -> list[dict[str, Any]]:
    """Declarations drawn at random."""
    verdicts = [tried(config.seed * 1_000_000 + seed, labels) for seed in range(first, first + count)]
    return [{"part": "declaration", "labelled": labels, **asdict(each)} for each in verdicts]


def _installed() -> bool:
    from importlib.util import find_spec

    return find_spec(PEER) is not None


def report(result: Mapping[str, Any]) -> str:
    """Loops, bits and declarations, a table each."""
    rows = result["rows"]
    loops = [row for row in rows if row["part"] == "loop"]
    bits = [row for row in rows if row["part"] == "bits"]
    drawn = {
        what: [row for row in rows if row["part"] == "declaration" and row["labelled"] == labels]
        for what, labels in (("plain", False), ("labelled", True))
    }
    columns = {
        name: name.replace("_", " ")
        for name in (
            "env",
            "family",
            "model",
            "planner",
            "dtype",
            "deviation",
            "floor",
            "crossings",
            "decisions",
        )
    } | {
        "degenerate": "degenerate",
        "success_unturned": "solved",
        "success_worst": "worst g",
        "moved": "moved",
    }
    counted = [
        {
            "declarations": f"{len(each)} {what}",
            "silently inexact": sum(bool(row["silent"]) for row in each),
            "refused": sum(row["refused"] is not None for row in each),
            "exact and unflagged": sum(len(row["exact"]) == len(STATES) for row in each),
            "exact in generic states": sum(STATES[0] in row["exact"] for row in each),
            "said to be inexact": sum(bool(row["inexact"]) for row in each),
        }
        for what, each in drawn.items()
    ]
    return "\n\n".join([text_table(loops, columns), text_table(bits), text_table(counted)])
