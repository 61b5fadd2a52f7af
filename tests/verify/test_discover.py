"""Symmetries are found where they are, not where they are broken; what is proposed is audited."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import gymnasium as gym
import numpy as np
import pytest
from puck import FIELDS, Puck, move_puck
from small_worlds import SYSTEMS, Flat, particle, remembering, top, twins

import equiworld as ew
from equiworld.benchmarks.worlds.broken import BrokenPushTEnv
from equiworld.errors import ArgumentError
from equiworld.groups import E2, O2, SE2, SO2, Dihedral
from equiworld.symmetry import Heading, Point, Pseudoscalar, Rotation, Scalar, Vector
from equiworld.verify.discover import discover

SMALL = {"points": 10, "transitions": 200, "finite": False}
SIZES = {name: field.size(2) for name, field in FIELDS.items()}


def made_by(code):
    """The declaration that code makes."""
    told: dict[str, object] = {}
    exec(code, told)
    return told["symmetry"]


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_algebra_has_the_right_dimension(name):
    make, dim, turns, shifts, group = SYSTEMS[name]
    found = discover(make, dim=dim, **SMALL)
    algebra = found.algebra
    assert (len(algebra.turns), len(algebra.shifts)) == (turns, shifts)
    assert algebra.confidence >= 0.95
    below, above = algebra.gap
    assert below < 1e-5
    assert above > 1e-2
    assert (None if found.symmetry is None else found.symmetry.group) == group


@pytest.mark.parametrize("dose", [0.01, 0.1])
def test_a_small_break_is_seen(dose):
    """Drag that is 1 % larger along y."""
    broken = particle(2, force=lambda place, speed: -0.3 * dose * speed * (0.0, 1.0))
    assert discover(broken, **SMALL).algebra.dimension == 0
    assert discover(particle(2), **SMALL).algebra.dimension == 1


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("arguments", "dimensions"),
    [({}, (1, 2)), ({"drift": 20.0}, (0, 2)), ({"askew": 15.0}, (1, 2))],
    ids=["whole", "a weak force", "turned actuators"],
)
def test_what_breaks_a_block_that_is_seldom_pushed_is_seen(arguments, dimensions, seed):
    """Few points touch the block, and the first push of each tells nothing of its pose."""
    algebra = discover(partial(BrokenPushTEnv, **arguments), **SMALL | {"points": 24, "seed": seed}).algebra
    assert (len(algebra.turns), len(algebra.shifts)) == dimensions
    assert algebra.gap[0] < 1e-5
    assert algebra.gap[1] > 1e-5
    assert algebra.hidden == 0


def test_what_is_not_observed_is_said_to_take_part():
    class Blind(gym.ObservationWrapper):
        """Shows the place alone."""

        def __init__(self, env):
            super().__init__(env)
            self.observation_space = gym.spaces.Dict({"place": env.observation_space["place"]})

        def observation(self, observation):
            return {"place": observation["place"]}

    found = discover(lambda: Blind(particle(2)), **SMALL)
    assert found.algebra.hidden == 1
    assert any("is not observed" in note for note in found.notes)
    whole = discover(particle(2), **SMALL)
    assert whole.algebra.hidden == 0
    assert not any("is not observed" in note for note in whole.notes)


def test_what_no_action_moves_is_said():
    class Beside(gym.ObservationWrapper):
        """Shows besides where something else is that goes its own way."""

        def __init__(self, env):
            super().__init__(env)
            own = gym.spaces.Box(-np.inf, np.inf, (2,), np.float64)
            self.observation_space = gym.spaces.Dict({**env.observation_space.spaces, "other": own})

        def reset(self, **options):
            self.other = np.array([0.3, -0.7])
            return super().reset(**options)

        def observation(self, observation):
            self.other = 0.9 * self.other
            return {**observation, "other": self.other}

    found = discover(lambda: Beside(particle(2)), **SMALL)
    assert found.algebra.unreached == ("other",)
    assert any("no action moves other" in note for note in found.notes)


def test_observations_of_float32_are_asked_by_longer_steps():
    class Coarse(gym.ObservationWrapper):
        def observation(self, observation):
            return {name: value.astype(np.float32) for name, value in observation.items()}

    algebra = discover(lambda: Coarse(particle(2)), **SMALL).algebra
    assert (len(algebra.turns), len(algebra.shifts)) == (1, 0)
    assert algebra.hidden == 0


def test_types_and_centre_are_read_from_the_generators():
    found = discover(SYSTEMS["so(2)"][0], **SMALL)
    fields = {each.name: each.declared for each in found.fields}
    assert fields == {"place": Point(), "speed": Vector(), "action": Vector()}
    np.testing.assert_allclose(found.symmetry.centre, (1.0, -0.5), atol=1e-5)
    assert found.symmetry.group == SO2()
    found = discover(SYSTEMS["unicycle"][0], **SMALL)
    fields = {each.name: each.declared for each in found.fields}
    assert fields == {"place": Point(), "heading": Heading(), "speed": Scalar(), "action": Scalar(2)}
    assert found.symmetry.group == SE2()


def test_the_code_makes_the_proposal():
    found = discover(SYSTEMS["unicycle"][0], **SMALL)
    assert made_by(found.code) == found.symmetry
    assert "SE2" in str(found)
    json.dumps(found.to_dict())


@pytest.mark.parametrize("finite", [False, True])
def test_a_key_called_action_is_a_key_like_others(finite):
    found = discover(remembering(), points=10, transitions=300, finite=finite)
    fields = {"place": Point(), "speed": Vector(), "action": Vector()}
    assert dict(found.symmetry.observation) == fields
    assert found.symmetry.action == Vector()
    assert [each.name for each in found.fields] == [*fields, "action"]
    assert made_by(found.code) == found.symmetry
    assert found.symmetry.group == (O2() if finite else SO2())


def test_a_flat_observation_of_known_parts_is_typed_and_audited():
    """Vector, heading, pseudoscalar; the centre; the mirror, from one mirrored look."""
    found = discover(Puck(), parts=SIZES, move=move_puck, points=10, transitions=200)
    assert found.audit.ok
    assert found.audit.verdict == "exact"
    assert found.symmetry.group == E2()
    fields = found.symmetry.observation
    assert fields["place"] == Point()
    assert fields["speed"] == Vector()
    assert isinstance(fields["heading"], Heading)
    assert fields["spin"] == Pseudoscalar()
    assert found.symmetry.action == Vector()
    assert made_by(found.code) == found.symmetry


def test_a_world_without_mirror_images_gets_none():
    found = discover(Puck(magnus=0.1), parts=SIZES, move=move_puck, points=10, transitions=200)
    assert found.symmetry.group == SE2()
    assert found.audit.verdict == "exact"


def test_the_mirror_of_pusht_is_found_where_se2_was_declared():
    env = gym.make("equiworld/PushT-v0", walls=False)
    cut = replace(ew.symmetry_of(env), group=SE2())
    found = discover(env, cut)
    assert found.symmetry.group == E2()
    assert found.audit.verdict == "exact"
    assert any("E2() holds" in note for note in found.notes)


def test_mujoco_models_are_asked_first():
    pytest.importorskip("mujoco")
    found = discover(gym.make("Walker2d-v5"))
    assert found.symmetry.action.orders == ((3, 4, 5, 0, 1, 2),)
    assert found.audit.verdict == "exact"
    assert made_by(found.code) == found.symmetry


@pytest.mark.parametrize("heavier", [1.0, 3.0])
def test_bodies_that_are_alike_are_found(heavier):
    found = discover(twins(heavier), dim=2, points=4, transitions=500)
    exchange = next(each for each in found.finite if each.name == "exchange of 'left' and 'right'")
    assert exchange.holds == (heavier == 1.0)


@pytest.mark.slow
def test_walls_leave_the_square_of_pusht():
    found = discover(gym.make("equiworld/PushT-v0", walls=True), points=16, transitions=300)
    assert found.symmetry.group == Dihedral(4)
    assert found.symmetry.centre == (255.5, 255.5)


@pytest.mark.slow
def test_finite_candidates_are_found_in_a_fitted_model():
    found = discover(SYSTEMS["square well"][0])
    assert found.symmetry.group == Dihedral(4)
    np.testing.assert_allclose(found.symmetry.centre, (2.0, 1.0), atol=0.1)
    assert discover(SYSTEMS["none"][0]).symmetry is None
    found = discover(SYSTEMS["so(2)"][0])
    assert found.symmetry.group == O2()


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(ArgumentError, match="dim"):
        discover(particle(2), dim=4)
    with pytest.raises(ArgumentError, match="parts"):
        discover(Puck(), parts={"place": 2}, **SMALL)
    with pytest.raises(ArgumentError, match=r"parts: .* the keys 'place', 'speed'"):
        discover(particle(2), parts={"place": 2, "speed": 2}, **SMALL)
    with pytest.raises(ArgumentError, match="symmetry"):
        discover(particle(2), "SE2")
    noisy = particle(2, force=lambda place, speed: np.random.default_rng().normal(size=2))
    with pytest.raises(ArgumentError, match="repeat itself"):
        discover(noisy, **SMALL)


@pytest.mark.parametrize("form", ["xyz", "ZYX"])
def test_angles_of_euler_are_told_apart(form):
    found = discover(top(form), **SMALL)
    fields = {each.name: each.declared for each in found.fields}
    assert fields == {"pose": Rotation(form=form), "spin": Vector(), "action": Vector()}
    assert found.symmetry.group == ew.SO3()


@pytest.mark.parametrize(
    ("name", "order", "parts"),
    [
        ("so(2)", None, [(0, 1), (2, 3)]),
        ("se(2)", [0, 2, 4, 6, 1, 3, 5, 7], [(0, 4), (1, 5), (2, 6), (3, 7)]),
        ("so(3)", None, [(0, 1, 2), (3, 4, 5)]),
        ("unicycle", None, [(0, 1), (2,), (3,)]),
        ("none", None, [(0,), (1,), (2,), (3,)]),
    ],
)
def test_one_array_is_taken_apart(name, order, parts):
    make, _, turns, shifts, group = SYSTEMS[name]
    found = discover(Flat(make(), order), **SMALL)
    assert (len(found.algebra.turns), len(found.algebra.shifts)) == (turns, shifts)
    assert [tuple(map(int, each.name.split("_")[1:])) for each in found.fields[:-1]] == parts
    assert (None if found.symmetry is None else found.symmetry.group) == group
    assert group is None or made_by(found.code) == found.symmetry


def test_one_array_of_a_puck_is_taken_apart_and_audited():
    found = discover(Puck(), move=move_puck, points=10, transitions=300)
    fields = found.symmetry.observation
    assert (fields["numbers_0_1"], fields["numbers_2_3"]) == (Point(), Vector())
    assert isinstance(fields["number_4"], Heading)
    assert fields["number_5"] == Pseudoscalar()
    assert "numbers_7_8" in fields
    assert found.symmetry.group == E2()
    assert found.audit.verdict == "exact"


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("Pendulum-v1", [Scalar(), Pseudoscalar(), Pseudoscalar()]),
        ("MountainCarContinuous-v0", [Heading(axis=np.pi / 6), Pseudoscalar()]),
    ],
)
def test_mirrors_of_single_numbers_are_found(name, fields):
    """The pendulum's sine and rate; the car's place about the bottom of its valley, −π/6."""
    found = discover(gym.make(name), points=6, transitions=500)
    told = list(found.symmetry.observation.values())
    assert [type(each) for each in told] == [type(each) for each in fields]
    assert all(
        abs(each.axis - axis.axis) < 1e-3
        for each, axis in zip(told, fields, strict=True)
        if hasattr(axis, "axis")
    )
    assert found.symmetry.action == Pseudoscalar()
    assert float(found.symmetry.group.elements()[1].determinant) < 0


@pytest.mark.parametrize("order", [None, [0, 2, 1, 3]])
@pytest.mark.parametrize("heavier", [1.0, 3.0])
def test_bodies_in_one_array_that_are_alike_are_found(heavier, order):
    found = discover(Flat(twins(heavier), order), dim=2, points=4, transitions=500)
    exchanges = [each for each in found.finite if each.name.startswith("exchange")]
    if heavier > 1.0:
        assert exchanges == []
        return
    one = "'number_0' and 'number_1', 'number_2' and 'number_3'"
    other = "'number_0' and 'number_2', 'number_1' and 'number_3'"
    assert [each.name for each in exchanges] == [f"exchange of {other if order else one}"]


@pytest.mark.parametrize(
    ("name", "group", "arrow"),
    [("Reacher-v5", O2(), "vector_arm_0"), ("Swimmer-v5", E2(), "vector_torso_qvel")],
)
def test_turns_of_the_plane_are_read_from_the_model(name, group, arrow):
    pytest.importorskip("mujoco")
    found = discover(gym.make(name))
    assert found.symmetry.group == group
    assert found.symmetry.observation[arrow] == Vector()
    assert found.audit.verdict == "exact"
    assert made_by(found.code) == found.symmetry


@pytest.mark.parametrize("cone", ["pyramidal", "elliptic"])
def test_turns_about_gravity_are_proposed_where_friction_knows_no_north(cone):
    pytest.importorskip("mujoco")
    env = gym.make("Ant-v5", include_cfrc_ext_in_observation=False)
    env.unwrapped.model.opt.cone = ["pyramidal", "elliptic"].index(cone)
    found = discover(env)
    assert found.symmetry.group.order == 8
    if cone == "elliptic":
        assert found.also.group == SE2((0.0, 0.0, 1.0))
        assert found.also.reward is False  # it is paid for going along x
    else:
        assert found.also is None
        assert any("pyramidal" in note for note in found.notes)


@pytest.mark.parametrize(
    "wrong",
    [{"dim": 4}, {"parts": 5}, {"parts": {"a": "x"}}, {"parts": {"a": True}}, {"move": 5}, {"finite": 1}],
)
def test_wrong_arguments_are_named_before_the_work(wrong):
    def never() -> gym.Env:
        raise AssertionError("the work began")

    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        discover(never, **wrong)
