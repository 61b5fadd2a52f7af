"""Frames: they turn with the world, are orthonormal where they are, and honest and finite where nothing fixes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import Tensor

from equiworld.groups import (
    E2,
    E3,
    O2,
    O3,
    SE2,
    SE3,
    SO2,
    SO3,
    Cyclic,
    Dihedral,
    Group,
    GroupElement,
    Permutation,
)
from equiworld.symmetry import Features, Frame, frame_of
from equiworld.symmetry.arrows import MARGIN
from equiworld.symmetry.features import FeatureType

pytestmark = pytest.mark.exact

CONTINUOUS = [SO2(), O2(), SE2(), E2(), SO3(), O3(), SE3(), E3()]
FINITE = [Cyclic(2), Cyclic(3), Cyclic(4), Dihedral(1), Dihedral(3), Dihedral(4), Permutation(3)]
every_group = pytest.mark.parametrize("group", [*CONTINUOUS, *FINITE], ids=str)
every_continuous = pytest.mark.parametrize("group", CONTINUOUS, ids=str)
every_finite = pytest.mark.parametrize("group", FINITE, ids=str)
every_kind_of_group = pytest.mark.parametrize(
    "group", [SO2(), O2(), SO3(), O3(), Cyclic(4), Dihedral(3), Permutation(3)], ids=str
)
few = settings(
    max_examples=12, deadline=None, database=None, derandomize=True, phases=(Phase.generate, Phase.shrink)
)
ROWS = 200


@dataclass
class Given:
    """What a frame is read from, a batch of it."""

    arrows: Tensor
    pseudoscalars: Tensor
    pseudovectors: Tensor
    origin: Tensor

    def turned(self, g: GroupElement) -> Given:
        rotation, sign = torch.from_numpy(g.matrix), torch.from_numpy(np.asarray(np.sign(g.determinant)))
        return Given(
            rotation @ self.arrows,
            sign[..., None] * self.pseudoscalars,
            sign[..., None, None] * (rotation @ self.pseudovectors),
            (rotation @ self.origin[..., None])[..., 0] + torch.from_numpy(g.translation),
        )

    def frame(self, group: Group, **settings) -> Frame:
        # Of a group without reflections pseudovectors are arrows, and pseudoscalars just numbers.
        arrows = torch.cat([self.arrows, self.pseudovectors], -1) if group.proper else self.arrows
        pseudo = {} if group.proper else {"pseudovectors": self.pseudovectors}
        return frame_of(
            arrows, group, pseudoscalars=self.pseudoscalars, origin=self.origin, **pseudo, **settings
        )


def drawn(dim: int, arrows: int = 4, pseudoscalars: int = 2, pseudovectors: int = 2, seed: int = 0) -> Given:
    rng = np.random.default_rng(seed)

    def numbers(*shape: int) -> Tensor:
        return torch.from_numpy(rng.standard_normal((ROWS, *shape)))

    return Given(numbers(dim, arrows), numbers(pseudoscalars), numbers(dim, pseudovectors), 5 * numbers(dim))


def in_a_plane(arrows: Tensor) -> Tensor:
    """All arrows in the span of the first d − 1 ones: they are their own mirror image."""
    basis = torch.linalg.qr(arrows[..., : arrows.shape[-2] - 1]).Q
    return basis @ (basis.mT @ arrows)


KINDS = {
    "any": lambda dim: drawn(dim),
    "arrows alone": lambda dim: drawn(dim, pseudoscalars=0, pseudovectors=0),
    "one arrow": lambda dim: drawn(dim, arrows=1, pseudoscalars=0, pseudovectors=0),
    "one arrow and a sign": lambda dim: drawn(dim, arrows=1, pseudovectors=0),
    "one arrow and an axis": lambda dim: drawn(dim, arrows=1, pseudoscalars=0),
    "signs alone": lambda dim: drawn(dim, arrows=0, pseudovectors=0),
    "axes alone": lambda dim: drawn(dim, arrows=0, pseudoscalars=0),
    "nothing": lambda dim: drawn(dim, arrows=0, pseudoscalars=0, pseudovectors=0),
    "zero, then any": lambda dim: _with(drawn(dim), lambda arrows: arrows * (torch.arange(4) > 1)),
    "all zero": lambda dim: _with(drawn(dim), lambda arrows: 0 * arrows),
    "all parallel": lambda dim: _with(
        drawn(dim, pseudoscalars=0, pseudovectors=0),
        lambda arrows: arrows[..., :1] * torch.tensor([1.0, -2, 0, 0.5]),
    ),
    "in a plane": lambda dim: _with(drawn(dim, pseudoscalars=0, pseudovectors=0), in_a_plane),
    "in a plane, with a sign": lambda dim: _with(drawn(dim, pseudovectors=0), in_a_plane),
    "in a plane, with an axis": lambda dim: _with(drawn(dim, pseudoscalars=0), in_a_plane),
    "tiny, then any": lambda dim: _with(
        drawn(dim), lambda arrows: arrows * torch.where(torch.arange(4) > 0, 1.0, 1e-9)
    ),
}


def _with(given: Given, change) -> Given:
    given.arrows = change(given.arrows)
    return given


def assert_whole_or_nothing(axes: Tensor, tolerance: float) -> None:
    """Columns are orthonormal or zero."""
    products, lengths = axes.mT @ axes, axes.square().sum(-2)
    assert axes.isfinite().all()
    assert torch.minimum(lengths.abs(), (lengths - 1).abs()).max() <= tolerance
    assert (products - torch.diag_embed(lengths)).abs().max() <= tolerance


def fixed_of(frame: Frame) -> Tensor:
    """Whether all axes are fixed; None says that they always are."""
    return torch.ones(frame.axes.shape[:-2], dtype=torch.bool) if frame.fixed is None else frame.fixed


def certainty_of(frame: Frame) -> Tensor:
    """How well they are; None says perfectly."""
    return frame.axes.new_ones(frame.axes.shape[:-2]) if frame.certainty is None else frame.certainty


def assert_orthonormal(axes: Tensor, tolerance: float = 1e-13) -> None:
    assert axes.isfinite().all()
    assert (axes.mT @ axes - torch.eye(axes.shape[-1], dtype=axes.dtype)).abs().max() <= tolerance


# ------------------------------------------------------------------------------------ turning with the world


@every_group
@pytest.mark.parametrize("kind", KINDS)
def test_frames_turn_with_the_world(group, kind):
    given = KINDS[kind](group.dim)
    g = group.sample(np.random.default_rng(1), ROWS, scale=3.0)
    frame, turned = given.frame(group), given.turned(g).frame(group)
    rotation = torch.from_numpy(g.matrix)
    # Gram–Schmidt of arrows at the sine s multiplies rounding by 1/s.
    worst = 1e-13 / certainty_of(frame).clamp(1e-3, 1.0)
    assert ((turned.axes - rotation @ frame.axes).abs().amax((-1, -2)) <= worst).all()
    expected = (rotation @ frame.origin[..., None])[..., 0] + torch.from_numpy(g.translation)
    assert torch.allclose(turned.origin, expected, rtol=0, atol=1e-12)
    assert torch.allclose(certainty_of(turned), certainty_of(frame), rtol=0, atol=1e-12)
    assert torch.equal(fixed_of(turned), fixed_of(frame))
    assert ((certainty_of(frame) >= 0) & (certainty_of(frame) <= 1)).all()
    assert_orthonormal(frame.completed())
    if not group.finite:
        assert_whole_or_nothing(frame.axes, 1e-13)
    if fixed_of(frame).all():
        assert torch.equal(frame.completed(), frame.axes)
        assert torch.allclose(turned.completed(), rotation @ frame.completed(), rtol=0, atol=1e-9)


FIXED = {
    # What fixes the frame of rotations of the plane, of rotations and reflections; the same in space.
    "any": (True, True, True, True),
    "arrows alone": (True, True, True, True),
    "one arrow": (True, False, False, False),
    "one arrow and a sign": (True, True, False, False),
    "one arrow and an axis": (True, True, True, None),
    "signs alone": (False, False, False, False),
    "nothing": (False, False, False, False),
    "zero, then any": (True, True, True, True),
    "all parallel": (True, False, False, False),
    "in a plane": (True, False, True, False),
    "in a plane, with a sign": (True, True, True, True),
    "in a plane, with an axis": (True, True, True, True),
    "tiny, then any": (True, True, True, True),
}


def promised(kind: str, group: Group) -> bool | None:
    """Whether it fixes the frame; None for no promise."""
    return FIXED[kind][2 * (group.dim == 3) + (not group.proper)]


@pytest.mark.parametrize(
    ("kind", "group"),
    [(kind, group) for kind in FIXED for group in CONTINUOUS if promised(kind, group) is not None],
    ids=str,
)
def test_what_is_fixed_and_what_is_not(kind, group):
    expected = promised(kind, group)
    frame = KINDS[kind](group.dim).frame(group)
    assert fixed_of(frame).all() if expected else not fixed_of(frame).any()
    missing = frame.axes.square().sum(-2).sum(-1) < group.dim - 0.5
    assert torch.equal(missing, ~fixed_of(frame))
    if kind in ("nothing", "signs alone"):
        assert not frame.axes.any()
        assert not certainty_of(frame).any()


@every_finite
def test_of_a_finite_group_the_frame_is_an_element(group):
    frame = drawn(group.dim).frame(group)
    assert fixed_of(frame).all()
    elements = torch.from_numpy(group.elements().matrix)
    apart = (frame.axes[:, None] - elements).abs().amax((-1, -2)).amin(-1)
    assert apart.max() == 0
    assert len(frame.axes.unique(dim=0)) == len(elements)  # each of them is somebody's


@every_finite
def test_of_a_finite_group_ties_are_averaged(group):
    """Nothing at all is every element's; of an arrow on a mirror line two elements are, whose mean keeps the line."""
    elements = torch.from_numpy(group.elements().matrix)
    frame = KINDS["nothing"](group.dim).frame(group)
    assert torch.allclose(frame.axes, elements.mean(0).expand_as(frame.axes), rtol=0, atol=1e-14)
    assert not fixed_of(frame).any() or len(elements) == 1
    if group.proper or group.dim != 2:
        return
    mirror = next(element for element in elements if torch.linalg.det(element) < 0)
    line = torch.linalg.eigh((mirror + mirror.T) / 2).eigenvectors[:, 1:]  # of eigenvalue 1
    frame = frame_of(line[None].repeat(1, 1, 2), group)
    assert not fixed_of(frame).any()
    assert torch.allclose(mirror @ frame.axes, frame.axes, rtol=0, atol=1e-12)
    back = frame.axes @ (frame.axes.mT @ line)
    assert torch.allclose(back[0], line, rtol=0, atol=1e-12)
    assert torch.linalg.matrix_rank(frame.axes, atol=1e-9).item() == 1


