"""Collecting transitions from an environment, in parallel processes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.errors import ArgumentError, SimulationError
from equiworld.symmetry import Symmetry, symmetry_of
from equiworld.symmetry.holding import held_action
from equiworld.training.dataset import Dataset

__all__ = ["Exploration", "collect"]

BARREN = 1000
DTYPES = ("float64", "float32")
CHUNK = 2500  # transitions one task collects: small enough for a lively progress bar and cheap resuming


class Exploration(Protocol):
    """Where an environment's data is worth collecting; an env may offer one as its `exploration`.

    One that also has `goes_on(info)` ends an episode where that is false: no transition begins there.
    """

    action_repeat: int
    steps_per_start: int

    def start(self, rng: np.random.Generator) -> dict[str, Any]:
        """Options for `env.reset`."""

    def action(self, rng: np.random.Generator, observation: Any) -> NDArray[np.float64]:
        """An action worth trying."""


@dataclass(frozen=True)
class _Task:
    """One chunk; its result depends on these values alone, not on which process collects it."""

    spec: Any
    symmetry: Symmetry
    exploration: Exploration | None
    seed: int
    chunk: int
    transitions: int
    action_repeat: int
    steps_per_start: int
    dtype: str


def collect(
    env: gym.Env | str,
    transitions: int,
    seed: int = 0,
    *,
    exploration: Exploration | None = None,
    action_repeat: int | None = None,
    steps_per_start: int | None = None,
    workers: int | None = None,
    folder: str | os.PathLike[str] | None = None,
    progress: bool = False,
    dtype: Literal["float64", "float32"] = "float64",
) -> Dataset:
    """Collect transitions (s, a, s′) by exploring.

    Each chunk draws from a generator of its own, spawned from `seed`, so the data is the same bit for bit
    whatever the number of workers and whether or not the work was interrupted.

    Args:
        env: an environment made with `gym.make`, or its id. Workers make their own copies from its spec.
        transitions: how many.
        seed: of everything random.
        exploration: where to start and what to do; the environment's own `exploration` if it has one, else
            its resets and its action space's samples.
        action_repeat: environment steps between s and s′, the action's target held.
        steps_per_start: actions in one episode.
        workers: processes; as many as cores if None.
        folder: keep finished chunks here and, when called again, do not collect them again.
        progress: show a progress bar.
        dtype: that the numbers are kept in. float32 halves the memory, which counts for point clouds: a
            transition between two of 128 points takes 3 kB then.

    Raises:
        ArgumentError: an argument is out of range, or the environment cannot be made again.
        UnknownNameError: the environment, or its symmetry, is not registered.
        SimulationError: the environment raised, or returned something non-finite; chunks finished before are
            kept in `folder`.
    """
    counts = {"action_repeat": action_repeat, "steps_per_start": steps_per_start, "workers": workers}
    for name, count in ({"transitions": transitions} | counts).items():
        if count is not None and count < 1:
            raise ArgumentError(name, count, "a positive integer")
    if dtype not in DTYPES:
        raise ArgumentError("dtype", repr(dtype), "a floating dtype", DTYPES)
    symmetry = symmetry_of(env)  # first: its errors say what is registered
    instance = gym.make(env) if isinstance(env, str) else env
    if instance.spec is None:
        raise ArgumentError("env", repr(env), "an environment made with gym.make: workers make it again")
    if exploration is None:
        exploration = getattr(instance.unwrapped, "exploration", None)
    repeat = action_repeat or int(getattr(exploration, "action_repeat", 1))
    steps = steps_per_start or int(getattr(exploration, "steps_per_start", 50))
    tasks = [
        _Task(
            spec=instance.spec,
            symmetry=symmetry,
            exploration=exploration,
            seed=seed,
            chunk=i,
            transitions=min(CHUNK, transitions - i * CHUNK),
            action_repeat=repeat,
            steps_per_start=steps,
            dtype=dtype,
        )
        for i in range(-(-transitions // CHUNK))
    ]
    if isinstance(env, str):
        instance.close()
    return Dataset.concatenate(_run(tasks, workers, folder, progress))


def _run(
    tasks: list[_Task], workers: int | None, folder: str | os.PathLike[str] | None, progress: bool
) -> list[Dataset]:
    from joblib import Parallel, delayed
    from tqdm import tqdm

    calls = (delayed(_chunk)(task, None if folder is None else Path(folder)) for task in tasks)
    workers = min(workers or os.cpu_count() or 1, len(tasks))
    results = []
    total = sum(task.transitions for task in tasks)
    with tqdm(total=total, desc="collect", unit=" transitions", disable=not progress) as bar:
        for part in Parallel(n_jobs=workers, return_as="generator")(calls):
            results.append(part)
            bar.update(len(part))
    return results


def _chunk(task: _Task, folder: Path | None) -> Dataset:
    """Collect one chunk, or read it if it is there from an interrupted run with the same settings."""
    provenance = _provenance(task)
    path = None if folder is None else folder / f"chunk-{task.chunk:05d}.safetensors"
    if path is not None and path.exists():
        found = Dataset.load(path)
        settings = (provenance, task.action_repeat, task.symmetry, task.transitions, np.dtype(task.dtype))
        there = (found.provenance, found.action_repeat, found.symmetry, len(found), found.action.dtype)
        if there != settings:
            raise ArgumentError(
                "folder", f"{path}, collected with other settings", "an empty folder, or one of the same call"
            )
        return found
    rows = _explore(task)
    columns = [np.stack(column, dtype=task.dtype) for column in zip(*rows["numbers"], strict=True)]
    names = task.symmetry.state
    for name, column in zip((*names, "action", *names), columns, strict=True):
        if not np.isfinite(column).all():
            raise SimulationError(
                f"the environment {task.spec.id} gave NaN or infinity as {name} in chunk {task.chunk} "
                f"(seed {task.seed}); expected finite numbers"
            )
    data = Dataset(
        task.symmetry,
        dict(zip(names, columns, strict=False)),
        columns[len(names)],
        dict(zip(names, columns[len(names) + 1 :], strict=True)),
        np.array(rows["episode"], dtype=np.int64),
        task.action_repeat,
        provenance,
    )
    if path is not None:
        data.save(path)
    return data


def _explore(task: _Task) -> dict[str, list[Any]]:
    """The chunk's transitions, each (state arrays…, action, next state arrays…), and their episodes."""
    rng = np.random.default_rng([task.seed, task.chunk])
    env = gym.make(task.spec, disable_env_checker=True)
    env.action_space.seed(int(rng.integers(2**31)))
    numbers: list[list[NDArray[np.float64]]] = []
    episodes: list[int] = []
    goes_on = getattr(task.exploration, "goes_on", lambda info: True)
    barren = 0  # episodes in a row that ended before one action had been held to its end
    try:
        while len(numbers) < task.transitions:
            if barren == BARREN:
                raise ArgumentError("action_repeat", task.action_repeat, "less: no episode lasts that long")
            barren += 1
            episode = int(rng.integers(2**63 - 1))
            options = task.exploration.start(rng) if task.exploration else None
            observation, _ = env.reset(seed=int(rng.integers(2**31)), options=options)
            for _ in range(task.steps_per_start):
                if task.exploration:
                    action = task.exploration.action(rng, observation)
                else:
                    action = np.asarray(env.action_space.sample(), np.float64)
                before = _state(task, observation)  # copied: some environments reuse their arrays
                observation, info, ended, whole = _hold(env, task, action, observation)
                ended = ended or not goes_on(info)
                if whole:
                    numbers.append([*before, np.asarray(action, np.float64), *_state(task, observation)])
                    episodes.append(episode)
                    barren = 0
                if ended or len(numbers) == task.transitions:
                    break
    except Exception as error:
        raise SimulationError(
            f"the environment {task.spec.id} failed after {len(numbers)} transitions of chunk {task.chunk} "
            f"(seed {task.seed}): {type(error).__name__}: {error}; finished chunks are kept if a folder was given"
        ) from error
    finally:
        env.close()
    return {"numbers": numbers, "episode": episodes}


