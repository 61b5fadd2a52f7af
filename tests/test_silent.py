"""What used to go wrong without a word: each is the right value now, or an error that names it."""

from __future__ import annotations

import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest

import equiworld as ew
from equiworld.cli import main
from equiworld.envs import GroupAction
from equiworld.errors import ArgumentError
from equiworld.files import held_folder
from equiworld.models import WorldModel
from equiworld.planners import CEM, MPCPolicy
from equiworld.training import collect

ENV = "equiworld/PushT-v0"
MASKED = np.ma.masked_array([1.0, 2.0], mask=[False, True])
NO_NUMBERS = {
    "imaginary": (np.array([1.0 + 2.0j, 0.0]), "complex128"),
    "masked": (MASKED, "1 masked number"),
    "nan": (np.array([np.nan, 0.0]), "NaN or infinity"),
    "infinite": (np.array([0.0, -np.inf]), "NaN or infinity"),
    "truth": (np.array([True, False]), "bool"),
    "text": (np.array(["1.0", "2.0"]), "<U3"),
    "ragged": ([[1.0, 2.0], [3.0]], "ragged"),
}


# --- numbers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", NO_NUMBERS)
@pytest.mark.parametrize("method", ["act", "rotate"])
def test_elements_move_real_finite_numbers_and_drop_nothing(kind, method):
    value, message = NO_NUMBERS[kind]
    with pytest.raises(ArgumentError, match=message):
        getattr(ew.SE2().rotation(0.5), method)(value)


def test_elements_still_take_whole_numbers_lists_and_masks_that_hide_nothing():
    g = ew.SE2().rotation(np.pi / 2)
    nothing = np.ma.masked_array([1.0, 0.0], mask=False)
    for value in ([1, 0], np.array([1, 0]), np.array([1.0, 0.0], np.float32), nothing):
        assert np.allclose(g.act(value), [0.0, 1.0])
        assert type(g.act(value)) is np.ndarray


@pytest.mark.parametrize("kind", ["imaginary", "masked", "nan", "infinite"])
def test_symmetries_and_policies_refuse_what_is_no_number(kind, observations):
    value, message = NO_NUMBERS[kind]
    symmetry, g = ew.symmetry_of(ENV), ew.SE2().rotation(0.5)
    spoiled = {name: array[0] for name, array in observations.items()} | {"agent_pos": value}
    policy = MPCPolicy(WorldModel.for_env(ENV, hidden=(8,)), CEM(samples=8, elites=2))
    plain = ew.symmetrise(lambda observation: np.zeros(2), ENV)
    for call in (
        lambda: symmetry.transform_observation(g, spoiled),
        lambda: symmetry.to_features(spoiled),
        lambda: policy.predict(spoiled),
        lambda: plain.predict(spoiled),
    ):
        with pytest.raises(ArgumentError, match=f"agent_pos: .*{message}"):
            call()
    with pytest.raises(ArgumentError, match=message):
        symmetry.transform_action(g, value)


@pytest.mark.parametrize("kind", ["imaginary", "masked", "nan"])
def test_wrappers_refuse_actions_that_are_no_numbers(kind):
    env = GroupAction(gym.make(ENV), ew.SE2().rotation(0.5))
    env.reset(seed=0)
    with pytest.raises(ArgumentError, match="action"):
        env.step(NO_NUMBERS[kind][0])


@pytest.mark.parametrize("part", ["origin", "plan", "rotation", "shift", "action", "seam_margin"])
def test_a_policy_s_memory_with_a_nan_is_refused(part, observations):
    policy = MPCPolicy(WorldModel.for_env(ENV, hidden=(8,)), CEM(samples=8, elites=2))
    _, state = policy.predict(observations)
    spoiled = getattr(state, part).copy()
    spoiled[3] = np.nan
    with pytest.raises(ArgumentError, match=rf"state\.{part}: got NaN or infinity in row\(s\) \[3\]"):
        policy.predict(observations, state._replace(**{part: spoiled}))


# --- data ------------------------------------------------------------------------------------------------


class East:
    """Pushes one way."""

    action_repeat, steps_per_start = 1, 5

    def start(self, rng):
        return {}

    def action(self, rng, observation):
        return np.array([1.0, 0.0])


class North(East):
    """With the same settings, the other way."""

    def action(self, rng, observation):
        return np.array([0.0, 1.0])


def test_a_folder_of_another_exploration_s_data_is_refused(tmp_path):
    env, settings = gym.make(ENV), {"transitions": 20, "workers": 1, "folder": tmp_path}
    east = collect(env, exploration=East(), **settings)
    with pytest.raises(ArgumentError, match="collected with other settings"):
        collect(env, exploration=North(), **settings)
    assert collect(env, exploration=East(), **settings).fingerprint() == east.fingerprint()


def test_a_folder_of_data_through_another_wrapper_is_refused(tmp_path):
    turned = [GroupAction(gym.make(ENV), ew.SE2().rotation(angle)) for angle in (0.5, 1.5)]
    settings = {"transitions": 20, "workers": 1, "folder": tmp_path}
    first = collect(turned[0], **settings)
    for other in (turned[1], gym.make(ENV)):
        with pytest.raises(ArgumentError, match="collected with other settings"):
            collect(other, **settings)
    assert collect(turned[0], **settings).fingerprint() == first.fingerprint()


def test_data_through_wrappers_make_no_environment_without_them():
    data = collect(GroupAction(gym.make(ENV), ew.SE2().rotation(0.5)), 10, workers=1)
    with pytest.raises(ArgumentError, match="GroupAction"):
        data.make_env()


# --- files -----------------------------------------------------------------------------------------------


def test_two_commands_at_once_into_one_folder(tmp_path, pusht_data, capsys):
    """The second is refused while the first writes, and takes its turn afterwards."""
    pusht_data.save(tmp_path / "data" / "data.safetensors")
    words = ["train", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "model")]
    words += ["--steps", "2", "--no-progress"]
    code = (
        "import sys; from equiworld.files import held_folder\n"
        f"with held_folder('--out', {str(tmp_path / 'model')!r}):\n"
        "    print('held', flush=True); sys.stdin.readline()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as other:
        assert other.stdout.readline() == "held\n"
        assert main([*words, "--seed", "1"]) == 2
        assert "no other command writes to" in capsys.readouterr().err
        assert not (tmp_path / "model" / "model.safetensors").exists()
        other.kill()  # the system lets go of the folder whatever ended the process
    assert main([*words, "--seed", "1"]) == 0


def test_a_folder_is_held_by_one_and_given_back(tmp_path):
    with held_folder("--out", tmp_path / "new") as path:
        assert path.is_dir()
        with pytest.raises(ArgumentError, match=r"--out: .*no other command"), held_folder("--out", path):
            pass
    assert not path.exists()  # nothing was written
    with held_folder("--out", path):
        (path / "kept").touch()
    assert (path / "kept").exists()
