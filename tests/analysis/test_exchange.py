"""Which losses can tell labels apart, of those whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from law_cases import BLOCKS

from equiworld.analysis import is_exchange_invariant
from equiworld.errors import ArgumentError
from equiworld.groups import SO3
from equiworld.symmetry import Features, FeatureType
from equiworld.symmetry.latent_blocks import latent_blocks
from equiworld.training import SIGReg, VICReg


def gram(z: torch.Tensor) -> torch.Tensor:
    vectors = z[:, 4:].reshape(len(z), 6, 3)
    return torch.einsum("nid,njd->ij", vectors, vectors) / len(z)


def vicreg(z: torch.Tensor) -> torch.Tensor:
    views = Features.unflatten(torch.stack([z, z]), FeatureType(3, 4, 6))
    return VICReg(spread=1.0)(views, [], 1.0, True)


@pytest.mark.parametrize("exchanges", ["permutations", "isometries"])
@pytest.mark.parametrize(
    "loss",
    [
        lambda z: torch.linalg.eigvalsh(gram(z)).clamp(max=1.0).sum(),
        lambda z: torch.logdet(gram(z)),
        lambda z: z.pow(2).sum(-1).pow(2).mean(),
    ],
)
def test_functions_of_unlabelled_statistics_are(loss, exchanges):
    found = is_exchange_invariant(loss, BLOCKS, exchanges=exchanges)
    assert found.invariant, found
    assert found.largest <= 1e-12
    assert found.gradient <= 1e-10
    assert found.counterexample is None


@pytest.mark.parametrize(
    "loss",
    [
        lambda z: z[:, 4:7].square().sum(-1).mean(),  # the first vector
        lambda z: (gram(z) * torch.arange(36.0).reshape(6, 6)).sum(),
        lambda z: z[:, :4].square().mean(0) @ torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=z.dtype),
        lambda z: float(z.detach()[:, 0].std()),  # an observable without a gradient
    ],
)
def test_functions_of_labels_are_not(loss):
    found = is_exchange_invariant(loss, BLOCKS)
    assert not found
    assert found.largest > 1e-3
    example = found.counterexample
    assert example.before != example.after
    assert np.allclose(example.matrix @ example.matrix.T, np.eye(len(example.matrix)))


def test_permutations_and_isometries_are_different_questions():
    def fourth(z: torch.Tensor) -> torch.Tensor:
        return z[:, 4:].reshape(len(z), 6, 3).square().sum(-1).pow(2).mean()

    assert is_exchange_invariant(fourth, BLOCKS)
    assert not is_exchange_invariant(fourth, BLOCKS, exchanges="isometries")
    assert is_exchange_invariant(vicreg, BLOCKS)
    assert not is_exchange_invariant(vicreg, BLOCKS, exchanges="isometries")


def test_random_directions_are_blind_in_law_alone():
    def loss(z: torch.Tensor, seed: int) -> torch.Tensor:
        return SIGReg(directions=8).statistic(z, BLOCKS, np.random.default_rng(seed))

    assert not is_exchange_invariant(lambda z: loss(z, 0), BLOCKS)
    rng = np.random.default_rng(0)
    z = torch.as_tensor(
        rng.normal(size=(256, 22)) * np.repeat([1.0, 2.0, 0.5, 3.0, 1.0, 1.0], [4, 3, 6, 3, 3, 3])
    )
    exchanged = z[:, [*range(4), *range(10, 22), *range(4, 10)]]
    one, other = (np.array([float(loss(each, s)) for s in range(200)]) for each in (z, exchanged))
    error = np.hypot(one.std(), other.std()) / np.sqrt(200)
    assert abs(one.mean() - other.mean()) < 4 * error


def test_one_channel_a_block_leaves_nothing_to_exchange():
    assert is_exchange_invariant(lambda z: z[0, 0], latent_blocks(FeatureType(3, 1, 1), SO3())).trials == 0


def test_arguments():
    with pytest.raises(ArgumentError, match="exchanges"):
        is_exchange_invariant(lambda z: z.sum(), BLOCKS, exchanges="all")  # type: ignore[arg-type]
