"""Which subgroup a simulator carries is found, with where and why not: `ew.audit`."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import find_spec

import gymnasium as gym
import numpy as np
import pytest
from declaration_cases import PLANTED, TRUE, declared, puck, pusht
from noisy_puck import NoisyPuck, OwnNoisePuck
from puck import SYMMETRY, Puck, move_puck

import equiworld as ew
from equiworld.envs.known.ant import ant_symmetry
from equiworld.errors import ArgumentError, CheckpointError, SimulationError, UnknownNameError
from equiworld.groups import E2, O2, SE2, SO2, Cyclic
from equiworld.results import read_json
from equiworld.symmetry import Heading, Point, Pseudoscalar, Scalar, Symmetry, Vector
from equiworld.verify.auditing.cause import Cause
from equiworld.verify.auditing.counterexample import Counterexample
from equiworld.verify.auditing.findings import bound_of_none
from equiworld.verify.auditing.subgroups import Lattice, subgroups_of, telling_elements

SMALL = {"states": 4, "horizon": 3, "seed": 1}
robots = pytest.mark.skipif(
    find_spec("mujoco") is None or find_spec("imageio") is None, reason="needs mujoco and imageio"
)


def audited(env, symmetry=None, **settings):
    move = move_puck if isinstance(env.unwrapped, Puck) else None
    return ew.audit(env, symmetry=symmetry, **{"move": move, **SMALL, **settings})


@pytest.mark.parametrize("case", TRUE)
def test_what_is_true_holds_and_nothing_is_reported(case):
    found = audited(*TRUE[case]())
    assert (found.verdict, found.ok, found.problems, found.deviating) == ("exact", True, (), ())
    assert found.largest == (found.group,)
    assert found.counterexample is None
    assert np.isnan(found.replay())
    assert found.floor.same
    assert found.noise == "none"


@pytest.mark.parametrize(
    "case", ["type of a vector", "action upside down", "centre", "end at a wall", "wind"]
)
def test_what_is_planted_is_found_and_named(case):
    make, names, mended = PLANTED[case]
    found = audited(*make(), states=8)
    assert not found.ok
    told = "\n".join(found.problems)
    assert any(name in told or name in found.deviating for name in names), found
    if mended is not None:
        assert mended in told, found
        assert "correct the declaration first" in found.recommendation


def test_the_largest_subgroup_that_holds_is_found():
    assert audited(*puck(magnus=0.1)).largest == ("SE2()",)
    assert audited(*puck(wind=0.01)).largest == ("shifts", "left_right((0.0, 1.0))")
    found = audited(*puck(pays=0.1))
    assert found.largest == ("E2()",)
    assert found.largest_with_reward == ("shifts", "left_right((0.0, 1.0))")
    assert "reward=False" in found.recommendation


def test_a_larger_group_than_declared_is_asked_about():
    cut = replace(ew.symmetry_of(pusht()), group=SE2())
    found = audited(pusht(), cut, group=E2())
    assert (found.verdict, found.largest) == ("exact", ("E2()",))
    worst = max(each.horizon for each in found.elements)
    assert worst < 1e-10
    with pytest.raises(ArgumentError, match="dimension"):
        audited(pusht(), cut, group=ew.SO3())


@pytest.fixture(scope="module")
def walled():
    return ew.audit(gym.make("equiworld/PushT-v0"), states=20, horizon=4, seed=2)


def test_walls_leave_their_square_and_the_interior_all(walled):
    found = walled
    assert found.subgroup("SO2()").holds == "broken"
    assert found.subgroup("Dihedral(4)").holds != "broken"
    by_region = {each.region: each for each in found.regions}
    assert by_region["free"].largest == ("E2()",)
    assert by_region["free"].broken == 0
    assert by_region["against what is fixed"].broken > 0
    assert found.counterexample.region == "against what is fixed"


def test_a_counterexample_is_replayed_from_its_file(walled, tmp_path):
    found = walled
    assert found.replay() == pytest.approx(found.counterexample.deviation, rel=1e-9)
    path = found.counterexample.save(tmp_path / "counterexample.json")
    loaded = Counterexample.load(path)
    assert loaded.to_dict() == found.counterexample.to_dict()
    assert loaded.replay() == pytest.approx(loaded.deviation, rel=1e-9)
    mended = loaded.replay(gym.make("equiworld/PushT-v0", walls=False))
    assert mended < 1e-9


def test_a_damaged_counterexample_is_refused(tmp_path):
    found = audited(*puck(wind=0.01))
    path = found.counterexample.save(tmp_path / "it.json")
    told = json.loads(path.read_text())
    del told["rows"][0]["element"]
    path.write_text(json.dumps(told))
    with pytest.raises(CheckpointError, match="no whole counterexample"):
        Counterexample.load(path)
    with pytest.raises(CheckpointError, match="no counterexample"):
        Counterexample.load(audited(*puck(), states=1).save(tmp_path / "audit.json"))


def test_a_policy_whose_rollouts_are_followed():
    class Still:
        def predict(self, obs, state=None, episode_start=None, deterministic=True):
            return np.zeros((len(obs), 2)), state

    found = audited(Puck(), SYMMETRY, policy=Still())
    assert found.config["origins"] == {"random actions": 2, "policy": 2}
    with pytest.raises(ArgumentError, match="policy"):
        audited(Puck(), SYMMETRY, policy="walk")


def test_states_by_two_functions():
    fields = {
        "place": Point(),
        "goal": Point(),
        "speed": Vector(),
        "angle": Heading(),
        "spin": Pseudoscalar(),
        "mass": Scalar(),
    }

    def get(env):
        return {name: np.ravel(getattr(env.unwrapped, name)) for name in fields}

    def set(env, state):
        for name, array in state.items():
            setattr(env.unwrapped, name, float(array[0]) if array.size == 1 else array.copy())

    found = audited(Puck(), SYMMETRY, access=(get, set), state_fields=fields, move=None)
    assert found.verdict == "exact"
    assert found.config["restored_by"] == "FunctionStates"
    wrong = {**fields, "spin": Scalar()}
    found = audited(Puck(), SYMMETRY, access=(get, set), state_fields=wrong, move=None)
    assert found.verdict == "broken"
    assert found.largest[0] == "SE2()"
    with pytest.raises(ArgumentError, match="without a field"):
        audited(Puck(), SYMMETRY, access=(get, set), state_fields={"place": Point()}, move=None)


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(ArgumentError, match="move"):
        audited(Puck(), SYMMETRY, move=None)
    with pytest.raises(UnknownNameError):
        audited(gym.make("CartPole-v1"))
    alone = Symmetry(Cyclic(1), {"all": Scalar(10)}, action=Scalar(2), flat=True)
    with pytest.raises(ArgumentError, match="nothing to compare"):
        audited(Puck(), alone)
    for name, value in (("states", 0), ("horizon", 0), ("tolerance", -1.0), ("confidence", 1.0), ("move", 3)):
        with pytest.raises(ArgumentError, match=name):
            audited(Puck(), SYMMETRY, **{name: value})


def test_a_group_smaller_than_declared():
    found = audited(*puck(magnus=0.1), group=SO2())
    assert found.ok
    assert found.group == "SO2()"


def test_actions_whose_images_are_not_allowed_are_counted():
    found = audited(*puck())
    assert 0.01 < found.infeasible < 0.3  # corners of a square that turns
    assert audited(*puck(), group=Cyclic(4)).infeasible == 0.0


def test_regions_of_a_user_and_causes():
    asked = []

    def explain(env, symmetry, elements):
        asked.append(len(elements))
        return [Cause("wind", "0.01 along x", 1.0)]

    def region(env):
        return "left" if env.unwrapped.place[0] < 0 else "right"

    found = audited(*puck(wind=0.01), region=region, explain=explain)
    assert asked
    assert asked[0] > 0
    assert {each.region for each in found.regions} <= {"left", "right"}
    assert "cause: wind: 0.01 along x (100 % of the deviation)" in str(found)
    assert not audited(*puck(), explain=explain).causes


def test_words_of_a_user_do_not_tell_whether_walls_were_touched():
    found = ew.audit("equiworld/PushT-v0", states=2, horizon=2, region=lambda env: "here")
    assert "no run touched" not in found.recommendation


def test_reports_say_the_same_in_all_forms(tmp_path):
    found = audited(*puck(wind=0.01))
    told = read_json(found.save(tmp_path / "audit.json"))
    assert told["config"]["verdict"] == "broken"
    assert [row["name"] for row in told["rows"]] == [each.name for each in found.subgroups]
    page = found.page(tmp_path / "audit.html").read_text()
    assert found.recommendation in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert found.plot(tmp_path / "audit.png").stat().st_size > 10_000
    assert "BROKEN" in str(found)


def test_asserting_it_in_a_test():
    assert ew.assert_env_symmetric(Puck(), O2(), SYMMETRY, move=move_puck, **SMALL).ok
    with pytest.raises(AssertionError, match="BROKEN"):
        ew.assert_env_symmetric(Puck(wind=0.01), O2(), SYMMETRY, move=move_puck, **SMALL)


NOISY = {"states": 6, "horizon": 2, "group": O2(), "seed": 0}


def test_noise_that_both_sides_may_share_is_compared_one_by_one():
    found = audited(NoisyPuck("along the way"), SYMMETRY, **NOISY)
    assert (found.verdict, found.noise, found.ok) == ("exact", "common random numbers", True)


@pytest.mark.parametrize("kind", [NoisyPuck, OwnNoisePuck])
def test_noise_all_round_is_symmetric_in_law(kind):
    found = audited(kind("all round"), SYMMETRY, **NOISY)
    assert (found.verdict, found.noise, found.ok) == ("in law", "in law", True)
    assert found.floor.same == (kind is NoisyPuck)
    assert found.counterexample is None


def test_noise_along_a_direction_is_not():
    found = audited(NoisyPuck("along x"), SYMMETRY, **NOISY)
    assert found.verdict == "broken"
    assert found.largest == ("Dihedral(2)",)
    assert found.field_laws["speed"] < 0.01
    assert found.field_laws["mass"] > 0.05


def test_a_wind_in_noise_is_found():
    found = audited(NoisyPuck("all round", strength=0.05, wind=0.1), SYMMETRY, **NOISY)
    assert found.verdict == "broken"


def test_laws_that_could_not_be_drawn_are_not_said_to_hold():
    """Episodes that may end at every step leave too few draws of what follows two of them."""

    class Fragile(NoisyPuck):
        def step(self, action):
            observation, reward, _, *rest = super().step(action)
            return observation, reward, bool(self.np_random.random() < 0.3), *rest

    found = audited(Fragile("along x"), SYMMETRY, **{**NOISY, "states": 1, "horizon": 3, "seed": 1})
    assert found.noise == "in law"
    assert found.verdict == "untested"
    assert not found.ok
    assert "not compared in any state" in found.recommendation


def test_the_reward_of_a_noisy_world_is_asked_of_each_subgroup():
    """Paid along x: the mirror image that keeps x keeps the reward, and turns do not."""
    found = audited(NoisyPuck("all round", pays=1.0), SYMMETRY, **NOISY)
    assert (found.verdict, found.ok) == ("in law", False)
    paid = {each.name: each.reward for each in found.subgroups}
    assert (paid["O2()"], paid["SO2()"], paid["left_right((0.0, 1.0))"]) == (False, False, True)
    assert found.largest_with_reward == ("left_right((0.0, 1.0))",)


@pytest.mark.slow
def test_false_alarms_are_as_rare_as_said():
    wrong = sum(
        not audited(NoisyPuck("all round"), SYMMETRY, **{**NOISY, "seed": seed}).ok for seed in range(60)
    )
    assert wrong <= 6  # of 60 at 5 %: with probability .97


@pytest.mark.parametrize("group", [E2(), SE2(), O2(), Cyclic(4), ew.SE3(), ew.SE2((0, 0, 1), along=True)])
def test_subgroups_are_told_apart_by_elements(group):
    subgroups = subgroups_of(group)
    elements = telling_elements(group, subgroups, np.random.default_rng(0), 1.0)
    lattice = Lattice(subgroups, elements)
    assert lattice.members[0] == frozenset(range(len(elements)))
    for each, inside in zip(subgroups, lattice.members, strict=True):
        if each.group is not None:
            assert all(each.group.contains(elements[index]) for index in inside)
    assert len(set(lattice.members)) == len(lattice.members)  # no two look alike
    for own in lattice.own:
        tried = {index for state in range(max(len(own), 1)) for index in lattice.tried(state)}
        assert own <= tried


def test_gravity_that_points_anywhere_has_its_stabiliser():
    tilted = (0.0, 0.6, 0.8)
    names = [each.name for each in subgroups_of(ew.SE3(), tilted)]
    assert any("0.6" in name for name in names)


def test_the_bound_of_no_violation_is_the_exact_one():
    for trials in (1, 3, 30, 300):
        bound = bound_of_none(trials, 0.95)
        assert (1 - bound) ** trials == pytest.approx(0.05)
    assert bound_of_none(300, 0.95) == pytest.approx(3 / 300, rel=0.01)
    assert bound_of_none(0, 0.95) == 1.0


def test_the_declaration_that_is_wrong_is_not_taken_for_the_world():
    found = audited(*puck(declared({"speed": Scalar(2)})))
    assert found.problems
    assert "speed" not in found.deviating


def test_walls_that_no_run_touched_are_said():
    env = gym.make("equiworld/PushT-v0")
    found = ew.audit(env, states=2, horizon=1, region=None, seed=3)
    regions = {each.region for each in found.regions}
    assert ("no run touched the walls" in found.recommendation) == ("against what is fixed" not in regions)


@robots
def test_cones_that_no_state_felt_are_asked_of_the_model(tmp_path):
    """Friction that knows north is seldom felt: whether by its own states or by those of the model, it is found."""
    env = gym.make("Ant-v5", include_cfrc_ext_in_observation=False)
    found = ew.audit(env, symmetry=ant_symmetry(env, "gravity"), states=2, horizon=1)
    assert found.verdict == "broken"
    assert any("pyramidal" in str(each) for each in found.causes)
    assert "Nothing deviates" not in found.page(tmp_path / "audit.html").read_text()


@pytest.mark.parametrize(
    "wrong",
    [
        {"access": 5},
        {"access": (len,)},
        {"access": (lambda env: None, lambda env, state: None)},
        {"state_fields": {"place": Point()}},
    ],
)
def test_what_reads_states_is_checked(wrong):
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        ew.audit(Puck(), symmetry=SYMMETRY, move=move_puck, states=2, horizon=2, **wrong)


def test_an_environment_that_cannot_begin_is_named():
    class Broken(Puck):
        def reset(self, *, seed=None, options=None):
            raise RuntimeError("no floor")

    with pytest.raises(SimulationError, match="reset of seed 0: no floor"):
        ew.audit(Broken(), symmetry=SYMMETRY, move=move_puck, states=2)
