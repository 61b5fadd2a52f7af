"""The figure of pushing in space appears, and nothing that is missing breaks it."""

import math

import pytest
from PIL import Image

from equiworld.benchmarks.space_pictures import draw


def result(models: tuple[str, ...], noise: bool = True) -> dict:
    rows = []
    for model in models:
        rows.append({"kind": "model", "model": model, "parameters": 61_234, "seen_relative_error": 0.1})
        for element, angle in enumerate((0.0, 50.0, 143.0)):
            row = {"kind": "orbit", "model": model, "element": element, "angle_deg": angle}
            row |= {"success": 0.9, "success_low": 0.8, "success_high": 0.95, "relative_error": 0.03}
            rows.append(row | {"mean_point_distance_mm": 8.0})
    noisy = [{"kind": "noise", "points": 2**k, "noise_mm": 20 / 2**k} for k in (5, 6, 7, 8)] if noise else []
    return {"rows": rows + noisy, "config": {"half_width": 30.0}}


@pytest.mark.parametrize(
    ("models", "noise"),
    [
        (("equivariant", "centred", "never heard of"), True),
        (("equivariant",), False),
        ((), True),
    ],
)
def test_figure_appears(tmp_path, models, noise):
    path = draw(result(models, noise), tmp_path / "space.png")
    with Image.open(path) as picture:
        assert picture.size[0] > 1000


def test_figure_leaves_out_what_is_missing(tmp_path):
    some = result(("equivariant", "centred"))
    some["rows"][1] |= {"success": math.nan, "success_low": math.nan, "success_high": None}
    some["rows"][2] |= {"relative_error": None}
    some["rows"][3] |= {"relative_error": 0.0}
    some["rows"][4].pop("parameters")
    some["rows"][-1] |= {"noise_mm": math.nan}
    some["config"] = {}
    assert draw(some, tmp_path / "space.png").exists()


def test_figure_where_nothing_was_measured_at_all(tmp_path):
    nothing = result(("equivariant",))
    for row in nothing["rows"]:
        row.update({key: math.nan for key in row if key not in ("kind", "model", "points", "angle_deg")})
        row.pop("parameters", None)
    assert draw(nothing, tmp_path / "space.png").exists()
