"""Arrays to tensors and back in one go: the numbers, their layout, and one transfer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from second_device import ELSEWHERE, SecondDevice, here

from equiworld.errors import ArgumentError
from equiworld.symmetry.crossing import as_arrays, as_tensors


def some() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    found = {
        "numbers": rng.normal(size=(4, 3)),
        "arrows": rng.normal(size=(4, 2, 5)),
        "none": np.zeros((4, 2, 0)),
    }
    return found | {"points": rng.normal(size=(4, 6, 2)).swapaxes(1, 2), "zeros": np.full((4, 1), -0.0)}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_numbers_and_layout_are_what_they_were(dtype):
    arrays = some()
    for array, tensor in zip(arrays.values(), as_tensors(arrays, dtype), strict=True):
        expected = torch.as_tensor(array, dtype=dtype)
        assert torch.equal(tensor, expected)
        assert torch.equal(tensor.signbit(), expected.signbit())
        assert tensor.stride() == expected.stride() or not tensor.numel()


def test_there_and_back_again():
    arrays = some()
    for one, two in zip(arrays.values(), as_arrays(as_tensors(arrays, torch.float64)), strict=True):
        assert np.array_equal(one, two)
        assert np.array_equal(np.signbit(one), np.signbit(two))


@pytest.mark.parametrize("leading", [0, 2])
def test_any_number_of_axes_may_be_shared(leading):
    shape = (3, 4)[:leading]
    arrays = {"one": np.ones((*shape, 2)), "two": np.zeros((*shape, 3, 2))}
    tensors = as_tensors(arrays, torch.float32, leading=leading)
    assert [tuple(each.shape) for each in tensors] == [(*shape, 2), (*shape, 3, 2)]
    back = as_arrays(tensors, torch.float32, leading)
    assert [each.dtype for each in back] == [np.float32] * 2
    assert [each.shape for each in back] == [(*shape, 2), (*shape, 3, 2)]


def test_one_transfer_each_way():
    with SecondDevice() as device:
        tensors = as_tensors(some(), torch.float32, ELSEWHERE)
        assert (device.arrived, device.left) == (1, 0)
        assert torch.equal(here(tensors[0]), torch.as_tensor(some()["numbers"], dtype=torch.float32))
        back = as_arrays(tensors)
        assert (device.arrived, device.left) == (1, 1)
    assert np.allclose(back[0], some()["numbers"], rtol=1e-6)


def test_numbers_that_do_not_fit_are_refused_by_name():
    with pytest.raises(ArgumentError, match=r"arrows: got up to 1e\+60"):
        as_tensors(some() | {"arrows": np.full((4, 2, 5), 1e60)}, torch.float32)