def _hold(
    env: gym.Env, task: _Task, action: NDArray[np.float64], observation: Any
) -> tuple[Any, dict[str, Any], bool, bool]:
    """Observation and info afterwards, whether the episode ended, and whether the action was held to its end."""
    now, info = observation, dict[str, Any]()
    for held in range(1, task.action_repeat + 1):
        now, _, terminated, truncated, info = env.step(held_action(task.symmetry, action, observation, now))
        if terminated or truncated:
            return now, info, True, held == task.action_repeat
    return now, info, False, True


def _state(task: _Task, observation: Any) -> list[NDArray[np.float64]]:
    if not task.symmetry.flat:
        return [np.array(observation[name], np.float64) for name in task.symmetry.state]
    array = np.array(observation, np.float64)
    segments = dict(task.symmetry.segments())
    return [array[segments[name]] for name in task.symmetry.state]


def _text(value: Any) -> str:
    """A value as Python reads it again, NumPy's numbers as plain ones."""
    return repr(value.item() if isinstance(value, np.generic) else value)


def _provenance(task: _Task) -> Mapping[str, Any]:
    from equiworld.results import versions

    settings = dict(vars(task.exploration)) if task.exploration else {}
    return {
        "environment": task.spec.id,
        "arguments": {key: _text(value) for key, value in task.spec.kwargs.items()},
        "seed": task.seed,
        "exploration": {key: repr(value) for key, value in settings.items()},
        "steps_per_start": task.steps_per_start,
        "versions": versions(),
    }
