"""What do trained runs agree on, and can parts of them be exchanged?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from equiworld.analysis import (
    AveragedEncoder,
    RunComparison,
    Stitched,
    average_weights,
    compare_runs,
    gauge_between,
    latent_error,
    match_hidden,
)
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import grouped
from equiworld.benchmarks.suite.question import Question
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.summary import summarised
from equiworld.benchmarks.worlds.hidden_states import BLOCKS, HiddenStates, Learned, learned
from equiworld.benchmarks.worlds.latent_losses import exchange_rows
from equiworld.benchmarks.worlds.policies import trained_policy
from equiworld.groups import SO3, Decomposition
from equiworld.groups.arrays import Array
from equiworld.models import WorldModel
from equiworld.results import text_table
from equiworld.symmetry import FeatureType
from equiworld.symmetry.latent_blocks import latent_blocks
from equiworld.training import BlockSIGReg, TrainingConfig, collect, train

__all__ = ["Sectors"]

_THROUGH = ("none", "random commuting", "commuting", "linear")


@dataclass(frozen=True)
class Sectors(Question):
    """Parts of one answer; arms are the parts.

    - losses: which losses can tell channels of one block apart.
    - runs: encoders of many seeds in one world, by what depends on labels and what does not; and the encoder of one of
      them with the dynamics of another.
    - broken: runs whose loss prefers one channel, which has to be seen.
    - pusht: the encoder of one world model of PushT with the dynamics of another.
    - policies: PPO's perceptrons of many seeds by what they get, their hidden layers compared, matched and averaged.

    Attributes:
        runs: encoders.
        pairs: that are stitched.
        steps: of an encoder's training.
        weight: of its regulariser. With more of it and more steps latents are isotropic, and isometries align them.
        examples: that runs are compared on.
        models: of PushT.
        transitions: they are trained on.
        model_steps: of each of their stages.
        policies: of PPO.
        policy_steps: that they are trained for.
    """

    runs: int = 20
    pairs: int = 20
    steps: int = 1000
    weight: float = 0.9
    examples: int = 10_000
    models: int = 4
    transitions: int = 3000
    model_steps: int = 400
    policies: int = 10
    policy_steps: int = 20_000

    name: ClassVar[str] = "sectors"
    title: ClassVar[str] = "What do trained runs agree on, and can parts of them be exchanged?"
    worlds: ClassVar[tuple[str, ...]] = ("hidden-states",)
    arms: ClassVar[tuple[str, ...]] = ("losses", "runs", "broken", "pusht", "policies")
    closed: ClassVar[bool] = True
    coordinates: ClassVar[tuple[str, ...]] = ("by", "what", "through")
    measures: ClassVar[Mapping[str, Measure]] = {
        "invariant": Measure("", "whether no exchange of channels changed the value"),
        "largest": Measure("1", "largest relative change of the value", log=True),
        "gradient": Measure(
            "1", "largest relative distance of the gradient from the exchanged one", log=True
        ),
        "spread": Measure("1", "deviation over runs, relative to the size", log=True),
        "mean": Measure("1", "over runs"),
        "clusters": Measure("1", "of runs, together where .9 of the variance is explained"),
        "runs_compared": Measure("1", "runs"),
        "warnings": Measure("1", "about labels that must not be read"),
        "relative_error": Measure("1", "one-step relMSE in latents, median over pairs of runs", log=True),
        "unstitched": Measure("1", "the same of the run whose dynamics they are", log=True),
        "excess": Measure("1", "median of relative_error / unstitched − 1"),
        "worst_excess": Measure("1", "the largest over pairs"),
        "explained": Measure("1", "of the second run's latents, median over pairs"),
        "commutes": Measure("1", "|M − PM|/|M|, the largest over pairs", log=True),
        "pairs_tried": Measure("1", "pairs"),
        "first": Measure("1", "squared correlation of the first channel of two runs, median over pairs"),
        "others": Measure("1", "the same of the channel after it that is most alike over runs"),
        "correlation": Measure("1", "of hidden units of one label, mean over layers"),
        "action_error": Measure(
            "1", "mean square distance from the first policy's actions / their variance", True
        ),
        "value": Measure("1", "mean return of 10 episodes"),
    }
    small: ClassVar[Mapping[str, Any]] = {
        "runs": 3,
        "pairs": 2,
        "steps": 15,
        "examples": 500,
        "models": 2,
        "transitions": 60,
        "model_steps": 2,
        "policies": 2,
        "policy_steps": 64,
    }

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """The rows of one part."""
        parts: dict[str, Callable[[int], list[Row]]] = {
            "losses": exchange_rows,
            "runs": lambda seed: self._compared(seed, None),
            "broken": lambda seed: self._compared(seed, 2.0),
            "pusht": self._worlds,
            "policies": self._policies,
        }
        return parts[cell.arm](cell.seed)

    def _compared(self, seed: int, favour: float | None) -> list[Row]:
        rows = []
        for by in ("sigreg", "block-sigreg") if favour is None else ("sigreg",):
            rng = np.random.default_rng([seed, 19])
            world = HiddenStates.drawn(rng)
            models = [
                learned(world, by, 1000 * seed + run, steps=self.steps, weight=self.weight, favour=favour)
                for run in range(self.runs)
            ]
            x, after = world.pairs(self.examples, rng)
            found = compare_runs([model.encode for model in models], x, BLOCKS)
            errors = [model.error(x, after) for model in models]
            row: Row = {"by": by, "runs_compared": len(models)}
            error: Row = {"what": "one-step error", "mean": float(np.mean(errors))}
            rows.append(row | error | {"spread": float(np.std(errors) / np.mean(errors))})
            labelled = {f"{name}, by label": spread for name, spread in found.raw_spread.items()}
            for name, spread in (found.macro_spread | labelled).items():
                rows.append(row | {"what": name, "spread": spread})
            for name, alike in found.agreement.items():
                line: Row = {"what": f"{name}, agreement by label", "first": alike[0]}
                rows.append(row | line | {"others": max(alike[1:])})
            for name, count in found.clusters.items():
                line = {"what": f"clusters, {name}", "clusters": count}
                rows.append(row | line | {"warnings": len(found.warnings)})
            if favour is None:
                rows += self._stitched(by, models, x, after)
        return rows

    def _stitched(self, by: str, models: Sequence[Learned], x: Array, after: Array) -> list[Row]:
        tried: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in _THROUGH}
        half = len(x) // 2
        for one, other in _pairs(len(models), self.pairs):
            first, second = models[one], models[other]
            gauge = gauge_between(first.encode, second.encode, x[:half], BLOCKS)
            own = second.error(x[half:], after[half:])
            for name in _THROUGH:
                chosen = gauge[name]
                z, target = (chosen(first.encode(each[half:])) for each in (x, after))
                error = float(np.square(second.predict(z) - target).sum() / np.square(target - z).sum())
                tried[name].append((error, own, chosen.explained, _off(chosen.matrix, BLOCKS)))
        return [{"by": by, "through": name, **_of_pairs(found)} for name, found in tried.items()]

    def _worlds(self, seed: int) -> list[Row]:
        data = collect("equiworld/PushT-v0", transitions=self.transitions, seed=seed, workers=1)
        seen, unseen = data.split((0.8, 0.2))
        config = TrainingConfig(
            steps=self.model_steps,
            encoder_steps=self.model_steps,
            joint_steps=self.model_steps // 4,
            batch_size=512,
            encoder_loss=BlockSIGReg(directions=64),
        )
        models = [
            train(WorldModel.for_data(seen, "state-latent", seed=10 * seed + run, width=16), seen, config)
            for run in range(self.models)
        ]
        tried: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in (*_THROUGH, "mean")}
        for one, other in _pairs(len(models), self.pairs):
            first, second = models[one], models[other]
            gauge, own = gauge_between(first, second, seen), latent_error(second, unseen)
            for name in _THROUGH:
                chosen = gauge[name]
                error = latent_error(Stitched(first, second, None if name == "none" else chosen), unseen)
                tried[name].append((error, own, chosen.explained, _off(chosen.matrix, gauge.decomposition)))
            mean = latent_error(AveragedEncoder.of([second, first], seen, "linear"), unseen)
            tried["mean"].append((mean, own, 1.0, 0.0))
        return [{"by": "block-sigreg", "through": name, **_of_pairs(found)} for name, found in tried.items()]

    def _policies(self, seed: int) -> list[Row]:
        """Policies of many seeds: what they get, and their last hidden layers, unit by unit and as a whole."""
        policies = [trained_policy(10 * seed + run, self.policy_steps) for run in range(self.policies)]
        inputs = np.random.default_rng([seed, 20]).normal(size=(1000, 4)) * [1.0, 1.0, 0.1, 1.0]
        units = latent_blocks(FeatureType(3, policies[0].width), SO3())  # numbers that no group turns
        returns = {policy: policy.value() for policy in policies}
        found = compare_runs(policies, inputs, units, observables={"return": returns.__getitem__})
        row: Row = {"by": "ppo", "runs_compared": len(policies)}
        spreads = found.macro_spread | {f"{name}, by label": each for name, each in found.raw_spread.items()}
        rows = [row | {"what": name, "spread": spread} for name, spread in spreads.items()]
        rows[0]["mean"] = float(np.mean([*returns.values()]))
        apart = ~np.eye(len(policies), dtype=bool)
        for name, explained in zip(("raw", "commuting", "linear"), _explained(found), strict=True):
            line: Row = {"what": f"clusters, {name}", "clusters": found.clusters[name]}
            rows.append(row | line | {"explained": float(np.median(explained[apart]))})
        return [*rows, *self._matched(policies, returns, inputs)]

    def _matched(self, policies: Sequence[Any], returns: Mapping[Any, float], inputs: Array) -> list[Row]:
        """Neighbours, their hidden units matched: how alike they are, and what averaging does; medians over pairs."""
        tried: dict[str, list[dict[str, float]]] = {}
        for one, other in zip(policies, [*policies[1:], policies[0]], strict=True):
            matched = match_hidden(one.policy, other.policy, inputs)
            unrelated = match_hidden(one.policy, one.untrained(), inputs)
            for name, policy, alike in (
                ("second", other.policy, None),
                ("second, matched", matched.network, None),
                ("mean as they are", average_weights([one.policy, other.policy]), matched.as_they_are),
                ("mean, matched", average_weights([one.policy, matched.network]), matched.matched),
                ("untrained, matched", unrelated.network, unrelated.matched),
            ):
                wanted, guess = one.logits(inputs), one.logits(inputs, policy)
                figures = {"action_error": float(np.square(guess - wanted).mean() / wanted.var())}
                figures["value"] = one.value(policy) if name.startswith("mean") else returns[other]
                if name.startswith("untrained"):
                    del figures["value"]
                tried.setdefault(name, []).append(figures | ({} if alike is None else {"correlation": alike}))
        return [
            {"by": "ppo", "what": name, "pairs_tried": len(each)}
            | {key: float(np.median([figures[key] for figures in each])) for key in each[0]}
            for name, each in tried.items()
        ]

    def table(self, rows: Sequence[Row]) -> str:
        """One table for each part, of the columns that it has."""
        parts = []
        for arm, own in grouped(summarised(rows, self.measures), "arm").items():
            named = [name for name in own[0] if any(row.get(name) is not None for row in own)]
            named += [name for row in own for name in row if name not in named and row[name] is not None]
            shown = [name for name in dict.fromkeys(named) if name not in ("question", "world", "arm")]
            parts.append(f"{arm}\n{text_table([{name: row.get(name) for name in shown} for row in own])}")
        return "\n\n".join(parts)


def _pairs(runs: int, most: int) -> list[tuple[int, int]]:
    """Ordered pairs of different runs, neighbours first."""
    return [(one, (one + apart) % runs) for apart in range(1, runs) for one in range(runs)][:most]


def _off(matrix: Array, blocks: Decomposition) -> float:
    """How far a map of the blocks' coordinates is from commuting, |M − PM|/|M|."""
    inside = np.concatenate([block.basis for block in blocks.blocks], axis=1)
    own = inside @ inside.T @ matrix @ inside @ inside.T
    return float(np.linalg.norm(own - blocks.projected(own)) / np.linalg.norm(own))


def _of_pairs(found: Sequence[tuple[float, float, float, float]]) -> Row:
    errors, own, explained, off = (np.array(each) for each in zip(*found, strict=True))
    excess = errors / own - 1
    return {
        "relative_error": float(np.median(errors)),
        "unstitched": float(np.median(own)),
        "excess": float(np.median(excess)),
        "worst_excess": float(excess.max()),
        "explained": float(np.median(explained)),
        "commutes": float(off.max()),
        "pairs_tried": len(found),
    }


def _explained(found: RunComparison) -> tuple[Array, Array, Array]:
    return found.explained, found.aligned, found.linear
