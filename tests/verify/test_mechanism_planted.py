"""Each kind of parameter, changed on one side, is found and named; and those that matter are found to be the cause."""

from __future__ import annotations

import numpy as np
import pytest

mujoco = pytest.importorskip("mujoco")

from mechanism_cases import BIPED  # noqa: E402

from equiworld.verify.mechanism import derive_maps, explain  # noqa: E402
from equiworld.verify.mechanism.differences import differences_of, option_differences  # noqa: E402


def scaled(array, kind, name, factor=1.1, column=None):
    """Multiply what belongs to one element."""

    def plant(model):
        index = getattr(model, kind)(name).id
        if kind == "joint" and array.startswith("dof"):
            index = model.joint(name).dofadr[0]
        values = getattr(model, array)
        if column is None:
            values[index] = values[index] * factor
        else:
            values[index, column] *= factor

    return plant


def moved(array, kind, name, by):
    def plant(model):
        getattr(model, array)[getattr(model, kind)(name).id] += by
        for frames in ("body_sameframe", "geom_sameframe"):
            if array.startswith(frames[:4]):
                getattr(model, frames)[getattr(model, kind)(name).id] = 0

    return plant


def put(array, kind, name, value):
    def plant(model):
        getattr(model, array)[getattr(model, kind)(name).id] = value

    return plant


def pull_elsewhere(model):
    model.qpos_spring[model.joint("left_hip_y").qposadr[0]] += 0.1


# what is planted, its name, the element, and whether a few steps of falling onto the floor feel it
PLANTED = {
    "mass": (scaled("body_mass", "body", "left_shin"), "mass", "left_shin", True),
    "centre": (moved("body_ipos", "body", "left_thigh", [0, 0.002, 0]), "centre of mass", "left_thigh", True),
    "own centre": (moved("body_ipos", "body", "head", [0, 0.001, 0]), "centre of mass", "head", True),
    "inertia": (scaled("body_inertia", "body", "left_thigh", 1.05, 0), "inertia", "left_thigh", True),
    "gravcomp": (put("body_gravcomp", "body", "left_arm", 0.1), "gravity compensation", "left_arm", False),
    "place": (moved("body_pos", "body", "left_shin", [0.001, 0, 0]), "place", "left_shin", True),
    "anchor": (moved("jnt_pos", "joint", "left_knee", [0.001, 0, 0]), "anchor", "left_knee", True),
    "range": (put("jnt_range", "joint", "left_hip_x", [-0.2, 0.7]), "range", "left_hip_x", False),
    "limit": (put("jnt_limited", "joint", "left_knee", 0), "limit", "left_knee", False),
    "stiffness": (put("jnt_stiffness", "joint", "left_knee", 5.0), "stiffness", "left_knee", True),
    "spring reference": (pull_elsewhere, "spring reference", "left_hip_y", True),
    "limit solref": (put("jnt_solref", "joint", "left_knee", [0.05, 1]), "limit solref", "left_knee", False),
    "limit solimp": (
        put("jnt_solimp", "joint", "left_knee", [0.5, 0.9, 0.01, 0.5, 2]),
        "limit solimp",
        "left_knee",
        False,
    ),
    "limit margin": (put("jnt_margin", "joint", "left_knee", 0.1), "limit margin", "left_knee", False),
    "damping": (scaled("dof_damping", "joint", "left_knee"), "damping", "left_knee", True),
    "armature": (scaled("dof_armature", "joint", "left_hip_y", 1.5), "armature", "left_hip_y", True),
    "friction loss": (
        scaled("dof_frictionloss", "joint", "left_hip_y", 5),
        "friction loss",
        "left_hip_y",
        True,
    ),
    "geom place": (moved("geom_pos", "geom", "left_foot", [0.01, 0, 0]), "position", "left_foot", False),
    "geom size": (
        scaled("geom_size", "geom", "left_foot", 1.1, 1),
        "size or orientation",
        "left_foot",
        False,
    ),
    "friction": (scaled("geom_friction", "geom", "left_foot", 0.5, 0), "friction", "left_foot", False),
    "solref": (put("geom_solref", "geom", "left_foot", [0.05, 1]), "solref", "left_foot", True),
    "solimp": (
        put("geom_solimp", "geom", "left_foot", [0.5, 0.9, 0.01, 0.5, 2]),
        "solimp",
        "left_foot",
        True,
    ),
    "margin": (put("geom_margin", "geom", "left_foot", 0.01), "margin", "left_foot", True),
    "gap": (put("geom_gap", "geom", "left_foot", 0.01), "gap", "left_foot", False),
    "condim": (put("geom_condim", "geom", "left_foot", 6), "condim", "left_foot", False),
    "contype": (put("geom_contype", "geom", "left_foot", 3), "contype", "left_foot", False),
    "priority": (put("geom_priority", "geom", "left_foot", 1), "priority", "left_foot", False),
    "gear": (scaled("actuator_gear", "actuator", "left_hip_x", 1.1, 0), "gear", "left_hip_x", True),
    "gain": (scaled("actuator_gainprm", "actuator", "left_knee", 1.1, 0), "gain", "left_knee", True),
    "bias": (scaled("actuator_biasprm", "actuator", "left_hip_y", 1.1, 1), "bias", "left_hip_y", True),
    "filter": (scaled("actuator_dynprm", "actuator", "left_knee", 2, 0), "dynamics", "left_knee", True),
    "controls": (
        put("actuator_ctrlrange", "actuator", "left_hip_x", [-0.5, 1]),
        "control range",
        "left_hip_x",
        True,
    ),
    "forces": (
        put("actuator_forcerange", "actuator", "left_hip_y", [-5, 30]),
        "force range",
        "left_hip_y",
        True,
    ),
    "tendon stiffness": (
        put("tendon_stiffness", "tendon", "left_string", 9),
        "stiffness",
        "left_string",
        True,
    ),
    "tendon damping": (put("tendon_damping", "tendon", "left_string", 1), "damping", "left_string", True),
    "rest length": (
        put("tendon_lengthspring", "tendon", "left_string", [0.5, 0.5]),
        "rest length",
        "left_string",
        True,
    ),
}


