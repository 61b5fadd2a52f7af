"""The command line: `equiworld demo | collect | train | evaluate | certify | audit | audits | bench | report`."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium

from equiworld.commands import Audit, Audits, Certify, Collect, Demo, Evaluate, Outcome, Report, Train
from equiworld.commands.benchmarks import answer, bench_settings
from equiworld.errors import EquiworldError

__all__ = ["main"]

COMMANDS: dict[str, type[Any]] = {
    "demo": Demo,
    "collect": Collect,
    "train": Train,
    "evaluate": Evaluate,
    "certify": Certify,
    "audit": Audit,
    "audits": Audits,
    "report": Report,
}
DESCRIPTION = (
    "Exactly equivariant world models and planners. `demo` pushes a T in the plane; `demo --env cloud` pushes a body "
    "in space, seen as a cloud of points."
)

EXPECTED = (EquiworldError, OSError, gymnasium.error.Error)
"""What is said in one line; the last if, say, MuJoCo is not installed."""

FAILED, WRONG, INTERRUPTED = 1, 2, 130  # exit codes: tested and not passed, cannot be done, Ctrl-C


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: what follows `equiworld` on the command line; that of this process if None.

    Returns:
        The exit code: 0, 1 for a certificate or an audit not passed, 2 for what cannot be done, 130 after Ctrl-C.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(
            stream, io.TextIOWrapper
        ):  # what its encoding does not have is shown as a question mark
            stream.reconfigure(errors="replace")
    try:
        outcome = _run(given)
    except EXPECTED as error:
        if os.environ.get("EQUIWORLD_TRACEBACK"):
            raise
        print(f"equiworld: {_one_line(error)}", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        again = " ".join(["equiworld", *given])
        said = f"`{again}` goes on from the last finished chunk or checkpoint"
        if given[:1] in (["evaluate"], ["certify"], ["audit"], ["report"]):
            said = "nothing was written"
        print(f"\nequiworld: interrupted; {said}", file=sys.stderr)
        return INTERRUPTED
    print(outcome.text)
    return 0 if outcome.passed else FAILED


def _run(given: list[str]) -> Outcome:
    import tyro

    if given[:1] == ["bench"]:
        parsed = tyro.extras.subcommand_cli_from_dict(
            bench_settings(), prog="equiworld bench", description="Answer one question.", args=given[1:]
        )
        return answer(given[1], parsed)
    # settings may stand on either side of a subcommand such as planner:mppi
    config = (tyro.conf.CascadeSubcommandArgs,)
    parsed = tyro.extras.subcommand_cli_from_dict(
        {**COMMANDS, "bench": _Bench}, prog="equiworld", description=DESCRIPTION, args=given, config=config
    )
    return parsed.run()


@dataclass(frozen=True)
class _Bench:
    """Answer one of the benchmarks' questions; `equiworld bench --help` lists them."""


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


if __name__ == "__main__":
    sys.exit(main())
