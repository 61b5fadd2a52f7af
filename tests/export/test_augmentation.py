"""What is exported is what was declared; rsl_rl's own PPO trains with it."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

import equiworld as ew
from equiworld.errors import ArgumentError
from equiworld.groups import SO2, GroupElement, Isometries, left_right
from equiworld.symmetry import Heading, Parts, Pseudovector, SignedPermutation, Symmetry, Vector
from equiworld.verify.maps import check_map, read_function, read_morphosymm

K4 = Isometries([np.diag([1.0, -1.0, 1.0]), np.diag([-1.0, 1.0, 1.0])])
LEGS = SignedPermutation([(1, 0, 3, 2), (2, 3, 0, 1)], [(-1, -1, -1, -1), (1, 1, 1, 1)])
QUADRUPED = Symmetry(
    K4,
    {"policy": Parts({"speed": Vector(), "spin": Pseudovector(), "joints": LEGS})},
    action=LEGS,
)


def test_rows_are_the_images_under_all_elements():
    augment = ew.export.rsl_rl(QUADRUPED)
    rows, actions = torch.randn(7, 10, dtype=torch.float64), torch.randn(7, 4, dtype=torch.float64)
    seen, taken = augment(env=None, obs={"policy": rows}, actions=actions)
    for index, g in enumerate(K4.elements()):
        part = slice(7 * index, 7 * index + 7)
        expected = QUADRUPED.transform_observation(g, {"policy": rows.numpy()})["policy"]
        np.testing.assert_array_equal(seen["policy"][part].numpy(), expected)
        np.testing.assert_array_equal(taken[part].numpy(), QUADRUPED.transform_action(g, actions.numpy()))


def test_none_stays_none_and_one_tensor_is_the_group_that_is_asked_for():
    augment = ew.export.rsl_rl(QUADRUPED)
    assert augment(obs=None, actions=torch.zeros(1, 4))[0] is None
    seen, none = augment(obs=torch.zeros(3, 10, dtype=torch.float32), obs_type="policy")
    assert none is None
    assert seen.shape == (12, 10)
    assert seen.dtype == torch.float32


def test_fields_that_turn_are_moved_by_given_elements():
    turns = Symmetry(SO2(), {"arm": Vector()}, action=Vector())
    with pytest.raises(ArgumentError, match="finite"):
        ew.export.rsl_rl(turns)
    elements = GroupElement.stack([SO2().rotation(angle) for angle in (0.0, 0.7)])
    seen, _ = ew.export.rsl_rl(turns, elements=elements)(obs={"arm": torch.tensor([[1.0, 0.0]])})
    torch.testing.assert_close(seen["arm"][1], torch.tensor([np.cos(0.7), np.sin(0.7)]).float())
    with pytest.raises(ArgumentError, match="identity"):
        ew.export.rsl_rl(turns, elements=elements[1:])


def test_what_is_not_declared_is_refused():
    augment = ew.export.rsl_rl(QUADRUPED)
    with pytest.raises(ArgumentError, match="critic"):
        augment(obs={"policy": torch.zeros(1, 10), "critic": torch.zeros(1, 2)})
    kept = ew.export.rsl_rl(QUADRUPED, invariant=["critic"])
    assert kept(obs={"critic": torch.ones(1, 2)})[0]["critic"].shape == (4, 2)
    both = ew.export.rsl_rl(QUADRUPED, groups={"critic": "policy"})
    assert both(obs={"critic": torch.ones(1, 10)})[0]["critic"].shape == (4, 10)
    with pytest.raises(ArgumentError, match="Heading"):
        ew.export.rsl_rl(Symmetry(left_right((0.0, 1.0)), {"way": Heading()}, action=Vector()))


def test_it_is_read_back_as_it_was_written(tmp_path):
    written = read_function(
        ew.export.rsl_rl(QUADRUPED), {"policy": 10}, 4, isometries=K4.elements().matrix[1:]
    )
    assert check_map(written).ok
    names = {"policy": "policy", "action": "Q_js"}
    path = ew.export.morphosymm(QUADRUPED, tmp_path / "robot.yaml", name="ours", representations=names)
    again = read_morphosymm(path, observation={"policy": ("policy",)})
    assert ew.export.pairs(again) == ew.export.pairs(QUADRUPED)
    with pytest.raises(ArgumentError, match="labels name"):
        ew.export.morphosymm(
            Symmetry(left_right((1, 1, 0)), {"a": SignedPermutation([(0,)])}, SignedPermutation([(0,)])), path
        )


class Lockstep:
    """A few copies of a tiny symmetric world, as rsl_rl's VecEnv."""

    num_envs, num_actions, max_episode_length, device, cfg = 8, 4, 50, "cpu", {}

    def __init__(self, tensordict):
        self.tensordict = tensordict
        self.generator = torch.Generator().manual_seed(0)
        self.episode_length_buf = torch.zeros(8, dtype=torch.long)
        self.joints = torch.randn(8, 10, generator=self.generator)

    def get_observations(self):
        return self.tensordict({"policy": self.joints.clone()}, batch_size=[8])

    def step(self, actions):
        change = torch.cat([torch.zeros(8, 6), torch.tanh(actions)], -1)
        self.joints = 0.9 * self.joints + 0.1 * change
        rewards = -self.joints[:, 6:].square().sum(-1)
        return self.get_observations(), rewards, torch.zeros(8, dtype=torch.long), {}


