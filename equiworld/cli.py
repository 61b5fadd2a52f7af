"""The command line: `equiworld demo | collect | train | evaluate | certify | bench NAME | report DIR`."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium

from equiworld.arguments import integer
from equiworld.benchmarks import BENCHMARKS, benchmark
from equiworld.commands import Certify, Collect, Evaluate, Outcome, Report, Train
from equiworld.errors import EquiworldError, UnknownNameError
from equiworld.files import check_folder, held_folder
from equiworld.results import write_json

__all__ = ["main"]

COMMANDS: dict[str, type[Any]] = {
    "collect": Collect,
    "train": Train,
    "evaluate": Evaluate,
    "certify": Certify,
    "report": Report,
}
DEMOS = {"pusht": "orientation", "cloud": "space"}
"""The benchmark that `equiworld demo --env …` runs; the first is the default."""

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
        The exit code: 0, 1 for a certificate that was not passed, 2 for what cannot be done, 130 after Ctrl-C.
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
        if given[:1] in (["evaluate"], ["certify"], ["report"]):
            said = "nothing was written"
        print(f"\nequiworld: interrupted; {said}", file=sys.stderr)
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
    demo, given = _demo(given)
    commands: dict[str, Callable[..., Any]] = {"demo": benchmark(demo).settings, **COMMANDS, "bench": _Bench}
    # settings may stand on either side of a subcommand such as planner:mppi
    config = (tyro.conf.CascadeSubcommandArgs,)
    parsed = tyro.extras.subcommand_cli_from_dict(
        commands, prog="equiworld", description=DESCRIPTION, args=given, config=config
    )
    return _bench(demo, parsed) if given[0] == "demo" else parsed.run()


def _demo(given: list[str]) -> tuple[str, list[str]]:
    """The benchmark behind `demo --env NAME`, and the arguments without `--env NAME`: its settings depend on it."""
    first = next(iter(DEMOS.values()))
    if given[:1] != ["demo"]:
        return first, given
    parser = argparse.ArgumentParser(prog="equiworld demo", add_help=False, allow_abbrev=False)
    parser.add_argument("--env", default=next(iter(DEMOS)))
    found, others = parser.parse_known_args(given[1:])
    if found.env not in DEMOS:
        raise UnknownNameError("--env", found.env, DEMOS, "`equiworld demo --env NAME`")
    return DEMOS[found.env], ["demo", *others]


@dataclass(frozen=True)
class _Bench:
    """Run one of the benchmarks; `equiworld bench --help` lists them."""


def _bench(name: str, settings: Any) -> Outcome:
    """Run a benchmark, and write its result to `NAME.json` in its output folder."""
    which = benchmark(name)
    integer("seed", settings.seed, least=0)
    check_folder("--out", settings.out, [f"{name}.json"])
    with held_folder("--out", settings.out):
        result = which.run(settings)
        path = write_json(Path(settings.out) / f"{name}.json", result, allow_nonfinite=True)
    return Outcome(f"{which.report(result)}\n{path}")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


if __name__ == "__main__":
    sys.exit(main())
