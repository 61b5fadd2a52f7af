"""The published one-step protocol: its networks are those of the paper, and what we make of its data loses nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from equiworld.benchmarks.peers.published_step import (
    Fit,
    Perceptron,
    Steps,
    VectorNeurons,
    collected,
    dataset_of,
    fitted,
    packed_of,
    poses_of,
)
from equiworld.benchmarks.questions.published_step import PublishedStep
from equiworld.benchmarks.suite.question import Plan
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds.swm_pusht import library
from equiworld.envs.pusht import geometry
from equiworld.groups import SE2

with_library = pytest.mark.skipif(library(True).startswith("absent"), reason=library(True))


def drawn(count: int = 50) -> Steps:
    """Transitions of no simulator."""
    rng = np.random.default_rng(0)
    angles = rng.uniform(-np.pi, np.pi, (2, count))
    states = [
        np.column_stack((rng.normal(0.0, 0.3, (count, 6)), np.cos(each), np.sin(each))) for each in angles
    ]
    parts = states[0], rng.uniform(-1.0, 1.0, (count, 2)), states[1]
    return Steps(*(torch.from_numpy(part) for part in parts))


def test_networks_have_the_published_numbers_of_parameters() -> None:
    counts = [sum(each.numel() for each in kind().parameters()) for kind in (VectorNeurons, Perceptron)]
    assert counts == [3360, 18952]


@pytest.mark.parametrize(("kind", "exact"), [(VectorNeurons, True), (Perceptron, False)])
def test_vector_neurons_are_equivariant_and_a_perceptron_is_not(kind: type, exact: bool) -> None:
    network, steps = kind().double(), drawn()
    with torch.no_grad():
        found = network(*steps.turned(1)[:2])
        wanted = Steps(steps.state, steps.action, network(*steps[:2])).turned(1).following
    assert ((found - wanted).abs().max() <= 1e-12) == exact
    assert ((found[:, 6:].norm(dim=-1) - 1).abs().max()) <= 1e-4


def test_four_quarter_turns_are_none() -> None:
    steps = drawn()
    for part, again in zip(steps, steps.turned(2).turned(2), strict=True):
        assert torch.equal(part, again)


def test_packed_states_are_our_states() -> None:
    steps = drawn()
    data = dataset_of(steps)
    assert (packed_of(data.observation) - steps.state).abs().max() <= 1e-12
    assert (packed_of(data.next_observation) - steps.following).abs().max() <= 1e-12
    # The centre of gravity lies on the stem, off the T's origin.
    off = data.observation["block_pos"] - (steps.state[:, 4:6].numpy() * 256.0 + geometry.CENTRE)
    assert np.allclose(np.linalg.norm(off, axis=-1), np.linalg.norm(geometry.GRAVITY))
    # Turned as arrays by our declaration, or as the paper turns them.
    turned = data.transform(SE2().rotation(np.pi / 2))
    assert (packed_of(turned.observation) - steps.turned(1).state).abs().max() <= 1e-12
    assert np.allclose(poses_of(steps.turned(1).state)[:, :2], turned.observation["block_pos"])


def test_training_is_seeded_and_leaves_torchs_generator_alone() -> None:
    steps = Steps(*(part.float() for part in drawn()))
    before = torch.random.get_rng_state()
    first, again, other = (fitted(Perceptron, steps, Fit(epochs=3), seed) for seed in (0, 0, 1))
    assert torch.equal(before, torch.random.get_rng_state())
    with torch.no_grad():
        assert torch.equal(first(*steps[:2]), again(*steps[:2]))
        assert not torch.equal(first(*steps[:2]), other(*steps[:2]))


@with_library
def test_data_is_of_the_interior_and_of_one_quadrant() -> None:
    steps = collected(80, 0)
    assert all(torch.equal(*both) for both in zip(steps, collected(80, 0), strict=True))
    assert not torch.equal(steps.action, collected(80, 1).action)
    assert (steps.following[:, 4:6].norm(dim=-1) * 256.0 < 150.0).all()
    assert (steps.action.mean(0) > 0.2).all()


@with_library
@pytest.mark.filterwarnings("ignore:.*Casting input x")
def test_equivariant_arms_are_flat_and_a_perceptron_is_not(tmp_path) -> None:
    question = PublishedStep(transitions=120, tested=40, epochs=30, steps=(30,), rates=(1e-2,), decays=(0.1,))
    for arm, flat in {"steerable, small": True, "vector neurons": True, "perceptron": False}.items():
        (cell,) = question.cells(Plan(arms=(arm,), seeds=1))
        errors = [row["relative_error"] for row in question.answer(cell, Store(tmp_path))]
        assert (max(errors) <= min(errors) * (1 + 1e-4)) == flat, errors


@with_library
@pytest.mark.filterwarnings("ignore:.*Casting input x")
def test_the_papers_networks_are_trained_as_published_and_tuned_ones_by_the_grid(tmp_path) -> None:
    assert PublishedStep().epochs == 1_500
    question = PublishedStep(transitions=40, tested=20, epochs=7, steps=(3,), rates=(1e-2,), decays=(0.1,))
    told = {}
    for arm in ("perceptron", "perceptron, tuned"):
        (cell,) = question.cells(Plan(arms=(arm,), seeds=1))
        told[arm] = question.answer(cell, Store(tmp_path))[0]["chosen"]
    assert told == {
        "perceptron": "7 steps, rate 0.003, decay 0.0001",
        "perceptron, tuned": "3 steps, rate 0.01, decay 0.1",
    }