# ------------------------------------------------------------------------------------------- which arrow


@pytest.mark.parametrize("group", [SO2(), SE2(), SO3(), SE3(), O3()], ids=str)
def test_the_first_arrow_that_counts_is_taken_not_the_longest(group):
    arrows = drawn(group.dim).arrows * torch.tensor([1e-3, 1.0, 1e3, 1.0])
    direction = torch.nn.functional.normalize(arrows, dim=-2)
    assert torch.allclose(frame_of(arrows, group).axes[..., 0], direction[..., 0], rtol=0, atol=1e-14)
    # One that is too short to say where it points is passed over.
    short = arrows * torch.tensor([1e-8, 1.0, 1.0, 1.0])
    assert torch.allclose(frame_of(short, group).axes[..., 0], direction[..., 1], rtol=0, atol=1e-14)


@pytest.mark.parametrize("group", [SO2(), SO3(), O2(), O3()], ids=str)
@pytest.mark.parametrize("length", [0.5, 2.0])
def test_the_margin_is_the_length_from_which_arrows_count(group, length):
    arrows = torch.nn.functional.normalize(drawn(group.dim, arrows=group.dim).arrows, dim=-2)
    assert bool(frame_of(length * MARGIN * arrows, group).axes.any()) == (length > 1)


def test_in_space_an_arrow_clearly_off_the_first_comes_before_one_that_is_hardly():
    first, near, far = torch.tensor([[1.0, 0, 0], [1, 0.01, 0], [0, 0, 2]], dtype=torch.float64)
    frame = frame_of(torch.stack([first, near, far], -1), SO3())
    assert torch.equal(frame.axes[:, 1], torch.tensor([0.0, 0.0, 1.0]).double())
    alone = frame_of(torch.stack([first, near], -1), SO3())
    assert torch.allclose(alone.axes[:, 1], torch.tensor([0.0, 1.0, 0.0]).double(), rtol=0, atol=1e-14)
    assert fixed_of(alone)
    assert certainty_of(alone) < 0.011 < 0.9 < certainty_of(frame)


