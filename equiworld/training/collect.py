"""Collecting transitions from an environment, in this process or in several."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
import numpy as np

from equiworld.arguments import flag, integer
from equiworld.errors import ArgumentError, EquiworldError, SimulationError
from equiworld.files import check_folder
from equiworld.symmetry import Symmetry, symmetry_of
from equiworld.symmetry.registry import make_env
from equiworld.symmetry.spaces import check_observation_space
from equiworld.training.actions import Actuation
from equiworld.training.dataset import Dataset
from equiworld.training.exploring import Chunk, Exploration, explore
from equiworld.training.given import acting_itself
from equiworld.training.provenance import collected_by
from equiworld.training.workers import UnfitForWorkers, cores, end_with, import_all, in_workers, pay

__all__ = ["collect"]

MOST = 10**10  # transitions: more than any memory holds
DTYPES = ("float64", "float32")
CHUNK = 2500  # transitions of one chunk: small enough for a lively progress bar and cheap resuming


def collect(
    env: gym.Env | str,
    transitions: int,
    seed: int = 0,
    *,
    symmetry: Symmetry | None = None,
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

    An action is recorded as the environment given was asked for it, within its action space. An exploration
    speaks the units of the environment inside all wrappers: its actions are projected into that one's action
    space, and mapped back through wrappers that clip or rescale. Where a wrapper changes actions in another way,
    only its starts are used, its actions are samples of the action space, and a warning says so.

    Args:
        env: an environment made with `gym.make`, or its id; "module:id" imports the module first, in workers too,
            which make their own copies from its spec. One that cannot be made again, such as with a wrapper that
            does not record its arguments, or in which something was set by hand, acts itself, in this process.
        transitions: how many.
        seed: of everything random.
        symmetry: how observations and actions transform; that which the environment carries or is registered with if
            None.
        exploration: where to start and what to do; the environment's own `exploration` if it has one, else
            its resets and its action space's samples.
        action_repeat: environment steps between s and s′, the action's target held.
        steps_per_start: actions in one episode.
        workers: processes. If None, this process alone, until it shows that as many as it may use processors would
            be done sooner.
        folder: keep finished chunks here and, when called again, do not collect them again.
        progress: show a progress bar.
        dtype: that the numbers are kept in. float32 halves the memory, which counts for point clouds: a
            transition between two of 128 points takes 3 kB then.

    Raises:
        ArgumentError: an argument is out of range; or the environment cannot be made again as it stands, and there
            are workers or a folder.
        UnknownNameError: the environment, or its symmetry, is not registered.
        SimulationError: the environment raised, or returned something non-finite, or the system killed a worker;
            chunks finished before are kept in `folder`.
    """
    transitions, seed = (
        integer("transitions", transitions, least=1, most=MOST),
        integer("seed", seed, least=0),
    )
    workers, action_repeat, steps_per_start = (
        None if count is None else integer(name, count, least=1)
        for name, count in (
            ("workers", workers),
            ("action_repeat", action_repeat),
            ("steps_per_start", steps_per_start),
        )
    )
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ArgumentError("dtype", repr(dtype), "a floating dtype", DTYPES)
    progress = flag("progress", progress)
    kept = None if folder is None else check_folder("folder", folder)
    symmetry = symmetry_of(env) if symmetry is None else symmetry  # first: its errors say what is registered
    if not isinstance(symmetry, Symmetry):
        raise ArgumentError("symmetry", symmetry, "a Symmetry, or None for the registered one")
    instance = make_env(env)
    try:
        check_observation_space(
            symmetry := symmetry.sized(instance.observation_space), instance.observation_space
        )
        if instance.spec is None:
            raise ArgumentError("env", repr(env), "an environment made with gym.make: workers make it again")
        if exploration is None:
            exploration = getattr(instance.unwrapped, "exploration", None)
        elif not all(callable(getattr(exploration, name, None)) for name in ("start", "action")):
            got = f"a {type(exploration).__name__}"
            raise ArgumentError("exploration", got, "an object with start(rng) and action(rng, observation)")
        given = None if isinstance(env, str) else acting_itself(instance, workers, kept)
        repeat = _action_repeat(instance, symmetry, exploration, action_repeat)
        steps = steps_per_start or getattr(exploration, "steps_per_start", 50)
        first = Chunk(
            spec=instance.spec,
            symmetry=symmetry,
            exploration=exploration,
            seed=seed,
            index=0,
            transitions=min(CHUNK, transitions),
            action_repeat=repeat,
            steps_per_start=integer("exploration.steps_per_start", steps, least=1),
            dtype=dtype,
            given=given,
        )
    finally:
        if isinstance(env, str):
            instance.close()
    jobs = _chunks(_Job(first, kept, os.getpid(), _imports(env, instance)), transitions)
    return Dataset.concatenate(_run(jobs, workers if given is None else 1, progress))


