"""Layers that are timed: those of models, exact where they claim it, reported where they are missing, and in turn."""

import math

import gymnasium as gym
import pytest
import torch

from equiworld.benchmarks import layer_speed, layers
from equiworld.benchmarks.layer_speed import LayerSpeedConfig
from equiworld.errors import ArgumentError
from equiworld.nn import ResidualBlock
from equiworld.results import read_json
from equiworld.symmetry.features import Features, FeatureType

SMALL = {"quick": True, "channels": ((4, 6),), "batches": (1, 5)}


def contests():
    kinds = [FeatureType(dim, 4, 6) for dim in (2, 3)]
    return [
        *(layers.blocks(kind, seed=0) for kind in kinds),
        *layers.joints(seed=0),
        *(layers.networks(dim, seed=0) for dim in (2, 3)),
    ]


@pytest.mark.parametrize("contest", contests(), ids=lambda each: f"{each.name}, {each.size}")
def test_layers_are_as_exact_as_they_claim(contest):
    assert contest.layers[0].name == layers.PLAIN
    for layer in contest.layers:
        if layer.module is None:
            continue
        single, double = (layer.residual(dtype, 0) for dtype in ("float32", "float64"))
        if layer.equivariant:
            # The canonical network is the whole of one, and its sines of frequency 3 magnify rounding.
            assert single < (2e-5 if layer.name == "canonical" else 1e-5), layer.name
            assert double < 1e-12, layer.name
        else:
            assert min(single, double) > 0.1, layer.name


def test_blocks_are_those_of_networks_and_have_as_many_numbers_as_the_plain_one():
    for dim in (2, 3):
        contest = layers.blocks(FeatureType(dim, 4, 6), seed=0)
        ours = [layer for layer in contest.layers if layer.name.startswith(("steerable", "labelled"))]
        assert [isinstance(layer.module, ResidualBlock) for layer in ours] == [True] * 3
        assert {layer.field.size(dim) for layer in contest.layers} == {4 + 6 * dim}
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


def test_a_run_reports_every_layer_and_restores_the_threads(tmp_path):
    threads = torch.get_num_threads()
    result = layer_speed.run(LayerSpeedConfig(out=tmp_path, **SMALL))
    assert torch.get_num_threads() == threads
    assert read_json(tmp_path / "layer-speed.json")["rows"] == result["rows"]
    assert (tmp_path / "layer-speed.png").stat().st_size > 0
    for contest in contests():
        rows = [
            row for row in result["rows"] if (row["contest"], row["size"]) == (contest.name, contest.size)
        ]
        passes = 3 if hasattr(contest.layers[0].module, "prepared") else 2
        assert [row["layer"] for row in rows] == [layer.name for layer in contest.layers] * (2 * passes)
        for row in rows:
            if row["installed"]:
                assert 0 < row["minimum_us"] <= row["median_us"] < math.inf
            if row["layer"] == layers.PLAIN:
                assert row["ratio"] == row["ratio_of_minima"] == 1.0
    aimed = {row["contest"] for row in result["rows"] if row.get("target") is not None}
    assert aimed == {"joints, linear", "joints, network"}  # small blocks have none


def test_what_is_not_installed_is_said_and_not_guessed(tmp_path, monkeypatch):
    monkeypatch.setattr(layers, "e3nn_version", lambda: None)
    result = layer_speed.run(LayerSpeedConfig(out=tmp_path, dims=(3,), **SMALL))
    rows = [row for row in result["rows"] if row["layer"] == "e3nn"]
    assert len(rows) == 4
    assert not any(row["installed"] for row in rows)
    assert not any(key in row for row in rows for key in ("median_us", "ratio", "residual_float32"))
    assert "not installed, so not measured: e3nn" in layer_speed.report(result)


def test_targets_are_judged_and_noise_is_said():
    row = {"contest": "block", "size": "64 + 64", "layer": "steerable", "pass": "forward", "batch": 1}
    row |= {"threads": 1, "installed": True, "median_us": 1.0, "minimum_us": 1.0, "ratio_of_minima": 2.0}
    plain = row | {"layer": "plain", "ratio": 1.0}
    for ratio, load, verdict in ((2.4, 0.1, "within"), (2.6, 4.0, "MISSES"), (2.6, None, "MISSES")):
        rows = [plain, row | {"ratio": ratio, "target": 2.5}]
        text = layer_speed.report({"rows": rows, "config": {"machine": {"cores": 2, "load_before": load}}})
        assert f"{ratio:.2f} × plain, {verdict} 2.5 (minima 2.00)" in text
        assert text.count("minima") == 1
        assert ("noisy" in text) == (load == 4.0)


def test_layers_take_turns_and_each_begins_a_round():
    order = []
    calls = {name: lambda name=name: order.append(name) for name in "ab"}
    seconds = layer_speed.seconds_in_turn(calls, repeats=2, window=1e-9)
    assert order[-4:] == ["a", "b", "b", "a"]
    assert {name: len(values) for name, values in seconds.items()} == {"a": 2, "b": 2}
