"""Policies and models as ONNX files: what they decide, that they are checked, and that a check can fail."""

from __future__ import annotations

import json

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import nn

import equiworld as ew
from equiworld.benchmarks.worlds.reach import REACH
from equiworld.cli import main
from equiworld.errors import ArgumentError, CheckpointError
from equiworld.export.bundle import SelfTestFailed
from equiworld.groups import left_right
from equiworld.sb3 import symmetrise
from equiworld.sb3.onnx_file import OnnxPolicy
from equiworld.symmetry import Heading, Point, Scalar, SignedPermutation, Symmetry, Vector, symmetry_of
from equiworld.symmetry.sampling import random_observation
from equiworld.verify.certificate import certify

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

PLANE = Symmetry(
    ew.SE2(),
    {"place": Point(), "way": Heading(), "speed": Scalar(), "goal": Point()},
    action=Vector(),
    goal={"goal": "place"},
    reference="place",
    heading="way",
)
LEGS = Symmetry(
    left_right(),
    {"push": Vector(), "joints": SignedPermutation([(1, 0, 2)], [(-1, -1, 1)])},
    action=SignedPermutation([(1, 0)], [(-1, -1)]),
    flat=True,
)


class OfKeys(nn.Module):
    """A network of a mapping of arrays."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 2))

    def forward(self, seen):
        return self.layers(torch.cat([seen[name] for name in ("place", "way", "speed", "goal")], -1))


class Products(nn.Module):
    """A transposed matrix times a vector, which onnxruntime fuses into something else, and angles."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = network(6, 2)
        self.register_buffer("weights", torch.tensor([0.25, 0.5, 1.0], dtype=torch.float64))

    def forward(self, seen):
        sums = seen.double().unflatten(-1, (3, 2)).mT @ self.weights
        angle = torch.atan2(sums[..., :1], sums[..., 1:])
        return self.layers(seen) + torch.cat([angle, sums[..., 1:]], -1).to(seen.dtype)


