"""Optimisers by name: torch's own, as frozen settings; one dataclass and one line each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.optim import Optimizer

from equiworld.arguments import flag
from equiworld.errors import ArgumentError
from equiworld.settings import settle_integers, settle_numbers

__all__ = ["OPTIMISERS", "SGD", "Adam", "AdamW", "Muon", "OptimiserSettings"]


class OptimiserSettings(ABC):
    """Settings of an optimiser beside learning rate and weight decay."""

    @abstractmethod
    def build(
        self, parameters: Sequence[nn.Parameter], learning_rate: float, weight_decay: float
    ) -> list[Optimizer]:
        """torch's optimisers of the parameters, each of one kind of them."""


@dataclass(frozen=True)
class _Moments(OptimiserSettings):
    """Settings of the Adam kind.

    Attributes:
        beta1: decay of the average of gradients.
        beta2: decay of the average of their squares.
    """

    beta1: float = 0.9
    beta2: float = 0.999

    def __post_init__(self) -> None:
        settle_numbers(self, "beta1", "beta2", least=0.0, below=1.0)


@dataclass(frozen=True)
class AdamW(_Moments):
    """Adam with decoupled weight decay. Reference: Loshchilov and Hutter, ICLR 2019."""

    def build(
        self, parameters: Sequence[nn.Parameter], learning_rate: float, weight_decay: float
    ) -> list[Optimizer]:
        betas = (self.beta1, self.beta2)
        return [torch.optim.AdamW(parameters, lr=learning_rate, betas=betas, weight_decay=weight_decay)]


@dataclass(frozen=True)
class Adam(_Moments):
    """Adam, its weight decay a part of the gradient. Reference: Kingma and Ba, ICLR 2015."""

    def build(
        self, parameters: Sequence[nn.Parameter], learning_rate: float, weight_decay: float
    ) -> list[Optimizer]:
        betas = (self.beta1, self.beta2)
        return [torch.optim.Adam(parameters, lr=learning_rate, betas=betas, weight_decay=weight_decay)]


@dataclass(frozen=True)
class SGD(OptimiserSettings):
    """Stochastic gradient descent.

    Attributes:
        momentum: 0 for none.
        nesterov: look ahead along the momentum.
    """

    momentum: float = 0.9
    nesterov: bool = True

    def __post_init__(self) -> None:
        settle_numbers(self, "momentum", least=0.0, below=1.0)
        object.__setattr__(self, "nesterov", flag("nesterov", self.nesterov) and self.momentum > 0)

    def build(
        self, parameters: Sequence[nn.Parameter], learning_rate: float, weight_decay: float
    ) -> list[Optimizer]:
        return [
            torch.optim.SGD(
                parameters,
                lr=learning_rate,
                momentum=self.momentum,
                nesterov=self.nesterov,
                weight_decay=weight_decay,
            )
        ]


@dataclass(frozen=True)
class Muon(OptimiserSettings):
    """Orthogonalised momentum for matrices, AdamW for the rest; of torch 2.9 and later.

    Steps are scaled to the size of AdamW's, so that one learning rate serves both.

    Reference: Jordan et al., Muon: an optimizer for hidden layers in neural networks, 2024; Liu et al., Muon is
    scalable for LLM training, 2025, for the scale.

    Attributes:
        momentum: of the matrices.
        nesterov: look ahead along the momentum.
        iterations: of Newton and Schulz, which make a step orthogonal.
    """

    momentum: float = 0.95
    nesterov: bool = True
    iterations: int = 5

    def __post_init__(self) -> None:
        settle_numbers(self, "momentum", least=0.0, below=1.0)
        settle_integers(self, "iterations", least=1)
        object.__setattr__(self, "nesterov", flag("nesterov", self.nesterov))
        if not hasattr(torch.optim, "Muon"):
            raise ArgumentError("optimiser", f"Muon, with torch {torch.__version__}", "torch 2.9 or later")

    def build(
        self, parameters: Sequence[nn.Parameter], learning_rate: float, weight_decay: float
    ) -> list[Optimizer]:
        matrices = [each for each in parameters if each.ndim == 2 and each.numel()]
        others = [each for each in parameters if each.ndim != 2 or not each.numel()]
        found: list[Optimizer] = []
        if matrices:
            muon = torch.optim.Muon(  # type: ignore[attr-defined]
                matrices,
                lr=learning_rate,
                weight_decay=weight_decay,
                momentum=self.momentum,
                nesterov=self.nesterov,
                ns_steps=self.iterations,
                adjust_lr_fn="match_rms_adamw",
            )
            found.append(muon)
        return found + (AdamW().build(others, learning_rate, weight_decay) if others else [])


OPTIMISERS: dict[str, type[OptimiserSettings]] = {"adamw": AdamW, "muon": Muon, "adam": Adam, "sgd": SGD}
