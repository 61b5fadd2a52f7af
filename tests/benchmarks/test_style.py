"""Arms are told apart without colour, always look the same, and drawing asks for no window."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D

from equiworld.benchmarks import question
from equiworld.benchmarks.arms import ARMS
from equiworld.benchmarks.questions.eyes import TOLD
from equiworld.benchmarks.suite.style import (
    angle_axis,
    draw_orbit_on_circle,
    legend_below,
    new_figure,
    png_bytes,
    share_axis,
    style_of,
)
from equiworld.planners import PLANNERS
from equiworld.planners.peers import PEERS

KINDS = ["equivariant", "steerable", "plain", "centred", "augmented", "small", "large", "soft"]
NAMES = [kind.__name__ for kind in PLANNERS.values()]


def without_colour(name):
    style = style_of(name)
    return style["marker"], str(style["linestyle"])


@pytest.mark.parametrize(
    "names", [KINDS, list(ARMS), [*NAMES, *PEERS], list(TOLD)], ids=["kinds", "arms", "planners", "eyes"]
)
def test_what_stands_in_one_picture_is_told_apart_without_colour(names):
    for one, other in itertools.combinations(names, 2):
        assert without_colour(one) != without_colour(other), (one, other)


@pytest.mark.parametrize("name", ["model-free", "published-step", "breaking"])
def test_arms_of_a_question_have_colours_of_their_own_and_variations_share_one(name):
    heads = list(dict.fromkeys(arm.partition(",")[0] for arm in question(name).arms))
    assert len({style_of(head)["color"] for head in heads}) == len(heads) > 3
    for arm in question(name).arms:
        assert style_of(arm)["color"] == style_of(arm.partition(",")[0])["color"]
    for one, other in itertools.combinations(question(name).arms, 2):
        assert without_colour(one) != without_colour(other), (one, other)


@pytest.mark.parametrize("name", PEERS)
def test_other_libraries_are_grey(name):
    assert len(set(to_rgb(style_of(name)["color"]))) == 1


@pytest.mark.parametrize("name", [*KINDS, *NAMES])
def test_colours_are_seen_on_white(name):
    red, green, blue = to_rgb(style_of(name)["color"])
    assert 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.75


@settings(deadline=None)
@given(st.text())
def test_every_name_has_a_style_and_keeps_it(name):
    style = style_of(name)
    assert style == style_of(name)
    Line2D([0, 1], [0, 1], **style)


def test_spare_styles_do_not_depend_on_the_process():
    code = "from equiworld.benchmarks.suite.style import style_of; print(style_of('a new arm'))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == str(style_of("a new arm"))


def test_no_window_is_asked_for():
    code = (
        "import sys; from equiworld.benchmarks.suite.style import *; "
        "png_bytes(new_figure(3, projections=('polar', 'sphere'))[0]); "
        "print('matplotlib.pyplot' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "False"


def test_equal_figures_are_equal_files():
    def drawn():
        figure, (circle, straight) = new_figure(2, projections=("polar",))
        draw_orbit_on_circle(circle, {"plain": ([0, 90, 180], [0.1, 0.2, 0.0])}, 30)
        straight.plot([0, 90], [10, 90], label="plain", **style_of("plain"))
        angle_axis(straight, 30, last=360)
        share_axis(straight)
        legend_below(figure)
        assert [text.get_text() for text in figure.legends[0].get_texts()] == ["plain"]
        return png_bytes(figure)

    assert drawn() == drawn()


def test_the_trained_slice_is_shaded_at_both_ends_of_a_whole_turn():
    for last, count in ((180, 1), (360, 2)):
        _, (axes,) = new_figure(1)
        angle_axis(axes, 30, last=last)
        assert len(axes.patches) == count
        edges = np.sort([patch.get_x() + patch.get_width() for patch in axes.patches])
        assert edges[0] == 30
