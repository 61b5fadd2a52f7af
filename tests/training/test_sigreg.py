"""SIGReg and Block-SIGReg as losses: what they ask for, their gradients, and their sums over ranks."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace

import numpy as np
import pytest
import torch

from equiworld.errors import ArgumentError
from equiworld.groups import O2, SO2, SO3
from equiworld.symmetry import Features, FeatureType
from equiworld.symmetry.latent_blocks import latent_blocks
from equiworld.training import ENCODER_LOSSES, BlockSIGReg, SIGReg

KIND = FeatureType(3, scalars=2, vectors=3)
BLOCKS = latent_blocks(KIND, SO3())
N = 400


def drawn(seed: int, scales: tuple[float, ...] = (1.0,) * 5, n: int = N) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.as_tensor(rng.normal(size=(n, KIND.size)) * np.repeat(scales, [1, 1, 3, 3, 3]))


def value(loss, z: torch.Tensor) -> float:
    return float(loss.statistic(z, BLOCKS, np.random.default_rng(0)))


def test_each_takes_its_own_laws_at_the_floor():
    scales = (5.0, 1.0, 1.0, 2.0, 8.0)
    floor = SIGReg().test.floor
    plain = BlockSIGReg(hinge=0.0)
    assert value(SIGReg(), drawn(0)) < 1.5 * floor
    assert value(plain, drawn(0)) < 1.5 * floor
    assert value(plain, drawn(0, scales)) < 1.5 * floor < value(SIGReg(), drawn(0, scales)) / 20
    turned_one_way = drawn(0) * torch.tensor([1.0, 1, *[3.0, 1, 1] * 3])
    assert value(plain, turned_one_way) > 5 * floor


def test_the_hinge_sees_what_whitening_hides():
    dead, hinged = drawn(0, (1.0, 1.0, 1.0, 1.0, 1e-3)), BlockSIGReg()
    assert value(hinged, drawn(0, (2.0,) * 5)) == pytest.approx(
        value(replace(hinged, hinge=0.0), drawn(0, (2.0,) * 5))
    )
    assert value(hinged, dead) > value(replace(hinged, hinge=0.0), dead) + 4


@pytest.mark.parametrize("loss", [SIGReg(directions=16), BlockSIGReg(directions=16)])
@pytest.mark.parametrize("group", [SO3(), None])
def test_gradients_are_those_of_finite_differences_and_bring_a_sample_to_the_floor(loss, group):
    z = drawn(1, (0.3, 2.0, 1.0, 0.2, 3.0), 60).requires_grad_()

    def of(flat: torch.Tensor) -> torch.Tensor:
        features = Features.unflatten(torch.stack([flat, flat]), KIND)
        return loss(features, [], 1.0, True, np.random.default_rng(0), group)

    assert torch.autograd.gradcheck(of, (z,), atol=1e-4, fast_mode=True)
    before, rate = float(of(z).detach()), torch.optim.Adam([z], 0.02)
    for _ in range(30):
        rate.zero_grad()
        of(z).backward()
        rate.step()
    assert float(of(z).detach()) < before


@pytest.mark.parametrize("name", ["sigreg", "block-sigreg"])
@pytest.mark.parametrize("kind", [FeatureType(2, 2, 2, 3), FeatureType(2, 0, 0, 4), FeatureType(2, 4, 2, 4)])
def test_points_enter_as_contrasts_and_moving_the_world_does_not_matter(name, kind):
    rng, loss = np.random.default_rng(0), ENCODER_LOSSES[name](directions=8)
    flat = torch.as_tensor(rng.normal(size=(2, 100, kind.size)))
    z = Features.unflatten(flat, kind)
    moved = Features(z.scalars, z.vectors, z.points + 7.0)
    for group in (SO2(), O2()):
        one, other = (
            float(loss(each, [], 1.0, True, np.random.default_rng(0), group)) for each in (z, moved)
        )
        assert one == pytest.approx(other, rel=1e-9)
        assert np.isfinite(float(loss(z.to(torch.float32), [], 1.0, False, np.random.default_rng(0), group)))


def test_interchangeable_objects_are_blocks_of_their_own():
    """Two objects alike but correlated: a valid law of S_2 × SO(3); with unlike ones it is not."""
    rng, loss = np.random.default_rng(0), BlockSIGReg(objects=2, hinge=0.0)
    blocks = latent_blocks(FeatureType(3, 2, 2), SO3(), objects=2)
    shared = rng.normal(size=(2000, 1, 4))
    alike = (rng.normal(size=(2000, 2, 4)) + shared).transpose(1, 0, 2)

    def over(objects: np.ndarray) -> float:
        flat = np.concatenate(
            [objects[0, :, :1], objects[1, :, :1], objects[0, :, 1:], objects[1, :, 1:]], axis=1
        )
        value = loss.statistic(torch.as_tensor(flat), blocks, np.random.default_rng(0))
        return float(value) / loss.test.floor

    assert over(alike) < 1.5
    assert over(alike * np.array([1.0, 2.0])[:, None, None]) > 3


def _rank(rank: int, path: str, queue) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{path}", rank=rank, world_size=2)
    try:
        z = drawn(2, (0.5, 1.0, 1.0, 2.0, 1.0))[slice(0, 150) if rank == 0 else slice(150, None)]
        z = z.clone().requires_grad_()
        losses = [SIGReg(directions=8), BlockSIGReg(directions=8)]
        found = sum(loss.statistic(z, BLOCKS, np.random.default_rng(0)) for loss in losses)
        found.backward()
        queue.put((rank, float(found.detach()), z.grad.numpy()))
    finally:
        torch.distributed.destroy_process_group()


def test_two_ranks_compute_what_one_would(tmp_path):
    z = drawn(2, (0.5, 1.0, 1.0, 2.0, 1.0)).requires_grad_()
    losses = [SIGReg(directions=8), BlockSIGReg(directions=8)]
    wanted = sum(loss.statistic(z, BLOCKS, np.random.default_rng(0)) for loss in losses)
    wanted.backward()
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    ranks = [context.Process(target=_rank, args=(rank, str(tmp_path / "store"), queue)) for rank in range(2)]
    for each in ranks:
        each.start()
    found = sorted((queue.get(timeout=100) for _ in ranks), key=lambda each: each[0])
    for each in ranks:
        each.join()
    assert [value for _, value, _ in found] == pytest.approx([float(wanted.detach())] * 2)
    # Ranks' gradients are averaged afterwards: each is twice its part of the whole sample's.
    gradient = np.concatenate([slope for _, _, slope in found]) / 2
    assert np.allclose(gradient, z.grad.numpy(), atol=1e-12)


def test_arguments():
    for settings in (
        {"weight": 2.0},
        {"directions": 0},
        {"knots": 1},
        {"upto": 0.0},
        {"objects": 0},
        {"spread": 0},
    ):
        with pytest.raises(ArgumentError, match=next(iter(settings))):
            SIGReg(**settings)
    with pytest.raises(ArgumentError, match="hinge"):
        BlockSIGReg(hinge=-1.0)
    z = Features.unflatten(torch.zeros(1, 8, KIND.size), KIND)
    with pytest.raises(ArgumentError, match="objects"):
        BlockSIGReg(objects=2)(z, [], 1.0, True)
