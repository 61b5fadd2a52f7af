"""The algorithms that make policies: which one makes this one, and whether it is one that the policy is for."""

from __future__ import annotations

import sys
from typing import Any, ClassVar, Self

from stable_baselines3.common.base_class import BaseAlgorithm

from equiworld.errors import ArgumentError

__all__ = ["MadeByAlgorithms", "maker"]

_DEEP = 8
"""Calls between an algorithm that makes a policy and who asks for it: constructors of subclasses among them."""


def maker() -> BaseAlgorithm | None:
    """The algorithm that is making a policy, if one is: of the stack, for a policy is told its spaces alone."""
    frame: Any = sys._getframe(1)
    for _ in range(_DEEP):
        found = frame.f_locals.get("self") if frame.f_code.co_name == "_setup_model" else None
        if isinstance(found, BaseAlgorithm):
            return found
        frame = frame.f_back
        if frame is None:
            break
    return None


class MadeByAlgorithms:
    """A policy that some algorithms may make, their subclasses too; everybody may by hand.

    Attributes:
        algorithms: names of their classes, for those of sb3-contrib need not be installed.

    Raises:
        ArgumentError: another algorithm makes it.
    """

    algorithms: ClassVar[tuple[str, ...]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        # Before the constructor, whose arguments differ from algorithm to algorithm.
        algorithm = maker()
        if algorithm is not None:
            kind = type(algorithm)
            if not any(each.__name__ in cls.algorithms for each in kind.__mro__):
                expected = "one for that algorithm, see equiworld.sb3; or an algorithm that this one is for"
                raise ArgumentError("policy", f"{cls.__name__} for {kind.__name__}", expected, cls.algorithms)
        return super().__new__(cls)
