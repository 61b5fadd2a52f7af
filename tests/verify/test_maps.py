"""Hand-written maps: what is right passes, every planted entry is named with the exchange that mends it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from robot_map_cases import Robot, joints, move_robot, plain_map, robot_map, with_entry

import equiworld as ew
from equiworld.errors import ArgumentError
from equiworld.groups import SO3, Cyclic, left_right
from equiworld.symmetry import Concatenation, Pseudovector, SignedPermutation, Symmetry, Vector
from equiworld.verify.check_symmetry import check_symmetry
from equiworld.verify.maps import (
    SignedOrder,
    SymmetryMap,
    check_map,
    read_function,
    read_morphosymm,
)

ONE = SymmetryMap({"p": [((0,), (-1,))]}, [((0,), (-1,))])
SETTINGS = {"states": 2, "steps": 2}
TABLE = """
defaults:
  - legs
  - _self_
name: quadruped
group_label: K4
init_q: [0.0, np.pi/2]
permutation_kin_chain: [[1, 0, 3, 2], [2, 3, 0, 1]]
reflection_kin_chain:  [[1, 1, 1, 1], [1, 1, 1, 1]]
"""
LEGS = """
group_label: C2
permutation_Q_js: [[2, 3, 0, 1, 6, 7, 4, 5], [4, 5, 6, 7, 0, 1, 2, 3]]
reflection_Q_js: [[-1, 1, -1, 1, -1, 1, -1, 1], [1, -1, 1, -1, 1, -1, 1, -1]]
"""


def quadruped(tmp_path, table=TABLE, legs=LEGS, **settings):
    (tmp_path / "legs.yaml").write_text(legs)
    (tmp_path / "quadruped.yaml").write_text(table)
    return read_morphosymm(tmp_path / "quadruped.yaml", **settings)


def anymal_like(env, obs=None, actions=None, obs_type="policy"):
    """Twelve joints in the order of Isaac Sim, with three images behind the batch."""

    def sides(joints):
        return joints[..., [2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9]] * torch.tensor([-1.0] * 4 + [1.0] * 8)

    def ends(joints):
        return joints[..., [1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10]] * torch.tensor([1.0] * 4 + [-1.0] * 8)

    def seen(joints_moved, vector, obs):
        return torch.cat([obs[:, :3] * torch.tensor(vector), joints_moved(obs[:, 3:])], -1)

    if obs is not None:
        left = seen(sides, [1.0, -1.0, 1.0], obs)
        obs = torch.cat([obs, left, seen(ends, [-1.0, 1.0, 1.0], obs), seen(ends, [-1.0, 1.0, 1.0], left)])
    if actions is not None:
        actions = torch.cat([actions, sides(actions), ends(actions), ends(sides(actions))])
    return obs, actions


def test_true_maps_pass(tmp_path):
    cases = [robot_map(), plain_map(), quadruped(tmp_path), read_function(anymal_like, 15, 12)]
    for given in cases:
        found = check_map(given)
        assert found.ok, str(found)
        assert found.mended is given


def test_the_simulator_confirms_a_true_map():
    found = check_map(plain_map(), Robot(), move=move_robot, **SETTINGS)
    assert found.ok
    assert found.physics.verdict == "exact"


@pytest.mark.parametrize("array", ["policy", "action"])
@pytest.mark.parametrize("joint", [1, 9, 12, 13, 20, 28])
def test_one_wrong_sign_among_29_joints_is_named(array, joint):
    """In one map of four: paired joints break the law, the waist's only disagree with the other maps."""
    place = joint + (9 + 29 if array == "policy" else 0)
    right = robot_map()
    wrong = with_entry(right, array, place, sign=-right.arrays[array][0].signs[place])
    found = check_map(wrong)
    assert len(found.faults) == 1
    fault, entry = found.faults[0], right.arrays[array][0]
    assert fault.array == array
    assert place in fault.places
    sign = "+" if entry.signs[place] > 0 else "−"
    assert fault.mend == f"place {place} from {entry.order[place]} with sign {sign}"
    assert found.mended == right


