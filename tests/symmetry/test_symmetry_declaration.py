"""A Symmetry: the law on whole observations, its features, and what it refuses."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from symmetry_cases import FIELDS, GROUPS, difference, has_mirror_image, random_array

from equiworld.errors import ArgumentError
from equiworld.groups import E2, SE2, SE3, SO2, SO3, Group, Permutation
from equiworld.symmetry import (
    Channel,
    Cloud,
    Concatenation,
    FeatureType,
    Heading,
    Point,
    Pseudoscalar,
    Rotation,
    Scalar,
    Symmetry,
    Vector,
)

seeds = st.integers(0, 2**32 - 1)
CENTRES = {2: (255.5, 255.5), 3: (1.5, -20.0, 7.0)}


def everything(group: Group, flat: bool = False, features: bool = False) -> Symmetry:
    """A symmetry with every field that the group admits."""
    fields = [
        field
        for field in FIELDS[group.dim]
        if group.proper
        or (has_mirror_image(field) and not (features and (field.pseudo or getattr(field, "mirror", None))))
    ]
    return Symmetry(
        group,
        {f"field_{index}": field for index, field in enumerate(fields)},
        action=Point(),
        centre=CENTRES[group.dim],
        info={"pose": Concatenation((Point(), Vector()))},
        flat=flat,
    )


def observe(symmetry: Symmetry, rng: np.random.Generator, shape: tuple[int, ...] = ()) -> Any:
    arrays = {
        name: random_array(field, symmetry.dim, rng, shape) for name, field in symmetry.observation.items()
    }
    return np.concatenate(list(arrays.values()), -1) if symmetry.flat else arrays


def pieces(symmetry: Symmetry, obs: Any) -> dict[str, np.ndarray]:
    return {name: obs[..., part] for name, part in symmetry.segments()} if symmetry.flat else obs


all_groups = pytest.mark.parametrize("group", [*GROUPS[2], *GROUPS[3]], ids=repr)


@all_groups
@pytest.mark.parametrize("flat", [False, True])
@settings(max_examples=5, deadline=None)
@given(seed=seeds)
def test_observations_form_a_representation(group: Group, flat: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    symmetry = everything(group, flat)
    obs = observe(symmetry, rng)
    g, h = group.sample(rng), group.sample(rng)
    at_once = pieces(symmetry, symmetry.transform_observation(g @ h, obs))
    stepwise = pieces(symmetry, symmetry.transform_observation(g, symmetry.transform_observation(h, obs)))
    back = symmetry.transform_observation(g.inverse(), symmetry.transform_observation(g, obs))
    for name, field in symmetry.observation.items():
        assert difference(field, group.dim, at_once[name], stepwise[name]) < 1e-12 * 300
        assert difference(field, group.dim, pieces(symmetry, back)[name], pieces(symmetry, obs)[name]) < 3e-10


@all_groups
@pytest.mark.parametrize("flat", [False, True])
@settings(max_examples=5, deadline=None)
@given(seed=seeds)
def test_features_move_with_the_observation(group: Group, flat: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    symmetry = everything(group, flat, features=True)
    obs = observe(symmetry, rng, (4,))
    for g in (group.sample(rng), group.sample(rng, n=4)):
        moved = symmetry.to_features(symmetry.transform_observation(g, obs), dtype=torch.float64)
        expected = symmetry.to_features(obs, dtype=torch.float64).transform(g)
        assert moved.type == expected.type == symmetry.feature_type()
        for name in ("scalars", "vectors", "points"):
            # points are hundreds of units from the origin, so 1e-12 is relative to those
            torch.testing.assert_close(getattr(moved, name), getattr(expected, name), rtol=1e-12, atol=3e-10)
    action = rng.normal(size=(4, group.dim)) * 100
    moved_action = symmetry.action_features(symmetry.transform_action(g, action), torch.float64)
    expected_points = symmetry.action_features(action, torch.float64).transform(g).points
    torch.testing.assert_close(moved_action.points, expected_points, rtol=1e-12, atol=3e-10)


def test_wrong_declaration_is_detected_by_the_features() -> None:
    """Negative control: a velocity declared as numbers does not turn."""
    rng = np.random.default_rng(0)
    truth = Symmetry(SE2(), {"velocity": Vector()}, Vector())
    wrong = Symmetry(SE2(), {"velocity": Scalar(2)}, Vector())
    obs, g = {"velocity": rng.normal(size=2)}, SE2().rotation(1.0)
    seen = {"velocity": g.rotate(obs["velocity"])}  # what the turned world shows
    for symmetry, right in ((truth, True), (wrong, False)):
        moved = symmetry.to_features(seen, dtype=torch.float64).flatten()
        expected = symmetry.to_features(obs, dtype=torch.float64).transform(g).flatten()
        assert torch.allclose(moved, expected, atol=1e-12) is right


@pytest.mark.parametrize("dim", [2, 3])
def test_action_round_trip(dim: int) -> None:
    rng = np.random.default_rng(0)
    group = GROUPS[dim][2]
    for field in FIELDS[dim]:
        symmetry = Symmetry(group, {"x": Point()}, action=field, centre=CENTRES[dim])
        action = random_array(field, dim, rng, (7,))
        exact = symmetry.action_array(symmetry.action_features(action, torch.float64))
        np.testing.assert_allclose(exact, action, rtol=1e-12, atol=1e-12 * 300)
        assert exact.dtype == np.float64
        rounded = symmetry.action_array(symmetry.action_features(action.astype(np.float32)))
        assert rounded.dtype == np.float32
        assert difference(field, dim, rounded.astype(np.float64), action) < 1e-4
        assert symmetry.action_array(symmetry.action_features(action[0])).shape == action[0].shape


def test_features_by_hand() -> None:
    symmetry = Symmetry(
        SE2(),
        {"pos": Point(), "mass": Scalar(), "dir": Heading(), "vel": Vector(2), "goal": Point()},
        Vector(),
        goal=("goal",),
        centre=(1.0, 2.0),
    )
    obs = {
        "pos": [[4.0, 6.0]],
        "mass": [[7]],
        "dir": [[np.pi / 2]],
        "vel": [[1.0, 2.0, 3.0, 4.0]],
        "goal": [[1.0, 2.0]],
    }
    assert symmetry.state == ("pos", "mass", "dir", "vel")
    features = symmetry.to_features(obs)
    assert features.dtype == torch.float32
    assert features.scalars.tolist() == [[7.0]]
    torch.testing.assert_close(features.vectors, torch.tensor([[[0.0, 1.0, 3.0], [1.0, 2.0, 4.0]]]))
    assert features.points.tolist() == [[[3.0], [4.0]]]
    assert symmetry.channels() == {
        "pos": Channel("points", 0, 1),
        "mass": Channel("scalars", 0, 1),
        "dir": Channel("vectors", 0, 1),
        "vel": Channel("vectors", 1, 3),
    }
    assert symmetry.to_features({"goal": obs["goal"]}, ("goal",)).type == FeatureType(2, points=1)
    assert symmetry.to_features(obs, ("goal", "pos")).points.tolist() == [[[0.0, 3.0], [0.0, 4.0]]]
    assert symmetry.channels(("goal", "pos"))["pos"] == Channel("points", 1, 2)
    torch.testing.assert_close(features.select(symmetry.channels()["vel"]), features.vectors[..., 1:])
    tensors = {name: torch.tensor(value, requires_grad=name == "pos") for name, value in obs.items()}
    torch.testing.assert_close(symmetry.to_features(tensors).points, features.points)
    assert symmetry.feature_type(()) == FeatureType(2)


def test_info_moves_where_declared_and_only_there() -> None:
    symmetry = everything(SE2())
    marker = object()
    info = {"pose": [256.5, 255.5, 1.0, 0.0], "other": marker}
    moved = symmetry.transform_info(SE2().rotation(np.pi / 2), info)
    np.testing.assert_allclose(moved["pose"], [255.5, 256.5, 0.0, 1.0], atol=1e-12)
    assert moved["other"] is marker
    assert info["pose"] == [256.5, 255.5, 1.0, 0.0]
    assert symmetry.transform_info(SE2().identity(), {}) == {}


def test_symmetry_is_a_value() -> None:
    symmetry = everything(SE2())
    assert symmetry == everything(SE2())
    assert symmetry != everything(SO2())
    assert hash(symmetry) == hash(everything(SE2()))
    assert pickle.loads(pickle.dumps(symmetry)) == symmetry
    assert symmetry.dim == 2


SIMPLE = Symmetry(SE2(), {"pos": Point(), "vel": Vector()}, Vector())
FLAT = Symmetry(SE2(), {"pos": Point(), "vel": Vector()}, Vector(), flat=True)
OBS = {"pos": np.zeros(2), "vel": np.zeros(2)}
TURN = SE2().rotation(1.0)


@pytest.mark.parametrize(
    ("obs", "said"),
    [
        ({"pos": np.zeros(2)}, "'vel'"),
        ({**OBS, "more": np.zeros(1)}, "'more'"),
        ({**OBS, "vel": np.zeros(3)}, "vel: got shape (3,)"),
        ({**OBS, "vel": 0.0}, "vel"),
        ({**OBS, "pos": np.zeros((5, 2))}, "leading shape"),
        ({**OBS, "vel": np.array([0.0, math.nan])}, "vel: got NaN"),
        ({**OBS, "vel": np.array([0.0, -math.inf])}, "vel: got NaN or infinity"),
        ({**OBS, "pos": np.array(["left", "up"])}, "pos: got dtype <U4"),
        ({**OBS, "pos": np.array([None, 1.0])}, "pos: got dtype object"),
        ({**OBS, "pos": [[1.0], [1.0, 2.0]]}, "pos: got a ragged sequence"),
        (np.zeros(4), "a ndarray; expected a mapping"),
        (None, "NoneType"),
    ],
)
def test_wrong_observations_are_refused_by_name(obs: Any, said: str) -> None:
    for read in (lambda: SIMPLE.transform_observation(TURN, obs), lambda: SIMPLE.to_features(obs)):
        with pytest.raises(ArgumentError) as caught:
            read()
        assert said in str(caught.value)


@pytest.mark.parametrize(
    ("obs", "said"),
    [
        (np.zeros(5), "observation (pos, vel in a row): got shape (5,)"),
        (np.float64(1.0), "shape ()"),
        (np.array([0.0, 0.0, math.nan, 0.0]), "vel: got NaN"),
        (OBS, "one array"),
        ([[1.0], [1.0, 2.0]], "ragged"),
    ],
)
def test_wrong_flat_observations_are_refused(obs: Any, said: str) -> None:
    for read in (lambda: FLAT.transform_observation(TURN, obs), lambda: FLAT.to_features(obs)):
        with pytest.raises(ArgumentError) as caught:
            read()
        assert said in str(caught.value)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: SIMPLE.transform_observation(SE3().identity(), OBS), "dimension 3"),
        (lambda: SIMPLE.transform_action(SO3().identity(), np.zeros(2)), "dimension 3"),
        (lambda: SIMPLE.transform_info(SO3().identity(), {}), "dimension 3"),
        (lambda: SIMPLE.transform_observation(np.eye(2), OBS), "GroupElement"),  # type: ignore[arg-type]
        (lambda: SIMPLE.transform_action(TURN, np.zeros(3)), "action: got shape (3,)"),
        (lambda: SIMPLE.action_features(np.array([0.0, math.nan])), "action"),
        (lambda: SIMPLE.action_array(SIMPLE.to_features(OBS)), "features of an action"),
        (lambda: SIMPLE.to_features(OBS, ("speed",)), "'speed'"),
        (lambda: SIMPLE.channels(("speed",)), "'speed'"),
        (lambda: Symmetry(SE2(), {"a": Vector(), "b": Vector()}, Vector(), goal=("c",)), "goal"),
        (lambda: Symmetry(SE2(), {"a": Vector()}, Vector(), state=("c",)), "state"),
        (lambda: Symmetry(SE2(), {"a": Vector()}, Vector(), reference="a"), "reference"),
        (lambda: Symmetry(SE2(), {"a": Point(2)}, Vector(), action_origin="a"), "action_origin"),
        (lambda: Symmetry(SE2(), {"a": Point()}, Vector(), heading="a"), "heading"),
        (lambda: Symmetry(SE2(), {"a": Point()}, Vector(), heading="b"), "'b'"),
        (lambda: Symmetry(SE2(), {"a": Point()}, Vector(), centre=(1.0,)), "centre"),
        (lambda: Symmetry(SE2(), {"a": Point()}, Vector(), centre=(1.0, math.nan)), "centre"),
        (lambda: Symmetry(SE2(), {"a": Point()}, Vector(), length_scale=0.0), "length_scale"),
        (lambda: Symmetry(SE2(), {}, Vector()), "observation"),
        (lambda: Symmetry(SE2(), {"a": "Point"}, Vector()), "a: got"),  # type: ignore[dict-item]
        (lambda: Symmetry(SE3(), {"a": Heading()}, Vector()), "a: got"),
        (lambda: Symmetry(SE2(), {"a": Rotation()}, Vector()), "a: got"),
        (lambda: Symmetry(GROUPS[3][3], {"a": Rotation(form="xyzw")}, Vector()), "mirror image"),
        (lambda: Symmetry(Permutation(4), {"a": Vector()}, Vector()), "dimension 4"),
        (lambda: Symmetry("SE2", {"a": Vector()}, Vector()), "group"),  # type: ignore[arg-type]
    ],
)
def test_errors_say_what_is_wrong(call: Any, said: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        call()
    assert said in str(caught.value)


def test_pseudo_fields_are_features_of_proper_groups() -> None:
    symmetry = Symmetry(SO2(), {"rate": Pseudoscalar(), "cloud": Cloud(3)}, Vector())
    assert symmetry.feature_type() == FeatureType(2, scalars=1, points=3)
    assert symmetry.to_features({"rate": [2.0], "cloud": np.zeros(6)}).scalars.tolist() == [2.0]


def test_elements_outside_the_group_still_act() -> None:
    """An audit asks what a larger group would do, so only the dimension is checked."""
    mirrored = SIMPLE.transform_observation(E2().reflection(0.0), {"pos": [1.0, 1.0], "vel": [0.0, 2.0]})
    np.testing.assert_allclose(mirrored["vel"], [0.0, -2.0])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("places", {"pos": [0.0, 1.0]}),
        ("places", {"pos": ("all", (0.0, 1.0))}),
        ("places", {"pos": ("all", "01")}),
        ("places", {"pos": ("all", (0,))}),
        ("places", {"other": ("all", (0, 1))}),
        ("places", {"pos": 3}),
        ("shapes", {"pos": 2}),
        ("shapes", {"pos": "2"}),
        ("shapes", {"pos": [[1], [2, 3]]}),
    ],
    ids=str,
)
def test_places_and_shapes_of_another_kind_are_refused(name, value):
    with pytest.raises(ArgumentError, match=f"^{name}: got "):
        Symmetry(SE2(), {"pos": Point()}, Vector(), **{name: value})