@pytest.mark.parametrize("angle", [1e-14, 1e-10, 1e-7, 1e-5, 1e-3, 0.3])
@pytest.mark.parametrize("group", [SO3(), SE3()], ids=str)
def test_nearly_parallel_arrows_are_reported(group, angle):
    first = torch.tensor([0.6, 0.64, 0.48], dtype=torch.float64)
    normal = torch.tensor([0.8, -0.48, -0.36], dtype=torch.float64)
    frame = frame_of(torch.stack([first, first + angle * normal], -1), group)
    assert bool(fixed_of(frame)) == (angle > 1e-4)
    assert certainty_of(frame) <= 1.01 * angle
    assert_whole_or_nothing(frame.axes, 1e-13)
    assert_orthonormal(frame.completed())


@pytest.mark.parametrize("pseudo", ["pseudoscalars", "arrows"])
@pytest.mark.parametrize("group", [O2(), E2(), O3(), E3()], ids=str)
def test_the_first_sign_says_which_mirror_image_it_is(group, pseudo):
    """Not the largest one, and none that is too small to tell."""
    dim = group.dim
    flat = torch.eye(dim, dtype=torch.float64)[:, : dim - 1]
    for numbers, expected in (([1.0, -50.0], 1), ([-1.0, 50.0], -1), ([1e-9, -1.0], -1)):
        signs = torch.tensor(numbers, dtype=torch.float64)
        if pseudo == "pseudoscalars":
            frame = frame_of(flat, group, pseudoscalars=signs)
        else:
            off = torch.zeros(dim, 2, dtype=torch.float64)
            off[-1] = signs
            frame = frame_of(torch.cat([flat, off], -1), group)
        assert fixed_of(frame)
        assert frame.axes[-1, -1] == expected
    assert not frame_of(flat, group, pseudoscalars=torch.tensor([1e-9]).double()).fixed


