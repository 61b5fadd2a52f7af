"""The command line: `equiworld demo | collect | train | evaluate | certify | bench NAME`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from equiworld.benchmarks import BENCHMARKS, benchmark
from equiworld.commands import Certify, Collect, Evaluate, Outcome, Train
from equiworld.errors import EquiworldError
from equiworld.results import write_json

__all__ = ["main"]

COMMANDS: dict[str, type[Any]] = {
    "collect": Collect,
    "train": Train,
    "evaluate": Evaluate,
    "certify": Certify,
}
DEMO = "orientation"
"""The benchmark that `equiworld demo` runs."""

FAILED, WRONG, INTERRUPTED = 1, 2, 130  # exit codes: tested and not passed, cannot be done, Ctrl-C


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: what follows `equiworld` on the command line; that of this process if None.

    Returns:
        The exit code: 0, 1 for a certificate that was not passed, 2 for what cannot be done, 130 after Ctrl-C.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        outcome = _run(given)
    except (EquiworldError, OSError) as error:
        if os.environ.get("EQUIWORLD_TRACEBACK"):
            raise
        print(f"equiworld: {_one_line(error)}", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        again = " ".join(["equiworld", *given])
        print(
            f"\nequiworld: interrupted; `{again}` goes on from the last finished chunk or checkpoint",
            file=sys.stderr,
        )
        return INTERRUPTED
    print(outcome.text)
    return 0 if outcome.passed else FAILED


def _run(given: list[str]) -> Outcome:
    import tyro

    if given[:1] == ["bench"]:
        settings: dict[str, Callable[..., Any]] = {name: benchmark(name).settings for name in BENCHMARKS}
        parsed = tyro.extras.subcommand_cli_from_dict(
            settings, prog="equiworld bench", description="Answer one question.", args=given[1:]
        )
        return _bench(given[1], parsed)
    commands: dict[str, Callable[..., Any]] = {"demo": benchmark(DEMO).settings, **COMMANDS, "bench": _Bench}
    parsed = tyro.extras.subcommand_cli_from_dict(
        commands, prog="equiworld", description="Exactly equivariant world models and planners.", args=given
    )
    return _bench(DEMO, parsed) if given[0] == "demo" else parsed.run()


class _Bench:
    """Run one of the benchmarks; `equiworld bench --help` lists them."""


def _bench(name: str, settings: Any) -> Outcome:
    """Run a benchmark, and write its result to `NAME.json` in its output folder."""
    which = benchmark(name)
    result = which.run(settings)
    path = write_json(Path(settings.out) / f"{name}.json", result, allow_nonfinite=True)
    return Outcome(f"{which.report(result)}\n{path}")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


if __name__ == "__main__":
    sys.exit(main())