def _action_repeat(
    env: gym.Env, symmetry: Symmetry, exploration: Exploration | None, action_repeat: int | None
) -> int:
    """Environment steps that an action is held; the exploration's unless given, 1 where nothing can be held."""
    actuation = Actuation(env)
    if exploration is not None and not actuation.whole:
        warnings.warn(
            f"{env.spec.id if env.spec else env}: its wrappers change actions in a way that cannot be undone, so that "
            "actions are samples of the action space; only the starts are the exploration's",
            stacklevel=3,
        )
    if symmetry.action_origin is None or not actuation.changed:
        default = getattr(exploration, "action_repeat", 1)
        return action_repeat or integer("exploration.action_repeat", default, least=1)
    if action_repeat not in (None, 1):
        origin = symmetry.action_origin
        expected = f"1, since wrappers change the actions: a target measured from {origin!r} cannot be held"
        raise ArgumentError("action_repeat", action_repeat, expected)
    return 1


@dataclass(frozen=True)
class _Job:
    """One chunk to collect, and what a worker that does it must know beside."""

    chunk: Chunk
    folder: Path | None
    parent: int
    imports: tuple[str, ...]


def _imports(env: gym.Env | str, instance: gym.Env) -> tuple[str, ...]:
    """The modules that know the environment: the one that its id names, and that of its class."""
    named = env.rpartition(":")[0] if isinstance(env, str) else ""
    home = type(instance.unwrapped).__module__.partition(".")[0]
    return tuple(module for module in (named, home) if module not in ("", "__main__"))


def _chunks(first: _Job, transitions: int) -> list[_Job]:
    starts = range(0, transitions, CHUNK)
    return [
        replace(first, chunk=replace(first.chunk, index=index, transitions=min(CHUNK, transitions - start)))
        for index, start in enumerate(starts)
    ]


def _run(jobs: list[_Job], workers: int | None, progress: bool) -> list[Dataset]:
    from tqdm import tqdm

    results: list[Dataset] = []
    total = sum(job.chunk.transitions for job in jobs)
    with tqdm(total=total, desc="collect", unit=" transitions", disable=not progress) as bar:
        for part in _alone(jobs) if workers is None else _together(jobs, workers):
            results.append(part)
            bar.update(len(part))
    return results


def _alone(jobs: list[_Job]) -> Iterator[Dataset]:
    """In this process; from where it pays on, by workers."""
    left, fit = list(jobs), True
    while left:
        began = time.perf_counter()
        part = _chunk(left.pop(0))
        seconds = time.perf_counter() - began
        yield part
        if fit and pay(seconds, len(left), cores()):
            try:
                for part in _together(list(left), cores()):
                    left.pop(0)
                    yield part
            except UnfitForWorkers as error:
                warnings.warn(f"{error}; going on in one process", stacklevel=2)
                fit = False


def _together(jobs: list[_Job], workers: int) -> Iterator[Dataset]:
    workers, folder = min(workers, len(jobs)), jobs[0].folder
    if workers == 1:
        yield from map(_chunk, jobs)
        return
    try:
        yield from in_workers(_chunk, jobs, workers)
    except BrokenExecutor as error:
        if folder is None:
            kept = "nothing was kept; with a folder the same call goes on from its finished chunks"
        else:
            kept = f"finished chunks are kept in {folder}, and the same call goes on from them"
        raise SimulationError(
            f"the system ended a worker process, often because memory ran out (it had {workers}; with fewer workers "
            f"there is more for each), or the simulator crashed; {kept}"
        ) from error


def _chunk(job: _Job) -> Dataset:
    """Collect one chunk, or read it if it is there from an interrupted run with the same settings."""
    end_with(job.parent)
    chunk, folder = job.chunk, job.folder
    provenance = collected_by(chunk)
    path = None if folder is None else folder / f"chunk-{chunk.index:05d}.safetensors"
    if path is not None and path.exists():
        found = Dataset.load(path)
        settings = (provenance, chunk.action_repeat, chunk.symmetry, chunk.transitions, np.dtype(chunk.dtype))
        there = (found.provenance, found.action_repeat, found.symmetry, len(found), found.action.dtype)
        if there != settings:
            raise ArgumentError(
                "folder", f"{path}, collected with other settings", "an empty folder, or one of the same call"
            )
        return found
    rows = _rows(job)
    columns = [np.stack(column, dtype=chunk.dtype) for column in zip(*rows["numbers"], strict=True)]
    names = chunk.symmetry.state
    for name, column in zip((*names, "action", *names), columns, strict=True):
        if not np.isfinite(column).all():
            raise SimulationError(
                f"the environment {chunk.spec.id} gave NaN or infinity as {name} in chunk {chunk.index} "
                f"(seed {chunk.seed}); expected finite numbers"
            )
    data = Dataset(
        chunk.symmetry,
        dict(zip(names, columns, strict=False)),
        columns[len(names)],
        dict(zip(names, columns[len(names) + 1 :], strict=True)),
        np.array(rows["episode"], dtype=np.int64),
        chunk.action_repeat,
        provenance,
    )
    if path is not None:
        data.save(path)
    return data


def _rows(job: _Job) -> dict[str, list[Any]]:
    if os.getpid() == job.parent:
        return explore(job.chunk)
    import_all(job.imports)
    try:
        return explore(job.chunk)
    except EquiworldError:
        raise
    except Exception as error:  # whatever the environment's constructor misses here
        raise UnfitForWorkers.because(f"{type(error).__name__}: {error}") from error