@pytest.mark.parametrize(("joint", "source"), [(0, 7), (8, 3), (14, 13), (16, 24), (28, 20)])
def test_one_wrong_source_among_29_joints_is_named(joint, source):
    right = robot_map()
    wrong = with_entry(right, "action", joint, source=source)
    found = check_map(wrong)
    assert any(joint in fault.places and "taken from" in fault.what for fault in found.faults)
    assert f"place {joint} from {joints().order[joint]}" in found.faults[0].mend
    assert found.mended == right


@pytest.mark.parametrize(("i", "j"), [(0, 1), (3, 4), (12, 13), (15, 27)])
def test_two_exchanged_sources_are_named(i, j):
    right, order = robot_map(), joints().order
    wrong = with_entry(with_entry(right, "action", i, source=order[j]), "action", j, source=order[i])
    found = check_map(wrong)
    assert not found.ok
    assert {i, j} <= {place for fault in found.faults for place in fault.places}
    assert found.mended == right


def test_without_other_maps_both_mends_are_offered():
    order, signs = joints()
    wrong = SymmetryMap({"position": [joints()]}, [(order, (-signs[0], *signs[1:]))])
    mend = check_map(wrong).faults[0].mend
    assert mend == "place 0 from 6 with sign +, or place 6 from 0 with sign −"
    assert check_map(wrong).mended is None


@pytest.mark.parametrize("place", [3, 12, 14])
def test_a_lawful_wrong_sign_is_found_by_the_simulator(place):
    """A sign of a joint that keeps its place, or both of a pair, obeys the law: physics tells."""
    wrong, (order, signs) = plain_map(), joints()
    for array in wrong.arrays:
        for each in {place, order[place]}:
            wrong = with_entry(wrong, array, each, sign=-signs[each])
    assert check_map(wrong).ok
    found = check_map(wrong, Robot(), move=move_robot, **SETTINGS)
    assert not found.ok
    sign = "+" if signs[place] > 0 else "−"
    for array in ("position", "velocity"):
        fits = found.physics.field(array).fits
        assert fits.startswith("the SignedPermutation with")
        assert f"place {place} from {order[place]} with sign {sign}" in fits


def test_a_lawful_wrong_sign_of_the_action_is_found_by_the_simulator():
    wrong = with_entry(plain_map(), "action", 12, sign=1)
    assert check_map(wrong).faults[0].mend == "place 12 from 12 with sign −"
    found = check_symmetry(Robot(), wrong.symmetry(), move=move_robot, **SETTINGS)
    assert "12" in found.field("action").fits


BIPED = (
    "<mujoco><worldbody><body name='torso'><freejoint/><geom size='.2'/>"
    "<body name='head' pos='0 0 .4'><joint name='neck_yaw' axis='0 0 1'/><geom size='.1'/></body>"
    + "".join(
        f"<body name='{side}' pos='0 {y} -.3'><joint name='{side}_roll' axis='1 0 0'/>"
        f"<joint name='{side}_pitch' axis='0 1 0'/><geom size='.1'/>"
        f"<body name='{side}_shin' pos='0 0 -.4'><joint name='{side}_knee' axis='0 1 0'/>"
        "<geom size='.1'/></body></body>"
        for side, y in (("left", 0.2), ("right", -0.2))
    )
    + "</body></worldbody></mujoco>"
)


