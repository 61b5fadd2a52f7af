"""One wrong entry of a map."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["MapFault"]


@dataclass(frozen=True)
class MapFault:
    """A wrong entry, and the exchange that mends it.

    Attributes:
        array: the key of the observation, or "action".
        entry: under which isometry.
        places: where in the array.
        what: what is wrong there.
        mend: what would be right, in words; None if no single exchange mends it.

    >>> print(MapFault("action", 0, (3,), "taken from 9, as place 2 is", "place 3 from 8"))
    action, isometry 0, place 3: taken from 9, as place 2 is; mended by: place 3 from 8
    """

    array: str
    entry: int
    places: tuple[int, ...]
    what: str
    mend: str | None = None

    def __str__(self) -> str:
        noun = "place" if len(self.places) == 1 else "places"
        where = f"{self.array}, isometry {self.entry}, {noun} {', '.join(map(str, self.places))}"
        return f"{where}: {self.what}" + (f"; mended by: {self.mend}" if self.mend else "")

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self) | {"places": list(self.places)}
