"""Equivariant policies as stable-baselines3's users meet them: scripts, files, vector environments, refusals."""

import gymnasium as gym
import numpy as np
import pytest
import torch

pytest.importorskip("stable_baselines3")

from equivariant_cases import CASES, Drift, tensors
from stable_baselines3 import A2C, PPO, SAC, TD3
from stable_baselines3.common.callbacks import EvalCallback
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import configure
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from equiworld.errors import ArgumentError
from equiworld.groups import SO2, left_right
from equiworld.sb3 import (
    EquivariantActorCriticPolicy,
    EquivariantSACPolicy,
    EquivariantTD3Policy,
    with_symmetry,
)
from equiworld.symmetry import Scalar, SignedPermutation, Symmetry, Vector
from equiworld.symmetry.sampling import random_observation

WAY = CASES["turns, a vector"]
KINDS = [
    (PPO, EquivariantActorCriticPolicy, {"n_steps": 16, "batch_size": 8}),
    (A2C, EquivariantActorCriticPolicy, {}),
    (SAC, EquivariantSACPolicy, {"learning_starts": 8}),
    (TD3, EquivariantTD3Policy, {"learning_starts": 8}),
]


def kwargs(**more):
    return {"symmetry": WAY, "net_arch": [8], **more}


@pytest.mark.parametrize(("algorithm", "policy", "settings"), KINDS)
@pytest.mark.parametrize("form", ["canonical", "steerable"])
def test_files_give_the_same_policy_again(algorithm, policy, settings, form, tmp_path):
    model = algorithm(
        policy, Drift(WAY), policy_kwargs=kwargs(form=form), device="cpu", seed=0, **settings
    ).learn(20)
    seen = random_observation(WAY, np.random.default_rng(0), 6)
    before, _ = model.predict(seen, deterministic=True)
    model.save(tmp_path / "model")
    again = algorithm.load(tmp_path / "model", env=Drift(WAY), device="cpu")
    assert np.array_equal(again.predict(seen, deterministic=True)[0], before)
    again.learn(20)  # goes on
    model.policy.save(tmp_path / "policy")
    alone = policy.load(tmp_path / "policy", device="cpu")
    assert np.array_equal(alone.predict(seen, deterministic=True)[0], before)
    other = algorithm(policy, Drift(WAY), policy_kwargs=kwargs(form=form), device="cpu", seed=5, **settings)
    other.set_parameters(model.get_parameters())
    assert np.array_equal(other.predict(seen, deterministic=True)[0], before)


@pytest.mark.parametrize(("algorithm", "policy", "settings"), KINDS)
def test_shapes_of_what_is_predicted(algorithm, policy, settings):
    venv = DummyVecEnv([lambda: Drift(WAY)] * 2)
    model = algorithm(policy, venv, policy_kwargs=kwargs(), device="cpu", seed=0, **settings)
    one = {name: array[0] for name, array in random_observation(WAY, np.random.default_rng(0), 1).items()}
    assert model.predict(one)[0].shape == (2,)
    many, _ = model.predict(venv.reset(), deterministic=True)
    assert many.shape == (2, 2)
    assert venv.action_space.contains(many[0].astype(venv.action_space.dtype))
    assert np.array_equal(model.predict(venv.reset() | {})[0].shape, (2, 2))
    rewards, _ = evaluate_policy(model, venv, n_eval_episodes=2, warn=False)
    assert np.isfinite(rewards)


