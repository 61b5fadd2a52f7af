"""Linear maps between representations of a finite group: weights tied along orbits, at the price of plain ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equiworld.arguments import integer, number
from equiworld.errors import ArgumentError
from equiworld.groups.representation import Representation
from equiworld.nn.layouts import BasisLayout, layout_of
from equiworld.nn.mlp import uniform_parameter

__all__ = ["RegularNetwork", "TiedLinear"]

Activation = Callable[[Tensor], Tensor]

_MANY = 8192
"""Numbers beyond which NumPy compares them faster than torch does: 131,000 in 30 µs instead of 150."""


class TiedLinear(nn.Module):
    """y = W x + b for copies of one representation in and of another out, W ρ(h) = ρ'(h) W and ρ'(h) b = b.

    Only what is free is a parameter. Where no gradient is to reach it, one dense W is kept as long as the free weights
    hold the same numbers, and a call costs what `nn.Linear` does. (That is asked of the numbers and not of a counter:
    stable-baselines3 writes target networks through `.data`, past every counter. On other devices than the CPU, where
    to ask is to wait, W is made anew at each call; `dense` gives it for many calls.)

    Args:
        rep_in: ρ, of a finite group.
        rep_out: ρ', of the same group.
        channels_in: copies of ρ that come in, copy after copy in the last axis.
        channels_out: copies of ρ' that go out, likewise.
        bias: add one, where ρ' keeps any vector.
        gain: standard deviation of the outputs over that of the inputs.
        generator: a CPU generator, the only source of randomness.

    Raises:
        ArgumentError: the representations are of two groups, or a number of copies is not positive.

    >>> import torch
    >>> from equiworld.groups import Dihedral
    >>> labels = Dihedral(3).labels
    >>> plane, triangle = Representation(labels, labels.natural["body"]), Representation.regular(labels)
    >>> layer = TiedLinear(plane, triangle, 2, 5, generator=torch.Generator().manual_seed(0))
    >>> layer(torch.ones(7, 4)).shape, layer.weight.shape
    (torch.Size([7, 30]), torch.Size([5, 2, 2]))
    """

    weight: nn.Parameter
    bias: nn.Parameter | None

    def __init__(
        self,
        rep_in: Representation,
        rep_out: Representation,
        channels_in: int = 1,
        channels_out: int = 1,
        bias: bool = True,
        *,
        gain: float = 1.0,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        inputs = integer("channels_in", channels_in, least=1)
        outputs = integer("channels_out", channels_out, least=1)
        _check_pair(rep_in, rep_out)
        kept = Representation.trivial(rep_out.labels).intertwiners(rep_out)[..., 0]
        self.rep_in, self.rep_out, self.channels_in, self.channels_out = rep_in, rep_out, inputs, outputs
        self.in_features, self.out_features = inputs * rep_in.dim, outputs * rep_out.dim
        self._layout = layout_of(rep_in, rep_out, inputs, outputs)
        shape = (outputs, inputs, self._layout.count)
        self.weight = uniform_parameter(shape, 1, generator, number("gain", gain))
        with torch.no_grad():
            self.weight.mul_(torch.from_numpy(self._layout.scales).float())
        # Entries up to 1, so that a step of an optimiser is as large as for a plain bias.
        kept = kept / np.abs(kept).max(axis=1, keepdims=True, initial=1e-300)
        self._invariant = BasisLayout(kept[:, :, None], 1)
        free = torch.zeros(outputs, 1, len(kept), dtype=torch.float32)
        self.bias = nn.Parameter(free) if bias and len(kept) else None
        self._kept: tuple[Tensor | None, ...] | None = None

    def forward(self, inputs: Tensor) -> Tensor:
        """Map `(…, channels_in · m)` to `(…, channels_out · n)`."""
        if inputs.shape[-1] != self.in_features:
            raise ArgumentError(
                "inputs", f"{inputs.shape[-1]} numbers", f"{self.in_features} in the last axis"
            )
        return F.linear(inputs, *self.dense())

    def dense(self) -> tuple[Tensor, Tensor | None]:
        """Weight `(outputs, inputs)` and bias `(outputs)` of the same plain linear layer; not to be written to."""
        free, bias = self.weight, self.bias
        if not _may_keep(free) or (bias is not None and not _may_keep(bias)):
            return self._made(free, bias)
        kept = self._kept
        if kept is None or not _same(kept[0], free) or not _same(kept[1], bias):
            # What is kept must not depend on the modes of the call that made it.
            with torch.inference_mode(False), torch.no_grad(), torch.autocast("cpu", enabled=False):
                copy = None if bias is None else bias.detach().clone()
                kept = self._kept = (free.detach().clone(), copy, *self._made(free.detach(), copy))
        return kept[2], kept[3]  # type: ignore[return-value]

    @torch.no_grad()
    def orthogonal_(self, gain: float, generator: torch.Generator) -> None:
        """Make W gain times an isometry, of its rows or its columns, and b zero, in place.

        The orthogonal factor of a polar decomposition commutes with whatever the matrix does.

        Args:
            gain: the singular values of W; as far as representations allow, for what they keep apart stays 0.
            generator: a CPU generator, the only source of randomness.
        """
        drawn = torch.randn(self.weight.shape, generator=generator, dtype=torch.float64)
        scales = torch.from_numpy(self._layout.scales)
        left, values, right = torch.linalg.svd(self._layout.dense(drawn * scales), full_matrices=False)
        known = values > 1e-9 * values.max()
        self.weight.copy_(gain * self._layout.free(left[:, known] @ right[known]))
        if self.bias is not None:
            self.bias.zero_()

    def extra_repr(self) -> str:
        """What `repr` shows."""
        free = f"{self.weight.numel()} free weights, bias={self.bias is not None}"
        return f"{self.channels_in} × {self.rep_in} → {self.channels_out} × {self.rep_out}, {free}"

    def _made(self, free: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor | None]:
        return self._layout.dense(free), None if bias is None else self._invariant.dense(bias)[:, 0]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}  # a copy or a file holds the free weights only


def _check_pair(rep_in: Representation, rep_out: Representation) -> None:
    for name, given in (("rep_in", rep_in), ("rep_out", rep_out)):
        if not isinstance(given, Representation):
            raise ArgumentError(name, given, "a Representation")
    if not rep_in.shares_group(rep_out):
        raise ArgumentError("rep_out", rep_out, f"a representation of the same group as {rep_in}")


def _may_keep(free: Tensor) -> bool:
    """Whether W may outlive the call: no gradient goes through, and these are the layer's own numbers."""
    if free.requires_grad and torch.is_grad_enabled():
        return False
    # `functional_call`, `vmap` and parametrisations put tensors of their own in the parameter's place.
    traced = torch.compiler.is_compiling() or torch.jit.is_tracing()
    return isinstance(free, nn.Parameter) and free.is_cpu and not traced