def network(inputs: int, outputs: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(inputs, 16), nn.Tanh(), nn.Linear(16, outputs))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A policy of several keys with an angle, in SE(2), as it is and as a file."""
    torch.manual_seed(0)
    policy = symmetrise(OfKeys(), PLANE)
    return policy, ew.export.policy(policy, tmp_path_factory.mktemp("plane") / "policy.onnx", elements=6)


@pytest.fixture
def copied(exported, tmp_path):
    """The three files where they may be damaged."""
    for file in (exported[1].model, exported[1].self_test, exported[1].certificate):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def test_the_file_decides_what_the_policy_decides(exported):
    policy, files = exported
    assert files.deviation <= 1e-6
    assert files.orbit_deviation <= 1e-12
    assert files.original_orbit_deviation <= 1e-12
    seen = random_observation(PLANE, np.random.default_rng(7), 100)
    action, state = policy.predict(seen)
    found = OnnxPolicy(files.model).run(seen)
    assert np.abs(found["action"] - action).max() <= 1e-6
    assert np.array_equal(found["degenerate"], state.degenerate)
    assert np.abs(found["seam_margin"] - state.seam_margin).max() <= 1e-6
    one = {name: array[:1] for name, array in seen.items()}
    assert np.abs(OnnxPolicy(files.model).run(one)["action"] - action[:1]).max() <= 1e-6


def test_the_file_is_as_exact_over_the_orbit_as_the_policy(exported):
    """At far more elements than its self-test has, and with the file as a policy."""
    file = OnnxPolicy(exported[1].model)
    seen = random_observation(PLANE, np.random.default_rng(8), 32)
    plain, _ = file.predict(seen)
    for g in PLANE.group.sample(np.random.default_rng(9), 20, scale=5.0):
        turned, _ = file.predict(PLANE.transform_observation(g, seen))
        assert np.abs(turned - PLANE.transform_action(g, plain)).max() <= 1e-12


def test_the_check_passes_from_either_file_and_says_so_in_its_exit_status(exported, capsys):
    files = exported[1]
    for path in (files.model, files.certificate):
        report = ew.export.check(path)
        assert report.passed
        assert report.elements == 6
        assert main(["certify", "--check", str(path)]) == 0
    assert "PASSED: hashes agree, 112 inputs within" in capsys.readouterr().out


def test_the_certificate_names_the_hash_of_the_model(exported):
    import hashlib

    content = json.loads(exported[1].certificate.read_text())
    assert content["model"]["sha256"] == hashlib.sha256(exported[1].model.read_bytes()).hexdigest()
    assert content["self_test"]["sha256"] == hashlib.sha256(exported[1].self_test.read_bytes()).hexdigest()
    assert content["kind"] == "policy"


@pytest.mark.parametrize("which", ["policy.onnx", "policy.selftest.safetensors"])
def test_a_flipped_bit_is_found(copied, which, capsys):
    content = bytearray((copied / which).read_bytes())
    content[len(content) // 2] ^= 1
    (copied / which).write_bytes(bytes(content))
    report = ew.export.check(copied / "policy.onnx")
    assert not report.passed
    assert f"{which} is not the file that was certified" in str(report)
    assert main(["certify", "--check", str(copied / "policy.onnx")]) == 1
    assert "FAILED" in capsys.readouterr().out


def test_a_missing_or_damaged_file_is_named(copied, capsys):
    (copied / "policy.onnx").unlink()
    assert "policy.onnx is not there" in str(ew.export.check(copied / "policy.certificate.json"))
    certificate = copied / "policy.certificate.json"
    certificate.write_text(certificate.read_text().replace("policy.onnx", "../policy.onnx"))
    with pytest.raises(CheckpointError, match="a file beside the certificate"):
        ew.export.check(certificate)
    certificate.write_text("{}")
    assert main(["certify", "--check", str(certificate)]) == 2
    assert "is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "false"), [("rows", 10**6), ("elements", 10**3), ("tolerance", None), ("symmetry", {})]
)
def test_a_certificate_says_what_its_self_test_says(copied, name, false):
    file = copied / "policy.certificate.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps(content | {name: false}))
    found = ew.export.check(file)
    assert not found.passed
    assert name in str(found)


def test_another_model_under_a_mended_hash_fails_the_self_test(copied, tmp_path_factory):
    """The weights are changed in the file, and its hash in the certificate with them."""
    import hashlib

    import onnx

    model = onnx.load(copied / "policy.onnx")
    changed = False
    for each in model.graph.initializer:
        array = onnx.numpy_helper.to_array(each)
        if array.dtype == np.float32 and array.ndim == 2:
            each.CopyFrom(onnx.numpy_helper.from_array(array * 1.01, each.name))
            changed = True
    assert changed
    (copied / "policy.onnx").write_bytes(model.SerializeToString())
    certificate = copied / "policy.certificate.json"
    content = json.loads(certificate.read_text())
    content["model"]["sha256"] = hashlib.sha256((copied / "policy.onnx").read_bytes()).hexdigest()
    certificate.write_text(json.dumps(content))
    report = ew.export.check(certificate)
    assert not report.passed
    assert "away from the original's" in str(report)


def test_an_average_over_left_and_right_is_exported(tmp_path):
    policy = symmetrise(network(6, 2), LEGS, how="average")
    files = ew.export.policy(policy, tmp_path / "legs.onnx", elements=2, rows=8)
    assert files.deviation <= 1e-6
    assert files.orbit_deviation <= 1e-6
    seen = random_observation(LEGS, np.random.default_rng(3), 50)
    assert np.abs(OnnxPolicy(files.model).run(seen)["action"] - policy.predict(seen)[0]).max() <= 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["PPO", "SAC"])
def test_stable_baselines3_in_a_closed_loop_is_certified_as_a_file(algorithm, tmp_path):
    sb3 = pytest.importorskip("stable_baselines3")
    env = gym.make(REACH, half_width=0.5)
    model = getattr(sb3, algorithm)("MlpPolicy", env, seed=0, device="cpu", policy_kwargs={"net_arch": [16]})
    policy = symmetrise(model, env)
    seen = np.stack([env.reset(seed=seed)[0] for seed in range(8)])
    files = ew.export.policy(policy, tmp_path / "policy.onnx", observations=seen, elements=3)
    assert files.deviation <= 1e-6
    assert files.orbit_deviation <= 1e-12
    certificate = certify(OnnxPolicy(files.model), env, elements=3, episodes=2, steps=15)
    assert certificate.passed
    once_more = symmetrise(files.model, env)
    assert np.abs(once_more.predict(seen)[0] - policy.predict(seen)[0]).max() <= 1e-4


def test_a_module_goes_on_training_after_it_is_exported(tmp_path):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 8), nn.Dropout(), nn.Linear(8, 2)).train()
    module[2].eval()
    ew.export.policy(symmetrise(module, LEGS), tmp_path / "policy.onnx")
    assert [each.training for each in module.modules()] == [True, True, True, False]
    assert ew.export.check(tmp_path / "policy.onnx").passed


def test_a_plain_policy_is_exported_and_nothing_is_claimed_of_its_orbit(tmp_path):
    symmetry = symmetry_of(REACH)
    plain = Products()
    files = ew.export.policy(plain, tmp_path / "plain.onnx", symmetry=symmetry, elements=2, rows=4)
    assert files.deviation <= 1e-6
    assert files.orbit_deviation is None
    assert files.original_orbit_deviation > 1e-2
    assert "nothing claimed" in str(files)
    assert ew.export.check(files.model).passed
    again = symmetrise(str(files.model), symmetry)
    seen = random_observation(symmetry, np.random.default_rng(0), 16)
    plain = again.predict(seen)[0]
    assert np.abs(plain - symmetrise(Products(), symmetry).predict(seen)[0]).max() <= 1e-5
    g = ew.SE2().rotation(2.0)
    turned = again.predict(symmetry.transform_observation(g, seen))[0]
    assert np.abs(turned - g.rotate(plain)).max() <= 1e-12


@pytest.mark.slow
def test_a_world_model_is_exported_for_rollouts_elsewhere(tmp_path):
    symmetry = Symmetry(ew.SO2(), {"way": Vector(2), "mass": Scalar()}, action=Vector(), flat=True)
    model = ew.WorldModel.for_symmetry(symmetry, "state-steerable", scalars=4, vectors=4, depth=1)
    encode, predict = ew.export.world_model(model, tmp_path, elements=3, rows=6)
    for files in (encode, predict):
        assert files.deviation <= 1e-5
        assert files.orbit_deviation <= 1e-5
        assert ew.export.check(files.certificate).passed
    seen = random_observation(symmetry, np.random.default_rng(0), 5)
    actions = np.random.default_rng(1).normal(size=(4, 5, 2))
    first, step = OnnxPolicy(encode.model), OnnxPolicy(predict.model)
    shown = {"way": seen[:, :4], "mass": seen[:, 4:]}
    state = {name.partition(".")[2]: array for name, array in first.run(shown).items()}
    z = model.encode(seen)
    for action in actions:
        state = {
            name.partition(".")[2]: array for name, array in step.run({**state, "action": action}).items()
        }
        with torch.no_grad():
            z = model.predict(z, torch.from_numpy(action).float())
    for name, array in model.latent.observation_arrays(z).items():
        assert np.abs(state[name] - array).max() <= 1e-5


class Draws:
    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return observation[..., :2], state


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (Draws(), "of which no graph is known"),
        (lambda row: row[:2], "of which no graph is known"),
        (symmetrise(network(6, 2), symmetry_of(REACH), how="random"), "one with how='random'"),
    ],
)
def test_what_has_no_graph_is_refused_before_the_work(policy, told, tmp_path):
    with pytest.raises(ArgumentError, match=told):
        ew.export.policy(policy, tmp_path / "policy.onnx", symmetry=REACH)
    assert not list(tmp_path.iterdir())


def test_paths_and_observations_that_are_none_are_refused(tmp_path):
    with pytest.raises(ArgumentError, match=r"path: got .*; expected one that ends in \.onnx"):
        ew.export.policy(network(6, 2), tmp_path / "policy.pt", symmetry=REACH)
    with pytest.raises(ArgumentError, match="observations: got None"):
        ew.export.policy(network(6, 2), tmp_path / "policy.onnx")
    with pytest.raises(ArgumentError, match="three rows or more"):
        ew.export.policy(network(6, 2), tmp_path / "policy.onnx", observations=np.zeros((1, 6)))


@pytest.mark.slow
def test_a_policy_that_does_more_than_its_module_is_found_out(tmp_path):
    sb3 = pytest.importorskip("stable_baselines3")

    class More(sb3.PPO):
        def predict(self, observation, state=None, episode_start=None, deterministic=False):
            action, state = super().predict(observation, state, episode_start, deterministic)
            return 0.5 * action, state

    env = gym.make(REACH)
    model = More("MlpPolicy", env, seed=0, device="cpu", policy_kwargs={"net_arch": [8]})
    seen = np.stack([env.reset(seed=seed)[0] for seed in range(4)])
    with pytest.raises(SelfTestFailed, match="away from the original"):
        ew.export.policy(model, tmp_path / "policy.onnx", observations=3.0 * seen, tolerance=1e-9)
    assert not list(tmp_path.iterdir())
