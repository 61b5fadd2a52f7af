"""The worst that was found, as something that can be run again."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equiworld.errors import ArgumentError, CheckpointError
from equiworld.groups import GroupElement
from equiworld.results import make_result, read_json, write_json
from equiworld.rollout import EnvLike, close_copies, env_copies
from equiworld.symmetry import Symmetry
from equiworld.symmetry.registry import known_id
from equiworld.symmetry.serialise import symmetry_from_dict, symmetry_to_dict
from equiworld.verify.auditing.access import Restored
from equiworld.verify.auditing.drawing_states import replayed
from equiworld.verify.auditing.naming import words_of
from equiworld.verify.auditing.setup import States, prepared, settled
from equiworld.verify.check.judge import Judge
from equiworld.verify.check.trials import Move, Simulator, Trial
from equiworld.verify.wrapped import name_of_env

__all__ = ["Counterexample", "worst_counterexample"]

_NAME = "counterexample of a symmetry"


@dataclass(frozen=True)
class Counterexample:
    """A state, an element and actions after which a field is not where it should be.

    Attributes:
        env: id of the environment.
        env_arguments: of `gym.make`.
        symmetry: the declaration.
        seed: of the reset.
        walk: actions from the reset to s, `(size,)` each.
        actions: from s on, up to the moment.
        element: g.
        field: which field deviates: an observed one, an entry of info, "reward", "end".
        role: what it is a part of.
        part: which of the field's parts, that are compared each in its own scale.
        step: after how many actions.
        deviation: how far it is from ρ(g) of what is seen from s, in its own units.
        relative: the same, of its scale.
        region: where the two runs went.
    """

    env: str
    env_arguments: Mapping[str, Any]
    symmetry: Symmetry
    seed: int
    walk: tuple[tuple[float, ...], ...]
    actions: tuple[tuple[float, ...], ...]
    element: GroupElement
    field: str
    role: str
    part: int
    step: int
    deviation: float
    relative: float
    region: str
    state: Any = dataclasses.field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return (
            f"{self.field} is {self.deviation:.3g} ({self.relative:.2g} of its scale) off after {self.step} steps "
            f"under {words_of(self.element)}, {self.region}, from {len(self.walk)} steps after the reset of seed "
            f"{self.seed}"
        )

    def replay(
        self,
        env: EnvLike | None = None,
        *,
        move: Move | None = None,
        states: States | None = None,
        state_fields: Mapping[str, Any] | None = None,
    ) -> float:
        """Run it again, from the reset of its seed on, and return the deviation.

        Args:
            env: the environment, if it is not one that its id and arguments make.
            move, states, state_fields: `move`, `access` and `state_fields` of the audit.

        Returns:
            The deviation, in the field's own units; NaN if the run ends before the moment.

        Raises:
            UnknownNameError: the id is not one that this process knows.
        """
        import gymnasium as gym

        if env is None:
            env_id, arguments = known_id("env", self.env), dict(self.env_arguments)

            def made() -> gym.Env:
                return gym.make(env_id, disable_env_checker=True, **arguments)

            env = made
        copies = env_copies(env, 1)
        try:
            simulator = prepared(copies[0], self.symmetry, move, states, state_fields, self.seed)
            settled(simulator, self.seed)
            return self._again(simulator)
        finally:
            close_copies(copies, env)

    def _again(self, simulator: Simulator) -> float:
        trial = Trial(self.seed, *(tuple(map(np.array, each)) for each in (self.walk, self.actions)))
        if isinstance(simulator.restore, Restored):
            state = replayed(simulator, simulator.restore, trial) if self.state is None else self.state
            trial = Trial(trial.seed, trial.walk, trial.actions, state)
        actions = simulator.steps_of(trial)
        moved = [
            np.asarray(simulator.symmetry.transform_action(self.element, each), np.float64)
            for each in actions
        ]
        here = simulator.follow(simulator.begin(trial, None), actions)
        there = simulator.follow(simulator.begin(trial, self.element), moved, turned=True)
        elements = GroupElement.stack([self.element])
        judge = Judge(simulator, elements, [trial], [here], {(0, 0): there}, 0.0, True)
        blocks = {role: each for (role, name), each in judge.blocks.items() if name == self.field}
        if self.role not in blocks:
            return float("nan")
        there = judge.seen[self.role][self.field].step == self.step
        error = blocks[self.role][self.part].error
        return float(error[there].max()) if there.any() else float("nan")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it as JSON, whole or not at all."""
        return write_json(path, make_result(_NAME, {}, [self.to_dict()], 0.0))

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it, exactly."""
        names = (
            "env",
            "seed",
            "walk",
            "actions",
            "field",
            "role",
            "part",
            "step",
            "deviation",
            "relative",
            "region",
        )
        found = {name: getattr(self, name) for name in names}
        return found | {
            "env_arguments": json.loads(json.dumps(dict(self.env_arguments), default=str)),
            "symmetry": symmetry_to_dict(self.symmetry),
            "element": self.element.to_dict(),
        }

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Counterexample:
        """Read what `save` wrote.

        Raises:
            CheckpointError: it is no such file.
        """
        result = read_json(path)
        if result["benchmark"] != _NAME or len(result["rows"]) != 1:
            raise CheckpointError(f"{os.fspath(path)} holds no counterexample")
        row = dict(result["rows"][0])
        try:
            row["symmetry"] = symmetry_from_dict(row["symmetry"])
            row["element"] = GroupElement.from_dict(row["element"])
            row |= {name: tuple(map(tuple, row[name])) for name in ("walk", "actions")}
            return Counterexample(**row)
        except (KeyError, TypeError, ArgumentError) as error:
            raise CheckpointError(f"{os.fspath(path)} holds no whole counterexample: {error}") from error


def worst_counterexample(
    judge: Judge, trials: Sequence[Trial], regions: Mapping[tuple[int, int], str]
) -> Counterexample | None:
    """What deviates most, the earliest moment of that run: of the dynamics if they do, else of the reward, the end."""
    for roles in (("observation", "info"), ("reward",), ("end",)):
        found: list[tuple[float, int, str, str, int]] = []
        for (role, name), blocks in judge.blocks.items():
            if role not in roles:
                continue
            for number, block in enumerate(blocks):
                off = np.where(block.within(judge.tolerance), 0.0, block.relative)
                if off.max(initial=0.0) > 0:
                    found.append((float(off.max()), int(off.argmax()), role, name, number))
        if found:
            relative, row, kind, name, number = max(found)
            return _of_row(judge, trials, regions, (kind, name), number, row, relative)
    return None


def _of_row(
    judge: Judge,
    trials: Sequence[Trial],
    regions: Mapping[tuple[int, int], str],
    key: tuple[Any, str],
    number: int,
    row: int,
    relative: float,
) -> Counterexample:
    pairs, env, symmetry = judge.seen[key[0]][key[1]], judge.simulator.env, judge.symmetry
    state, element, step = int(pairs.state[row]), int(pairs.element[row]), int(pairs.step[row])
    trial = trials[state]
    joined = trial.state is None and judge.simulator.move is None  # then the walk is compared too
    actions = trial.actions if not joined else ()
    walk = trial.walk if not joined else (*trial.walk, *trial.actions)
    kept = actions[:step] if not joined else ()
    return Counterexample(
        env=name_of_env(env),
        env_arguments=dict(getattr(env.spec, "kwargs", None) or {}),
        symmetry=symmetry,
        seed=trial.seed,
        walk=tuple(tuple(each.tolist()) for each in walk),
        actions=tuple(tuple(each.tolist()) for each in kept),
        element=judge.elements[element],
        field=key[1],
        role=key[0],
        part=number,
        step=step,
        deviation=float(judge.blocks[key][number].error[row]),
        relative=relative,
        region=regions.get((state, element), "anywhere"),
        state=trial.state,
    )
