"""Group elements as columns of a result: nothing of them is lost, and their figure tells turns in space apart."""

import gymnasium as gym
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import equiworld.envs  # noqa: F401  registers
from equiworld.groups import E2, E3, SE3, SO2
from equiworld.verify.certificate import certify
from equiworld.verify.elements import element_columns


class Drift:
    """Along one axis of the world."""

    def predict(self, obs, state=None, episode_start=None, deterministic=True):
        return np.full_like(obs["agent_pos"], 0.001), state


def rebuilt(columns):
    """The matrix of an element, from its columns alone."""
    angle = np.radians(columns["angle_deg"])
    if len(columns["shift"]) == 2:
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return turn @ np.diag([1.0, -1.0 if columns["mirrored"] else 1.0])
    turn = Rotation.from_rotvec(angle * np.array(columns["axis"] or [0.0, 0.0, 1.0])).as_matrix()
    return -turn if columns["mirrored"] else turn


@pytest.mark.parametrize("group", [E2(), E3(), SE3(), SO2(axis=(0.0, 0.6, 0.8))])
def test_an_element_can_be_rebuilt_from_its_columns(group):
    sampled = group.sample(np.random.default_rng(0), 50, scale=2.0)
    for g in [group.identity(), *sampled]:
        columns = element_columns(g)
        np.testing.assert_allclose(rebuilt(columns), g.matrix, rtol=0, atol=1e-7)
        np.testing.assert_array_equal(columns["shift"], g.translation)
        assert columns["mirrored"] == (np.linalg.det(g.matrix) < 0)
    assert any(element_columns(g)["mirrored"] for g in sampled) == (not group.proper)


def certificate(group):
    env = gym.make("equiworld/CloudPush-v0", observe_pose=True, points=0)
    return certify(
        Drift(), env, group, elements=4, episodes=1, steps=2, modes=("passive",), error="mean_point_distance"
    )


def test_rows_of_a_certificate_hold_their_elements():
    found = certificate(SE3())
    rows = [row for row in found.to_result()["rows"] if row["element"] is not None]
    assert len(rows) == len(found.elements)
    for row in rows:
        np.testing.assert_allclose(rebuilt(row), found.elements[row["element"]].matrix, rtol=0, atol=1e-7)


@pytest.mark.parametrize(("group", "coloured"), [(SE3(), True), (SO2(axis=(0.0, 0.0, 1.0)), False)])
def test_turns_in_space_are_drawn_by_their_axes(tmp_path, group, coloured):
    """On a circle they lie only where all turn about one axis."""
    text = certificate(group).plot(tmp_path / "certificate.svg").read_text()
    assert ("by axis and angle of g" in text) == coloured
    assert ("final error by angle of g" in text) != coloured


@pytest.mark.filterwarnings("error")
def test_without_final_errors_deviations_are_drawn_alone(tmp_path):
    """Clouds have no order that their distance could be told by."""
    env = gym.make("equiworld/CloudPush-v0", points=8)
    found = certify(Drift(), env, SE3(), elements=2, episodes=1, steps=2, modes=("passive",))
    text = found.plot(tmp_path / "certificate.svg").read_text()
    assert "final error" not in text
    assert "environment step" in text
