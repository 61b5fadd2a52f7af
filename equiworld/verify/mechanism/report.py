"""What `explain` found, as text and JSON."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from equiworld.results import make_result, to_plain, write_json
from equiworld.verify.mechanism.causes import Cause, Causes
from equiworld.verify.mechanism.derive import Rejection
from equiworld.verify.mechanism.differences import Difference
from equiworld.verify.mechanism.dynamics import Deviation
from equiworld.verify.mechanism.measuring import EXACT
from equiworld.verify.mechanism.model_map import ModelMap

__all__ = ["Explanation", "Mechanism"]

_SOLVER = 1e-6  # [m, rad]: what an iterative solver leaves
_SHOWN = 4


@dataclass(frozen=True)
class Explanation:
    """One symmetry of a mechanism: how well the dynamics keep it, what differs, and what of that it is.

    Attributes:
        name: such as "mirror y", or "turn about gravity".
        map: what it does to the model; None for turns of the world, which exchange nothing.
        joints: by joint the one that it goes to, with its sign.
        deviation: of the dynamics.
        differences: of the model under the map.
        causes: the shares of what breaks it.
    """

    name: str
    map: ModelMap | None = field(repr=False)
    joints: Mapping[str, str]
    deviation: Deviation
    differences: tuple[Difference, ...]
    causes: Causes

    @property
    def exact(self) -> bool:
        """Whether nothing but rounding is left."""
        return self.deviation.position <= EXACT

    @property
    def verdict(self) -> str:
        """Such as "exact (2e-15)" or "broken (1.3e-02)"."""
        scale = self.deviation.position
        words = "exact" if self.exact else "to the solver's tolerance" if scale <= _SOLVER else "broken"
        return f"{words} ({scale:.1e})"

    def lines(self) -> list[str]:
        """As text."""
        deviation, causes = self.deviation, self.causes
        mismatch = (
            f"; joints miss by {self.map.mismatch:.1g} m" if self.map and self.map.mismatch > 1e-9 else ""
        )
        found = [
            f"{self.name}: {self.verdict}: positions differ by {deviation.position:.1e} "
            f"(median {deviation.median:.1e}), velocities by {deviation.velocity:.1e}, after {deviation.steps} steps "
            f"from {deviation.starts} states, {deviation.touching} of them with contacts{mismatch}"
        ]
        found += [f"  {cause}" for cause in causes.causes]
        if causes.causes or not self.exact:
            found.append(
                f"  with all of this mended {causes.rest.velocity:.1e} is left of the velocities' deviation; "
                f"shares are those from {causes.states} states"
            )
        if causes.harmless:
            shown = "; ".join(causes.harmless[:_SHOWN])
            more = f"; and {len(causes.harmless) - _SHOWN} more" if len(causes.harmless) > _SHOWN else ""
            found.append(f"  differs, and changes nothing measured: {shown}{more}")
        return found

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        found: dict[str, Any] = {"name": self.name, "verdict": self.verdict, "exact": self.exact}
        if self.map is not None:
            found["isometry"] = self.map.isometry.tolist()
            found["mismatch"] = self.map.mismatch
        found["joints"] = dict(self.joints)
        found["deviation"] = self.deviation.to_dict()
        found["differences"] = [each.to_dict() for each in self.differences]
        found["causes"] = [each.to_dict() for each in self.causes.causes]
        found["harmless"] = list(self.causes.harmless)
        found["states"] = self.causes.states
        found["rest"] = self.causes.rest.to_dict()
        return found


@dataclass(frozen=True)
class Mechanism:
    """What `explain` found; `print` it, `save` it.

    Attributes:
        model: what it is called.
        explanations: one for each symmetry of the mechanism, and one for the world's turns about gravity.
        rejected: the isometries that are none of the mechanism, and which body or joint has no partner.
        stale: derived constants that are not those of the parameters.
        config: what was run.
        seconds: how long it took [s].
        untouched: what stands in the world and was met in no state, so that nothing is known of what it breaks.
    """

    model: str
    explanations: tuple[Explanation, ...]
    rejected: tuple[Rejection, ...]
    stale: tuple[str, ...]
    config: Mapping[str, Any] = field(hash=False)
    seconds: float
    untouched: tuple[str, ...] = ()

    @property
    def maps(self) -> tuple[ModelMap, ...]:
        """Of joints, actuators and bodies."""
        return tuple(each.map for each in self.explanations if each.map is not None)

    @property
    def differences(self) -> tuple[Difference, ...]:
        """Of the model, under any of the maps."""
        return tuple(dict.fromkeys(one for each in self.explanations for one in each.differences))

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Of all that is broken, those of one symmetry after those of another."""
        return tuple(cause for each in self.explanations for cause in each.causes.causes)

    def __str__(self) -> str:
        parts = [
            f"{self.model}: {len(self.maps)} of {len(self.maps) + len(self.rejected)} isometries map it to itself"
        ]
        for each in self.explanations:
            parts += each.lines()
        if self.untouched:
            more = f" and {len(self.untouched) - 1} more" if len(self.untouched) > 1 else ""
            parts.append(f"never touched: {self.untouched[0]}{more}: what they break is not known")
        if self.stale:
            parts.append(f"stale constants, see mj_setConst: {', '.join(self.stale)}")
        if not self.maps:
            nearest = sorted(self.rejected, key=lambda each: each.distance)[:_SHOWN]
            parts += [f"no {each}" for each in nearest]
        return "\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """As a result file holds it."""
        rows = [each.to_dict() for each in self.explanations]
        config = {**self.config, "model": self.model, "stale": list(self.stale)}
        config["untouched"] = list(self.untouched)
        config["rejected"] = [{"name": each.name, "reason": each.reason} for each in self.rejected]
        return make_result("mechanism", config, rows, self.seconds)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it as JSON."""
        return write_json(path, to_plain(self.to_dict()))
