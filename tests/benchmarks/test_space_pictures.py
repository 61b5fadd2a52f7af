"""Pictures of pushing in space: the files appear, nothing missing breaks them, and rays meet what is there."""

import math

import numpy as np
import pytest
from PIL import Image

from equiworld.benchmarks import space_animation
from equiworld.benchmarks.space_animation import animate, frames, still
from equiworld.benchmarks.space_pictures import draw
from equiworld.envs.cloudpush.engine import AGENT_RADIUS
from equiworld.envs.cloudpush.geometry import Pose, turn
from equiworld.envs.cloudpush.scene import Camera, Scene, cast
from equiworld.envs.cloudpush.shapes import SHAPES, make_shape
from equiworld.envs.cloudpush.simulation import CloudPushState
from equiworld.errors import ArgumentError
from equiworld.groups import SE3

SHAPE = make_shape("bracket")
HERE = Pose((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))


def episode(steps: int = 5) -> list[CloudPushState]:
    """A body that moves evenly onto its goal, with the end-effector behind it."""
    states = []
    for step in range(steps):
        left = 1.0 - step / max(steps - 1, 1)
        states.append(
            CloudPushState(
                agent_pos=(-0.12 * left - 0.08, 0.02, 0.0),
                body_pos=(-0.12 * left, 0.0, 0.0),
                body_quat=turn((0.0, 0.0, 1.0), 0.7 * left),
                goal_pos=(0.0, 0.0, 0.0),
                goal_quat=(1.0, 0.0, 0.0, 0.0),
                cloud_key=3,
                step=step,
            )
        )
    return states


@pytest.fixture(scope="module")
def runs() -> dict[str, list[CloudPushState]]:
    """One that succeeds, one that is turned, shorter and does not."""
    g = SE3().sample(np.random.default_rng(0))
    return {
        "equivariant, as trained": episode(),
        "plain, turned": [state.transform(g) for state in episode()[:3]],
    }


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(space_animation, "PANELS", dict.fromkeys(range(1, 5), 100))
    monkeypatch.setattr(space_animation, "STRIP", 100)


def result(models: tuple[str, ...], noise: bool = True) -> dict:
    rows = []
    for model in models:
        rows.append({"kind": "model", "model": model, "parameters": 61_234, "seen_relative_error": 0.1})
        for element, angle in enumerate((0.0, 50.0, 143.0)):
            row = {"kind": "orbit", "model": model, "element": element, "angle_deg": angle}
            row |= {"success": 0.9, "success_low": 0.8, "success_high": 0.95, "relative_error": 0.03}
            rows.append(row | {"mean_point_distance_mm": 8.0})
    noisy = [{"kind": "noise", "points": 2**k, "noise_mm": 20 / 2**k} for k in (5, 6, 7, 8)] if noise else []
    return {"rows": rows + noisy, "config": {"half_width": 30.0}}


# --- the figure ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("models", "noise"),
    [
        (("equivariant", "centred", "never heard of"), True),
        (("equivariant",), False),
        ((), True),
    ],
)
def test_figure_appears(tmp_path, models, noise):
    path = draw(result(models, noise), tmp_path / "space.png")
    with Image.open(path) as picture:
        assert picture.size[0] > 1000


def test_figure_leaves_out_what_is_missing(tmp_path):
    some = result(("equivariant", "centred"))
    some["rows"][1] |= {"success": math.nan, "success_low": math.nan, "success_high": None}
    some["rows"][2] |= {"relative_error": None}
    some["rows"][3] |= {"relative_error": 0.0}
    some["rows"][4].pop("parameters")
    some["rows"][-1] |= {"noise_mm": math.nan}
    some["config"] = {}
    assert draw(some, tmp_path / "space.png").exists()


def test_figure_where_nothing_was_measured_at_all(tmp_path):
    nothing = result(("equivariant",))
    for row in nothing["rows"]:
        row.update({key: math.nan for key in row if key not in ("kind", "model", "points", "angle_deg")})
        row.pop("parameters", None)
    assert draw(nothing, tmp_path / "space.png").exists()


# --- the film --------------------------------------------------------------------------------------------


def test_film_has_all_steps_and_ends_with_the_last(runs, tmp_path):
    path = animate(runs, SHAPE, tmp_path / "space.gif")
    with Image.open(path) as film:
        assert film.n_frames == 5
        assert 480 <= film.width <= 900
    assert path.stat().st_size < 3e6


