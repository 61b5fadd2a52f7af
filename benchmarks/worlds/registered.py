"""Any registered environment with a symmetry and a task as a world."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from equiworld.benchmarks.suite.arm import Part
from equiworld.benchmarks.suite.scale import Scale
from equiworld.benchmarks.suite.trained import Split
from equiworld.benchmarks.worlds.world import StepErrors, Trials, World
from equiworld.envs import GroupAction
from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.groups import GroupElement
from equiworld.models import WorldModel
from equiworld.rollout import Start
from equiworld.symmetry import Symmetry, symmetry_of
from equiworld.tasks import TASKS
from equiworld.training import Dataset, collect
from equiworld.verify.prediction import one_step

__all__ = ["RegisteredWorld", "registered_world"]


@dataclass(frozen=True)
class RegisteredWorld(World):
    """As it is registered: trained on its own resets, and shown turned, which is the passive test of a policy.

    Errors are of all features of the state, in their own units. `success` is `info["is_success"]`.
    """

    def described(self) -> Mapping[str, Any]:
        """Its declaration, its task, and the files and the package that they stand in."""
        spec, task = gym.spec(self.env_id), TASKS[self.env_id]
        maker = spec.entry_point
        if isinstance(maker, str):
            module, _, name = maker.partition(":")
            maker = getattr(importlib.import_module(module), name)
        module, _, _ = self.name.rpartition(":")
        named = [sys.modules[module]] if module else []
        files = {_file(one) for one in (maker, *named, task.cost, task.proposals, type(task.cost))}
        digests = sorted(hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files if file)
        limits = [spec.max_episode_steps, repr(spec.additional_wrappers), repr(spec.kwargs)]
        return {
            **super().described(),
            "sources": digests,
            "distribution": _distribution(maker),
            "spec": limits,
            "symmetry": repr(self.symmetry),
            "task": [repr(task.cost), repr(task.proposals), dict(task.symmetric_arguments)],
        }

    @property
    def symmetry(self) -> Symmetry:
        """As it is declared."""
        env = self.make()
        try:
            return symmetry_of(env)
        finally:
            env.close()

    def collect(
        self, part: Part, split: Split, count: int, seed: int, half_width: float, folder: Path
    ) -> Dataset:
        """From its own resets, whatever the part."""
        env = self.make()
        try:
            return collect(env, count, 100 + seed, folder=folder)
        finally:
            env.close()

    def errors(
        self, model: WorldModel, data: Dataset, g: GroupElement | None = None
    ) -> dict[str, StepErrors]:
        """Of all features together."""
        found = [
            [z.flatten().numpy() for z in part]
            for part in one_step(model, data if g is None else data.transform(g))
        ]
        before, guess, after = (np.concatenate(each) for each in zip(*found, strict=True))
        error, motion = (np.square(one - after).sum(-1) for one in (guess, before))
        return {"everywhere": StepErrors(error, motion, points=1)}

    def orbit(self, count: int, seed: int) -> list[GroupElement]:
        """The identity, and random elements without shifts."""
        group = self.symmetry.group
        return [group.identity(), *group.sample(np.random.default_rng([seed, 31]), count - 1, scale=0.0)]

    def elements(self, count: int, seed: int) -> list[GroupElement]:
        """Random ones, shifts up to a length scale."""
        symmetry, rng = self.symmetry, np.random.default_rng([seed, 11])
        return list(symmetry.group.sample(rng, count, scale=symmetry.length_scale))

    def starts(self, count: int, half_width: float, seed: int) -> list[Start]:
        """Its own resets."""
        return [Start(5_000_000 + 10_000 * seed + index) for index in range(count)]

    def turned(self, start: Start, g: GroupElement) -> Start:
        """The same reset: the world is shown turned."""
        return start

    def shown(self, env: gym.Env, g: GroupElement) -> gym.Env:
        """Turned by g."""
        return GroupAction(env, g)

    def loop_arguments(self, half_width: float) -> Mapping[str, Any]:
        """Those with which its symmetry holds everywhere."""
        return TASKS[self.env_id].symmetric_arguments

    def judge(self, info: Mapping[str, Any], observation: Any) -> dict[str, float]:
        """What it says of success; nothing where it says nothing."""
        return {"success": float(info["is_success"])} if "is_success" in info else {}


def _file(thing: Any) -> str | None:
    """The source file that something is defined in."""
    try:
        return inspect.getsourcefile(thing)
    except TypeError:  # an instance, or nothing
        return None


def _distribution(maker: Any) -> list[str]:
    """Name and version of the package that makes the environment."""
    top = getattr(maker, "__module__", "").split(".")[0]
    names = metadata.packages_distributions().get(top, [])
    return [f"{name} {metadata.version(name)}" for name in dict.fromkeys(names)]


def registered_world(name: str) -> RegisteredWorld | None:
    """The world of an environment's id; None for one that is not registered.

    Args:
        name: the id, or "module:id" where a module registers it, as for `gym.make`: workers import it too.

    Raises:
        UnknownNameError: it has no task.
        ArgumentError: the module cannot be imported.
    """
    module, _, env_id = name.rpartition(":")
    if module:
        try:
            importlib.import_module(module)
        except ImportError as reason:
            raise ArgumentError("world", name, "a module that can be imported, and an id") from reason
    if env_id not in gym.registry:
        return None
    if env_id not in TASKS:
        expected = "add one with equiworld.tasks.register_task(env_id, Task(cost=…))"
        raise UnknownNameError("task of the world", env_id, TASKS, expected)
    scales = {
        "full": Scale(100_000, 10_000, 180.0, (8000,)),
        "demo": Scale(50_000, 5_000, 180.0, (4000,)),
        "demo-quick": Scale(5_000, 1_000, 180.0, (500,), batch_size=256),
        "small": Scale(2_000, 400, 180.0, (100,), batch_size=256, width=32),
    }
    return RegisteredWorld(name, env_id, scales=scales, trials={"own": Trials()})
