"""Recordings: true claims are consistent, planted faults are contradicted and named."""

from __future__ import annotations

import json

import numpy as np
import pytest
from recorded_arm import SIDES, arm, arms, claims
from scipy.spatial.transform import Rotation

from equiworld.errors import ArgumentError
from equiworld.verify.recordings import Claims, Recording, check_recording, read_lerobot, read_minari

QUARTER = Rotation.from_euler("z", 90, degrees=True).as_matrix()
MIRROR = np.diag([1.0, -1.0, 1.0])


@pytest.mark.parametrize("frame", ["world", "body", "target"])
@pytest.mark.parametrize("form", ["rotvec", "xyz", "ZYX", "wxyz", "xyzw", "6d", "matrix"])
def test_true_claims_are_not_contradicted(frame, form):
    turn_frame = "body" if frame == "body" else "world"
    found = check_recording(arm(frame, form, turn_frame), claims(frame, form, turn_frame))
    assert found.ok, str(found)
    assert {each.answer for each in found.verdicts} == {"consistent"}


@pytest.mark.parametrize("seed", range(6))
def test_true_claims_are_not_contradicted_by_chance(seed):
    """Few and noisy episodes."""
    recording = arm(noise=0.5, episodes=5, length=30, seed=seed)
    assert check_recording(recording, claims(), seed=seed).ok
    assert check_recording(arms(seed=seed), SIDES, seed=seed).ok


