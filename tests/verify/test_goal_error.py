"""The distance from the goal is known of any environment that says which fields have which goal."""

from dataclasses import replace

import numpy as np
from puck import SYMMETRY, Puck

from equiworld.groups import SE2
from equiworld.symmetry import Cloud, Point, Symmetry, Vector
from equiworld.verify.certificate import certify
from equiworld.verify.distances import goal_error

PAIRED = replace(SYMMETRY, goal={"goal": "place"})


class Home:
    """Towards the goal."""

    def __init__(self):
        self.seen = []

    def predict(self, obs, state=None, episode_start=None, deterministic=True):
        self.seen.append(obs)
        return 0.3 * (obs[:, 7:9] - obs[:, :2]), state


def final_errors(symmetry):
    found = certify(
        Home(), Puck, symmetry=symmetry, elements=3, episodes=2, steps=5, modes=("passive",), success=None
    )
    return found.orbit("passive")


def test_pairs_give_a_distance_and_names_alone_give_none():
    """No name says here that the place is what the goal is of."""
    paired, named = final_errors(PAIRED), final_errors(replace(SYMMETRY, goal=("goal",)))
    assert np.isnan(named.final_error).all()
    assert np.isnan(named.reference_final_error).all()
    np.testing.assert_allclose(paired.final_error, paired.reference_final_error[None].repeat(4, 0), atol=1e-9)
    env, policy = Puck(), Home()
    observation, _ = env.reset(seed=0)
    for _ in range(5):
        observation = env.step(policy.predict(observation[None])[0][0])[0]
    expected = np.linalg.norm(observation[:2] - observation[7:9])
    assert abs(paired.reference_final_error[0] - expected) < 1e-9


def test_the_pair_of_most_points_counts_and_clouds_do_not():
    fields = {"a": Point(), "b": Point(2), "c": Cloud(3), "v": Vector()}
    goals = {f"{name}_to": field for name, field in fields.items()}
    symmetry = Symmetry(SE2(), fields | goals, action=Vector(), goal={f"{name}_to": name for name in fields})
    error = goal_error(symmetry)
    zeros = {name: np.zeros((1, field.size(2))) for name, field in (fields | goals).items()}
    apart = zeros | {
        "a": np.full((1, 2), 9.0),
        "b": np.array([[3.0, 4.0, 0.0, 0.0]]),
        "c": np.full((1, 6), 9.0),
    }
    assert error(apart) == [2.5]
    assert goal_error(replace(symmetry, goal={"c_to": "c", "v_to": "v"})) is None