@pytest.fixture(scope="module")
def starts():
    return {"starts": 5, "steps": 25, "gravity": False}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_difference_is_found_named_and_alone(name, starts):
    plant, what, element, felt = PLANTED[name]
    model = mujoco.MjModel.from_xml_string(BIPED)
    plant(model)
    (found,) = derive_maps(model).maps
    differences = differences_of(model, found)
    assert [each.what for each in differences] == [what]
    assert element in differences[0].elements
    if not felt:
        return
    (mirror,) = explain(model, **starts).explanations
    assert not mirror.exact
    first = max(mirror.causes.causes, key=lambda cause: cause.share)
    assert first.name.startswith(what)
    assert element in first.words
    assert mirror.causes.rest.velocity < 1e-3 * mirror.deviation.velocity


def test_nothing_is_found_where_nothing_was_planted():
    model = mujoco.MjModel.from_xml_string(BIPED)
    (found,) = derive_maps(model).maps
    assert differences_of(model, found) == ()


def test_a_part_on_one_side_only_is_found():
    text = BIPED.replace(
        '<site name="left_sole"',
        '<geom name="toe" size="0.02" pos="0.2 0 -0.4" mass="0"/><site name="left_sole"',
    )
    model = mujoco.MjModel.from_xml_string(text)
    differences = differences_of(model, derive_maps(model).maps[0])
    assert [(each.what, each.elements) for each in differences] == [("no partner", ("toe",))]


def test_a_contact_that_is_excluded_on_one_side_is_found():
    text = BIPED.replace('<exclude body1="torso" body2="left_arm"/>', "")
    model = mujoco.MjModel.from_xml_string(text)
    (difference,) = differences_of(model, derive_maps(model).maps[0])
    assert difference.what == "excluded contact without its image"
    assert "right_arm" in difference.elements[0]


def test_a_coupling_on_one_side_is_found():
    couple = '<equality><joint name="{0}" joint1="{0}_knee" joint2="{0}_hip_y" polycoef="0.5 -1 0 0 0"/>{1}</equality>'
    one = couple.format("left", "")
    both = couple.format(
        "left", '<joint name="right" joint1="right_knee" joint2="right_hip_y" polycoef="{} -1 0 0 0"/>'
    )
    for equality, expected in ((one, "no partner"), (both.format(0.4), "data"), (both.format(0.5), None)):
        model = mujoco.MjModel.from_xml_string(BIPED.replace("<actuator>", f"{equality}<actuator>"))
        differences = differences_of(model, derive_maps(model).maps[0])
        assert [each.what for each in differences] == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("option", "cause"),
    [({"gravity": [0, 0.5, -9.8]}, "gravity"), ({"wind": [0, 3, 0], "density": 50}, "wind")],
)
def test_a_direction_of_the_world_is_the_cause(option, cause, starts):
    model = mujoco.MjModel.from_xml_string(BIPED)
    for name, value in option.items():
        if isinstance(value, list):
            getattr(model.opt, name)[:] = value
        else:
            setattr(model.opt, name, value)
    assert cause in [each.what for each in option_differences(model, derive_maps(model).maps[0])]
    (mirror,) = explain(model, **starts).explanations
    assert [each.name for each in mirror.causes.causes] == [cause]
    assert mirror.causes.rest.position < 1e-9


def test_a_wrong_sign_of_a_motor_is_told_apart_from_another_gear():
    """A motor that turns the other way is its partner's image with the sign of its control changed."""
    model = mujoco.MjModel.from_xml_string(BIPED)
    model.actuator_gear[model.actuator("left_hip_x").id, 0] *= -1
    (found,) = derive_maps(model).maps
    assert found.orders.actuator_signs[:2].tolist() == [1, 1]
    assert differences_of(model, found) == ()
    assert np.array_equal(found.move_controls(np.arange(8.0))[:2], [1.0, 0.0])
