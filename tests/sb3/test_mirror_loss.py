"""What the mirror loss measures: nothing of a policy that is equivariant; and actions that it cannot measure."""

import gymnasium as gym
import numpy as np
import pytest
import torch

pytest.importorskip("stable_baselines3")

from equiworld.errors import ArgumentError
from equiworld.groups import SO2, SO3
from equiworld.sb3 import MirrorLossPolicy
from equiworld.symmetry import Concatenation, Heading, Rotation, Symmetry, Vector


def policy(symmetry, actions):
    space = gym.spaces.Box(-1.0, 1.0, (symmetry.dim,))
    return MirrorLossPolicy(
        space, gym.spaces.Box(-4.0, 4.0, (actions,)), lambda _: 1e-3, symmetry=symmetry, net_arch=[]
    )


@pytest.mark.parametrize(
    ("group", "action", "size"),
    [
        (SO2(), Heading(), 1),
        (SO2(), Concatenation((Vector(), Heading())), 3),
        (SO3(), Rotation(form="wxyz"), 4),
    ],
)
def test_actions_whose_differences_are_no_lengths_are_refused(group, action, size):
    with pytest.raises(ArgumentError, match="symmetry: got one with actions"):
        policy(Symmetry(group, {"way": Vector()}, action, flat=True), size)


def test_an_equivariant_policy_has_none_and_another_has():
    made = policy(Symmetry(SO2(), {"way": Vector()}, Vector(), flat=True), 2)
    seen = torch.as_tensor(np.random.default_rng(0).normal(size=(64, 2)), dtype=torch.float32)
    with torch.no_grad():
        made.action_net.bias.zero_()
        made.action_net.weight.copy_(2.0 * torch.eye(2))
        assert made.mirror_loss(seen) < 1e-10
        made.action_net.weight[0, 0] = 1.0
        assert made.mirror_loss(seen) > 0.1
