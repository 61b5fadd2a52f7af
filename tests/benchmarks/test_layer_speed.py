"""Layers that are timed: those of models, exact where they claim it, reported where they are missing, and in turn."""

import math

import gymnasium as gym
import pytest
import torch

from equiworld.benchmarks.questions.layer_speed import LayerSpeed
from equiworld.benchmarks.suite.question import Plan
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds import layers
from equiworld.errors import ArgumentError
from equiworld.nn import ResidualBlock
from equiworld.symmetry.features import Features, FeatureType

SMALL = {
    f"small block {dim}d": lambda seed, dim=dim: layers.blocks(FeatureType(dim, 4, 6), seed) for dim in (2, 3)
}
CONTESTS = SMALL | {name: make for name, make in layers.CONTESTS.items() if not name.startswith("block")}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    for name, make in SMALL.items():
        monkeypatch.setitem(layers.CONTESTS, name, make)
    monkeypatch.setattr(LayerSpeed, "worlds", tuple(layers.CONTESTS))


def rows_of(world, tmp_path, **settings):
    question = LayerSpeed(**{"batches": (1, 5), "threads": (1,), "repeats": 3, "window": 1e-4} | settings)
    (cell,) = question.cells(Plan(worlds=(world,)))
    return question.answer(cell, Store(tmp_path))


@pytest.mark.parametrize("world", CONTESTS)
def test_layers_are_as_exact_as_they_claim(world):
    contest = CONTESTS[world](0)
    assert contest[0].name == layers.PLAIN
    for layer in contest:
        if layer.module is None:
            continue
        single, double = (layer.residual(dtype, 0) for dtype in ("float32", "float64"))
        if layer.name == layers.PLAIN:
            assert min(single, double) > 0.1
        else:
            # The canonical network is the whole of one, and its sines of frequency 3 magnify rounding.
            assert single < (2e-5 if layer.name == "canonical" else 1e-5), layer.name
            assert double < 1e-12, layer.name


def test_blocks_are_those_of_networks_and_have_as_many_numbers_as_the_plain_one():
    for dim in (2, 3):
        contest = layers.blocks(FeatureType(dim, 4, 6), seed=0)
        ours = [layer for layer in contest if layer.name.startswith(("steerable", "labelled"))]
        assert [isinstance(layer.module, ResidualBlock) for layer in ours] == [True] * 3
        assert {layer.given.size(dim) for layer in contest} == {4 + 6 * dim}
    with pytest.raises(ArgumentError, match="channels"):
        layers.blocks(FeatureType(2, 3, 4), seed=0)


@pytest.mark.parametrize("choice", layers.ANT_JOINTS)
def test_joints_are_those_of_the_ant(choice):
    pytest.importorskip("mujoco")
    from equiworld.envs.known.ant import ant_symmetry

    assert layers.ANT_JOINTS[choice] == ant_symmetry(gym.make("Ant-v5"), choice).action


def test_e3nn_sees_the_same_vectors():
    o3, kind = pytest.importorskip("e3nn.o3"), FeatureType(3, 4, 6)
    z = Features.unflatten(torch.randn(4, kind.size, generator=torch.Generator().manual_seed(0)), kind)
    z = Features(z.scalars.double(), z.vectors.double(), z.points.double())
    turn = torch.linalg.matrix_exp(
        torch.tensor([[0.0, -0.4, 1.1], [0.4, 0.0, 0.7], [-1.1, -0.7, 0.0]]).double()
    )
    ours = Features(z.scalars, turn @ z.vectors, z.points).flatten()
    theirs = z.flatten() @ o3.Irreps("4x0e + 6x1o").D_from_matrix(turn).T
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-5)  # their constants are rounded to float32


@pytest.mark.parametrize("world", CONTESTS)
def test_every_layer_has_rows_and_threads_are_restored(world, tmp_path):
    threads = torch.get_num_threads()
    rows = rows_of(world, tmp_path)
    assert torch.get_num_threads() == threads
    contest = CONTESTS[world](0)
    here = [layer.name for layer in contest if layer.module is not None]
    passes = 3 if hasattr(contest[0].module, "prepared") else 2
    timed = [row for row in rows if "reason" not in row]
    assert [row["arm"] for row in timed] == here * (2 * passes)
    assert len(rows) == len(timed) + len(contest) - len(here)
    for row in timed:
        assert 0 < row["minimum_ms"] <= row["median_ms"] < math.inf
        assert row["ratio_low"] <= row["ratio"] <= row["ratio_high"]
        assert row["parameters"] > 0
        if row["arm"] == layers.PLAIN:
            assert row["ratio"] == row["ratio_low"] == row["ratio_high"] == row["ratio_of_minima"] == 1.0
    (axes,) = LayerSpeed().figure(rows).axes
    assert axes.get_legend_handles_labels()[1] == here[1:]


def test_what_is_not_installed_is_said_and_not_guessed(tmp_path, monkeypatch):
    monkeypatch.setattr(layers, "e3nn_version", lambda: None)
    rows = rows_of("small block 3d", tmp_path)
    (row,) = [row for row in rows if row["arm"] == "e3nn"]
    assert row["reason"] == "not installed"
    assert not {"median_ms", "ratio", "residual_float32"} & set(row)


@pytest.mark.parametrize(("target", "within"), [(1e9, True), (1e-9, False)])
def test_our_layers_are_judged_forward_alone(tmp_path, monkeypatch, target, within):
    monkeypatch.setattr(layers, "JOINTS_TARGETS", {1: target, 512: target})
    rows = rows_of("joints-network-mirror", tmp_path)
    judged = [row for row in rows if "within" in row]
    assert [(row["arm"], row["batch"], row["pass"]) for row in judged] == [("regular", 1, "forward")]
    assert judged[0]["within"] is within
    assert judged[0]["target"] == target
    assert not any("within" in row for row in rows_of("small block 2d", tmp_path))  # small blocks have none
    aimed = {name for name, make in layers.CONTESTS.items() if any(layer.targets for layer in make(0))}
    assert aimed == {name for name in layers.CONTESTS if name.startswith("joints") or name.endswith("64+64")}


def test_threads_are_of_the_cells_and_a_new_peer_is_measured_anew(tmp_path, monkeypatch):
    question = LayerSpeed(threads=(1, 2))
    assert [cell.point for cell in question.cells(Plan(worlds=("network-2d",)))] == [
        {"threads": 1},
        {"threads": 2},
    ]
    cell = question.cells(Plan())[0]
    before = question.inputs(cell)
    assert LayerSpeed(threads=(1,)).inputs(cell) == before
    assert LayerSpeed(threads=(1,), repeats=7).inputs(cell) != before
    monkeypatch.setattr("equiworld.benchmarks.questions.layer_speed.e3nn_version", lambda: "0")
    assert question.inputs(cell) != before
