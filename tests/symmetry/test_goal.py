"""The goal as a mapping from goal fields to what they are the goal of."""

import dataclasses
import json
import pickle

import gymnasium as gym
import pytest

import equiworld.envs  # noqa: F401  registers
from equiworld.errors import ArgumentError
from equiworld.groups import SE2
from equiworld.symmetry import Cloud, Point, Symmetry, Vector, symmetry_of
from equiworld.symmetry.serialise import symmetry_from_dict, symmetry_to_dict

FIELDS = {
    "ball": Point(),
    "marks": Point(3),
    "speed": Vector(),
    "target": Point(scale=2.0),
    "target_marks": Point(3),
}
PAIRS = {"target_marks": "marks", "target": "ball"}


def declared(goal=PAIRS, **changes):
    return Symmetry(SE2(), FIELDS | changes, action=Vector(), goal=goal)


def test_names_and_pairs():
    symmetry = declared()
    assert list(symmetry.goal) == ["target_marks", "target"]
    assert "target" in symmetry.goal
    assert "ball" not in symmetry.goal
    assert symmetry.goal["target"] == "ball"
    assert symmetry.state == ("ball", "marks", "speed")


@pytest.mark.parametrize("goal", [("target_marks", "target"), ["target_marks", "target"]])
def test_names_alone_are_a_goal_without_pairs(goal):
    symmetry = declared(goal)
    assert symmetry.goal == {"target_marks": None, "target": None}
    assert symmetry.state == declared().state
    assert symmetry.channels(symmetry.goal) == declared().channels(declared().goal)
    assert symmetry.feature_type(symmetry.goal) == declared().feature_type(("target_marks", "target"))


@pytest.mark.parametrize("goal", [PAIRS, ("target",), {"target": None, "target_marks": "marks"}, ()])
def test_it_survives_being_written_copied_and_sent(goal):
    symmetry = declared(goal)
    written = json.loads(json.dumps(symmetry_to_dict(symmetry)))
    for other in (
        symmetry_from_dict(written),
        pickle.loads(pickle.dumps(symmetry)),
        dataclasses.replace(symmetry),
    ):
        assert other == symmetry
        assert hash(other) == hash(symmetry)
        assert list(other.goal.items()) == list(symmetry.goal.items())


def test_files_of_before_hold_names():
    written = json.loads(json.dumps(symmetry_to_dict(declared()))) | {"goal": ["target_marks", "target"]}
    assert symmetry_from_dict(written) == declared(("target_marks", "target"))
    assert declared() != declared(("target_marks", "target"))
    assert symmetry_to_dict(declared(("target",)))["goal"] == ("target",)


@pytest.mark.parametrize(
    ("goal", "named"),
    [
        ({"aim": "ball"}, "'aim'"),
        ({"target": "balloon"}, "'balloon', of 'target'"),
        ({"target": "target_marks", "target_marks": None}, "'target_marks', of 'target'"),
        ({"target": "marks"}, r"'target', a Point.*'marks', a Point"),
        ({"target": "speed"}, r"'target', a Point.*'speed', a Vector"),
        ({"target": 3}, "mapping"),
        ({3: "ball"}, "mapping"),
        ("target", "names"),
    ],
)
def test_pairs_that_cannot_be_compared_are_refused(goal, named):
    with pytest.raises(ArgumentError, match=f"goal: got .*{named}|goal: .*{named}"):
        declared(goal)


def test_clouds_pair_whatever_their_size():
    fields = {"seen": Cloud(5), "wanted": Cloud()}
    symmetry = Symmetry(SE2(), fields, action=Vector(), goal={"wanted": "seen"})
    assert symmetry.goal == {"wanted": "seen"}


def test_a_wrapper_that_leaves_fields_out_leaves_out_their_pairs():
    env = gym.make("equiworld/PushT-v0")
    some = gym.wrappers.FilterObservation(env, ["agent_pos", "block_pos", "goal_pos", "goal_keypoints"])
    assert symmetry_of(some).goal == {"goal_pos": "block_pos", "goal_keypoints": None}
    assert symmetry_of(gym.wrappers.FlattenObservation(env)).goal == symmetry_of(env).goal
