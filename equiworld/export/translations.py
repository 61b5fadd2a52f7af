"""What runtimes lack or get wrong, as ONNX writes it: angles in double precision, matrices times vectors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

__all__ = ["translations"]

_FLOAT, _DOUBLE = 1, 11  # of onnx.TensorProto


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """What the exporter is to write for some of torch's operations."""
    return {
        torch.ops.aten.matmul.default: _matmul,
        torch.ops.aten.atan2.default: _atan2,
        torch.ops.aten.asin.default: lambda sine: _atan2(sine, _leg(sine)),
        torch.ops.aten.acos.default: lambda cosine: _atan2(_leg(cosine), cosine),
    }


def _atan2(y: Any, x: Any) -> Any:
    """The angle of (x, y) [rad], float64: that of float32, and one step of Newton's method.

    θ₀ = atan2 in float32, s = (y cos θ₀ − x sin θ₀)/r = sin(θ − θ₀), θ = θ₀ + s + s³/6, wrong by s⁵ ~ 1e-35.
    """
    op = _opset()

    def number(value: float) -> Any:
        return op.CastLike(op.Constant(value_float=value), first)

    def exact(value: float) -> Any:
        return op.Constant(value=_double(value))

    given = y
    first: Any = op.Cast(y, to=_FLOAT)
    second: Any = op.Cast(x, to=_FLOAT)
    zero = number(0.0)
    nowhere = op.And(op.Equal(first, zero), op.Equal(second, zero))
    second = op.Where(nowhere, number(1.0), second)
    slope = op.Atan(op.Div(first, second))
    half = op.Where(op.Less(first, zero), number(-math.pi), number(math.pi))
    start = op.Cast(op.Where(op.Less(second, zero), op.Add(slope, half), slope), to=_DOUBLE)
    y, x = op.Cast(y, to=_DOUBLE), op.Cast(x, to=_DOUBLE)
    length = op.Sqrt(op.Add(op.Mul(x, x), op.Mul(y, y)))
    length = op.Where(op.Equal(length, exact(0.0)), exact(1.0), length)
    apart = op.Div(op.Sub(op.Mul(y, op.Cos(start)), op.Mul(x, op.Sin(start))), length)
    cubed = op.Mul(op.Mul(apart, apart), apart)
    return op.CastLike(op.Add(start, op.Add(apart, op.Div(cubed, exact(6.0)))), given)


def _matmul(first: Any, second: Any) -> Any:
    """A product; of a vector as of a matrix of one column.

    onnxruntime 1.32 joins a transposition with a product by a vector into one operation that is wrong.
    """
    op = _opset()

    if len(second.shape) != 1 or len(first.shape) == 1:
        return op.MatMul(first, second)
    columns = op.Unsqueeze(second, op.Constant(value_ints=[1]))
    return op.Squeeze(op.MatMul(first, columns), op.Constant(value_ints=[-1]))


def _leg(side: Any) -> Any:
    """√(1 − side²), at least 0."""
    op = _opset()

    one = op.CastLike(op.Constant(value_float=1.0), side)
    return op.Sqrt(op.Relu(op.Sub(one, op.Mul(side, side))))


def _double(value: float) -> Any:
    from onnx import helper

    return helper.make_tensor("value", _DOUBLE, [], [value])


def _opset() -> Any:
    """ONNX's operations, of the version that the exporter writes."""
    from onnxscript import opset18

    return opset18
