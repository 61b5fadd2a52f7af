"""Layers that are timed: exact where they claim it, reported where they are missing, and in turn."""

import math

import pytest
import torch

from equiworld.benchmarks import layer_speed, layers
from equiworld.benchmarks.layer_speed import LayerSpeedConfig
from equiworld.results import read_json
from equiworld.symmetry.features import Features, FeatureType

SMALL = {"quick": True, "channels": ((3, 4),), "batches": (1, 5)}


@pytest.mark.parametrize("dim", [2, 3])
def test_layers_are_as_exact_as_they_claim(dim):
    kind = FeatureType(dim, 5, 6)
    found = layers.layers_of(kind, seed=0)
    assert found[0].name == layers.PLAIN
    for layer in found:
        if layer.module is None:
            continue
        single, double = (layer.residual(kind, dtype, 0) for dtype in ("float32", "float64"))
        if layer.equivariant:
            assert single < 1e-5, layer.name
            assert double < 1e-12, layer.name
        else:
            assert min(single, double) > 0.1, layer.name


def test_our_two_forms_are_one_map_and_e3nn_sees_the_same_vectors():
    kind = FeatureType(3, 5, 6)
    found = {layer.name: layer for layer in layers.layers_of(kind, seed=0)}
    z = Features.unflatten(torch.randn(4, kind.size, generator=torch.Generator().manual_seed(0)), kind)
    one, other = (found[name].function(kind)(z) for name in ("block", "linear, gate"))
    assert torch.equal(one.flatten(), other.flatten())
    o3 = pytest.importorskip("e3nn.o3")
    z = Features(z.scalars.double(), z.vectors.double(), z.points.double())
    turn = torch.linalg.matrix_exp(
        torch.tensor([[0.0, -0.4, 1.1], [0.4, 0.0, 0.7], [-1.1, -0.7, 0.0]]).double()
    )
    ours = Features(z.scalars, turn @ z.vectors, z.points).flatten()
    theirs = z.flatten() @ o3.Irreps("5x0e + 6x1o").D_from_matrix(turn).T
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-5)  # their constants are rounded to float32


def test_a_run_reports_every_layer_and_restores_the_threads(tmp_path):
    threads = torch.get_num_threads()
    result = layer_speed.run(LayerSpeedConfig(out=tmp_path, **SMALL))
    assert torch.get_num_threads() == threads
    assert read_json(tmp_path / "layer-speed.json")["rows"] == result["rows"]
    assert (tmp_path / "layer-speed.png").stat().st_size > 0
    by_dim = {dim: [row for row in result["rows"] if row["dim"] == dim] for dim in (2, 3)}
    for dim, rows in by_dim.items():
        names = [layer.name for layer in layers.layers_of(FeatureType(dim, 3, 4), 0)]
        assert [row["layer"] for row in rows] == names * 4  # two passes, two batches
        for row in rows:
            if row["installed"]:
                assert 0 < row["minimum_us"] <= row["median_us"] < math.inf
            if row["layer"] == layers.PLAIN:
                assert row["ratio"] == row["ratio_of_minima"] == 1.0


def test_what_is_not_installed_is_said_and_not_guessed(tmp_path, monkeypatch):
    monkeypatch.setattr(layers, "e3nn_version", lambda: None)
    result = layer_speed.run(LayerSpeedConfig(out=tmp_path, dims=(3,), **SMALL))
    rows = [row for row in result["rows"] if row["layer"] == "e3nn"]
    assert len(rows) == 4
    assert not any(row["installed"] for row in rows)
    assert not any(key in row for row in rows for key in ("median_us", "ratio", "residual_float32"))
    assert "not installed, so not measured: e3nn" in layer_speed.report(result)


def test_targets_are_judged_and_noise_is_said():
    row = {"layer": "block", "pass": "forward", "scalars": 64, "vectors": 64, "batch": 1, "dim": 3}
    row |= {"threads": 1, "installed": True, "median_us": 1.0, "minimum_us": 1.0, "ratio_of_minima": 2.0}
    for ratio, load, verdict in ((2.4, 0.1, "within"), (2.6, 4.0, "MISSES"), (2.6, None, "MISSES")):
        machine = {"cores": 2, "load_before": load}
        text = layer_speed.report({"rows": [row | {"ratio": ratio}], "config": {"machine": machine}})
        assert f"{ratio:.2f} × plain, {verdict} 2.5 (minima 2.00)" in text
        assert ("noisy" in text) == (load == 4.0)


def test_layers_take_turns_and_each_begins_a_round():
    order = []
    calls = {name: lambda name=name: order.append(name) for name in "ab"}
    seconds = layer_speed.seconds_in_turn(calls, repeats=2, window=1e-9)
    assert order[-4:] == ["a", "b", "b", "a"]
    assert {name: len(values) for name, values in seconds.items()} == {"a": 2, "b": 2}
