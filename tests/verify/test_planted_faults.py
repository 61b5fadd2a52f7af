"""All planted faults are found and named, nothing is found in what is true; `python planted_faults.py` prints them."""

from __future__ import annotations

import os

import pytest
from planted_faults import everything, of_worlds, summary


def test_worlds_that_break_a_true_declaration_are_found_and_named():
    names = ("1 % more drag along y", "actuator off by 1 %")
    assert all(each.found and each.named for each in of_worlds(names))


@pytest.mark.slow
def test_all_planted_faults_are_found_and_named():
    """With EQUIWORLD_G1, the file of Unitree's G1, the wrong entries of a map of its 29 joints too."""
    pytest.importorskip("mujoco")
    pytest.importorskip("imageio")
    found = list(everything(os.environ.get("EQUIWORLD_G1")))
    false = [each for each in found if "true" not in each.kind]
    assert len(false) >= 105
    assert all(each.found and each.named for each in false), summary(found)
    true = [each for each in found if "true" in each.kind]
    assert len(true) >= 18
    assert not any(each.found for each in true), summary(found)
