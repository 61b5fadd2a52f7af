"""What transfers along the orbit, weights and a bound on failures; with what does not, which is noticed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from equiworld.benchmarks.questions.safety import Safety, bound, episodes_for
from equiworld.benchmarks.questions.training_invariance import TrainingInvariance
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds.pusht import PUSHT, PushTWorld


@given(st.integers(1, 300), st.data())
def test_a_rate_at_its_bound_shows_so_few_failures_with_the_probability_left(
    episodes: int, data: Any
) -> None:
    failures = data.draw(st.integers(0, episodes - 1))
    assert binom.cdf(failures, episodes, bound(failures, episodes, 0.9)) == pytest.approx(0.1, rel=1e-6)
    assert bound(episodes, episodes, 0.9) == 1.0


@given(st.floats(1e-3, 0.99), st.floats(0.5, 0.999))
def test_so_many_episodes_bound_the_rate_and_one_fewer_do_not(rate: float, confidence: float) -> None:
    count = episodes_for(rate, confidence)
    assert bound(0, count, confidence) <= rate * (1 + 1e-9)
    assert count == 1 or bound(0, count - 1, confidence) >= rate * (1 - 1e-9)


@dataclass(frozen=True)
class Judged(PushTWorld):
    """PushT with a policy at rest and a judge that may prefer a direction."""

    fair: bool = True

    def policy(self, *settings: Any, **more: Any) -> Any:
        return Still()

    def judge(self, info: Any, observation: Any) -> dict[str, float]:
        return {
            "success": float(self.fair or abs(math.remainder(float(info["block_pose"][2]), math.tau)) < 1.0)
        }


class Still:
    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> Any:
        return np.zeros((len(observation["agent_pos"]), 2)), state


@dataclass(frozen=True)
class SafetyOf(Safety):
    fair: bool = True

    def world(self, name: str) -> Any:
        return Judged(**{**PUSHT.__dict__, "fair": self.fair})

    def model(self, cell: Cell, store: Store, scale: Any = None) -> Any:
        return None


@pytest.mark.parametrize("fair", [True, False])
def test_a_bound_transfers_unless_a_direction_is_preferred(tmp_path: Path, fair: bool) -> None:
    asked = SafetyOf(tasks=20, orbit=5, searched=2, rounds=2, task_steps=2, fair=fair)
    (row,) = asked.measure(Cell("safety", "pusht", "equivariant", 0), Store(tmp_path))
    assert row["failures"] == 0
    assert row["bound"] == bound(0, 20, 0.95)
    assert (row["differ"] == 0) == fair
    assert bool(row["counterexample"]) != fair
    assert row["worst_failures"] == (0 if fair else 20)


def test_equivariant_training_gives_the_same_weights_and_plain_training_others(tmp_path: Path) -> None:
    asked, store = TrainingInvariance(scale="small", used=500, elements=2, stops=(5,)), Store(tmp_path)
    found = {
        arm: asked.measure(
            Cell.at_point("training-invariance", "pusht", arm, 0, steps=5, dtype="float64"), store
        )[0]
        for arm in ("equivariant", "steerable", "plain")
    }
    for row in found.values():
        assert row["moved"] > 1e-3
    for arm in ("equivariant", "steerable"):
        assert found[arm]["weights"] <= 1e-12
        assert found[arm]["prediction"] <= 1e-9
    assert found["plain"]["weights"] > 1e-3
    assert found["plain"]["prediction"] > 0.1
