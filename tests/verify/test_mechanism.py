"""Symmetries of MuJoCo models are derived from the model, and what breaks them is found and named."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

mujoco = pytest.importorskip("mujoco")

from mechanism_cases import BIPED, hexapod  # noqa: E402

from equiworld.errors import ArgumentError  # noqa: E402
from equiworld.verify.mechanism import derive_map, derive_maps, explain  # noqa: E402

MIRROR = np.diag([1.0, -1.0, 1.0])
EXACT, RIGHT = 1e-10, 0.5


def biped():
    return mujoco.MjModel.from_xml_string(BIPED)


def test_a_mirrored_mechanism_is_found_with_all_its_parts():
    model = biped()
    (found,) = derive_maps(model).maps
    joints = found.joint_names(model)
    assert joints["left_hip_x"] == "-right_hip_x"
    assert joints["left_hip_y"] == "+right_hip_y"
    assert joints["left_shoulder"] == "right_shoulder"
    assert joints["neck"] == "+neck"
    assert found.without_partner == ()
    names = [model.actuator(index).name for index in found.orders.actuators]
    assert names[:2] == ["right_hip_x", "left_hip_x"]
    assert found.orders.actuator_signs.tolist() == [-1, -1, 1, 1, 1, 1, 1, 1]
    assert found.orders.sensors.tolist() == [1, 0, 2]
    assert found.orders.tendons.tolist() == [1, 0, 2]


@pytest.mark.parametrize("legs", [2, 3, 4, 5, 6, 8])
def test_turns_of_every_order_are_found_and_hold(legs):
    model = mujoco.MjModel.from_xml_string(hexapod(legs))
    derived = derive_maps(model)
    orders = {each.name for each in derived.maps}
    assert f"turn by 1/{legs}" in orders or legs == 2
    found = explain(model, starts=4, steps=10)
    assert all(each.exact for each in found.explanations)


def test_maps_are_representations():
    """Done as often as the order says, a map leaves every state as it was; it commutes with nothing less."""
    model = mujoco.MjModel.from_xml_string(hexapod(6))
    turn = next(each for each in derive_maps(model).maps if each.name == "turn by 1/6")
    rng = np.random.default_rng(0)
    qpos, qvel = model.qpos0 + 0.1 * rng.normal(size=model.nq), rng.normal(size=model.nv)
    qpos[3:7] /= np.linalg.norm(qpos[3:7])
    there, rates = qpos, qvel
    for _ in range(6):
        there, rates = turn.move_positions(there), turn.move_tangents(rates)
    there[3:7] *= np.sign(there[3:7] @ qpos[3:7])
    assert np.abs(there - qpos).max() < 1e-12
    assert np.abs(rates - qvel).max() < 1e-12
    assert np.abs(turn.tangent_matrix @ turn.tangent_matrix.T - np.eye(model.nv)).max() < 1e-12


def test_a_mechanism_that_is_its_own_image_moves_so():
    found = explain(biped(), starts=8, steps=20)
    mirror = found.explanations[0]
    assert mirror.exact
    assert mirror.deviation.touching > 0
    assert mirror.causes.causes == ()
    assert [each for each in mirror.differences if each.kind != "option"] == []


def test_pyramids_break_turns_about_gravity_and_ellipses_do_not():
    model = biped()
    turn = explain(model, starts=8, steps=20).explanations[-1]
    assert turn.map is None
    assert not turn.exact
    assert [cause.name for cause in turn.causes.causes] == ["friction cone"]
    assert turn.causes.rest.position < EXACT
    model.opt.cone = 1
    assert explain(model, starts=8, steps=20).explanations[-1].exact


def test_no_map_where_legs_differ_and_the_body_is_named():
    text = BIPED.replace('name="left_shin" pos="0 0 -0.4"', 'name="left_shin" pos="0 0 -0.3"')
    found = explain(text, starts=2, gravity=False)
    assert found.maps == ()
    reason = next(str(each) for each in found.rejected if each.name == "mirror y")
    assert "shin" in reason
    assert "no partner" in reason


def test_what_is_at_fault_is_found_with_its_share():
    """The worst of two faults first; shares add up to one; nothing is left when all is mended."""
    model = biped()
    model.jnt_stiffness[model.joint("left_knee").id] = 20.0
    model.dof_armature[model.joint("right_hip_y").dofadr[0]] *= 1.001
    (mirror,) = explain(model, starts=6, steps=15, gravity=False).explanations
    names = [cause.name for cause in mirror.causes.causes]
    assert names[:2] == ["stiffness of joint", "armature of joint"]
    assert "left_knee" in mirror.causes.causes[0].words
    assert "right_knee" in mirror.causes.causes[0].words
    assert np.isclose(sum(cause.share for cause in mirror.causes.causes), 1.0)
    assert mirror.causes.causes[0].share > RIGHT
    assert mirror.causes.rest.velocity < EXACT
    assert mirror.causes.rest.velocity < 1e-6 * mirror.deviation.velocity


def test_the_given_model_stays_as_it_is():
    model = biped()
    model.jnt_stiffness[model.joint("left_knee").id] = 20.0
    before = {
        name: copy.deepcopy(getattr(model, name)) for name in ("jnt_stiffness", "body_mass", "dof_invweight0")
    }
    explain(model, starts=2, steps=5)
    assert all((before[name] == getattr(model, name)).all() for name in before)


def test_constants_that_nobody_made_anew_are_found():
    model = biped()
    for side in ("left", "right"):  # alike, so that nothing but the constants could differ
        model.body_mass[model.body(f"{side}_shin").id] *= 2.0
    assert "dof_invweight0" in explain(model, starts=2, steps=5, gravity=False).stale
    mujoco.mj_setConst(model, mujoco.MjData(model))
    assert explain(model, starts=2, steps=5, gravity=False).stale == ()


def test_a_stale_constant_on_one_side_is_the_cause():
    model = biped()
    # as an edit leaves it that is taken back; limits and friction are weighed by it
    model.dof_invweight0[model.joint("left_knee").dofadr[0]] *= 3.0
    model.body_invweight0[model.body("left_shin").id] *= 3.0
    (mirror,) = explain(model, starts=8, steps=20, gravity=False).explanations
    assert [cause.name for cause in mirror.causes.causes] == ["derived constants"]
    assert mirror.causes.rest.position < EXACT


def test_a_solver_with_an_order_is_the_cause():
    model = biped()
    model.opt.solver, model.opt.iterations = 0, 3
    (mirror,) = explain(model, starts=8, steps=20, gravity=False).explanations
    assert [cause.name for cause in mirror.causes.causes] == ["solver"]
    assert mirror.causes.rest.position < EXACT


def test_reports_are_text_and_json(tmp_path):
    found = explain(biped(), starts=2, steps=5)
    written = json.loads(found.save(tmp_path / "why.json").read_text())
    assert written["benchmark"] == "mechanism"
    assert written["rows"][0]["joints"]["left_knee"] == "+right_knee"
    assert "mirror y: exact" in str(found)


def test_two_runs_are_the_same():
    first, second = (explain(biped(), starts=3, steps=5, seed=3).to_dict()["rows"] for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("no/such/robot.xml", "a file that exists"),
        ("<mujoco><worldbody><geom size='1'/></worldbody></mujoco>", "a model with joints"),
        ("<mujoco><nonsense/></mujoco>", "a model"),
        ("equiworld/PushT-v0", "a MuJoCo model"),
    ],
)
def test_what_is_no_mechanism_is_refused(source, words):
    with pytest.raises(ArgumentError, match=words):
        explain(source)


def test_an_isometry_that_is_none_is_refused():
    with pytest.raises(ArgumentError, match="no partner"):
        derive_map(biped(), [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert derive_map(biped(), MIRROR).mismatch < 1e-12
    for wrong in (np.diag([1.0, -1.0, 3.0]), np.eye(2), np.full((3, 3), np.nan)):
        with pytest.raises(ArgumentError, match="isometry"):
            derive_map(biped(), wrong)


@pytest.mark.parametrize("wrong", [float("nan"), -1.0, 0.0, "narrow"])
def test_a_tolerance_that_is_none_is_refused(wrong):
    for asked in (derive_maps, explain):
        with pytest.raises(ArgumentError, match="tolerance"):
            asked(biped(), tolerance=wrong)
    with pytest.raises(ArgumentError, match="tolerance"):
        derive_map(biped(), MIRROR, tolerance=wrong)


LED = """
<mujoco><option cone="elliptic"/><worldbody>
  <body name="hand" mocap="true" pos="0.1 0 1"/>
  <body name="torso" pos="0 0 1"><freejoint/><geom type="box" size=".1 .2 .1"/>
    <body name="left" pos="0 .2 0"><joint name="left" axis="1 0 0"/>
      <geom type="capsule" size=".03" fromto="0 0 0 0 .2 -.2"/></body>
    <body name="right" pos="0 -.2 0"><joint name="right" axis="1 0 0"/>
      <geom type="capsule" size=".03" fromto="0 0 0 0 -.2 -.2"/></body>
  </body></worldbody>
  <equality><weld body1="hand" body2="torso"/></equality>
  <actuator><motor joint="left" gear="5"/><motor joint="right" gear="5"/></actuator>
