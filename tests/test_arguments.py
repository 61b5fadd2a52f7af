"""Numbers at the border: NumPy's are numbers, bool is not, and what comes out is plain."""

import json
from fractions import Fraction

import numpy as np
import pytest

from equiworld.arguments import integer, number
from equiworld.errors import ArgumentError

NO_NUMBERS = [True, False, np.True_, np.array(True), None, "3", 3j, [3], (3,), np.array([3]), np.array([])]
NOT_FINITE = [float("nan"), float("inf"), -float("inf"), np.float32("nan"), np.float16("inf"), 10**400]


@pytest.mark.parametrize("kind", [int, np.int8, np.uint8, np.int32, np.int64, np.uint64, np.array])
def test_whole_numbers_come_out_as_pythons_own(kind):
    found = integer("n", kind(3), least=1, most=3)
    assert type(found) is int
    assert json.dumps(found) == "3"


@pytest.mark.parametrize(
    "kind", [float, np.float16, np.float32, np.float64, np.longdouble, np.array, Fraction]
)
def test_numbers_come_out_as_pythons_own_and_of_the_same_value(kind):
    found = number("x", kind(0.375), above=0, below=1)
    assert type(found) is float
    assert found == 0.375


def test_a_whole_number_is_a_number_and_large_ones_are_kept():
    assert number("x", np.int64(7)) == 7.0
    assert integer("n", np.uint64(2**64 - 1)) == 2**64 - 1
    assert integer("n", 10**40) == 10**40


@pytest.mark.parametrize("value", [*NO_NUMBERS, *NOT_FINITE[:-1], 3.0, np.float64(3)], ids=repr)
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(ArgumentError, match=r"^n: got .*; expected an integer$"):
        integer("n", value)


@pytest.mark.parametrize("value", [*NO_NUMBERS, *NOT_FINITE], ids=lambda value: repr(value)[:20])
def test_what_is_no_finite_number_is_refused(value):
    with pytest.raises(ArgumentError, match=r"^x: got .*; expected a number$"):
        number("x", value)


@pytest.mark.parametrize(
    ("limits", "value", "expected"),
    [
        ({"least": 1}, 0, "a positive integer"),
        ({"least": 0}, -1, "an integer of at least 0"),
        ({"least": 2, "most": 5}, 6, "an integer of at least 2 and of at most 5"),
    ],
)
def test_limits_of_whole_numbers_are_said(limits, value, expected):
    with pytest.raises(ArgumentError, match=f"^n: got {value}; expected {expected}$"):
        integer("n", value, **limits)


@pytest.mark.parametrize(
    ("limits", "value", "expected"),
    [
        ({"above": 0}, 0.0, "a positive number"),
        ({"above": 0, "most": 180}, 181.0, "a positive number of at most 180"),
        ({"least": 0}, -1e-9, "a number of at least 0"),
        ({"least": 0, "below": 1}, 1.0, "a number of at least 0 and below 1"),
        ({"above": 2}, 2.0, "a number above 2"),
    ],
)
def test_limits_of_numbers_are_said_and_kept_exactly(limits, value, expected):
    with pytest.raises(ArgumentError, match=f"^x: got {value!r}; expected {expected}$"):
        number("x", value, **limits)
    for edge in (limits.get("least"), limits.get("most")):
        assert edge is None or number("x", edge, **limits) == edge
