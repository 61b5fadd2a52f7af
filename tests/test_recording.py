"""Records of operations: the same bits as without them, and none of what they would get wrong."""

from __future__ import annotations

import gc
import threading
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from equiworld.recording import record

WEIGHTS, COLUMNS = torch.randn(3, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 2])
NEEDS_GRADIENTS = torch.ones(3, 3, requires_grad=True)

RECORDED = {
    "a product": lambda x: x @ WEIGHTS,
    "in place": lambda x: x.clone().clamp_(0.0),
    "by its shape": lambda x: x * len(x) if x.shape[-1] == 3 else x,
    "by a mask": lambda x: torch.where(x > 0, x, -x),
    "by positions": lambda x: x[:, COLUMNS],
    "rows": lambda x: torch.stack([row + 1.0 for row in x]),
    "a tuple of one": lambda x: (x,),
    "a tuple of two": lambda x: (x, 2.0 * x),
}
NOT_RECORDED = {
    "a branch": lambda x: x if (x > 0).any() else -x,
    "a branch on what it holds": lambda x: x if WEIGHTS.sum() > 0 else -x,
    "a number": lambda x: x * x.sum().item(),
    "an integer": lambda x: x * int(x[0, 0]),
    "a list": lambda x: x * x.tolist()[0][0],
    "an array": lambda x: torch.from_numpy(2 * x.numpy()),
    "a comparison": lambda x: x if torch.equal(x, x) else -x,
    "some of the entries": lambda x: x[x > 0].sum(),
    "the largest by Python": lambda x: x / max(x.flatten()),
    "random numbers": lambda x: x + torch.randn(2, 3),
    "dropout": nn.functional.dropout,
    "past the graph": lambda x: x.data * 2.0,
    "a tensor of numbers": lambda x: x * torch.tensor([x[0, 0], x[0, 1], x[0, 2]]),
    "by another library": lambda x: 2.0 * torch.from_dlpack(x),
    "by bytes": lambda x: x[(x > 0).to(torch.uint8)],
    "the entries that there are": lambda x: x.relu().to_sparse().values(),
    "what it wrote": lambda x: written(torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]), x),
    "silently": lambda x: silently(x),
    "no tensors": lambda x: {"x": x},
    "an error": lambda x: x.reshape(7),
    "weights that learn": lambda x: x @ NEEDS_GRADIENTS,
}


def written(out, x):
    out[:] = 2.0 * x
    return out


def silently(x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.from_numpy(2.0 * x.numpy())


def numbers(seed: int) -> torch.Tensor:
    return torch.randn(2, 3, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("function", RECORDED.values(), ids=RECORDED)
def test_a_record_gives_the_same_bits_for_other_numbers(function):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recorded = record(function, [numbers(0)])
    assert recorded is not None
    for seed in range(5):
        found, expected = recorded(numbers(seed)), function(numbers(seed))
        assert type(found) is type(expected)
        assert torch.equal(torch.cat([*found]), torch.cat([*expected]))


@pytest.mark.parametrize("function", NOT_RECORDED.values(), ids=NOT_RECORDED)
def test_what_a_record_would_get_wrong_is_not_recorded(function):
    assert record(function, [numbers(0)]) is None


def test_numbers_that_are_written_to_what_it_holds_count():
    held = torch.ones(3, 3)
    recorded = record(lambda x: x @ (2.0 * held), [numbers(0)])
    for value in (1.0, 3.0, 0.0):
        held.fill_(value)
        for _ in range(4):  # an optimiser of records would have folded the product by now
            assert torch.equal(recorded(numbers(1)), numbers(1) @ (2.0 * held))


def test_a_record_keeps_nothing_alive_when_it_is_gone():
    pages = Path("/proc/self/statm")
    if not pages.exists():
        pytest.skip("counts the pages of a process on Linux")

    def recorded(_: int) -> None:
        held = torch.zeros(512, 512)  # a megabyte
        assert record(lambda x: x @ held, [torch.zeros(1, 512)]) is not None

    recorded(0)
    gc.collect()
    before = int(pages.read_text().split()[1])
    for index in range(200):
        recorded(index)
    gc.collect()
    assert (int(pages.read_text().split()[1]) - before) * 4096 < 50e6


def test_what_is_refused_draws_no_numbers():
    generator, same = (torch.Generator().manual_seed(0) for _ in range(2))
    assert record(lambda x: x + torch.randn(2, 3, generator=generator), [numbers(0)]) is None
    assert torch.equal(torch.randn(3, generator=generator), torch.randn(3, generator=same))


def test_a_record_made_where_numbers_hide_is_refused():
    """Sizes are multiplied as tensors of float32 while a record is made, which zeros would not tell."""
    zeros = torch.zeros(2, 3, dtype=torch.float64)
    recorded = record(lambda x: x * (x.shape[-1] ** -0.5), [zeros])
    for given in (numbers(0).double(), zeros):
        assert recorded is None or torch.equal(recorded(given), given * 3**-0.5)


def test_warnings_are_shown_as_before_after_records_in_several_threads():
    before = list(warnings.filters), warnings.showwarning
    threads = [
        threading.Thread(target=lambda: [record(lambda x: x * x.shape[0], [numbers(0)]) for _ in range(20)])
        for _ in range(3)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert (list(warnings.filters), warnings.showwarning) == before