@pytest.mark.parametrize("place", range(7))
def test_a_lawful_wrong_sign_is_named_from_the_model_file(place):
    """Neck, then roll, pitch and knee of either side."""
    pytest.importorskip("mujoco")
    right = SignedOrder((0, 4, 5, 6, 1, 2, 3), (-1, -1, 1, 1, -1, 1, 1))
    whole = SymmetryMap({"joints": [right]}, [right])
    assert check_map(whole, model=BIPED).ok
    wrong, other = whole, right.order[place]
    for array, each in ((array, each) for array in whole.arrays for each in {place, other}):
        wrong = with_entry(wrong, array, each, sign=-right.signs[each])
    assert check_map(wrong).ok
    found = check_map(wrong, model=BIPED)
    assert {fault.places[0] for fault in found.faults} == {place, other}
    assert found.mended == whole
    assert all(
        ("left" in str(fault)) or ("right" in str(fault)) or "neck" in str(fault) for fault in found.faults
    )
    with pytest.raises(ArgumentError, match="joints"):
        check_map(whole, model=BIPED, joints=["neck_yaw"])


def test_images_that_do_not_compose_are_found():
    """Front and back of one joint with the sign of left and right: each is its own inverse, the product is not."""
    given = read_function(anymal_like, 15, 12)
    entry = given.action[2]
    wrong = given.with_entry("action", 2, entry._replace(signs=(-entry.signs[0], *entry.signs[1:])))
    found = check_map(wrong)
    assert not found.ok
    assert found.faults[0].array == "action"
    assert found.mended == given


def test_functions_are_read_as_they_are(tmp_path):
    given = read_function(anymal_like, 15, 12)
    assert given.group.order == 4
    rows = torch.randn(5, 15, dtype=torch.float64)
    images = anymal_like(None, obs=rows.float())[0].reshape(4, 5, 15)[1:]
    for entry, image in zip(given.observation["policy"], images, strict=True):
        moved = rows.float()[:, list(entry.order)] * torch.tensor(entry.signs)
        assert torch.equal(moved, image)


def test_functions_of_tensordicts_are_read():
    tensordict = pytest.importorskip("tensordict")

    def function(env, obs, actions):
        if obs is not None:
            assert isinstance(obs, tensordict.TensorDict)
            turned = obs.clone()
            turned["critic"] = obs["critic"].flip(-1)
            turned["policy"] = -obs["policy"]
            obs = torch.cat([obs, turned])
        return obs, None if actions is None else torch.cat([actions, actions.flip(-1)])

    given = read_function(function, {"policy": 2, "critic": 3}, 2)
    assert given.observation["critic"] == (SignedOrder((2, 1, 0), (1, 1, 1)),)
    assert given.observation["policy"] == (SignedOrder((0, 1), (-1, -1)),)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda obs, actions: (obs, actions), "the batch alone"),
        (lambda obs, actions: obs, "(obs, actions)"),
        (lambda obs, actions: (None if obs is None else torch.cat([obs, obs**2]), actions), "matrix"),
        (lambda obs, actions: (None if obs is None else torch.cat([-obs, obs]), actions), "first image"),
        (lambda obs, actions: (None if obs is None else torch.cat([obs, 2 * obs]), actions), "mixture"),
    ],
)
def test_functions_of_another_form_are_refused(function, message):
    def with_actions(obs, actions):
        found = function(obs, actions)
        if isinstance(found, tuple) and actions is not None and "alone" not in message:
            return found[0], torch.cat([actions, -actions])
        return found

    with pytest.raises(ArgumentError, match=message.replace("(", r"\(").replace(")", r"\)")):
        read_function(with_actions, 2, 2)


def test_tables_are_read_with_their_defaults(tmp_path):
    layout = {"policy": ("R3", "R3_pseudo", "Q_js"), "feet": ("kin_chain",)}
    given = quadruped(tmp_path, observation=layout, action="Q_js")
    assert given.group.order == 4
    assert given.observation["policy"][0].signs[:6] == (1, -1, 1, -1, 1, -1)
    assert given.observation["policy"][1].signs[:6] == (-1, 1, 1, 1, -1, -1)
    symmetry = given.symmetry()
    mirror = symmetry.group.elements()[1]
    whole = Symmetry(
        symmetry.group,
        {
            "policy": Concatenation((Vector(), Pseudovector(), symmetry.action)),
            "feet": symmetry.observation["feet"],
        },
        action=symmetry.action,
    )
    shown = {"policy": np.arange(14.0), "feet": np.arange(4.0)}
    for name, array in whole.transform_observation(mirror, shown).items():
        np.testing.assert_array_equal(array, symmetry.transform_observation(mirror, shown)[name])