def test_long_episodes_are_shown_in_strides(small):
    images = frames({"equivariant": episode(12)}, SHAPE, points=0, most_frames=4)
    assert len(images) == 4


def test_too_large_a_film_loses_frames_but_not_its_ends(runs, tmp_path, small, monkeypatch):
    monkeypatch.setattr(space_animation, "LARGEST", 0)
    with Image.open(animate(runs, SHAPE, tmp_path / "space.gif")) as film:
        assert film.n_frames == 2


def test_strip_has_a_row_for_each_episode(runs, tmp_path, small):
    one, both = tmp_path / "one.png", tmp_path / "both.png"
    still({"equivariant": runs["equivariant, as trained"]}, SHAPE, one)
    still(runs, SHAPE, both)
    with Image.open(one) as single, Image.open(both) as double:
        assert single.width == double.width
        assert 1.7 * single.height < double.height < 2 * single.height


def test_an_episode_of_one_state_can_be_drawn(tmp_path, small):
    alone = {"equivariant": episode(1)}
    assert still(alone, SHAPE, tmp_path / "space.png").exists()
    assert animate(alone, SHAPE, tmp_path / "space.gif").exists()


@pytest.mark.parametrize("nothing", [{}, {"equivariant": []}])
def test_nothing_to_draw_is_said(nothing, tmp_path):
    with pytest.raises(ArgumentError):
        animate(nothing, SHAPE, tmp_path / "space.gif")


# --- the scene -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHAPES)
def test_rays_meet_the_surface_and_only_where_it_is(name):
    surface = make_shape(name).surface
    rng = np.random.default_rng(0)
    for along in [*rng.standard_normal((4, 3)), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0)]:
        along = np.asarray(along) / np.linalg.norm(along)
        origins = rng.uniform(-0.12, 0.12, (400, 3))
        hits = cast(surface.solids, origins, along)
        met = np.isfinite(hits.depth)
        assert 20 < met.sum() < 400
        points = origins[met] + hits.depth[met, None] * along
        assert np.abs(surface.distance(points)).max() < 1e-9
        assert (hits.normal[met] @ along < 1e-9).all()
        assert np.allclose(np.linalg.norm(hits.normal[met], axis=-1), 1.0)
        # A step outwards from there is outside; and a ray that meets nothing is nowhere blocked.
        assert (surface.distance(points + 1e-4 * hits.normal[met]) > 0.0).all()
        assert (surface._blocked(origins - along, along) == met).all()
        assert ((hits.facet >= 0) == met).all()


@pytest.mark.parametrize(("side", "seen"), [(1.0, True), (-1.0, False)])
def test_what_is_behind_the_body_is_hidden(side, seen):
    camera = Camera(0.3)
    scene = Scene(SHAPE, Pose((0.0, 0.0, 5.0), HERE.quaternion), (0.0, 0.0, 0.0), 0.15, camera, 120)
    inner = np.asarray(SHAPE.surface.solids[0].centre)
    agent = inner + side * 0.2 * camera.towards
    blue = scene.draw(HERE, agent)[..., 2].astype(int) - scene.draw(HERE, agent)[..., 0] > 120
    full = math.pi * (AGENT_RADIUS / 0.15 * 60) ** 2
    assert (blue.sum() > 0.5 * full) == seen


def test_the_world_turned_about_the_line_of_sight_is_the_picture_turned():
    camera = Camera(0.8)
    quarter = SE3().rotation(camera.towards * math.pi / 2)
    state = episode()[1]
    turned = state.transform(quarter)
    body, agent = [], []
    for one in (state, turned):
        far = Pose((0.0, 0.0, 5.0), HERE.quaternion)
        scene = Scene(SHAPE, far, (0.0, 0.0, 0.0), 0.3, camera, 160)
        empty = scene.draw(far, (0.0, 0.0, 5.0)).astype(int)
        body.append(np.abs(scene.draw(one.body, (0.0, 0.0, 5.0)) - empty).max(-1) > 80)
        agent.append(np.abs(scene.draw(far, one.agent_pos) - empty).max(-1) > 80)
    assert (np.rot90(body[0]) ^ body[1]).sum() < 0.05 * body[0].sum()
    assert (np.rot90(agent[0]) ^ agent[1]).sum() < 0.1 * agent[0].sum()