PLANTED = {
    "body for world": ({"frame": "body"}, {"frame": "world"}, "frame of the step", "body"),
    "world for body": ({"frame": "world"}, {"frame": "body"}, "frame of the step", "world"),
    "target for step": ({"frame": "target"}, {"frame": "world"}, "frame of the step", "target"),
    "step for target": ({"frame": "world"}, {"frame": "target"}, "frame of the step", "world"),
    "base turned by 90°": ({"base": QUARTER}, {}, "frame of the step", "base"),
    "base mirrored": ({"base": MIRROR}, {}, "frame of the step", "base, mirrored"),
    "Euler for axis-angle": ({"form": "xyz"}, {"form": "rotvec"}, "form of the orientation", "xyz"),
    "axis-angle for Euler": ({"form": "rotvec"}, {"form": "xyz"}, "form of the orientation", "rotvec"),
    "ZYX for xyz": ({"form": "ZYX"}, {"form": "xyz"}, "form of the orientation", "ZYX"),
    "xyzw for wxyz": ({"form": "xyzw"}, {"form": "wxyz"}, "form of the orientation", "xyzw"),
    "wxyz for xyzw": ({"form": "wxyz"}, {"form": "xyzw"}, "form of the orientation", "wxyz"),
    "rows for columns": ({"form": "6d, rows"}, {"form": "6d"}, "form of the orientation", "6d, rows"),
    "body turns for world's": ({"turn_frame": "body"}, {}, "frame of the turn", "body"),
    "frame drifts by 20°": ({"drift": 0.35}, {}, "drift of the frame", "drift"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_faults_are_named(name):
    made, said, claim, best = PLANTED[name]
    found = check_recording(arm(**made), claims(**said))
    assert not found.ok
    verdict = next(each for each in found.contradicted if each.claim == claim)
    assert verdict.best == best
    assert verdict.confidence >= 0.95
    assert "CONTRADICTED" in str(found)


def test_forms_are_told_by_steps_of_the_body_where_no_turns_are_recorded():
    found = check_recording(arm("body", "xyzw"), claims("body", "wxyz", turns=False))
    assert {each.best for each in found.contradicted if each.claim == "form of the orientation"} == {"xyzw"}
    assert check_recording(arm("body", "xyzw"), claims("body", "xyzw", turns=False)).ok


def test_swapped_sides_and_a_drifting_joint_are_named():
    assert check_recording(arms(), SIDES).ok
    swapped = check_recording(arms(swapped=True), SIDES)
    assert swapped.contradicted[0].claim == "sides"
    assert swapped.contradicted[0].best == "left is right"
    drifting = check_recording(arms(drift=0.8), SIDES)
    assert [each.claim for each in drifting.contradicted] == ["drift of the offset"]
    assert "number 1" in drifting.contradicted[0].note


def test_sides_of_which_one_has_a_row_more_are_compared():
    commands = np.random.default_rng(0).normal(size=(60, 4))
    seen = np.concatenate([np.zeros((1, 4)), np.cumsum(0.1 * commands, 0)])
    recording = Recording([{"left": seen[:, :2], "right": seen[:-1, 2:], "action": commands}])
    sides = ("action", (0, 1)), ("action", (2, 3)), ("left", (0, 1)), ("right", (0, 1))
    (found,) = check_recording(recording, Claims(sides=sides)).verdicts
    assert (found.best, found.answer) == ("left is left", "consistent")


def test_commands_that_explain_nothing_test_nothing():
    rng = np.random.default_rng(3)
    recording = Recording(
        [{"state": rng.normal(size=(50, 6)), "action": rng.normal(size=(50, 6))} for _ in range(5)]
    )
    found = check_recording(recording, claims())
    assert found.ok
    assert "untestable" in {each.answer for each in found.verdicts}


def test_hypotheses_that_the_data_cannot_tell_apart_are_said():
    """A body that hardly turns: its frame is the world's."""
    still = arm()
    steady = Recording(
        [
            {**each, "state": np.concatenate([each["state"][:, :3], 0 * each["state"][:, 3:]], 1)}
            for each in still.episodes
        ]
    )
    verdict = check_recording(steady, claims(turns=False)).verdicts[0]
    assert verdict.answer == "consistent"
    assert "do not tell them apart" in verdict.note


def test_lerobot_folders_are_read(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    pyarrow = pytest.importorskip("pyarrow")
    recording = arm("body", "xyzw", episodes=4)
    (tmp_path / "meta").mkdir()
    (tmp_path / "data" / "chunk-000").mkdir(parents=True)
    features = {
        "observation.state": {"dtype": "float32", "shape": [7]},
        "action": {"dtype": "float32", "shape": [6]},
        "observation.images.front": {"dtype": "video", "shape": [3, 4, 4]},
        "episode_index": {"dtype": "int64", "shape": [1]},
    }
    about = {"codebase_version": "v2.1", "fps": 20, "features": features, "total_episodes": 4}
    (tmp_path / "meta" / "info.json").write_text(json.dumps(about))
    for index, episode in enumerate(recording.episodes):
        columns = {
            "observation.state": episode["state"].astype(np.float32).tolist(),
            "action": episode["action"].astype(np.float32).tolist(),
            "episode_index": [index] * len(episode["state"]),
        }
        path = tmp_path / "data" / "chunk-000" / f"episode_{index:06d}.parquet"
        parquet.write_table(pyarrow.table(columns), path)
    read = read_lerobot(tmp_path)
    assert read.rate == 20.0
    assert read.sizes == {"observation.state": 7, "action": 6}
    np.testing.assert_allclose(read.episodes[2]["action"], recording.episodes[2]["action"], atol=1e-6)
    said = Claims(
        position=("observation.state", (0, 1, 2)),
        rotation=("observation.state", (3, 4, 5, 6)),
        form="wxyz",
        step=("action", (0, 1, 2)),
        frame="body",
        turn=("action", (3, 4, 5)),
    )
    found = check_recording(read, said)
    assert {each.best for each in found.contradicted} >= {"xyzw"}
    with pytest.raises(ArgumentError, match=r"info\.json"):
        read_lerobot(tmp_path / "data")


def test_minari_datasets_are_read(tmp_path, monkeypatch):
    minari = pytest.importorskip("minari")
    pytest.importorskip("h5py")
    from gymnasium import spaces
    from minari.data_collector import EpisodeBuffer

    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    recording = arm("body", "wxyz", episodes=4)
    buffers = []
    for index, episode in enumerate(recording.episodes):
        count = len(episode["action"]) - 1
        buffers.append(
            EpisodeBuffer(
                id=index,
                observations={"state": episode["state"]},
                actions=episode["action"][:count],
                rewards=np.zeros(count),
                terminations=np.zeros(count, bool),
                truncations=np.arange(count) == count - 1,
            )
        )
    wide = spaces.Box(-np.inf, np.inf, (7,), np.float64)
    minari.create_dataset_from_buffers(
        "ours/arm-v0",
        buffers,
        observation_space=spaces.Dict({"state": wide}),
        action_space=spaces.Box(-np.inf, np.inf, (6,), np.float64),
        algorithm_name="none",
        author="ours",
        author_email="ours@example.org",
        code_permalink="none",
        description="an arm",
    )
    read = read_minari("ours/arm-v0")
    assert read.sizes == {"state": 7, "action": 6}
    assert check_recording(read, claims("body", "wxyz")).ok
    assert not check_recording(read, claims("world", "xyzw")).ok


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"position": ("nothing", (0, 1, 2))}, "a key of the recording"),
        ({"position": ("state", (0, 1))}, "places below"),
        ({"position": ("state", (0, 1, 99))}, "places below"),
        ({"step": ("action", (0, 1, 2)), "frame": "moon"}, "frame"),
        ({"commanded": ("action", (0,))}, "with measured"),
        ({"position": ("state", (0, 1, 2)), "step": ("action", (0, 1, 2)), "frame": "body"}, "allow"),
    ],
)
def test_wrong_claims_are_refused(said, message):
    with pytest.raises(ArgumentError, match=message):
        check_recording(arm(episodes=1), Claims(**said))
    with pytest.raises(ArgumentError, match="finite"):
        Recording([{"state": [[np.nan]]}])