def configured(function, **symmetry):
    model = {"class_name": "rsl_rl.models.MLPModel", "hidden_dims": [16], "activation": "tanh"}
    gaussian = {"class_name": "rsl_rl.modules.distribution.GaussianDistribution", "init_std": 0.5}
    return {
        "num_steps_per_env": 4,
        "multi_gpu": None,
        "obs_groups": {"actor": ["policy"], "critic": ["policy"]},
        "actor": {**model, "distribution_cfg": gaussian},
        "critic": model,
        "algorithm": {
            "class_name": "rsl_rl.algorithms.PPO",
            "num_learning_epochs": 1,
            "num_mini_batches": 2,
            "symmetry_cfg": {"data_augmentation_func": function, **symmetry},
        },
    }


@pytest.mark.parametrize(
    "settings",
    [
        {"use_data_augmentation": True},
        {"use_mirror_loss": True, "mirror_loss_coeff": 1.0},
        {"use_data_augmentation": True, "use_mirror_loss": True, "mirror_loss_coeff": 0.1},
    ],
)
def test_rsl_rl_trains_with_it(settings):
    pytest.importorskip("rsl_rl")
    tensordict = pytest.importorskip("tensordict").TensorDict
    from rsl_rl.algorithms import PPO

    env = Lockstep(tensordict)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        seen = env.get_observations()
        learner = PPO.construct_algorithm(
            seen, env, configured(ew.export.rsl_rl(QUADRUPED), **settings), "cpu"
        )
        for _ in range(2):
            for _ in range(4):
                seen, rewards, dones, extras = env.step(learner.act(seen))
                learner.process_env_step(seen, rewards, dones, extras)
            learner.compute_returns(seen)
            losses = learner.update()
    assert np.isfinite(list(losses.values())).all()
    assert losses["symmetry"] > 0


def test_a_file_holds_the_function():
    legs = SignedPermutation([(1, 0)], [(-1, -1)])
    augment = ew.export.rsl_rl(Symmetry(left_right(), {"policy": legs}, action=legs), invariant=["command"])
    obs = {"policy": torch.rand(3, 2), "command": torch.rand(3, 1)}
    again = pickle.loads(pickle.dumps(augment))
    for found, expected in zip(again(obs=obs)[0].values(), augment(obs=obs)[0].values(), strict=True):
        assert torch.equal(found, expected)
    assert torch.equal(again(actions=obs["policy"])[1], augment(actions=obs["policy"])[1])
