"""Whether a fuzzed call went right: refused in words, or answered; nothing else changed."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from equiworld.errors import ArgumentError, EquiworldError
from equiworld.symmetry import Features

from .junk import Spoiled, spoiled

__all__ = ["MODES", "Call", "Fault", "numbers_of", "tried"]


class Fault(AssertionError):
    """What a user must not meet."""


@dataclass(frozen=True)
class Call:
    """One public function or method with good arguments.

    Attributes:
        name: for messages.
        function: what is called, by keyword.
        good: makes the arguments, afresh.
        check: (arguments, result) of any call that was answered; raises or asserts where it is wrong.
        close: how far the result of arguments that mean the same may be from that of the good ones, relatively; None
            for not comparing.
        kept: arguments that are not replaced.
        drawn: arguments that are whole numbers drawn anew for each call.
        allowed: other exceptions that are documented.
        infinite: whether a result may hold infinite numbers or NaN.
        real: whether numbers that are no real finite ones have to be refused.
        weight: how often it is drawn; slow ones seldom.
    """

    name: str
    function: Callable[..., Any]
    good: Callable[[], dict[str, Any]]
    check: Callable[[dict[str, Any], Any], None] | None = None
    close: float | None = 1e-3
    kept: tuple[str, ...] = ()
    drawn: tuple[str, ...] = ()
    allowed: tuple[type[BaseException], ...] = ()
    infinite: bool = False
    real: bool = True
    weight: int = 4


@contextlib.contextmanager
def _double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


MODES: dict[str, Callable[[], contextlib.AbstractContextManager[Any]]] = {
    "plain": contextlib.nullcontext,
    "inference": torch.inference_mode,
    "no_grad": torch.no_grad,
    "double": _double,
    "strict": lambda: np.errstate(over="raise", divide="raise", invalid="raise"),
}


def numbers_of(value: Any, depth: int = 0) -> Iterator[np.ndarray]:
    """All floating numbers in a result."""
    if depth > 4:
        return
    if isinstance(value, torch.Tensor):
        if not value.is_sparse and not value.dtype.is_complex:
            yield value.detach().double().numpy()
    elif isinstance(value, np.ndarray | np.number | float) and np.asarray(value).dtype.kind == "f":
        yield np.asarray(value, np.float64)
    elif isinstance(value, Features):
        yield from numbers_of((value.scalars, value.vectors, value.points), depth + 1)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from numbers_of(each, depth + 1)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from numbers_of(each, depth + 1)
    elif hasattr(value, "matrix") and hasattr(value, "translation"):
        yield from (value.matrix, value.translation)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for each in dataclasses.fields(value):
            yield from numbers_of(getattr(value, each.name), depth + 1)


def _state() -> tuple[Any, ...]:
    return (
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.get_num_threads(),
        torch.random.get_rng_state().sum().item(),
        np.random.get_state()[1].sum(),  # noqa: NPY002
        tuple(np.geterr().items()),
        tuple(
            sorted(name for name in os.environ if not name.startswith(("TORCH", "TRITON", "CUDA", "PYTORCH")))
        ),
    )


def _bytes(value: Any, depth: int = 0) -> Any:
    """What of an argument may not change."""
    if isinstance(value, np.ndarray):
        return (
            value.shape,
            value.dtype,
            value.flags.writeable,
            repr(value.tobytes()) if value.dtype != object else 0,
        )
    if isinstance(value, torch.Tensor):
        return (
            tuple(value.shape),
            value.dtype,
            value.requires_grad,
            repr(value.detach().tolist()) if not value.is_sparse else 0,
        )
    if isinstance(value, dict) and depth < 3:
        return [(repr(key), _bytes(each, depth + 1)) for key, each in value.items()]
    if isinstance(value, list | tuple) and depth < 3:
        return [_bytes(each, depth + 1) for each in value]
    return None


def tried(call: Call, draw: Callable[[int], int], mode: str = "plain") -> str:
    """Make one call with one or two of its arguments replaced; "refused" or "answered".

    Raises:
        Fault: it went neither way, or changed what it was given or what is everybody's.
    """
    arguments = call.good() | {name: draw(2**31) for name in call.drawn}
    names = [name for name in arguments if name not in (*call.kept, *call.drawn)]
    chosen: dict[str, Spoiled] = {}
    for _ in range(0 if not names or draw(12) == 0 else 1 + (draw(6) == 0)):
        name = names[draw(len(names))]
        chosen[name] = spoiled(draw, arguments[name])
    given = arguments | {name: each.value for name, each in chosen.items()}
    story = f"{call.name}({', '.join(f'{name}={each!r}' for name, each in chosen.items())}) in mode {mode}"
    alike = all(each.alike for each in chosen.values())
    before, held = _state(), _bytes(given)
    outer = MODES[mode]()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with outer:
                inside = _state()[:4]
                result = call.function(**given)
                if _state()[:4] != inside:
                    raise Fault(f"{story}: torch's modes were changed")
    except (EquiworldError, *call.allowed) as error:
        if isinstance(error, ArgumentError) and ": got " not in str(error):
            raise Fault(f"{story}: no words in {error!s}") from error
        if not chosen and names:
            raise Fault(f"{story}: good arguments were refused: {error}") from error
        if isinstance(error, ArgumentError) and len(str(error)) > 6000:
            raise Fault(f"{story}: a message of {len(str(error))} characters") from error
        outcome = "refused"
    except Fault:
        raise
    except Exception as error:
        raise Fault(f"{story}: {type(error).__name__}: {error}") from error
    else:
        outcome = "answered"
        _check(call, given, chosen, alike, result, story)
    if _state() != before:
        names = ["dtype", "grad", "inference", "threads", "torch-rng", "numpy-rng", "errstate", "environ"]
        changed = [n for n, a, b in zip(names, _state(), before, strict=True) if a != b]
        raise Fault(f"{story}: what is everybody's was changed: {changed}")
    if _bytes(given) != held:
        raise Fault(f"{story}: an argument was changed")
    return outcome


def _check(
    call: Call, given: dict[str, Any], chosen: dict[str, Spoiled], alike: bool, result: Any, story: str
) -> None:
    # Of two that are replaced, one may say that the other is not looked at.
    if call.real and len(chosen) == 1 and any(each.unreal for each in chosen.values()):
        raise Fault(f"{story}: answered with {result!r:.200}")
    found = list(numbers_of(result))
    if not call.infinite and not all(np.isfinite(array).all() for array in found):
        raise Fault(f"{story}: NaN or infinity in {result!r:.200}")
    if alike and call.close is not None:
        expected = list(numbers_of(call.function(**call.good())))
        for one, other in zip(found, expected, strict=True):
            if one.shape != other.shape or not np.allclose(one, other, rtol=call.close, atol=call.close):
                raise Fault(f"{story}: {one!r:.200} in place of {other!r:.200}")
    if call.check is not None:
        try:
            call.check(copy.copy(given), result)
        except EquiworldError:  # in use, what is made of it may still be refused in words
            return
        except Exception as error:
            raise Fault(f"{story}: {error}; result {result!r:.200}") from error