@pytest.mark.parametrize(("algorithm", "policy", "settings"), KINDS)
def test_a_seed_means_one_policy(algorithm, policy, settings):
    def weights(seed):
        model = algorithm(
            policy, Drift(WAY), policy_kwargs=kwargs(form="steerable"), device="cpu", seed=seed, **settings
        )
        return torch.cat([each.detach().flatten() for each in model.policy.parameters()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_callbacks_and_loggers_work(tmp_path):
    env = make_vec_env(lambda: Drift(WAY), 2, seed=0)
    model = PPO(
        EquivariantActorCriticPolicy, env, policy_kwargs=kwargs(), n_steps=16, batch_size=16, device="cpu"
    )
    model.set_logger(configure(str(tmp_path / "log"), ["csv"]))
    model.learn(
        64,
        callback=EvalCallback(
            make_vec_env(lambda: Drift(WAY), 1), eval_freq=16, n_eval_episodes=1, verbose=0
        ),
    )
    assert "train/std" in (tmp_path / "log" / "progress.csv").read_text()


def test_an_unmodified_script_with_two_arguments_changed():
    """Gymnasium's Reacher, by its id, as the page of stable-baselines3 shows it."""
    pytest.importorskip("mujoco")
    model = PPO(
        EquivariantActorCriticPolicy,
        "Reacher-v5",
        policy_kwargs={"symmetry": "Reacher-v5"},
        n_steps=64,
        seed=0,
    )
    model.learn(total_timesteps=64)
    vec_env = model.get_env()
    obs = vec_env.reset()
    for _ in range(3):
        action, _states = model.predict(obs, deterministic=True)
        obs, rewards, _dones, _info = vec_env.step(action)
    assert np.isfinite(rewards).all()


def test_the_observation_space_carries_a_symmetry_to_the_policy():
    env = with_symmetry(Drift(WAY))
    check_env(env, warn=False)
    model = PPO(EquivariantActorCriticPolicy, env, policy_kwargs={"net_arch": [8]}, device="cpu")
    assert model.policy.symmetry == WAY
    with pytest.raises(ArgumentError, match=r"symmetry: got None.*with_symmetry"):
        PPO(EquivariantActorCriticPolicy, Drift(WAY), device="cpu")


def refused(match, symmetry=WAY, algorithm=PPO, policy=EquivariantActorCriticPolicy, env=None, **more):
    settings = {name: more.pop(name) for name in ("use_sde",) if name in more}
    with pytest.raises(ArgumentError, match=match):
        algorithm(
            policy,
            env or Drift(symmetry),
            policy_kwargs={"symmetry": symmetry, **more},
            device="cpu",
            **settings,
        )


def test_what_does_not_turn_is_refused():
    refused("use_sde", use_sde=True)
    refused("form", form="soft")
    refused("features_extractor_class", features_extractor_class=torch.nn.Flatten)
    refused("space of 'way'", env=Drift(CASES["mirrors, rates"]))
    discrete = Drift(WAY)
    discrete.action_space = gym.spaces.Discrete(2)
    refused("action space", env=discrete)
    sac = {"algorithm": SAC, "policy": EquivariantSACPolicy}
    refused("action space", symmetry=CASES["points, an absolute action"], **sac)
    lame = Drift(CASES["left and right"])
    lame.action_space = gym.spaces.Box(np.array([-1.0, -1.0, -1.0, -1.0]), np.array([2.0, 1.0, 1.0, 1.0]))
    refused("action space", symmetry=CASES["left and right"], env=lame, **sac)
    wide = Drift(WAY)
    wide.action_space = gym.spaces.Box(np.array([-1.0, -2.0]), np.array([1.0, 2.0]))
    refused("action space", env=wide, **sac)


def test_a_declaration_that_never_fixes_a_frame_says_so():
    symmetry = Symmetry(SO2(), {"speed": Scalar()}, Vector())
    with pytest.warns(UserWarning, match="nothing observed fixes a frame"):
        model = PPO(
            EquivariantActorCriticPolicy, Drift(symmetry), policy_kwargs={"symmetry": symmetry}, device="cpu"
        )
    assert model.policy.inexact
    # and there the mean is the only vector that turns with the world
    assert not np.abs(model.predict({"speed": np.ones((1, 1))}, deterministic=True)[0]).any()


def test_vectors_are_cut_off_by_their_length_and_plain_ones_are_not():
    model = PPO(
        EquivariantActorCriticPolicy, Drift(WAY), policy_kwargs=kwargs(log_std_init=2.0), device="cpu", seed=0
    )
    seen = random_observation(WAY, np.random.default_rng(0), 200)
    lengths = np.linalg.norm(model.predict(seen)[0], axis=-1)
    assert lengths.max() <= 1 + 1e-6
    assert (lengths > 1 - 1e-6).mean() > 0.5
    plain = PPO("MultiInputPolicy", Drift(WAY), policy_kwargs={"log_std_init": 2.0}, device="cpu", seed=0)
    assert np.linalg.norm(plain.predict(seen)[0], axis=-1).max() > 1.2


def test_the_checks_can_fail_on_a_plain_policy():
    """The negative control: of a plain policy means differ, and free noise of joints that trade places does too."""
    symmetry = CASES["left and right"]
    plain = PPO("MultiInputPolicy", Drift(symmetry), device="cpu", seed=0)
    seen = random_observation(symmetry, np.random.default_rng(0), 8)
    mirror = symmetry.group.elements()[1]
    here, _ = plain.predict(seen, deterministic=True)
    there, _ = plain.predict(symmetry.transform_observation(mirror, seen), deterministic=True)
    assert np.abs(symmetry.transform_action(mirror, here) - there).max() > 1e-4


def test_states_that_are_their_own_image_keep_actions_that_are_too():
    """The trap: a symmetric state is a fixed point of every deterministic equivariant policy."""
    legs = SignedPermutation([(1, 0)])
    symmetry = Symmetry(left_right(), {"legs": legs}, legs)
    for form in ("canonical", "steerable"):
        model = PPO(
            EquivariantActorCriticPolicy,
            Drift(symmetry),
            policy_kwargs={"symmetry": symmetry, "form": form, "net_arch": [8], "ortho_init": False},
            device="cpu",
            seed=1,
        )
        same = model.predict({"legs": np.array([[0.3, 0.3]])}, deterministic=True)[0][0]
        apart = model.predict({"legs": np.array([[0.3, -0.5]])}, deterministic=True)[0][0]
        assert same[0] == pytest.approx(same[1], abs=1e-7)
        assert abs(apart[0] - apart[1]) > 1e-3


def test_a_plain_normaliser_breaks_what_the_policy_sees():
    """Per-coordinate scaling before the policy: refused by the look-up of the symmetry, and wrong if forced."""
    pytest.importorskip("mujoco")
    from equiworld.symmetry import symmetry_of

    venv = VecNormalize(make_vec_env("Reacher-v5", 2, seed=0))
    with pytest.raises(ArgumentError, match="VecNormalize"):
        symmetry_of(venv)


def test_actor_and_critics_share_one_frame_of_the_same_tensor():
    model = SAC(EquivariantSACPolicy, Drift(WAY), policy_kwargs=kwargs(), device="cpu", seed=0)
    form = model.policy.actor.features_extractor
    assert form is model.policy.critic.features_extractor
    seen = tensors(random_observation(WAY, np.random.default_rng(0), 4))
    assert form(seen) is form(seen)
    seen["way"].mul_(2.0)  # another observation in the same place is not taken for it
    before = form(seen)
    seen["way"].mul_(2.0)
    assert not torch.equal(form(seen).numbers, before.numbers)


def test_initial_weights_of_tied_layers_are_orthogonal_and_the_last_one_is_small():
    symmetry = CASES["left and right"]

    def singular(**more):
        settings = {"symmetry": symmetry, "form": "steerable", "net_arch": [16, 16], **more}
        model = PPO(
            EquivariantActorCriticPolicy, Drift(symmetry), policy_kwargs=settings, device="cpu", seed=0
        )
        parts = model.policy.mlp_extractor.policy_net, model.policy.mlp_extractor.value_net
        return [[torch.linalg.svdvals(layer.dense()[0].detach()) for layer in part.layers] for part in parts]

    policy, value = singular()
    for layers, last in ((policy, 0.01), (value, 1.0)):
        for values, gain in zip(layers, (2**0.5, 2**0.5, last), strict=True):
            assert values.numpy() == pytest.approx(np.full(len(values), gain), rel=1e-5)
    free, _ = singular(ortho_init=False)
    assert np.ptp(free[0].numpy()) > 0.1


def test_a_box_without_a_ball_about_0_is_said_to_cut_off_what_turns():
    env = Drift(WAY)
    env.action_space = gym.spaces.Box(np.zeros(2), np.ones(2))
    with pytest.warns(UserWarning, match="cuts off what turns"):
        model = PPO(EquivariantActorCriticPolicy, env, policy_kwargs=kwargs(), device="cpu")
    assert any("cuts off what turns" in note for note in model.policy.inexact)
    env.action_space = gym.spaces.Box(-np.ones(2), 2 * np.ones(2))  # a vector is shortened to the ball in it
    assert not PPO(EquivariantActorCriticPolicy, env, policy_kwargs=kwargs(), device="cpu").policy.inexact


def test_observations_of_other_keys_are_refused_and_none_is_a_batch():
    model = PPO(EquivariantActorCriticPolicy, Drift(WAY), policy_kwargs=kwargs(), device="cpu")
    seen = {name: np.zeros((0, *space.shape)) for name, space in model.observation_space.items()}
    assert model.predict(seen)[0].shape == (0, 2)
    with pytest.raises(ArgumentError, match="keys of the space"):
        model.predict({"speed": seen["speed"]})
    with pytest.raises(ArgumentError, match="scales"):
        PPO(EquivariantActorCriticPolicy, Drift(WAY), policy_kwargs=kwargs(scales=5), device="cpu")
