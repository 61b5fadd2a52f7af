"""The picture: what is drawn is where it should be, in gym-pusht's colours, antialiased, and quickly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pusht_cases import make

from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.rendering import draw_scene
from equiworld.errors import ArgumentError

AGENT, BLOCK, GOAL = (100.0, 150.0), (300.0, 200.0, 0.4), (200.0, 400.0, 2.0)
COLOURS = {"agent": (78, 126, 255), "block": (143, 163, 184), "goal": (144, 238, 144)}


def centroid(picture: np.ndarray, colour: tuple[int, int, int], width: float = 512.0) -> np.ndarray:
    """Mean x, y [px] of the pixels of a colour."""
    rows, columns = np.nonzero((np.abs(picture.astype(int) - colour).max(-1)) <= 2)
    return (np.array([columns.mean(), rows.mean()]) + 0.5) * width / len(picture)


def middle(pose: tuple[float, float, float]) -> np.ndarray:
    """The T's centroid: its centre of gravity as gym-pusht has it is another point."""
    corners = geometry.keypoints(pose)
    return (3600 * corners[:4].mean(0) + 2700 * corners[4:].mean(0)) / 6300


@pytest.mark.parametrize("size", [96, 240, 680])
def test_everything_is_where_it_should_be(size: int) -> None:
    picture = draw_scene(AGENT, BLOCK, GOAL, walls=True, size=size)
    assert picture.shape == (size, size, 3)
    assert picture.dtype == np.uint8
    # y grows downwards: row = y
    assert np.abs(centroid(picture, COLOURS["agent"]) - AGENT).max() < 1.5
    assert np.abs(centroid(picture, COLOURS["goal"]) - middle(GOAL)).max() < 1.5
    assert np.abs(centroid(picture, COLOURS["block"]) - middle(BLOCK)).max() < 2.5
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20  # antialiased: shades in between


def test_a_view_moves_and_scales() -> None:
    picture = draw_scene(AGENT, BLOCK, GOAL, walls=False, size=240, view=(-300.0, -100.0, 1000.0))
    expected = np.array(AGENT) - (-300.0, -100.0)
    assert np.abs(centroid(picture, COLOURS["agent"], 1000.0) - expected).max() < 3.0


def test_walls_trail_and_label_are_drawn_when_asked() -> None:
    plain = draw_scene(AGENT, BLOCK, None, walls=False, size=240)
    extras: list[dict[str, Any]] = [
        {"walls": True},
        {"trail": [(20.0, 20.0), (60.0, 90.0), (100.0, 150.0)]},
        {"label": "90°"},
    ]
    for extra in extras:
        picture = draw_scene(AGENT, BLOCK, None, size=240, **{"walls": False, **extra})
        assert (picture != plain).any()
        assert (picture == plain).mean() > 0.9
    assert np.array_equal(draw_scene(AGENT, BLOCK, None, walls=False, size=240, trail=[AGENT]), plain)


def test_close_to_gym_pushts_own_picture() -> None:
    gym = pytest.importorskip("gymnasium")
    pytest.importorskip("gym_pusht")
    stock = gym.make("gym_pusht/PushT-v0", obs_type="state", disable_env_checker=True).unwrapped
    env = make(render_mode="rgb_array")
    stock.reset(seed=3)
    env.reset(seed=3)
    picture, theirs = env.render(), stock.render()
    assert picture is not None
    assert np.abs(picture.astype(int) - theirs).mean() < 2.0
    env.reset(seed=4)
    other = env.render()
    assert other is not None
    assert np.abs(other.astype(int) - theirs).mean() > 4.0
    assert make().render() is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "^size: "),
        ({"view": (0.0, 0.0, 0.0)}, "^view: "),
        ({"trail": [1.0, 2.0]}, "^trail: "),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        draw_scene(AGENT, BLOCK, GOAL, **{"walls": True, **arguments})  # type: ignore[arg-type]
