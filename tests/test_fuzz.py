"""Public calls with arguments that users get wrong: refused in words, or answered rightly; nothing else.

A few hundred each by default, the same ones every time; with `FUZZ_CALLS=24000` as many others: about a minute for
ten thousand.
"""

from __future__ import annotations

import os
import warnings
from collections import Counter

import pytest
from fuzz import (
    data_calls,
    files_calls,
    further_calls,
    groups_calls,
    loop_calls,
    symmetry_calls,
    wrapper_calls,
)
from fuzz.oracle import MODES, Call, tried
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

KINDS = {
    "groups": groups_calls.CALLS,
    "symmetry": symmetry_calls.CALLS + wrapper_calls.CALLS,
    "loop": loop_calls.CALLS + data_calls.CALLS + further_calls.CALLS,
    "files": files_calls.CALLS,
}
SHARES = {"groups": 0.35, "symmetry": 0.35, "loop": 0.2, "files": 0.1}
CALLS = int(os.environ.get("FUZZ_CALLS", "1600"))
_COUNTED = Counter[str]()


def _weighted(calls: list[Call]) -> list[Call]:
    return [call for call in calls for _ in range(call.weight)]


@pytest.mark.parametrize("kind", KINDS)
def test_calls_are_refused_in_words_or_answered_rightly(kind, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # words that pass for folders are made there
    warnings.simplefilter("ignore")

    @settings(
        max_examples=round(CALLS * SHARES[kind]),
        derandomize="FUZZ_CALLS" not in os.environ,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        call=st.sampled_from(_weighted(KINDS[kind])),
        mode=st.sampled_from(["plain", "plain", *MODES]),
        rng=st.randoms(use_true_random=False),
    )
    def one(call, mode, rng):
        _COUNTED[tried(call, rng.randrange, mode)] += 1

    one()
    print(f"{kind}: {dict(_COUNTED)} in all so far")
    assert _COUNTED["answered"]
    assert _COUNTED["refused"]