# --------------------------------------------------------------------------------------- poses and headings


@pytest.mark.parametrize("group", [SO3(), SE3(), O3(), E3()], ids=str)
def test_a_pose_is_the_frame(group):
    poses = torch.from_numpy(group.sample(np.random.default_rng(0), ROWS).matrix)
    given = drawn(3)
    arrows = torch.cat([given.arrows, poses, given.arrows], -1)
    frame = frame_of(arrows, group, pose=slice(4, 7), origin=given.origin)
    assert torch.equal(frame.axes, poses)
    assert torch.equal(frame.origin, given.origin)
    assert fixed_of(frame).all()
    assert certainty_of(frame).eq(1).all()


@pytest.mark.parametrize("group", [SO2(), SE2(), O2(), E2()], ids=str)
def test_a_heading_is_the_first_axis(group):
    g = group.sample(np.random.default_rng(0), ROWS)
    given = drawn(2)
    heading = torch.from_numpy(g.matrix)[..., :1]

    def frame(given: Given, heading: Tensor) -> Frame:
        return Given(
            torch.cat([given.arrows, heading], -1),
            given.pseudoscalars,
            given.pseudovectors[..., :0],
            given.origin,
        ).frame(group, pose=slice(4, 5))

    one, turned = frame(given, heading), frame(given.turned(g), torch.from_numpy(g.matrix) @ heading)
    assert torch.equal(one.axes[..., 0], heading[..., 0])
    assert fixed_of(one).all()
    assert torch.allclose(turned.axes, torch.from_numpy(g.matrix) @ one.axes, rtol=0, atol=1e-13)
    assert_orthonormal(one.axes)


# ------------------------------------------------------------------------------------- there and back again


@every_continuous
def test_what_goes_in_and_out_comes_back(group):
    kind = FeatureType(group.dim, scalars=2, vectors=3, points=2)
    z = Features.unflatten(
        torch.from_numpy(np.random.default_rng(2).standard_normal((ROWS, kind.size))), kind
    )
    given = drawn(group.dim)
    g = group.sample(np.random.default_rng(1), ROWS)
    frame, turned = given.frame(group), given.turned(g).frame(group)
    inside, turned_inside = frame.to_frame(z), turned.to_frame(z.transform(g))
    assert torch.allclose(frame.from_frame(inside).flatten(), z.flatten(), rtol=0, atol=1e-13)
    assert torch.allclose(inside.flatten(), turned_inside.flatten(), rtol=0, atol=1e-11)
    assert not torch.allclose(inside.flatten(), frame.to_frame(z.transform(g)).flatten(), atol=0.1)


@pytest.mark.parametrize("group", [SO3(), O3(), O2()], ids=str)
def test_what_nothing_fixes_is_dropped_on_the_way_and_the_rest_kept(group):
    """So that what passes through stays equivariant."""
    arrow = drawn(group.dim, arrows=1).arrows
    frame = frame_of(arrow, group)
    vectors = drawn(group.dim, seed=1).arrows
    z = Features(torch.zeros(ROWS, 0), vectors, torch.zeros(ROWS, group.dim, 0)).to(torch.float64)
    found = frame.from_frame(frame.to_frame(z)).vectors
    axis = torch.nn.functional.normalize(arrow, dim=-2)
    assert torch.allclose(found, axis @ (axis.mT @ vectors), rtol=0, atol=1e-13)


