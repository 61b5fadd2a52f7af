"""Layers and networks do not ask what torch's default dtype is: one seed, one set of bits."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator

import pytest
import torch
from module_cases import FUNCTIONS, MODULES, parts
from torch import Tensor, nn

import equiworld.nn

OTHERS = [torch.float64, torch.float16, torch.bfloat16]


def made(name: str) -> tuple[dict[str, Tensor], list[Tensor], list[Tensor]]:
    """State and buffers, what comes out, and the gradients of the sum of its squares."""
    module, given = MODULES[name]()
    found = parts(module(given))
    weights = [weight for weight in module.parameters() if weight.numel()]
    gradients = torch.autograd.grad(sum(part.square().sum() for part in found), weights) if weights else ()
    return {**module.state_dict(), **dict(module.named_buffers())}, found, list(gradients)


@pytest.fixture(params=OTHERS, ids=str)
def another_default(request) -> Iterator[Callable[[], None]]:
    before = torch.get_default_dtype()
    yield lambda: torch.set_default_dtype(request.param)
    torch.set_default_dtype(before)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_has_the_same_bits(name, another_default):
    state, found, gradients = made(name)
    another_default()
    other_state, other, other_gradients = made(name)
    assert list(state) == list(other_state)
    for one, two in zip(
        [*state.values(), *found, *gradients],
        [*other_state.values(), *other, *other_gradients],
        strict=True,
    ):
        assert one.dtype == two.dtype == torch.float32
        assert torch.equal(one, two)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_the_same_bits(name, another_default):
    found = FUNCTIONS[name]()
    another_default()
    for one, two in zip(found, FUNCTIONS[name](), strict=True):
        assert one.dtype == two.dtype == torch.float32
        assert torch.equal(one, two)


def test_every_module_is_tried():
    exported = [getattr(equiworld.nn, name) for name in equiworld.nn.__all__]
    modules = {each.__name__ for each in exported if inspect.isclass(each) and issubclass(each, nn.Module)}
    assert modules == {name.partition(",")[0] for name in MODULES}
