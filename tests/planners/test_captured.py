"""Graphs of calls, with a stand-in for CUDA: which shapes are captured, which are kept, and what is called as it is."""

from __future__ import annotations

import pytest
import torch

from equiworld.planners.captured import CapturedCalls


class Recorder:
    """Stands in for a capture: replays the function on what was written to its inputs."""

    def __init__(self, works: bool = True) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.works = works

    def __call__(self, function, given):
        self.shapes.append(tuple(given[0].shape))
        if not self.works:
            return None
        output = function(*given)
        return lambda *now: output.copy_(function(*now))


def double(numbers: torch.Tensor) -> torch.Tensor:
    return 2 * numbers


@pytest.mark.parametrize("works", [True, False])
def test_every_call_gives_what_the_function_gives(works):
    calls = CapturedCalls(make=Recorder(works))
    for step in range(5):
        for size in (1, 3):
            given = torch.full((size,), float(step))
            assert torch.equal(calls.call(double, [given]), double(given))


def test_a_shape_is_captured_when_it_comes_again_and_once():
    recorder = Recorder()
    calls = CapturedCalls(make=recorder)
    calls.call(double, [torch.zeros(7)])
    assert recorder.shapes == []
    for _ in range(4):
        calls.call(double, [torch.zeros(7)])
    assert recorder.shapes == [(7,)]
    for _ in range(2):
        calls.call(double, [torch.zeros(7, dtype=torch.float64)])
    assert recorder.shapes == [(7,), (7,)]


def test_the_latest_are_kept():
    recorder = Recorder()
    calls = CapturedCalls(most=2, make=recorder)
    for size in (1, 1, 2, 2, 1, 3, 3, 1, 1):
        calls.call(double, [torch.zeros(size)])
    assert recorder.shapes == [(1,), (2,), (3,)]  # the third took the place of the second
    for _ in range(2):
        calls.call(double, [torch.zeros(2)])
    assert recorder.shapes[-1] == (2,)


def test_a_shape_is_captured_after_as_many_calls_as_asked_for():
    recorder = Recorder()
    calls = CapturedCalls(make=recorder, after=3)
    made = []
    for _ in range(5):
        calls.call(double, [torch.zeros(7)])
        made.append(len(recorder.shapes))
    assert made == [0, 0, 0, 1, 1]
