"""Errors arrive whole from a worker process."""

import pickle

import pytest

from equiworld.errors import ArgumentError, CheckpointError, EquiworldError, UnknownNameError


@pytest.mark.parametrize(
    "error",
    [
        ArgumentError("samples", -1, "a positive integer", (1, 2)),
        UnknownNameError("env", "PushTT", ["PushT"], "register it"),
        CheckpointError("cut off"),
    ],
)
def test_errors_survive_a_process_boundary(error: EquiworldError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)


def test_an_unknown_name_suggests_the_nearest() -> None:
    assert "did you mean 'PushT'" in str(UnknownNameError("env", "PushTT", ["PushT"], "register it"))


def test_what_cannot_be_shown_is_named_by_its_class():
    class Shy:
        def __repr__(self):
            raise RuntimeError("not now")

    assert str(ArgumentError("x", Shy(), "a number")) == "x: got a Shy; expected a number"
