"""In which frames a policy is asked: one, all of a finite group, one that is drawn; and what the choice costs."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import nn

from equiworld.benchmarks.worlds.reach import REACH
from equiworld.errors import ArgumentError
from equiworld.groups import O2, SE2, SO2, Cyclic, Dihedral, left_right
from equiworld.sb3 import Symmetrised, symmetrise
from equiworld.symmetry import Heading, Point, Scalar, SignedPermutation, Symmetry, Vector, symmetry_of
from equiworld.verify.certificate import certify
from equiworld.verify.check_symmetry import check_symmetry

ROWS = 64
PLANE = {"way": Vector(), "place": Vector(2), "mass": Scalar()}
LEGS = Symmetry(
    left_right(),
    {"push": Vector(), "joints": SignedPermutation([(1, 0, 2)], [(-1, -1, 1)])},
    action=SignedPermutation([(1, 0)], [(-1, -1)]),
    flat=True,
)


def network(inputs: int, outputs: int, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(inputs, 24), nn.Tanh(), nn.Linear(24, outputs))


def declared(group) -> Symmetry:
    return Symmetry(group, PLANE, action=Vector(), flat=True)


def observations(size: int, rows: int = ROWS, seed: int = 0):
    return np.random.default_rng(seed).normal(size=(rows, size))


def residual(policy, symmetry, seen, deterministic=True) -> float:
    """The largest |π(g·o) − ρ(g)·π(o)| over some elements."""
    elements = symmetry.group.sample(np.random.default_rng(1), 8, scale=0.0)
    plain = policy.predict(seen, deterministic=deterministic)[0]
    worst = 0.0
    for g in elements:
        turned = policy.predict(symmetry.transform_observation(g, seen), deterministic=deterministic)[0]
        worst = max(worst, float(np.abs(turned - symmetry.transform_action(g, plain)).max()))
    return worst


@pytest.mark.parametrize("how", ["representative", "average", "random"])
@pytest.mark.parametrize("group", [Cyclic(3), Cyclic(4), Dihedral(4)], ids=repr)
def test_finite_groups_are_exact_whichever_way(how, group):
    symmetry = declared(group)
    plain = network(7, 2)
    seen = observations(7)
    policy = symmetrise(plain, symmetry, how=how)
    assert residual(policy, symmetry, seen) <= 1e-12
    assert residual(symmetrise(lambda row: row[:2] ** 2, symmetry, how=how), symmetry, seen) <= 1e-12


@pytest.mark.parametrize("how", ["representative", "average", "random"])
def test_left_and_right_are_exact_whichever_way(how):
    seen = observations(6)
    assert residual(symmetrise(network(6, 2), LEGS, how=how), LEGS, seen) == 0.0


def test_a_plain_network_is_not_what_the_test_would_pass():
    class Plain:
        def predict(self, observation, state=None, episode_start=None, deterministic=True):
            return observation[:, :2] ** 2, state

    assert residual(Plain(), declared(Cyclic(4)), observations(7)) > 0.1


@pytest.mark.parametrize("group", [SO2(), O2(), SE2()], ids=repr)
def test_a_drawn_frame_is_the_same_all_over_the_orbit(group):
    symmetry = Symmetry(
        group, {"way": Heading(), "place": Point(2), "speed": Vector()}, action=Vector(), flat=True
    )
    policy, seen = symmetrise(network(7, 2), symmetry, how="random"), observations(7)
    assert residual(policy, symmetry, seen) <= 1e-12
    canonical = symmetrise(network(7, 2), symmetry)
    assert np.abs(policy.predict(seen)[0] - canonical.predict(seen)[0]).max() > 1e-2


def test_an_average_is_the_mean_over_the_group():
    symmetry = declared(Dihedral(3))
    seen, inner = observations(7), network(7, 2)
    found = symmetrise(inner, symmetry, how="average").predict(seen)[0]
    expected = np.mean(
        [
            symmetry.transform_action(
                k,
                inner(torch.tensor(symmetry.transform_observation(k.inverse(), seen), dtype=torch.float32))
                .detach()
                .numpy(),
            )
            for k in symmetry.group.elements()
        ],
        0,
    )
    assert np.abs(found - expected).max() <= 1e-5  # the grid, and float32


def test_draws_are_never_averaged():
    """A policy that goes left or right by equal chance: the mean of its draws would be near 0."""

    class Coin(nn.Module):
        def forward(self, seen):
            sides = torch.tensor([[-1.0, 0.0], [1.0, 0.0]]).expand(len(seen), 2, 2)
            parts = torch.distributions.Independent(torch.distributions.Normal(sides, 1e-3), 1)
            chance = torch.distributions.Categorical(torch.ones(len(seen), 2))
            return torch.distributions.MixtureSameFamily(chance, parts)

    symmetry = declared(Cyclic(4))
    seen = observations(7, 256)
    for how in ("representative", "average", "random"):
        policy = symmetrise(Coin(), symmetry, how=how)
        before = torch.random.get_rng_state()
        drawn = policy.predict(seen, deterministic=False)[0]
        assert np.abs(np.linalg.norm(drawn, axis=-1) - 1.0).max() < 0.02, how
        assert torch.equal(before, torch.random.get_rng_state())
    representative = symmetrise(Coin(), symmetry)
    assert np.array_equal(representative.predict(seen)[0], representative.predict(seen)[0])


def test_a_distribution_with_a_mode_is_decided_by_it():
    class Gauss(nn.Module):
        def forward(self, seen):
            return torch.distributions.Normal(seen[:, :2], 0.5)

    seen = observations(7)
    policy = symmetrise(Gauss(), declared(SO2()))
    assert np.abs(policy.predict(seen)[0] - seen[:, :2]).max() < 1e-5
    assert np.abs(policy.predict(seen, deterministic=False)[0] - seen[:, :2]).max() > 0.1


def test_a_frame_that_was_drawn_lasts_for_the_episode():
    symmetry = declared(Cyclic(4))
    policy, seen = symmetrise(lambda row: np.array([1.0, 0.0]), symmetry, how="random"), observations(7, 32)
    first, state = policy.predict(seen, deterministic=False)
    second, state = policy.predict(seen, state, np.zeros(32, bool), deterministic=False)
    assert np.array_equal(first, second)
    third, _ = policy.predict(seen, state, np.arange(32) < 16, deterministic=False)
    assert np.array_equal(second[16:], third[16:])
    assert not np.array_equal(second[:16], third[:16])


def test_policies_with_memory_are_asked_in_every_frame_of_an_average():
    class Count:
        def predict(self, observation, state=None, episode_start=None, deterministic=True):
            steps = np.zeros(len(observation)) if state is None else state
            return observation[:, :2] * (1.0 + steps[:, None]), steps + 1.0

    symmetry = declared(Cyclic(4))
    policy, seen = symmetrise(Count(), symmetry, how="average"), observations(7)
    first, state = policy.predict(seen)
    second, _ = policy.predict(seen, state, np.zeros(ROWS, bool))
    assert np.abs(second - 2.0 * first).max() <= 1e-12


def test_the_jump_at_seams_is_reported_and_an_average_has_none():
    symmetry, seen = declared(Cyclic(4)), observations(7, 400)
    plain = network(7, 2)
    found = symmetrise(plain, symmetry).seams(seen)
    assert found.elements == 3
    assert found.largest > 0.05
    assert (found.gap >= 0).all()
    assert "jumps of up to" in str(found)
    assert symmetrise(plain, symmetry, how="average").seams(seen).largest == 0.0

    class Equivariant(nn.Module):
        def forward(self, row):
            return row[:, :2]

    assert symmetrise(Equivariant(), symmetry).seams(seen).largest < 1e-6
    turns = Symmetry(SO2(), PLANE, action=Vector(), flat=True)
    assert "no other element" in str(symmetrise(plain, turns).seams(seen))
    with pytest.raises(ArgumentError, match="how: got 'random'"):
        symmetrise(plain, symmetry, how="random").seams(seen)


def test_decisions_jump_at_a_seam_by_what_is_reported_and_those_of_an_average_do_not():
    """Along a path through the plane, in steps far below any real change."""
    symmetry = Symmetry(Cyclic(2), {"way": Vector()}, action=Vector(), flat=True)
    angle = np.linspace(0.0, 2.0 * np.pi, 20_001)
    path = np.stack([np.cos(angle), np.sin(angle)], -1)
    plain = network(2, 2)
    largest = {}
    for how in ("representative", "average"):
        policy = symmetrise(plain, symmetry, how=how)
        steps = np.diff(policy.predict(path)[0], axis=0)
        largest[how] = np.linalg.norm(steps, axis=-1).max()
    reported = symmetrise(plain, symmetry).seams(path).largest_near
    assert largest["average"] < 1e-2 * largest["representative"]
    assert largest["representative"] <= reported + 1e-3
    assert largest["representative"] >= 0.5 * reported


def test_ties_are_broken_alike_and_flagged():
    """A state that is its own image under half a turn: two elements tie, and the first is taken."""
    symmetry = Symmetry(Cyclic(2), {"way": Vector(), "mass": Scalar()}, action=Vector(), flat=True)
    policy = symmetrise(network(3, 2), symmetry)
    tied = np.zeros((5, 3))
    first, state = policy.predict(tied)
    assert state.degenerate.all()
    for _ in range(3):
        again, _ = policy.predict(tied)
        assert np.array_equal(again, first)
    assert np.array_equal(first, np.tile(first[:1], (5, 1)))
    mean, _ = symmetrise(network(3, 2), symmetry, how="average").predict(tied)
    assert np.abs(mean).max() <= 1e-6  # what is its own image can only be pushed nowhere
    assert np.abs(first).max() > 1e-2


@pytest.mark.parametrize(
    ("how", "group", "action", "told"),
    [
        ("average", SO2(), Vector(), "a finite group"),
        ("average", Cyclic(4), Heading(), "actions that a mean is one of"),
        ("mean", SO2(), Vector(), "options: representative, average, random"),
    ],
)
def test_what_has_no_mean_is_refused(how, group, action, told):
    symmetry = Symmetry(group, PLANE, action=action, flat=True)
    with pytest.raises(ArgumentError, match=told):
        symmetrise(lambda row: row[:1], symmetry, how=how)


def test_how_it_was_asked_is_kept_in_the_file(tmp_path):
    class Saved:
        def predict(self, observation, state=None, episode_start=None, deterministic=True):
            return observation[..., :2] ** 2, state

        def save(self, path):
            path.with_suffix(".txt").write_text("nothing to keep")

    symmetry, seen = declared(Cyclic(4)), observations(7)
    policy = symmetrise(Saved(), symmetry, how="random", seed=5)
    again = Symmetrised.load(policy.save(tmp_path), Saved())
    assert (again.how, again.seed) == ("random", 5)
    assert np.array_equal(again.predict(seen)[0], policy.predict(seen)[0])


# --- what is known of the world --------------------------------------------------------------------------


class Windy(gym.Env):
    """A point that is pushed, and that a wind from the west moves."""

    observation_space = gym.spaces.Box(-1e3, 1e3, (2,), np.float64)
    action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float64)

    def __init__(self, wind=0.5):
        self.wind = np.array([wind, 0.0])

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        g = (options or {}).get("group_element") or SE2().identity()
        self.place = g.act(self.np_random.normal(size=2))
        return self.place.copy(), {}

    def step(self, action):
        self.place = self.place + 0.1 * action + self.wind
        return self.place.copy(), 0.0, False, False, {}


def test_a_world_that_check_symmetry_finds_false_is_refused_unless_told():
    symmetry = Symmetry(SE2(), {"place": Point()}, action=Vector(), flat=True)
    found, calm = (check_symmetry(Windy(wind), symmetry, states=3, steps=3) for wind in (0.5, 0.0))
    assert not found.ok
    with pytest.raises(ArgumentError, match=r"certificate: got one of .* false: "):
        symmetrise(lambda row: row, symmetry, certificate=found)
    assert isinstance(symmetrise(lambda row: row, symmetry, certificate=found, anyway=True), Symmetrised)
    assert isinstance(symmetrise(lambda row: row, symmetry, certificate=calm), Symmetrised)


def test_an_audit_that_says_whether_it_passed_is_taken_at_its_word():
    class Audit:
        env, verdict, problems = "Some-v0", "BROKEN", ("friction of the left foot", "armature")

        def __init__(self, passed):
            self.passed = passed

    symmetry = declared(SO2())
    with pytest.raises(
        ArgumentError, match=r"one of Some-v0, BROKEN: friction of the left foot \(and 1 more\)"
    ):
        symmetrise(lambda row: row[:2], symmetry, certificate=Audit(False))
    assert isinstance(symmetrise(lambda row: row[:2], symmetry, certificate=Audit(True)), Symmetrised)
    for wrong in (True, Audit, Audit("yes"), object()):
        with pytest.raises(ArgumentError, match="certificate: got "):
            symmetrise(lambda row: row[:2], symmetry, certificate=wrong)


def test_a_module_in_a_closed_loop_is_certified():
    env = gym.make(REACH, half_width=0.5)
    module = network(6, 2)
    policy = symmetrise(module, env)
    module.train()
    assert certify(policy, env, elements=3, episodes=2, steps=15).passed
    assert module.training
    assert policy.dtype == torch.float32
    assert symmetry_of(REACH) == policy.symmetry


def test_layers_that_are_frozen_stay_so_and_the_others_go_on_training():
    module = nn.Sequential(nn.Linear(7, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 2)).train()
    module[1].eval()
    policy = symmetrise(module, declared(SO2()))
    one, other = (policy.predict(np.ones((2, 7)))[0] for _ in range(2))
    assert np.array_equal(one, other)
    assert [each.training for each in module.modules()] == [True, True, False, True, True]
    module.eval()
    policy.predict(np.ones((2, 7)))
    assert not any(each.training for each in module.modules())


def test_modules_of_several_keys_and_of_double_precision():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 2)

        def forward(self, seen):
            return self.layer(torch.cat([seen["way"], seen["goal"]], -1))

    symmetry = Symmetry(SO2(), {"way": Vector(), "goal": Vector()}, action=Vector(), goal=("goal",))
    torch.manual_seed(0)
    policy = symmetrise(Net().double(), symmetry)
    seen = {"way": observations(2), "goal": observations(2, seed=1)}
    assert residual(policy, symmetry, seen) <= 1e-12
    one = policy.predict({name: array[0] for name, array in seen.items()})[0]
    assert np.abs(one - policy.predict(seen)[0][0]).max() <= 1e-12
    with pytest.raises(ArgumentError, match="a module that returned a str"):
        symmetrise(Word(), symmetry).predict(seen)


class Word(nn.Module):
    def forward(self, seen):
        return "north"