</mujoco>"""


def test_mocap_bodies_and_what_is_welded_to_them_move_along():
    found = explain(LED, starts=6, steps=20)
    assert {each.name: each.exact for each in found.explanations}["mirror y"]
    assert {each.name: each.exact for each in found.explanations}["turn of the world about gravity"]
    pose, quaternion = np.array([[0.1, 0.3, 1.0]]), np.array([[1.0, 0.0, 0.0, 0.0]])
    mirror = next(each.map for each in found.explanations if each.name == "mirror y")
    assert np.allclose(mirror.move_mocap(pose, quaternion)[0], [[0.1, -0.3, 1.0]])


ROOM = """
<mujoco><option cone="elliptic"/><worldbody><geom name="floor" type="plane" size="9 9 1"/>
  {walls}
  <body name="robot" pos="0 0 .25"><freejoint/><geom type="box" size=".2 .2 .2"/></body>
</worldbody></mujoco>"""
WALL = '<geom name="{name}" type="box" size=".1 1 1" pos="{x} 0 1"/>'


def test_walls_that_are_near_are_met_and_break_what_they_break():
    one = ROOM.format(walls=WALL.format(name="wall", x=1.5))
    found = explain(one, starts=12, steps=40)
    told = {each.name: each for each in found.explanations}
    assert told["mirror y"].exact
    assert not told["turn of the world about gravity"].exact
    assert "wall" in told["turn of the world about gravity"].causes.causes[0].words
    assert found.untouched == ()


def test_what_nothing_touched_is_said():
    far = ROOM.format(walls=WALL.format(name="wall", x=1.5) + WALL.format(name="tower", x=900))
    found = explain(far, starts=12, steps=40)
    assert found.untouched == ("tower",)
    assert "never touched: tower" in str(found)


def test_few_states_tell_the_same_causes_as_all():
    import mujoco

    from equiworld.verify.mechanism.causes import causes_of
    from equiworld.verify.mechanism.measuring import Measure
    from equiworld.verify.mechanism.mending import parameter_mends
    from equiworld.verify.mechanism.starts import starts_of

    model = mujoco.MjModel.from_xml_string(BIPED)
    model.body_mass[model.body("left_shin").id] *= 1.01
    model.jnt_stiffness[model.joint("left_knee").id] = 5.0
    mirror = derive_maps(model).maps[0]
    measure = Measure(mirror, starts_of(model, mirror.reference, 16, 20, 0), 20)
    deviation, mends = measure(model), parameter_mends(model, mirror)
    few, every = (causes_of(model, deviation, measure, mends, None, [], states) for states in (4, 16))
    assert (few.states, every.states) == (4, 16)
    assert [each.name for each in few.causes] == [each.name for each in every.causes]
    assert few.rest.starts == 16
