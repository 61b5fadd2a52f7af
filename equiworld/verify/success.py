"""What says whether an episode succeeded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from equiworld.errors import ArgumentError, SimulationError

__all__ = ["Success", "SuccessRule"]

SuccessRule = str | Callable[[Mapping[str, Any], Any], bool] | None
"""A key of `info`, a function (info, observation) -> bool, or None for nothing."""

_EXPECTED = (
    "a key that the first info has, a function (info, observation) -> bool, or None for the return alone"
)


class Success:
    """A rule of success, checked at the first step rather than at the end of the first episode.

    Raises:
        ArgumentError: it is none.

    >>> rule = Success("arrived")
    >>> rule.check({"arrived": False}, None)
    >>> rule.of({"arrived": True}, None, "seed 0, step 3")
    True
    """

    def __init__(self, rule: SuccessRule) -> None:
        if not (rule is None or isinstance(rule, str) or callable(rule)):
            raise ArgumentError("success", repr(rule), _EXPECTED)
        self.rule = rule
        self._checked = rule is None

    def describe(self, when: str = "at the last step") -> str | None:
        """For the result file."""
        if self.rule is None:
            return None
        if isinstance(self.rule, str):
            return f"info[{self.rule!r}] {when}"
        return f"{self._name}(info, observation) {when}"

    def check(self, info: Mapping[str, Any], observation: Any) -> None:
        """Refuse a rule that the first step does not bear out; nothing at later ones.

        Raises:
            ArgumentError: no such key, or the function fails or gives no truth value; lists the keys of `info`.
        """
        if not self._checked:
            self._asked(info, observation)
            self._checked = True

    def of(self, info: Mapping[str, Any], observation: Any, place: str) -> bool | None:
        """Whether an episode that ends so succeeded; None if nobody asks.

        Raises:
            SimulationError: the last step does not tell, though the first one did.
        """
        if self.rule is None:
            return None
        try:
            return self._asked(info, observation)
        except ArgumentError as error:
            raise SimulationError(f"{error} ({place})") from error

    @property
    def _name(self) -> str:
        named = getattr(self.rule, "__qualname__", type(self.rule).__qualname__)
        return f"{getattr(self.rule, '__module__', '')}.{named}".lstrip(".")

    def _asked(self, info: Mapping[str, Any], observation: Any) -> bool:
        rule = self.rule
        if isinstance(rule, str):
            if rule not in info:
                raise ArgumentError("success", repr(rule), _EXPECTED, info)
            return _truth(f"info[{rule!r}]", info[rule], info)
        assert rule is not None
        try:
            found = rule(info, observation)
        except Exception as error:  # whatever a function of the user's raises
            got = f"{self._name}, which raised {type(error).__name__}: {error}"
            raise ArgumentError("success", got, _EXPECTED, info) from error
        return _truth(f"what {self._name} returned", found, info)


def _truth(name: str, value: Any, info: Mapping[str, Any]) -> bool:
    """A single bool or number as a bool; text such as "False" is none."""
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "biuf" or not np.isfinite(array).all():
        raise ArgumentError("success", f"{name}, {value!r}", "one truth value", info)
    return bool(array.reshape(()))
