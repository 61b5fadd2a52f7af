"""Hidden units of two perceptrons, matched, so that their weights can be compared and averaged."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from equiworld.arguments import instance, reals
from equiworld.errors import ArgumentError

__all__ = ["HiddenMatch", "average_weights", "match_hidden"]


@dataclass(frozen=True, eq=False)
class HiddenMatch:
    """A network with its hidden units in another's order.

    Attributes:
        network: a copy of the second, the same function, its hidden units permuted, and negated where the activation is
            odd, so as to be most like the first's.
        as_they_are: mean correlation of hidden units of the same label, over layers.
        matched: the same after matching; of unrelated networks it is above 0, for the best of many is matched.
    """

    network: Any
    as_they_are: float
    matched: float


def match_hidden(first: Any, second: Any, inputs: ArrayLike) -> HiddenMatch:
    """Match the hidden units of two networks by the correlation of what they say to the same inputs.

    A permutation of hidden units, with the next layer's columns permuted too, changes no output; nor does a sign where
    the activation is odd (tanh) or a positive factor where it is homogeneous (ReLU), which correlations do not see.

    Reference: Li et al., Convergent learning, ICLR 2016; Ainsworth et al., Git Re-Basin, ICLR 2023.

    Args:
        first: a stable-baselines3 policy with a perceptron as its features' extractor (PPO, A2C: `MlpPolicy`), or an
            `nn.Sequential` of linear layers and activations.
        second: likewise, of the same shape.
        inputs: observations `(N, size)`.

    Raises:
        ArgumentError: networks of other kinds, or of different shapes.

    >>> one = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
    >>> other = copy.deepcopy(one)
    >>> with torch.no_grad():
    ...     _ = other[0].weight.copy_(one[0].weight.flip(0)), other[0].bias.copy_(one[0].bias.flip(0))
    ...     _ = other[2].weight.copy_(one[2].weight.flip(1))
    >>> found = match_hidden(one, other, np.random.default_rng(0).normal(size=(200, 3)))
    >>> round(found.matched, 3), bool(torch.allclose(found.network[0].weight, one[0].weight))
    (1.0, True)
    """
    given = reals("inputs", inputs)
    network = _copied(second)
    before, after = list[float](), list[float]()
    for one, other in zip(_chains(first), _chains(network), strict=True):
        if [_shape(layer) for layer in one] != [_shape(layer) for layer in other]:
            raise ArgumentError("second", "a network of another shape", "one of the first's shape")
        _match(one, other, torch.as_tensor(given), before, after)
    return HiddenMatch(network, float(np.mean(before)), float(np.mean(after)))


def average_weights(networks: Sequence[Any]) -> Any:
    """A copy of the first network with the mean of all networks' weights.

    >>> one, other = nn.Linear(1, 1), nn.Linear(1, 1)
    >>> mean = average_weights([one, other])
    >>> bool(torch.allclose(2 * mean.weight, one.weight + other.weight))
    True
    """
    instance("networks", networks, Sequence)
    if len(networks) < 2:
        raise ArgumentError("networks", f"{len(networks)} of them", "two or more")
    for network in networks:
        instance("networks", network, nn.Module)
    states = [network.state_dict() for network in networks]
    shapes = [{name: tuple(tensor.shape) for name, tensor in state.items()} for state in states]
    if any(each != shapes[0] for each in shapes):
        raise ArgumentError("networks", "weights of several shapes", "networks that are built alike")
    found = _copied(networks[0])
    with torch.no_grad():
        for name, tensor in found.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.stack([state[name] for state in states]).mean(0))
    return found


def _copied(network: Any) -> Any:
    """A copy, without the last distribution that a policy made: it holds the graph of the last gradient."""
    last = getattr(getattr(network, "action_dist", None), "distribution", None)
    return copy.deepcopy(network, {} if last is None else {id(last): None})


def _chains(network: Any) -> list[list[nn.Module]]:
    """Layers one after another: of a policy those of the actor and of the critic."""
    if isinstance(network, nn.Sequential):
        return [list(network)]
    extractor = getattr(network, "mlp_extractor", None)
    if extractor is not None and all(hasattr(network, name) for name in ("action_net", "value_net")):
        return [
            [*extractor.policy_net, network.action_net],
            [*extractor.value_net, network.value_net],
        ]
    got = f"a {type(network).__name__}"
    raise ArgumentError("network", got, "an nn.Sequential, or an actor-critic policy of stable-baselines3")


def _shape(layer: nn.Module) -> tuple[str, int, int]:
    if isinstance(layer, nn.Linear):
        return "Linear", layer.in_features, layer.out_features
    if any(True for _ in layer.parameters()):
        raise ArgumentError("network", f"a layer {layer!r}", "linear layers and activations without weights")
    return type(layer).__name__, 0, 0


@torch.no_grad()
def _match(
    one: list[nn.Module], other: list[nn.Module], inputs: Tensor, before: list[float], after: list[float]
) -> None:
    from scipy.optimize import linear_sum_assignment

    linear = [index for index, layer in enumerate(other) if isinstance(layer, nn.Linear)]
    for place, following in pairwise(linear):
        seen = [_run(chain[:following], inputs) for chain in (one, other)]
        alike = _correlations(*seen)
        odd = any(isinstance(layer, nn.Tanh | nn.Identity) for layer in other[place + 1 : following])
        score = np.abs(alike) if odd else alike
        _, order = linear_sum_assignment(-score)
        chosen = alike[np.arange(len(order)), order]
        signs = np.where(chosen < 0, -1.0, 1.0) if odd else np.ones(len(order))
        before.append(float(np.diagonal(alike).mean()))
        after.append(float((chosen * signs).mean()))
        here, there = other[place], other[following]
        assert isinstance(here, nn.Linear)
        assert isinstance(there, nn.Linear)
        sign, index = torch.as_tensor(signs).to(here.weight), torch.as_tensor(order)
        here.weight.copy_(sign[:, None] * here.weight[index])
        if here.bias is not None:
            here.bias.copy_(sign * here.bias[index])
        there.weight.copy_(there.weight[:, index] * sign)


def _run(chain: list[nn.Module], inputs: Tensor) -> np.ndarray:
    first = next(layer for layer in chain if isinstance(layer, nn.Linear))
    found = inputs.to(first.weight)
    for layer in chain:
        found = layer(found)
    return found.double().cpu().numpy()


def _correlations(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Of each unit of one with each of the other `(m, m)`; 0 of units that say one thing always."""
    parts = []
    for each in (one, other):
        away = each - each.mean(0)
        size = np.linalg.norm(away, axis=0)
        parts.append(away / np.where(size > 1e-12, size, np.inf))
    return parts[0].T @ parts[1]
