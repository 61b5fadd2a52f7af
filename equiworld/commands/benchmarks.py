"""`equiworld bench NAME` and `equiworld demo`: questions, and three of them on one world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, make_dataclass
from typing import Any

from equiworld.benchmarks import QUESTIONS, question
from equiworld.benchmarks import demo as demos
from equiworld.benchmarks.suite.question import Question
from equiworld.benchmarks.suite.run import Run, run
from equiworld.commands.outcome import Outcome
from equiworld.errors import ArgumentError, EquiworldError
from equiworld.files import check_folder

__all__ = ["ALL", "Demo", "answer", "bench_settings"]

ALL = "all"
"""The name under which `equiworld bench` puts every question."""

_SHOWN = 12  # missing cells


@dataclass(frozen=True)
class Demo(demos.Demo):
    __doc__ = demos.Demo.__doc__

    def run(self) -> Outcome:  # type: ignore[override]
        """Answer its questions, draw, and say it in words."""
        self.check()
        check_folder("--out", self.out, self.files)
        return Outcome(self.report(super().run()))


def bench_settings() -> dict[str, Any]:
    """The command line of each question: its own settings, and those of its run."""
    from tyro.conf import OmitArgPrefixes

    found: dict[str, Any] = {}
    for name in QUESTIONS:
        kind = question(name)
        parts = [("question", OmitArgPrefixes[kind], kind()), ("run", OmitArgPrefixes[Run], Run())]  # type: ignore[valid-type, misc]
        found[name] = make_dataclass(kind.__name__, parts, frozen=True, namespace={"__doc__": kind.title})
    whole = {"__doc__": "All questions, one store; of each what fits the worlds and arms given."}
    found[ALL] = make_dataclass("All", [("run", OmitArgPrefixes[Run], Run())], frozen=True, namespace=whole)
    return found


def answer(name: str, parsed: Any) -> Outcome:
    """Run a question, or all of them, and say what came out."""
    settings: Run = parsed.run
    settings.check()
    settings = settings.settled()
    asked: list[Question] = [question(each)() for each in QUESTIONS] if name == ALL else [parsed.question]
    asked = [each.reduced() for each in asked] if settings.quick else asked
    check_folder("--out", settings.out, [f"{each.name}.json" for each in asked])
    left_out = dict[str, str]()
    if name == ALL:
        asked, left_out = _fitting(asked, settings)
    results = run(asked, settings)
    parts = [_said(each, result) for each, result in zip(asked, results, strict=True)]
    return Outcome("\n\n".join([*parts, *(f"{who} is left out: {why}" for who, why in left_out.items())]))


def _fitting(asked: Sequence[Question], settings: Run) -> tuple[list[Question], dict[str, str]]:
    """Those of all questions that the worlds and arms fit, and why the others do not."""
    fitting, left_out = list[Question](), dict[str, str]()
    for each in asked:
        try:
            for cell in each.cells(settings.plan):
                each.inputs(cell)
            fitting.append(each)
        except EquiworldError as reason:
            left_out[each.name] = str(reason)
    if not fitting:
        raise ArgumentError(
            "--world", settings.plan.worlds, f"worlds and arms that fit a question ({left_out})"
        )
    return fitting, left_out


def _said(asked: Question, result: dict[str, Any]) -> str:
    """Its table, and what is missing."""
    parts = [asked.title, asked.table(result["rows"])]
    missing: Sequence[str] = result["config"]["missing"]
    if missing:
        more = f", and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        parts.append(f"{len(missing)} cells are missing: {', '.join(missing[:_SHOWN])}{more}")
    parts.append(f"{result['seconds']:.0f} s; {result['config']['run'].out / asked.name}.json")
    return "\n\n".join(parts)