def test_one_frame_serves_many_samples():
    frame = frame_of(torch.randn(4, 1, 2, 1), SE2(), origin=torch.randn(4, 1, 2))
    samples = Features(torch.randn(9, 3), torch.randn(9, 2, 2), torch.randn(9, 2, 1))
    inside = frame.to_frame(samples)
    assert inside.batch_shape == (4, 9)
    one = Frame(frame.axes[2, 0], frame.origin[2, 0])
    assert torch.allclose(inside[2].vectors, one.to_frame(samples).vectors)


# --------------------------------------------------------------------------------------- whatever comes in

numbers = st.floats(-1e6, 1e6) | st.sampled_from(
    [
        0.0,
        -0.0,
        1.0,
        -1.0,
        1e-300,
        1e-40,
        1e-20,
        1e-9,
        MARGIN,
        1e30,
        1e200,
        float("nan"),
        float("inf"),
        -float("inf"),
    ]
)
everything = st.lists(numbers, min_size=9, max_size=9)


def assert_honest(frame: Frame, group: Group, tolerance: float) -> None:
    assert frame.completed().isfinite().all()
    assert_orthonormal(frame.completed(), tolerance)
    assert frame.axes.isfinite().all()
    assert 0 <= certainty_of(frame) <= 1
    if not group.finite:
        assert_whole_or_nothing(frame.axes, tolerance)
        whole = frame.axes.square().sum() > group.dim - 0.5
        assert whole or not fixed_of(frame)
        assert certainty_of(frame) > 0 or not fixed_of(frame)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@every_kind_of_group
@few
@given(entries=everything, signs=st.lists(numbers, min_size=2, max_size=2))
def test_whatever_comes_in_frames_are_finite_and_honest(group, dtype, entries, signs):
    arrows = torch.tensor(entries, dtype=dtype).reshape(3, 3)[: group.dim].clone().requires_grad_()
    frame = frame_of(arrows, group, pseudoscalars=torch.tensor(signs, dtype=dtype))
    assert_honest(frame, group, 50 * torch.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("group", [SO2(), O2(), SO3(), O3()], ids=str)
@few
@given(entries=everything)
def test_whatever_comes_in_gradients_are_finite(group, dtype, entries):
    arrows = torch.tensor(entries, dtype=dtype).reshape(3, 3)[: group.dim].clone().requires_grad_()
    frame = frame_of(arrows, group)
    (frame.axes.sum() + certainty_of(frame)).backward()
    assert arrows.grad is None or arrows.grad.isfinite().all()


BAD = pytest.mark.parametrize("bad", [0.0, float("nan"), float("inf")], ids=str)
GROUPS = pytest.mark.parametrize("group", [SO2(), O2(), SO3(), O3()], ids=str)


def spoilt(group: Group, which: int, bad: float) -> tuple[Tensor, Tensor]:
    """Arrows of which one says nothing, and the others."""
    arrows = drawn(group.dim).arrows
    others = arrows[..., [index for index in range(4) if index != which]]
    arrows[..., which] = bad
    return arrows.requires_grad_(), others


@BAD
@GROUPS
def test_an_arrow_that_says_nothing_is_passed_over(group, bad):
    for which in range(4):
        arrows, others = spoilt(group, which, bad)
        frame, expected = frame_of(arrows, group), frame_of(others, group)
        assert torch.equal(frame.axes, expected.axes)
        assert torch.equal(fixed_of(frame), fixed_of(expected))
        assert torch.equal(certainty_of(frame), certainty_of(expected))


@BAD
@GROUPS
def test_an_arrow_that_says_nothing_leaves_gradients_finite(group, bad):
    for which in range(4):
        arrows, _ = spoilt(group, which, bad)
        frame_of(arrows, group).axes.sum().backward()
        assert arrows.grad.isfinite().all()


def test_columns_are_the_axes():
    """Negative control of all that compares axes with axes: what they are, by hand."""
    arrows = torch.tensor([[0.0, 3.0, 0.0], [0.0, 1.0, -2.0]]).T
    expected = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]]).T
    assert torch.allclose(frame_of(arrows, SO3()).axes, expected)
    heading = frame_of(torch.tensor([[0.6], [0.8]]), SO2()).axes
    assert torch.allclose(heading, torch.tensor([[0.6, -0.8], [0.8, 0.6]]))