def _same(kept: Tensor | None, free: Tensor | None) -> bool:
    if kept is None or free is None:
        return kept is free
    if kept.dtype != free.dtype or kept.shape != free.shape:
        return False
    if free.numel() < _MANY or free.dtype not in (torch.float32, torch.float64):
        return torch.equal(kept, free)
    return np.array_equal(kept.numpy(), free.detach().numpy())


class RegularNetwork(nn.Module):
    """An equivariant perceptron over a finite group: its hidden numbers are copies of the regular representation.

    Every element permutes these, so any function of one number may stand between the layers. Invariant outputs beside
    others, such as a value beside an action: `rep_out = action + Representation.trivial(labels)`.

    Args:
        rep_in: ρ, of a finite group.
        rep_out: ρ', of the same group.
        hidden: numbers in the hidden layers, in total, rounded up to whole copies; none makes it linear.
        activation: a function of each number by itself; GELU if None.
        generator: a CPU generator, the only source of randomness.

    Raises:
        ArgumentError: the representations are of two groups, one is of dimension 0, the group has too many elements, a
            hidden layer no number, or the activation treats numbers differently.

    >>> import torch
    >>> from equiworld.groups import Dihedral
    >>> labels = Dihedral(3).labels
    >>> plane = Representation(labels, labels.natural["body"])
    >>> network = RegularNetwork(plane, plane, hidden=(24, 24), generator=torch.Generator().manual_seed(0))
    >>> x, turn = torch.randn(5, 2), torch.tensor(plane.matrices[1]).float()
    >>> torch.allclose(network(x @ turn.T), network(x) @ turn.T, atol=1e-5)
    True
    """

    def __init__(
        self,
        rep_in: Representation,
        rep_out: Representation,
        *,
        hidden: Sequence[int] = (64, 64),
        activation: Activation | None = None,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.rep_in, self.rep_out = rep_in, rep_out
        self.activation = F.gelu if activation is None else activation
        _check_pair(rep_in, rep_out)
        if min(rep_in.dim, rep_out.dim) < 1:
            raise ArgumentError(
                "rep_in, rep_out", f"dimensions {rep_in.dim}, {rep_out.dim}", "at least 1 each"
            )
        copies = [-(-integer("hidden", width, least=1) // rep_in.labels.order) for width in hidden]
        regular = Representation.regular(rep_in.labels) if copies else rep_in
        for count in copies:
            _check_activation(self.activation, regular, count)
        sizes = [(rep_in, 1), *((regular, count) for count in copies), (rep_out, 1)]
        layers = []
        for index, ((before, inputs), (after, outputs)) in enumerate(itertools.pairwise(sizes)):
            # √2 as in a plain perceptron, whose widths and initial variances these are.
            gain = math.sqrt(2.0) if index < len(copies) else 1.0
            layers.append(TiedLinear(before, after, inputs, outputs, gain=gain, generator=generator))
        self.layers = nn.ModuleList(layers)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map `(…, m)` to `(…, n)`."""
        return self.prepared()(inputs)

    def prepared(self) -> Callable[[Tensor], Tensor]:
        """`forward` for many calls in a row, with the weights that there are now."""
        activation = self.activation
        *hidden, last = [layer.dense() for layer in self.layers if isinstance(layer, TiedLinear)]

        def run(values: Tensor) -> Tensor:
            for weight, bias in hidden:
                values = activation(F.linear(values, weight, bias))
            return F.linear(values, *last)

        return run


def _check_activation(activation: Activation, regular: Representation, copies: int) -> None:
    """Refuse what does not commute with moving the hidden numbers, or will not once it is trained."""
    if isinstance(activation, nn.Module):
        state = itertools.chain(activation.parameters(), activation.buffers())
        if any(tensor.numel() > 1 for tensor in state):
            raise ArgumentError(
                "activation", activation, "a function of each number by itself, without weights"
            )
    values = torch.linspace(-3.0, 3.0, copies * regular.dim, dtype=torch.float32).view(copies, -1)
    with torch.no_grad():
        found = activation(values.view(1, -1))
        for _, place in regular.labels.generators:
            source = torch.from_numpy(regular.sources[place].copy())
            moved = activation(values[:, source].reshape(1, -1))
            fits = found.shape == moved.shape == (1, values.numel())
            if not fits or not torch.allclose(
                found.view_as(values)[:, source].reshape(1, -1), moved, atol=1e-5
            ):
                raise ArgumentError("activation", activation, "a function of each number by itself")
