"""Dynamics resolve the gauge: rates are found, and what they leave is counted."""

from __future__ import annotations

import numpy as np
import pytest

from equiworld.analysis import LinearDynamics, fit_linear_dynamics
from equiworld.analysis.gauge import polar
from equiworld.errors import ArgumentError

RATES = np.repeat([0.2, 0.9], [4, 18])


def pairs(n: int, rng: np.random.Generator, rates: np.ndarray = RATES) -> tuple[np.ndarray, np.ndarray]:
    z = rng.normal(size=(n, len(rates)))
    return z, z * rates + np.sqrt(1 - rates**2) * rng.normal(size=z.shape)


def test_rates_are_found_in_any_coordinates():
    rng = np.random.default_rng(0)
    z, after = pairs(40_000, rng)
    mixing = rng.normal(size=(22, 22))
    for matrix in (np.eye(22), polar(mixing), mixing):
        found = fit_linear_dynamics(z @ matrix.T + 3.0, after @ matrix.T + 3.0)
        low, high = found.rates()
        assert (low.size, high.size) == (4, 18)
        assert low.value == pytest.approx(0.2, rel=0.02)
        assert high.value == pytest.approx(0.9, rel=0.02)
        assert found.drift_gauge() == 159


def test_equal_rates_resolve_nothing():
    rng = np.random.default_rng(1)
    found = fit_linear_dynamics(*pairs(20_000, rng, np.full(22, 0.9)))
    assert found.drift_gauge() == 231


def test_errors_are_constant_on_what_keeps_the_dynamics_and_larger_elsewhere():
    rng, dynamics = np.random.default_rng(2), LinearDynamics(np.diag(RATES), np.eye(22))
    bayes = float((1 - RATES**2).mean())
    kept = np.zeros((10, 22, 22))
    for each in kept:
        each[:4, :4], each[4:, 4:] = polar(rng.normal(size=(4, 4))), polar(rng.normal(size=(18, 18)))
    assert np.abs(dynamics.error_over_orbit(kept) - bayes).max() < 1e-12
    others = np.stack([polar(rng.normal(size=(22, 22))) for _ in range(10)])
    assert (dynamics.error_over_orbit(others) > bayes + 0.05).all()


def test_arguments():
    with pytest.raises(ArgumentError, match="following"):
        fit_linear_dynamics(np.zeros((30, 22)), np.zeros((30, 22)))
    with pytest.raises(ArgumentError, match="elements"):
        LinearDynamics(np.eye(2), np.eye(2)).error_over_orbit(np.eye(2))
