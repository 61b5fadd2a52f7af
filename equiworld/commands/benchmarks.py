"""`equiworld bench NAME` and `equiworld demo`: questions, and three of them on one world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, make_dataclass
from typing import Any

from equiworld.benchmarks import QUESTIONS, question
from equiworld.benchmarks import demo as demos
from equiworld.benchmarks.suite.question import Question
from equiworld.benchmarks.suite.run import Run, run
from equiworld.benchmarks.suite.summary import summarised
from equiworld.commands.outcome import Outcome
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
    asked: list[Question] = [question(each)() for each in QUESTIONS] if name == ALL else [parsed.question]
    asked = [each.reduced() for each in asked] if settings.quick else asked
    check_folder("--out", settings.out, [f"{each.name}.json" for each in asked])
    results = run(asked, settings)
    return Outcome("\n\n".join(_said(each, result) for each, result in zip(asked, results, strict=True)))


def _said(asked: Question, result: dict[str, Any]) -> str:
    """Its table, and what is missing."""
    parts = [asked.title, asked.table(summarised(result["rows"], asked.measures))]
    missing: Sequence[str] = result["config"]["missing"]
    if missing:
        more = f", and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        parts.append(f"{len(missing)} cells are missing: {', '.join(missing[:_SHOWN])}{more}")
    parts.append(f"{result['seconds']:.0f} s; {result['config']['run'].out / asked.name}.json")
    return "\n\n".join(parts)
