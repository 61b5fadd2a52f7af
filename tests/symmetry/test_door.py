"""The frame at the door: what is observed at s and at g·s is the same inside, to the bit, and comes out turned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from symmetry_cases import GROUPS, difference, random_array

import equiworld.envs  # noqa: F401  registers PushT
from equiworld.envs.pusht.simulation import PushTState
from equiworld.errors import ArgumentError
from equiworld.groups import (
    E2,
    E3,
    O2,
    O3,
    SE2,
    SE3,
    SO2,
    SO3,
    Cyclic,
    Dihedral,
    GroupElement,
    Permutation,
)
from equiworld.symmetry import (
    Canonical,
    Cloud,
    Concatenation,
    Door,
    Heading,
    Point,
    Pseudoscalar,
    Pseudovector,
    Rotation,
    Scalar,
    Symmetry,
    Vector,
    symmetry_of,
)

pytestmark = pytest.mark.exact

STEP, CLOUD_STEP = 2.0**-22, 2.0**-13
PLANE = [*GROUPS[2], Cyclic(2), Cyclic(3), Dihedral(4)]
SPACE = GROUPS[3]
every_group = pytest.mark.parametrize("group", [*PLANE, *SPACE], ids=str)
ROWS = 1000

_BOTH = {
    "mass": Scalar(2),
    "rates": Pseudoscalar(2),
    "hand": Point(),
    "corners": Point(3),
    "speed": Vector(2),
    "spin": Pseudovector(),
    "marks": Point(4, mirror=(1, 0, 2, 3)),
}
FIELDS: dict[int, dict[str, Any]] = {
    2: _BOTH
    | {
        "way": Heading(),
        "ways": Heading(2, low=0.0, axis=0.7),
        "pose": Concatenation((Point(), Heading(), Scalar())),
    },
    3: _BOTH
    | {
        "axes": Rotation(2),
        "quaternion": Rotation(form="xyzw"),
        "pose": Concatenation((Point(), Rotation())),
    },
}


def declared(group, fields=None, action=None, **settings) -> Symmetry:
    """A world of many fields; quaternions only where there is no mirror."""
    fields = dict(FIELDS[group.dim] if fields is None else fields)
    if not group.proper:
        fields.pop("quaternion", None)
    centre = (1.5, -0.5, 2.0)[: group.dim]
    return Symmetry(
        group, fields, action=Vector() if action is None else action, **({"centre": centre} | settings)
    )


def observed(symmetry: Symmetry, rows: int = ROWS, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    arrays = {
        name: random_array(field, symmetry.dim, rng, (rows,)) for name, field in symmetry.observation.items()
    }
    return np.concatenate(list(arrays.values()), -1) if symmetry.flat else arrays


def moved(symmetry: Symmetry, observation: Any, seed: int = 1) -> tuple[GroupElement, Any]:
    """The same seen turned, each row by an element of its own."""
    rows = len(observation if symmetry.flat else next(iter(observation.values())))
    g = symmetry.group.sample(np.random.default_rng(seed), rows, scale=3.0)
    return g, symmetry.transform_observation(g, observation)


def same_rows(one: Any, other: Any) -> np.ndarray:
    """Which rows are equal to the bit."""
    if not isinstance(one, dict):
        return (one == other).all(-1)
    return np.all([(one[name] == other[name]).all(-1) for name in one], 0)


def assert_same_bits(one: Canonical, other: Canonical) -> None:
    same = same_rows(one.observation, other.observation)
    assert same.all(), f"rows {np.flatnonzero(~same)[:8]} of {len(same)} differ"


def framed_by_clouds(symmetry: Symmetry) -> bool:
    fields = {name: symmetry.observation[name] for name in symmetry.state}
    posed = symmetry.heading in fields or any(isinstance(field, Rotation) for field in fields.values())
    return not posed and any(isinstance(field, Cloud) for field in fields.values())


def assert_comes_back(symmetry: Symmetry, inside: Canonical, observation: Any, steps: float = 1.0) -> None:
    """h·canonical is what was observed, within the grid; clouds as sets."""
    step = CLOUD_STEP if framed_by_clouds(symmetry) else STEP
    back = symmetry.transform_observation(inside.element, inside.observation)
    if symmetry.flat:
        back, observation = symmetry.observed(back), symmetry.observed(observation)
    for name, field in symmetry.observation.items():
        if isinstance(field, Cloud):
            one, other = (x.reshape(len(x), -1, symmetry.dim) for x in (back[name], observation[name]))
            apart = np.linalg.norm(one[:, :, None] - other[:, None], axis=-1)
            assert max(apart.min(1).max(), apart.min(2).max()) <= CLOUD_STEP * symmetry.length_scale
        else:
            assert difference(field, symmetry.dim, back[name], observation[name]) <= steps * step


# -------------------------------------------------------------------------------------------- equal bits


@every_group
@pytest.mark.parametrize("flat", [False, True], ids=["by name", "flat"])
def test_what_is_seen_turned_is_the_same_inside(group, flat):
    symmetry = declared(group, flat=flat)
    door, here = Door(symmetry), observed(symmetry)
    g, there = moved(symmetry, here)
    inside, turned = door.enter(here), door.enter(there)
    assert_same_bits(inside, turned)
    assert not inside.degenerate.any()
    assert not door.inexact
    assert_comes_back(symmetry, inside, here, steps=2.0)
    assert_comes_back(symmetry, turned, there, steps=2.0)
    back = g @ inside.element
    assert np.abs(back.matrix - turned.element.matrix).max() <= 1e-8
    assert np.abs(back.translation - turned.element.translation).max() <= 1e-8
    assert inside.margin.min() > 0
    assert inside.margin.max() <= 0.5
    # Canonical observations differ from one another: nothing here is constant.
    first = inside.observation if flat else inside.observation["hand"]
    assert len(np.unique(first, axis=0)) == ROWS or group.has_translations
    # Negative control: one is changed by a thousandth of its size.
    spoilt = 1.001 * here if flat else here | {"mass": 1.001 * here["mass"]}
    assert not same_rows(inside.observation, door.enter(spoilt).observation).any()


@every_group
def test_the_last_bit_is_not_seen(group):
    """What is snapped would be different as it is: the negative control of all that is equal to the bit."""
    symmetry = declared(group)
    door, here = Door(symmetry), observed(symmetry)
    rng = np.random.default_rng(3)
    shaken = {name: array * (1 + 4e-16 * rng.standard_normal(array.shape)) for name, array in here.items()}
    assert not same_rows(here, shaken).any()
    assert_same_bits(door.enter(here), door.enter(shaken))
    # Without the grid: brought back by the frame's element alone.
    _, there = moved(symmetry, here)
    plain, turned = (
        symmetry.transform_observation(door.enter(seen).element.inverse(), seen) for seen in (here, there)
    )
    if not group.finite:
        assert same_rows(plain, turned).mean() < 0.01


ALONE = {
    "points": (PLANE + SPACE, {"hand": Point(), "corners": Point(3)}),
    "clouds": (PLANE + SPACE, {"cloud": Cloud(7), "hand": Point(), "speed": Vector(2)}),
    "two clouds": (PLANE + SPACE, {"cloud": Cloud(4), "other": Cloud(5), "speed": Vector(2)}),
    "vectors": (PLANE + SPACE, {"speed": Vector(4), "mass": Scalar()}),
    "a heading": (PLANE, {"way": Heading(), "mass": Scalar(), "rate": Pseudoscalar()}),
    "a heading and a point": (PLANE, {"hand": Point(), "way": Heading(), "rate": Pseudoscalar()}),
    "a rotation": (SPACE, {"axes": Rotation(), "spin": Pseudovector()}),
    "a quaternion": ([SO3(), SE3()], {"axes": Rotation(form="wxyz"), "hand": Point()}),
    "a pose in a row": (SPACE, {"pose": Concatenation((Point(), Rotation(), Pseudovector()))}),
    "x, y and an angle": ([SO2(), SE2(), Cyclic(4)], {"pose": Concatenation((Point(), Heading()))}),
    "a body that is its own mirror image": (
        PLANE,
        {"hand": Point(), "marks": Point(4, mirror=(1, 0, 3, 2)), "way": Heading(axis=0.7)},
    ),
    "axes and arrows": ([O3(), E3(), O2(), E2()], {"speed": Vector(2), "spin": Pseudovector(2)}),
}


@pytest.mark.parametrize(
    ("kind", "group"),
    [(kind, group) for kind, (groups, _) in ALONE.items() for group in groups],
    ids=str,
)
def test_few_fields_are_enough(kind, group):
    symmetry = declared(group, ALONE[kind][1])
    door, here = Door(symmetry), observed(symmetry, 300)
    _, there = moved(symmetry, here)
    inside, turned = door.enter(here), door.enter(there)
    assert not inside.degenerate.any()
    assert_same_bits(inside, turned)
    assert_comes_back(symmetry, inside, here, steps=2.0)


@pytest.mark.parametrize(
    "settings",
    [{"heading": "way", "reference": "hand"}, {"goal": ("corners",)}, {"length_scale": 0.01}],
    ids=str,
)
@pytest.mark.parametrize("group", PLANE, ids=str)
def test_headings_references_goals_and_scales(group, settings):
    symmetry = declared(group, **settings)
    here = observed(symmetry, 300)
    _, there = moved(symmetry, here)
    inside = Door(symmetry).enter(here)
    assert_same_bits(inside, Door(symmetry).enter(there))
    assert_comes_back(symmetry, inside, here, steps=2.0)
    if settings.get("heading") and not group.finite:
        assert np.abs(inside.observation["way"]).max() <= STEP
    if settings.get("reference") and group.has_translations:
        assert np.abs(inside.observation["hand"] - symmetry.centre).max() <= STEP


def test_each_field_is_snapped_by_its_own_scale():
    fields = {"near": Vector(scale=1e-3), "far": Vector(scale=1e3), "told": Vector(), "hand": Point()}
    symmetry = declared(SO2(), fields, length_scale=8.0)
    door = Door(symmetry, scales={"told": 32.0, "near": 5.0})
    here = observed(symmetry, 300)
    inside = door.enter(here)
    back = symmetry.transform_observation(inside.element, inside.observation)
    error = {name: np.abs(back[name] - here[name]).max() / STEP for name in fields}
    for name, scale in (("near", 1e-3), ("far", 1e3), ("told", 32.0), ("hand", 8.0)):
        assert 0.3 * scale < error[name] < 1.5 * scale
    _, there = moved(symmetry, here)
    assert_same_bits(inside, door.enter(there))


def test_far_away_is_as_exact_as_here():
    """The observed origin is subtracted in float64 before anything else."""
    symmetry = symmetry_of("equiworld/PushT-v0")
    here = pusht(observations_of([(215, 220, 0, 0, 200, 200, 0.0, 300, 300, 1.0)]))
    door = Door(symmetry)
    g = GroupElement.stack([SE2().translation((shift, -2 * shift)) for shift in (1e3, 1e5, 1e6)])
    there = symmetry.transform_observation(g, {name: np.repeat(x, 3, 0) for name, x in here.items()})
    inside, away = door.enter(here), door.enter(there)
    for name, array in away.observation.items():
        assert np.array_equal(array, np.repeat(inside.observation[name], 3, 0)), name


# ------------------------------------------------------------------------------------------ round numbers


def observations_of(states: list[tuple[float, ...]]) -> list[dict[str, np.ndarray]]:
    """PushT without walls, started at (agent x, y, vx, vy, block x, y, θ, goal x, y, θ)."""
    env, found = gym.make("equiworld/PushT-v0", walls=False), []
    for numbers in states:
        state = PushTState(tuple(numbers[:2]), tuple(numbers[2:4]), tuple(numbers[4:7]), tuple(numbers[7:]))
        found.append(env.reset(seed=0, options={"state": state})[0])
    return found


def pusht(observations: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.stack([one[name] for one in observations]) for name in observations[0]}


ANGLES = [0.0, np.pi, -np.pi, np.pi / 2, -np.pi / 2, np.pi / 4, 1.0, 3.0]


def test_round_numbers_are_no_seams():
    """Integers, corners and edges, rest, quarter turns: 200 of them, each seen from eight sides."""
    rng = np.random.default_rng(0)
    states = [(215, 220, 0, 0, 200, 200, 0.0, 300, 300, 1.0), (200, 200, 0, 0, 200, 200, 0.0, 200, 200, 0.0)]
    for _ in range(198):
        places = rng.integers(10, 40, 6) * 10
        angles = rng.choice(ANGLES, 2)
        speed = rng.choice([0, 0, 0, 30, -64], 2)
        states.append((*places[:2], *speed, *places[2:4], angles[0], *places[4:], angles[1]))
    symmetry, here = symmetry_of("equiworld/PushT-v0"), pusht(observations_of(states))
    door = Door(symmetry)
    inside = door.enter(here)
    # The second is its own mirror image: agent and goal stand in the middle of the T.
    assert np.flatnonzero(inside.degenerate).tolist() == [1]
    quarters = GroupElement.stack(
        [SE2().rotation(angle) for angle in (np.pi / 2, np.pi, -np.pi / 2, np.pi / 4)]
    )
    some = SE2().sample(np.random.default_rng(1), 4, scale=300.0)
    for elements in (quarters, some):
        for index in range(4):
            g = elements[index]
            turned = door.enter(symmetry.transform_observation(GroupElement.stack([g] * 200), here))
            assert_same_bits(inside, turned)
    assert inside.margin.min() > 1e-6  # far from a seam in steps; rounding is 1e-7 of one


@pytest.mark.parametrize("group", [SO2(), SE2(), O2(), Cyclic(4), Dihedral(4)], ids=str)
def test_integers_in_any_declaration_are_no_seams(group):
    symmetry = declared(group, {"hand": Point(), "corners": Point(2), "speed": Vector(), "way": Heading()})
    rng = np.random.default_rng(0)
    here = {
        "hand": rng.integers(-3, 4, (ROWS, 2)),
        "corners": rng.integers(-3, 4, (ROWS, 4)),
        "speed": rng.integers(-1, 2, (ROWS, 2)),
        "way": rng.choice(ANGLES, (ROWS, 1)),
    }
    door = Door(symmetry)
    _, there = moved(symmetry, here)
    inside, turned = door.enter(here), door.enter(there)
    assert np.array_equal(inside.degenerate, turned.degenerate)
    clear = ~inside.degenerate
    assert same_rows(inside.observation, turned.observation)[clear].all()
    assert clear.mean() > 0.5


def test_half_turns_of_a_heading_meet():
    """−π, π and what rounding makes of them are one heading."""
    symmetry = declared(SO2(), {"way": Heading(), "other": Heading()}, heading="way")
    near = np.array([np.pi, -np.pi, np.nextafter(np.pi, 0), np.nextafter(-np.pi, 0)])
    way = np.array([0.0, 0.3, -2.0])[:, None].repeat(4, 1)
    found = Door(symmetry).enter({"way": way.reshape(-1, 1), "other": (way + near).reshape(-1, 1)})
    assert len(np.unique(found.observation["other"])) == 1


# ------------------------------------------------------------------------------------------------- clouds


@pytest.mark.parametrize("group", [SO2(), SE2(), E2(), Dihedral(4), SO3(), SE3(), E3()], ids=str)
@pytest.mark.parametrize("points", [1, 2, 7, 100])
def test_clouds_come_in_any_order_and_size(group, points):
    symmetry = declared(group, {"cloud": Cloud(7), "hand": Point(), "speed": Vector(2)})
    door, rng = Door(symmetry), np.random.default_rng(0)
    here = observed(symmetry, 50) | {"cloud": rng.standard_normal((50, points * group.dim))}
    _, there = moved(replace(symmetry, observation=symmetry.observation | {"cloud": Cloud(points)}), here)
    shuffled = there["cloud"].reshape(50, points, group.dim)[:, ::-1].reshape(50, -1)
    inside = door.enter(here)
    assert inside.observation["cloud"].shape == (50, points * group.dim)
    assert_same_bits(inside, door.enter(there | {"cloud": shuffled}))
    # Negative control: points keep their order.
    ordered = replace(symmetry, observation=symmetry.observation | {"cloud": Point(points)})
    if points > 1:
        bits = [Door(ordered).enter(seen).observation for seen in (here, there | {"cloud": shuffled})]
        assert not same_rows(*bits).any()


@pytest.mark.parametrize("group", [SE2(), SE3()], ids=str)
def test_a_cloud_of_one_repeated_point_is_no_trouble(group):
    symmetry = declared(group, {"cloud": Cloud(7), "hand": Point(), "speed": Vector(2)})
    here = observed(symmetry, 100)
    here["cloud"] = np.tile(here["cloud"][:, : group.dim], 7)
    _, there = moved(symmetry, here)
    assert_same_bits(Door(symmetry).enter(here), Door(symmetry).enter(there))


# ------------------------------------------------------------------------------------------ reference pose


@pytest.mark.parametrize("group", [SE2(), E2(), SO2(), O2()], ids=str)
def test_a_reference_pose_is_where_the_body_stands_inside(group):
    symmetry = declared(group, heading="way", reference="hand")
    pose = SE2().element(SE2().rotation(0.7).matrix, (3.0, -2.0) if group.has_translations else None)
    pose = GroupElement(group, pose.matrix, pose.translation)
    door, here = Door(symmetry, reference_pose=pose), observed(symmetry, 300)
    _, there = moved(symmetry, here)
    inside = door.enter(here)
    assert_same_bits(inside, door.enter(there))
    assert_comes_back(symmetry, inside, here, steps=2.0)
    assert np.abs(inside.observation["way"] - 0.7).max() <= STEP
    if group.has_translations:
        expected = np.asarray(symmetry.centre) + pose.translation
        assert np.abs(inside.observation["hand"] - expected).max() <= STEP


@pytest.mark.parametrize("group", [SE3(), E3()], ids=str)
def test_a_reference_pose_in_space(group):
    symmetry = declared(
        group,
        {"hand": Point(), "axes": Rotation(), "speed": Vector(), "spin": Pseudovector()},
        reference="hand",
    )
    pose = group.sample(np.random.default_rng(5))
    door, here = Door(symmetry, reference_pose=pose), observed(symmetry, 300)
    _, there = moved(symmetry, here)
    inside = door.enter(here)
    assert_same_bits(inside, door.enter(there))
    assert_comes_back(symmetry, inside, here, steps=2.0)
    assert np.abs(inside.observation["axes"] - pose.matrix.ravel()).max() <= 2 * STEP


# ------------------------------------------------------------------------------------- what is said of it


def test_observations_that_are_rounded_are_flagged_and_snapped_coarsely():
    symmetry = declared(SE2())
    fine, coarse = Door(symmetry), Door(symmetry, single=True)
    assert not fine.inexact
    assert any("float32" in reason for reason in coarse.inexact)
    here = observed(symmetry)
    _, there = moved(symmetry, here)

    def rounded(seen):
        return {name: array.astype(np.float32).astype(np.float64) for name, array in seen.items()}

    shares = [
        same_rows(door.enter(rounded(here)).observation, door.enter(rounded(there)).observation).mean()
        for door in (fine, coarse)
    ]
    assert shares[0] < 0.1
    assert shares[1] > 0.9
    assert_same_bits(coarse.enter(here), coarse.enter(there))


NEVER = {
    "one point": (SE2(), {"hand": Point(), "mass": Scalar()}),
    "numbers": (SO2(), {"mass": Scalar(3)}),
    "one vector in space": (SO3(), {"speed": Vector()}),
    "two points in space": (SE3(), {"hand": Point(), "body": Point()}),
    "no sign under reflections": (O2(), {"speed": Vector(1), "mass": Scalar()}),
    "one point as a cloud": (SE2(), {"cloud": Cloud(1)}),
    "no arrow of a finite group": (Cyclic(4), {"mass": Scalar(2)}),
}


@pytest.mark.parametrize("kind", NEVER)
def test_declarations_that_can_never_fix_a_frame_say_so(kind):
    group, fields = NEVER[kind]
    symmetry = declared(group, fields)
    door = Door(symmetry)
    assert any("nothing observed fixes a frame" in reason for reason in door.inexact)
    inside = door.enter(observed(symmetry, 20))
    assert inside.degenerate.all()
    # Whoever's action does not turn has nothing to lose.
    calm = Door(declared(group, fields, action=Scalar(2)))
    assert not calm.inexact
    assert not calm.enter(observed(symmetry, 20)).degenerate.any()


@pytest.mark.parametrize("kind", NEVER)
def test_where_no_frame_is_fixed_an_action_that_does_not_turn_is_exact_still(kind):
    group, fields = NEVER[kind]
    symmetry = declared(group, fields, action=Scalar(2))
    here = observed(symmetry, 300)
    _, there = moved(symmetry, here)
    assert_same_bits(Door(symmetry).enter(here), Door(symmetry).enter(there))


@pytest.mark.parametrize(
    ("group", "fields"),
    [
        (O3(), {"spin": Pseudovector(2), "mass": Scalar()}),
        (O2(), {"spin": Pseudovector(), "mass": Scalar()}),
        (Dihedral(3), {"spin": Pseudovector(), "mass": Scalar()}),
        (O3(), {"speed": Vector(), "spin": Pseudovector()}),
        (Dihedral(3), {"rates": Pseudoscalar()}),
        (O2(), {"rates": Pseudoscalar(2)}),
    ],
    ids=str,
)
def test_fields_that_mirrors_negate_are_exact_or_flagged(group, fields):
    """For actions that turn: equal bits, or said to be degenerate; for those that do not: equal bits."""
    for action in (Vector(), Scalar()):
        symmetry = declared(group, fields, action=action)
        door, here = Door(symmetry), observed(symmetry, 300)
        _, there = moved(symmetry, here)
        inside, turned = door.enter(here), door.enter(there)
        assert np.array_equal(inside.degenerate, turned.degenerate)
        assert (same_rows(inside.observation, turned.observation) | inside.degenerate).all(), action


def test_states_are_flagged_where_they_fix_nothing():
    symmetry = declared(SE2(), {"hand": Point(), "goal": Point(), "speed": Vector()})
    hand = np.ones((5, 2))
    goal = hand + np.array([[1.0, 0], [0, 0], [1e-9, 0], [1e-7, 1e-7], [0, 0]])
    speed = np.array([[0.0, 0], [0, 0], [0, 1e-9], [0, 0], [0, 2]])
    inside = Door(symmetry).enter({"hand": hand, "goal": goal, "speed": speed})
    assert inside.degenerate.tolist() == [False, True, True, True, False]
    assert inside.degeneracy[[1, 2, 3]].min() == 1
    assert inside.degeneracy[[0, 4]].max() == 0
    calm = Door(declared(SE2(), symmetry.observation, action=Concatenation((Scalar(), Pseudoscalar()))))
    assert not calm.enter({"hand": hand, "goal": goal, "speed": speed}).degenerate.any()
    # What a mirror negates turns with a group that has mirrors.
    signed = Door(declared(E2(), symmetry.observation, action=Pseudoscalar()))
    assert signed.enter({"hand": hand, "goal": goal, "speed": speed}).degenerate.all()


def test_absolute_actions_need_a_point_to_be_seen_from():
    with pytest.raises(ArgumentError, match=r"action: got Point.*an observed point"):
        Door(declared(SE2(), {"speed": Vector(), "way": Heading()}, action=Point()))
    Door(declared(SO2(), {"speed": Vector()}, action=Point()))  # there the centre is one
    Door(declared(SE2(), {"speed": Vector(), "hand": Point()}, action=Point()))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_refused_by_its_rows(bad):
    symmetry = declared(SE2())
    for name in ("hand", "way", "mass"):
        here = observed(symmetry, 9)
        here[name][[2, 7]] = bad
        with pytest.raises(ArgumentError, match=rf"^{name}: got NaN or infinity in row\(s\) \[2, 7\]"):
            Door(symmetry).enter(here)


def test_fields_that_are_missing_or_misshapen_are_named():
    symmetry, here = declared(SE2()), observed(declared(SE2()), 4)
    with pytest.raises(ArgumentError, match="no key 'hand'"):
        Door(symmetry).enter({name: array for name, array in here.items() if name != "hand"})
    with pytest.raises(ArgumentError, match=r"^hand: got shape \(4, 3\)"):
        Door(symmetry).enter(here | {"hand": np.zeros((4, 3))})
    with pytest.raises(ArgumentError, match=r"^speed: got leading shape \(3,\)"):
        Door(symmetry).enter(here | {"speed": np.zeros((3, 4))})


def test_only_what_is_asked_for_comes_in():
    symmetry = declared(SE2())
    inside = Door(symmetry, names=["hand", "way", "corners"]).enter(observed(symmetry, 4))
    assert set(inside.observation) == {"hand", "way", "corners"}


# ------------------------------------------------------------------------------- from one frame to another


@pytest.mark.parametrize("group", [SO2(), O2(), SE2(), E2(), SO3(), SE3(), E3()], ids=str)
def test_how_one_frame_lies_in_another_is_the_same_for_all(group):
    """To the bit where the two decisions were seen turned; and true to the grid."""
    symmetry = declared(group)
    door = Door(symmetry)
    before, now = observed(symmetry, 300), observed(symmetry, 300, seed=7)
    g = group.sample(np.random.default_rng(1), 300, scale=3.0)
    first, second = door.enter(before).element, door.enter(now).element
    turned = [door.enter(symmetry.transform_observation(g, seen)).element for seen in (before, now)]
    here, there = door.relative(first, second), door.relative(*turned)
    assert np.array_equal(here.matrix, there.matrix)
    assert np.array_equal(here.translation, there.translation)
    true, eye = second.inverse() @ first, np.eye(group.dim)
    assert np.abs(here.matrix - true.matrix).max() <= 4 * STEP
    assert np.abs(here.translation - true.translation).max() <= STEP
    assert np.abs(np.swapaxes(here.matrix, -1, -2) @ here.matrix - eye).max() <= 1e-15 * 4
    assert np.array_equal(np.sign(here.determinant), np.sign(true.determinant))
    # Negative control: as they are, the two differ in their last bits.
    raw = turned[1].inverse() @ turned[0]
    assert not np.array_equal(raw.matrix, true.matrix)


@pytest.mark.parametrize("group", [SE2(), E2(), SE3(), E3()], ids=str)
def test_in_frames_of_clouds_rounding_hardly_ever_tells(group):
    """Clouds turn rounding into larger errors of the frame, which all that is seen in it has."""
    symmetry = declared(group, {"cloud": Cloud(7), "hand": Point(), "speed": Vector(2)})
    door, rng, count = Door(symmetry), np.random.default_rng(2), 2000
    g = group.sample(rng, count, scale=1000.0)
    here, there = [], []
    for seed in (0, 7):
        seen = observed(symmetry, count, seed=seed)
        turned = {
            name: array + 1e-10 * rng.standard_normal(array.shape)
            for name, array in symmetry.transform_observation(g, seen).items()
        }
        here.append(door.enter(seen))
        there.append(door.enter(turned))
    firm = np.min([one.degeneracy for one in here], 0) < 0.9
    same = same_rows(here[0].observation, there[0].observation)[firm]
    assert (~same).sum() <= 1
    apart = [door.relative(one[0].element, one[1].element).matrix for one in (here, there)]
    assert (apart[0] != apart[1]).any((-1, -2))[firm].sum() <= 1


@pytest.mark.parametrize("group", [Cyclic(4), Dihedral(3), Permutation(3)], ids=str)
def test_how_frames_of_a_finite_group_lie_is_an_element(group):
    symmetry = declared(group)
    door = Door(symmetry)
    first, second = (door.enter(observed(symmetry, 50, seed)).element for seen, seed in ((0, 0), (1, 7)))
    apart = np.abs(door.relative(first, second).matrix[:, None] - group.elements().matrix).max((-1, -2))
    assert apart.min(1).max() <= 4 * STEP


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("names", "hand"),
        ("names", ["elbow"]),
        ("names", ()),
        ("names", 3),
        ("scales", 2.0),
        ("scales", {"elbow": 1.0}),
        ("scales", {"hand": 0.0}),
        ("scales", {"hand": np.nan}),
        ("scales", {"hand": "1"}),
        ("single", 1),
        ("single", None),
        ("reference_pose", np.eye(2)),
        ("reference_pose", SE3().identity()),
        ("reference_pose", SE2().rotation(np.zeros(3))),
        ("reference_pose", O2().reflection(0.3)),
    ],
    ids=str,
)
def test_what_a_door_cannot_be_made_of_is_refused_by_name(name, value):
    with pytest.raises(ArgumentError, match=rf"^{name}.*: got "):
        Door(declared(SE2()), **{name: value})
    with pytest.raises(ArgumentError, match=r"^symmetry: got "):
        Door("hand")
