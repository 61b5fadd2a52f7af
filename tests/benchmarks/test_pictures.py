"""Curves are of seeds together, whatever else their rows say."""

from __future__ import annotations

import numpy as np

from equiworld.benchmarks.suite.pictures import Panel, orbit_figure, panels


def rows_of(seeds: int) -> list[dict[str, object]]:
    rng = np.random.default_rng(0)
    return [
        {
            "arm": arm,
            "seed": seed,
            "angle_deg": angle,
            "error": error,
            "seconds": rng.random(),
            "chosen": f"{seed} steps",
        }
        for arm, error in (("equivariant", 1.0), ("plain", 4.0))
        for seed in range(seeds)
        for angle in (0.0, 90.0, 180.0)
    ]


def test_seeds_are_one_point_though_other_measures_differ() -> None:
    panel = Panel("error", "angle_deg", "error")
    for figure in (panels(rows_of(3), [panel]), orbit_figure(rows_of(3), [panel], None)):
        assert figure is not None
        (axes, *_) = figure.axes
        for line in (each[0] for each in axes.containers):
            assert len(line.get_xdata()) == 3
            assert len(set(np.asarray(line.get_ydata()).tolist())) == 1


def test_bars_reach_from_the_least_to_the_greatest_seed() -> None:
    rows = [
        {"arm": "plain", "seed": seed, "n": 1, "error": 1.0 + seed, "seconds": 7.0 * seed}
        for seed in range(3)
    ]
    figure = panels(rows, [Panel("error", "n", "error")])
    assert figure is not None
    (bars,) = figure.axes[0].containers[0][2]
    (segment,) = bars.get_segments()
    assert segment[:, 1].tolist() == [1.0, 3.0]