def test_a_wrong_table_is_told(tmp_path):
    wrong = LEGS.replace("[[-1, 1, -1, 1,", "[[-1, 1, 1, 1,")
    found = check_map(quadruped(tmp_path, legs=wrong))
    assert not found.ok
    assert {fault.array for fault in found.faults} == {"Q_js", "action"}
    with pytest.raises(ArgumentError, match="group_label"):
        quadruped(tmp_path, table=TABLE.replace("K4", "T3"))
    with pytest.raises(ArgumentError, match="YAML"):
        read_morphosymm(tmp_path / "missing.yaml")
    with pytest.raises(ArgumentError, match="permutation_Q_js"):
        quadruped(tmp_path, legs=LEGS.replace("[4, 5, 6, 7, 0, 1, 2, 3]]", "[4, 5]]"))


def test_declarations_and_maps_go_both_ways():
    given = robot_map()
    again = SymmetryMap.of(given.symmetry())
    assert again.arrays == given.arrays
    np.testing.assert_array_equal(again.isometries, given.isometries)


def test_what_is_no_map_is_refused():
    legs = SignedPermutation([(1, 0)])
    with pytest.raises(ArgumentError, match="finite"):
        SymmetryMap.of(Symmetry(SO3(), {"arm": Vector()}, action=Vector()))
    with pytest.raises(ArgumentError, match="mixture"):
        SymmetryMap.of(Symmetry(Cyclic(3, axis=(0, 0, 1)), {"arm": Vector()}, action=Vector()))
    with pytest.raises(ArgumentError, match="as many"):
        SymmetryMap({"legs": [((1, 0), None), ((1, 0), None)]}, [((1, 0), None)])
    assert SymmetryMap.of(Symmetry(left_right(), {"legs": legs}, action=legs)).action[0].order == (1, 0)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("isometries", lambda: SymmetryMap({"p": [((0,), (1,))]}, [((0,), (1,))], 5)),
        ("isometries", lambda: SymmetryMap({"p": [((0,), (1,))]}, [((0,), (1,))], [[1, 2], [3]])),
        ("flat", lambda: SymmetryMap({"p": [((0,), (1,))]}, [((0,), (1,))], flat="no")),
        ("observation", lambda: SymmetryMap({"action": [((0,), (1,))]}, [((0,), (1,))])),
        ("symmetry", lambda: SymmetryMap.of(5)),
        ("array", lambda: ONE.with_entry("nope", 0, ONE.action[0])),
        ("number", lambda: ONE.with_entry("p", 1, ONE.action[0])),
        ("joints", lambda: check_map(ONE, joints=["hip"])),
        ("states", lambda: check_map(ONE, states=3)),
        ("path", lambda: read_morphosymm(5)),
        ("path", lambda: ew.export.morphosymm(ONE, 5)),
        ("representations", lambda: ew.export.morphosymm(ONE, "a.yaml", representations=5)),
        ("representations", lambda: ew.export.morphosymm(ONE, "a.yaml", representations={"p": "TqQ_js"})),
        ("groups", lambda: ew.export.rsl_rl(ONE, groups={"p": "nope"})),
        ("invariant", lambda: ew.export.rsl_rl(ONE, invariant="pq")),
        ("obs", lambda: ew.export.rsl_rl(ONE)(obs=[[1.0]])),
    ],
)
def test_wrong_arguments_are_named(name, wrong, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentError, match=name):
        wrong()
    assert not list(tmp_path.iterdir())
