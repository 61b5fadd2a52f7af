"""Films: every environment's takes what was observed, shows all steps and both ends, and fits in a file."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from PIL import Image

import equiworld.envs  # noqa: F401  registers
from equiworld.envs.cloudpush.film import CloudPushFilm
from equiworld.envs.cloudpush.shapes import make_shape
from equiworld.envs.film import Film, Moment
from equiworld.envs.pusht.film import PushTFilm
from equiworld.errors import ArgumentError
from equiworld.groups import SE2, SE3

FILMS: dict[str, tuple[Callable[..., Film], dict[str, Any], Any]] = {
    "equiworld/PushT-v0": (PushTFilm, {"walls": False, "goal": "random"}, SE2()),
    "equiworld/CloudPush-v0": (partial(CloudPushFilm, shape=make_shape("bracket")), {}, SE3()),
}
SIZE = 80


def record(env_id: str, steps: int, turned: bool = False) -> list[Moment]:
    """An episode of some steps towards the first goal there is."""
    _, arguments, group = FILMS[env_id]
    env = gym.make(env_id, **arguments)
    options = {"group_element": group.sample(np.random.default_rng(1))} if turned else None
    path = [Moment(*env.reset(seed=2, options=options))]
    for _ in range(steps):
        away = path[-1].info.get("body_pos", path[-1].observation.get("block_pos"))
        action = away - path[-1].observation["agent_pos"]
        reach = 0.3 * env.action_space.radius  # type: ignore[attr-defined]
        observation, *_, info = env.step(action * min(1.0, reach / np.linalg.norm(action)))
        path.append(Moment(observation, info))
    env.close()
    return path


@pytest.fixture(scope="module", params=FILMS)
def case(request: pytest.FixtureRequest) -> tuple[Callable[..., Film], dict[str, dict[str, list[Moment]]]]:
    """How a film is made, and two models at two orientations, one of them with a shorter episode."""
    if "Cloud" in request.param:
        pytest.importorskip("mujoco")
    episode, turned = record(request.param, 5), record(request.param, 5, turned=True)
    ends = [*episode[:3], episode[3]._replace(info=episode[3].info | {"is_success": True})]
    rows = {"ours": {"0°": episode, "turned": turned}, "theirs": {"0°": ends, "turned": turned[:2]}}
    return FILMS[request.param][0], rows


def test_a_film_has_all_steps_and_ends_with_the_last(case, tmp_path: Path) -> None:
    make, rows = case
    film = make(rows, size=SIZE)
    with Image.open(film.save(tmp_path / "film.gif")) as found:
        assert found.n_frames == 6  # type: ignore[attr-defined]
        assert 2 * SIZE < found.width < 3 * SIZE
    assert (tmp_path / "film.gif").stat().st_size < 3e6
    images = [np.asarray(image) for image in film.frames()]
    assert all((one != two).any() for one, two in pairwise(images))


def test_long_episodes_are_shown_in_strides(case) -> None:
    make, rows = case
    film = make({"ours": {"0°": rows["ours"]["0°"] * 4}}, size=SIZE)
    assert len(film.frames(4)) == 4
    assert len(film.frames(100)) == 24


def test_too_large_a_film_loses_frames_but_not_its_ends(case, tmp_path: Path) -> None:
    make, rows = case
    with Image.open(make(rows, size=SIZE).save(tmp_path / "film.gif", largest=0)) as found:
        assert found.n_frames == 2  # type: ignore[attr-defined]


def test_a_strip_has_a_line_for_each_episode(case, tmp_path: Path) -> None:
    make, rows = case
    one, all_ = tmp_path / "one.png", tmp_path / "all.png"
    make({"ours": {"0°": rows["ours"]["0°"]}}, size=SIZE).save_strip(one)
    make(rows, size=SIZE).save_strip(all_)
    with Image.open(one) as single, Image.open(all_) as whole:
        assert single.width == whole.width
        assert 2.8 * single.height < whole.height <= 4.3 * single.height


def test_how_an_episode_ends_is_shown(case) -> None:
    make, rows = case
    film = make(rows, size=SIZE)

    def edge(row: str, column: str, step: int) -> tuple[int, ...]:
        return tuple(np.asarray(film.panel(row, column, step))[-1, SIZE // 2].tolist())

    begun, solved, failed = edge("theirs", "0°", 1), edge("theirs", "0°", 3), edge("theirs", "turned", 1)
    assert len({begun, solved, failed}) == 3
    assert edge("theirs", "0°", 9) == solved  # it waits at its end
    assert edge("ours", "0°", 1) == begun


def test_what_is_solved_can_be_said() -> None:
    pytest.importorskip("mujoco")
    episode = record("equiworld/CloudPush-v0", 1)
    film = CloudPushFilm({"": {"": episode}}, make_shape("bracket"), SIZE, solved=lambda info: True)
    plain = CloudPushFilm({"": {"": episode}}, make_shape("bracket"), SIZE)
    assert (np.asarray(film.panel("", "", 0)) != np.asarray(plain.panel("", "", 0))).any()


def test_an_episode_of_one_step_can_be_drawn(case, tmp_path: Path) -> None:
    make, rows = case
    film = make({"ours": {"0°": rows["ours"]["0°"][:1]}}, size=SIZE)
    assert film.save_strip(tmp_path / "film.png").exists()
    assert film.save(tmp_path / "film.gif").exists()


def test_what_cannot_be_laid_out_is_refused(case) -> None:
    make, rows = case
    episode = rows["ours"]["0°"]
    for nothing in ({}, {"ours": {}}, {"ours": {"0°": episode}, "theirs": {"90°": episode}}):
        with pytest.raises(ArgumentError, match=r"^episodes: got .*same columns"):
            make(nothing)
    with pytest.raises(ArgumentError, match=r"^episodes\['ours'\]\['0°'\]: got no steps"):
        make({"ours": {"0°": []}})
