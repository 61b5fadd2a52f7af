"""Whether what was found out about a world allows a policy to be symmetrised in it."""

from __future__ import annotations

from typing import Any

from equiworld.errors import ArgumentError

__all__ = ["check_world"]

_MENDED = (
    "a world that carries the symmetry: a smaller group, or starts away from what breaks it; or anyway=True"
)


def check_world(found: Any) -> None:
    """Refuse a world of which a certificate, a check or an audit shows that it does not carry the symmetry.

    Args:
        found: a `Certificate`, whose world's own deviation and ends count, whoever acted in it; a `SymmetryCheck`; or
            what else says in `passed`, or in `ok`, whether the simulator carries what is declared.

    Raises:
        ArgumentError: it does not; or the argument is none of these.
    """
    if isinstance(found, type):
        raise ArgumentError(
            "certificate", found, "what `certify`, `check_symmetry` or an audit found, or None"
        )
    if callable(getattr(found, "orbit", None)):
        _check_certificate(found)
        return
    passed = next((getattr(found, name) for name in ("ok", "passed") if hasattr(found, name)), None)
    if not isinstance(passed, bool):
        raise ArgumentError(
            "certificate", found, "what `certify`, `check_symmetry` or an audit found, or None"
        )
    if not passed:
        problems = [str(each) for each in getattr(found, "problems", ())]
        never = getattr(found, "never", ())
        told = (
            problems[0] if problems else f"never tested under {', '.join(never)}" if never else "not passed"
        )
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        verdict = getattr(found, "verdict", "not passed")
        where = getattr(found, "env", "an environment")
        raise ArgumentError("certificate", f"one of {where}, {verdict}: {told}{more}", _MENDED)


def _check_certificate(certificate: Any) -> None:
    orbit = certificate.orbit("active")
    apart, ended = orbit.world_deviation, orbit.world_ends_that_differ if orbit.claims_ends else 0
    # Above what rounding grows to: an environment that rounds actions to float32 is not refused.
    if apart is not None and (ended or not apart <= max(certificate.tolerance, certificate.least_motion)):
        raise ArgumentError(
            "certificate",
            f"one of {certificate.config['env']} whose world, started at g·s and given the same actions turned, is "
            f"{apart:.2g} away from the unturned one and ends {ended} episodes otherwise (declared to hold "
            f"{certificate.config['holds']})",
            _MENDED,
        )
