"""A compiled element does what the symmetry does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from point_mass import ELEMENTS, SYMMETRY, PointMass, same

import equiworld.envs  # noqa: F401  registers
from equiworld.errors import ArgumentError
from equiworld.groups import E2, SE3, SO2, SO3
from equiworld.symmetry import Point, Rotation, Symmetry, Vector
from equiworld.symmetry.compiled_element import CompiledElement


@given(angle=st.floats(-7, 7), shift=st.tuples(*[st.floats(-50, 50)] * 2), mirrored=st.booleans())
@settings(max_examples=50, deadline=None)
def test_compiled_elements_agree_with_the_symmetry(angle: float, shift: Any, mirrored: bool) -> None:
    g = E2().translation(shift) @ E2().rotation(angle)
    g = g @ E2().reflection(0.3) if mirrored else g
    (observation, info), taken = PointMass().reset(seed=1), np.array([0.3, -2.0])
    compiled = CompiledElement(SYMMETRY, g)
    shown, shown_info = compiled.show(observation, info)
    same(SYMMETRY.transform_observation(g, observation), shown, 1e-11)
    same(SYMMETRY.transform_info(g, info), shown_info, 1e-11)
    same(SYMMETRY.transform_action(g.inverse(), taken), compiled.inner_action(taken))


def test_compiled_large_fields_spatial_rotations_and_batches() -> None:
    rng = np.random.default_rng(0)
    symmetry = Symmetry(
        SE3(), {"cloud": Point(100), "pose": Rotation(form="wxyz"), "matrix": Rotation()}, Vector(2)
    )
    quaternion = rng.normal(size=(5, 4))
    observation = {
        "cloud": rng.normal(size=(5, 300)),
        "pose": quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True),
        "matrix": SO3().sample(rng, 5).matrix.reshape(5, 9),
    }
    taken, g = rng.normal(size=(5, 6)), SE3().sample(rng, 5)
    compiled = CompiledElement(symmetry, g)
    same(symmetry.transform_observation(g, observation), compiled.show(observation, {})[0])
    same(symmetry.transform_action(g.inverse(), taken), compiled.inner_action(taken))
    one = {name: array[2] for name, array in observation.items()}
    same(symmetry.transform_observation(g[2], one), CompiledElement(symmetry, g[2]).show(one, {})[0])


def test_a_number_that_is_not_finite_stays_in_its_own_point() -> None:
    observation, info = PointMass().reset(seed=1)
    reference = SYMMETRY.transform_observation(ELEMENTS["turn"], observation)
    observation["landmarks"][3] = np.nan
    shown, _ = CompiledElement(SYMMETRY, ELEMENTS["turn"]).show(observation, info)
    assert np.isnan(shown["landmarks"]).tolist() == [False, False, True, True, False, False]
    shown["landmarks"][2:4] = reference["landmarks"][2:4]
    same(reference, shown)


def test_info_entries_may_come_and_go() -> None:
    observation, info = PointMass().reset(seed=1)
    compiled = CompiledElement(SYMMETRY, ELEMENTS["glide"])
    for keys in (["pose", "steps"], ["start", "steps"], ["steps"], ["pose", "start"], ["start", "pose"]):
        some = {key: info[key] for key in keys}
        same(SYMMETRY.transform_info(ELEMENTS["glide"], some), compiled.show(observation, some)[1])
    as_tuple = {"start": tuple(info["start"].tolist())}
    same(SYMMETRY.transform_info(ELEMENTS["glide"], as_tuple), compiled.show(observation, as_tuple)[1])
    for count in range(200):
        compiled.show(observation, {f"key {count}": 1})


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_shape_that_changes_later_is_refused(value: float) -> None:
    observation, info = PointMass().reset(seed=1)
    compiled = CompiledElement(SYMMETRY, ELEMENTS["turn"])
    compiled.show(observation, info)
    with pytest.raises(ArgumentError, match="first seen"):
        compiled.show({**observation, "landmarks": np.full(8, value)}, info)


def test_vectors_of_actions_keep_their_dtype() -> None:
    symmetry = Symmetry(SO2(), {"x": Vector()}, Vector(3))
    compiled = CompiledElement(symmetry, SO2().rotation(0.3))
    assert compiled.inner_action(np.zeros(6, np.float32)).dtype == np.float32
    assert compiled.inner_action(np.zeros(6, np.int64)).dtype == np.float64
    assert compiled.inner_action([0.0] * 6).dtype == np.float64
