"""A torch module as an ONNX graph."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from equiworld.errors import ArgumentError
from equiworld.export.translations import translations
from equiworld.extras import optional
from equiworld.sb3.modules import evaluated

__all__ = ["graph_of"]


def graph_of(
    module: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str], argument: str = "policy"
) -> bytes:
    """The graph of a module, by `torch.export` and torch's ONNX exporter, as the content of a file.

    Args:
        module: tensors `(B, …)` in the order of `inputs` → a tuple of tensors `(B, …)`.
        inputs: by name, examples of two rows or more; the graph takes any number of rows.
        outputs: names.
        argument: what the user gave, for messages.

    Raises:
        ArgumentError: the extra `onnx` is not installed; an input is called like an output; or the module does what
            cannot be exported.
    """
    shared = [name for name in inputs if name in outputs]
    if shared:
        expected = "other names than those of the graph's outputs: " + ", ".join(map(repr, outputs))
        raise ArgumentError(argument, f"one that observes {shared[0]!r}", expected)
    for library in ("onnx", "onnxscript"):
        optional(library, "onnx")
    rows = torch.export.Dim("rows", min=1, max=2**20)
    try:
        with evaluated(module), torch.no_grad(), _quietly(), _unchecked_distributions():
            program = torch.onnx.export(
                module,
                tuple(inputs.values()),
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_shapes=(tuple({0: rows} for _ in inputs),),
                dynamo=True,
                external_data=False,
                verbose=False,
                custom_translation_table=translations(),
            )
    except Exception as error:  # of whatever kind the exporter's passes raise
        cause = error.__cause__ or error
        got = (
            f"one that torch.export refuses: {type(cause).__name__}: {str(cause).partition(chr(10))[0][:300]}"
        )
        raise ArgumentError(
            argument, got, "torch operations alone, and no decision by a tensor's value"
        ) from error
    assert program is not None
    return program.model_proto.SerializeToString()


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without the exporter's progress, warnings and tracebacks: what fails is raised."""
    logger = logging.getLogger("torch.fx.experimental.symbolic_shapes")
    level, said = logger.level, io.StringIO()
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def _unchecked_distributions() -> Iterator[None]:
    """Policies make distributions whose arguments torch checks by value, which no graph can do."""
    kind = torch.distributions.Distribution
    before = kind._validate_args
    kind.set_default_validate_args(False)
    try:
        yield
    finally:
        kind.set_default_validate_args(before)