@pytest.mark.parametrize(
    "episodes",
    [
        None,
        5,
        {"a": np.zeros(3)},
        [5],
        [{}],
        [{"a": np.zeros((0, 3))}],
        [{"a": ["x"]}],
        [{"a": [[1, 2], [3]]}],
        [{"a": None}],
        [{"a": np.ma.masked_all((3, 3))}],
        [{"a": np.zeros(3, bool)}],
        [{"a": np.zeros((3, 2))}, {"a": np.zeros((3, 4))}],
        [{"a": np.zeros((3, 3)), "b": np.zeros((7, 3))}],
    ],
)
def test_what_is_no_recording_is_refused(episodes):
    with pytest.raises(ArgumentError, match="episode"):
        Recording(episodes)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("form", {"form": "nope"}),
        ("form", {"form": "xxy"}),
        ("form", {"form": None}),
        ("frame", {"frame": ["world"]}),
        ("turn_frame", {"turn_frame": "base"}),
        ("position", {"position": (["state"], (0, 1, 2))}),
        ("position", {"position": ("state", (0, 0, 0))}),
        ("sides", {"sides": ()}),
        ("sides", {"sides": (("state", (0,)), None, ("state", (0,)), ("state", (0,)))}),
        ("commanded", {"commanded": 5, "measured": ("state", (0,))}),
        ("commanded", {"commanded": ("state", ()), "measured": ("state", ())}),
    ],
)
def test_claims_that_name_nothing_are_refused(name, wrong):
    recording = Recording([{"state": np.zeros((30, 3))}])
    with pytest.raises(ArgumentError, match=name):
        check_recording(recording, Claims(**wrong))


def test_few_steps_decide_nothing():
    """Whatever a handful of steps looks like is no evidence, for a claim or against it."""
    rng = np.random.default_rng(0)
    recording = Recording([{"state": rng.normal(size=(6, 3)), "action": rng.normal(size=(5, 3))}])
    found = check_recording(recording, Claims(position=("state", (0, 1, 2)), step=("action", (0, 1, 2))))
    assert {each.answer for each in found.verdicts} == {"untestable"}


def test_a_rival_form_in_which_numbers_are_no_orientation_explains_nothing():
    """The unturned pose as two columns, read as two rows, has a column of zeros."""
    turn = 0.05 * np.random.default_rng(0).normal(size=(60, 3))
    poses = [Rotation.identity()]
    for each in turn:
        poses.append(Rotation.from_rotvec(each) * poses[-1])
    numbers = np.stack([each.as_matrix()[:, :2].T.ravel() for each in poses])
    told = Claims(rotation=("pose", range(6)), form="6d", turn=("action", (0, 1, 2)))
    found = check_recording(Recording([{"pose": numbers, "action": turn}]), told)
    assert [each.answer for each in found.verdicts] == ["consistent", "consistent"]
    assert found.verdicts[0].scores["6d"] > 0.99 > found.verdicts[0].scores["6d, rows"]


def test_an_orientation_without_a_direction_explains_nothing():
    rng = np.random.default_rng(0)
    step = rng.normal(size=(60, 3))
    place = np.concatenate([np.zeros((1, 3)), np.cumsum(step, 0)])
    recording = Recording([{"state": place, "turn": np.zeros((61, 6)), "action": step}])
    told = Claims(("state", (0, 1, 2)), ("turn", range(6)), "6d", ("action", (0, 1, 2)), "body")
    assert check_recording(recording, told).contradicted


@pytest.mark.parametrize("source", [5, None, [], object()])
def test_sources_that_are_none_are_refused(source):
    pytest.importorskip("pyarrow")
    for read in (read_lerobot, read_minari):
        with pytest.raises(ArgumentError):
            read(source)
