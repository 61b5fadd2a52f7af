"""Orbits in space lie over the sphere of axes: every element stands somewhere, where its axis points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from equiworld.groups import E3
from equiworld.verify.certification.figure import draw
from equiworld.verify.certification.orbit import Orbit
from equiworld.verify.drawing import draw_orbit_on_sphere, sphere_axes


def drawn_points(axes):
    """Places in the figure, areas and colours of all markers."""
    found = []
    for each in axes.collections:
        places = each.get_offset_transform().transform(each.get_offsets())
        areas = np.broadcast_to(each.get_sizes(), len(places))
        found += [
            (tuple(place), area, each.get_array() is not None)
            for place, area in zip(places, areas, strict=True)
        ]
    return found


def sphere():
    figure = Figure(figsize=(6, 4))
    return sphere_axes(figure, 1, 1, 1)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(0, 10_000), st.booleans())
def test_every_element_is_drawn_once_and_coloured_if_its_value_is_a_number(count, seed, log):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, 3)) * rng.integers(0, 2, (count, 1))
    values = np.where(rng.random(count) < 0.3, np.nan, rng.random(count))
    axes = sphere()
    draw_orbit_on_sphere(axes, vectors, values, mirrored=rng.random(count) < 0.5, log=log)
    points = drawn_points(axes)
    assert len(points) == count
    assert sum(coloured for _, _, coloured in points) == np.isfinite(values).sum()


def test_axes_apart_stand_apart_and_larger_angles_are_larger():
    axes = sphere()
    vectors = np.vstack([np.eye(3), -np.eye(3), 2 * np.eye(3)])
    draw_orbit_on_sphere(axes, vectors, np.arange(9.0))
    points = drawn_points(axes)
    places = {tuple(np.round(place, 6)) for place, _, _ in points}
    assert len(places) == 6  # a larger angle about one axis stands at the same place
    assert len({area for _, area, _ in points}) == 2


def test_it_is_not_a_circle():
    """Elements about one tilted axis stand at one place, whatever their angles."""
    axes = sphere()
    draw_orbit_on_sphere(axes, np.outer([0.5, 1.0, 2.0], [0.6, 0.0, 0.8]), [1.0, 2.0, 3.0])
    assert len({tuple(np.round(place, 6)) for place, _, _ in drawn_points(axes)}) == 1


@pytest.mark.parametrize("modes", [("active",), ("active", "passive")])
def test_the_certificate_of_a_group_in_space_has_a_sphere_a_mode(tmp_path, modes):
    elements = E3().sample(np.random.default_rng(0), 6)

    def orbit(mode):
        return Orbit(
            mode=mode,
            elements=elements,
            seeds=(0,),
            deviation=np.full((6, 1, 3), 1e-12),
            by_field={},
            success_step=np.zeros((6, 1), int),
            end_step=np.full((6, 1), 2),
            final_error=np.ones((6, 1)),
            reference_success_step=np.zeros(1, int),
            reference_end_step=np.full(1, 2),
            reference_final_error=np.ones(1),
            refused={},
            motion=1.0,
        )

    path = draw(tmp_path / "certificate.svg", "in space", elements, [orbit(mode) for mode in modes], 1e-8)
    text = path.read_text()
    assert text.count("<!-- 180° -->") == len(modes)
