"""Runs of questions: which cells are missing, who measures them, and what came of all."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from equiworld.arguments import integer, number
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.question import Plan, Question
from equiworld.benchmarks.suite.rows import Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.timing import threads
from equiworld.errors import ArgumentError, EquiworldError
from equiworld.files import write_atomically
from equiworld.results import make_result, write_json

__all__ = ["CellError", "Run", "figures", "run"]

ATTEMPTS = 3
"""Without a single cell done, after which those that are left count as failed."""


class CellError(EquiworldError):
    """Cells failed; the rows of all others are in the store."""


@dataclass(frozen=True)
class Run:
    """Where and how cells are measured; nothing that rows depend on.

    Attributes:
        out: folder of the store, of the results and of the pictures. A run that was stopped goes on from what is there.
        world: names of worlds, or ids of environments with a task, `module:id` where a module registers them; the
            question's own if empty.
        arm: names of what is compared; the question's own if empty.
        seeds: how many; the question's own number if None.
        seed: the first; the others count up from it.
        jobs: worker processes; as many as cores if None.
        budget_hours: after which no further cell is begun; those that are left are listed as missing.
        quick: a small version whose numbers prove nothing.
        backend: joblib's: processes of this machine, or a Ray cluster (with the extra `ray`) that shares the folder.
        shard: K/N for the K-th of N parts of the cells, for job arrays.
        merge: other stores, such as those of shards, whose rows, data and models are copied into this one first.
        progress: show a progress bar.
    """

    out: Path = Path("runs/bench")
    world: tuple[str, ...] = ()
    arm: tuple[str, ...] = ()
    seeds: int | None = None
    seed: int = 0
    jobs: int | None = None
    budget_hours: float | None = None
    quick: bool = False
    backend: Literal["loky", "ray"] = "loky"
    shard: str = "1/1"
    merge: tuple[Path, ...] = ()
    progress: bool = True

    def check(self) -> None:
        """Refuse what makes no sense; before any work.

        Raises:
            ArgumentError: says which argument, and what was expected.
        """
        integer("seed", self.seed, least=0)
        for name in ("seeds", "jobs"):
            if getattr(self, name) is not None:
                integer(name, getattr(self, name), least=1)
        if self.budget_hours is not None:
            number("budget_hours", self.budget_hours, above=0.0)
        self.part()
        for folder in self.merge:
            if not (Path(folder) / "rows").is_dir():
                raise ArgumentError("merge", str(folder), "the folder of a store, in which there are rows")

    def part(self) -> tuple[int, int]:
        """The shard as two numbers."""
        first, slash, count = self.shard.partition("/")
        if not (slash and first.isdigit() and count.isdigit() and 1 <= int(first) <= int(count)):
            raise ArgumentError("shard", self.shard, "K/N with 1 <= K <= N, such as 2/8")
        return int(first), int(count)

    def settled(self) -> Run:
        """The folder as a path; of a small version by default another one, for its rows are not to be mistaken."""
        out = Path(self.out)
        return replace(self, out=out.with_name(f"{out.name}-quick") if self.quick and out == Run.out else out)

    @property
    def plan(self) -> Plan:
        """Which cells are wanted."""
        return Plan(self.world, self.arm, 1 if self.quick and self.seeds is None else self.seeds, self.seed)


def run(questions: Sequence[Question], settings: Run) -> list[dict[str, Any]]:
    """Measure what is missing and write what there is, `NAME.json` and `NAME.png` of each question.

    Args:
        questions: in the small version already, if that is wanted.
        settings: of the run.

    Returns:
        A result of each question, with the rows of all its cells and a list of those that are missing.

    Raises:
        ArgumentError: a world or an arm does not fit a question; before anything is measured.
        CellError: cells failed; says which and why. All others were measured before.
    """
    settings.check()
    settings = settings.settled()
    store = Store(settings.out)
    store.merge(settings.merge)
    began = time.perf_counter()
    wanted = [(question, _cells(question, settings)) for question in questions]
    for question, cells in wanted:
        for cell in cells:
            question.inputs(cell)  # an unknown world or arm is refused here, before hours of work
    deadline = None if settings.budget_hours is None else began + 3600 * settings.budget_hours
    failed: dict[str, str] = {}
    for question, cells in wanted:
        left = [cell for cell in cells if not question.answered(cell, store)]
        if left and (deadline is None or time.perf_counter() < deadline):
            try:
                question.prepare(left, store)
            except Exception as error:  # the other questions go on
                failed |= {cell.id: f"{type(error).__name__}: {error}" for cell in left}
    for timed in (False, True):
        jobs = [(each, cell) for each, cells in wanted if each.timed == timed for cell in cells]
        failed |= _measure(jobs, store, settings, deadline, set(failed), alone=timed)
    results = [_result(each, cells, store, settings, failed, began) for each, cells in wanted]
    if failed:
        name, reason = next(iter(failed.items()))
        others = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
        raise CellError(f"{name} failed: {reason}{others}; all that was measured is kept in {settings.out}")
    return results


def _cells(question: Question, settings: Run) -> list[Cell]:
    """A shard's cells, arms first, then seeds: workers that wait for one model would do nothing meanwhile."""
    cells = question.cells(settings.plan)
    if not cells:
        raise ArgumentError("--world", settings.plan.worlds, f"worlds that {question.name!r} can be asked in")
    ranks, seen = [], dict[tuple[str, str, int], int]()
    for cell in cells:
        who = (cell.world, cell.arm, cell.seed)
        seen[who] = rank = seen.get(who, -1) + 1
        ranks.append((rank, cell.seed))
    ordered = [cell for _, cell in sorted(zip(ranks, cells, strict=True), key=lambda pair: pair[0])]
    first, count = settings.part()
    return ordered[first - 1 :: count]


def _measure(
    jobs: Sequence[tuple[Question, Cell]],
    store: Store,
    settings: Run,
    deadline: float | None,
    given_up: set[str],
    alone: bool,
) -> dict[str, str]:
    """Measure cells that the store lacks; the reasons of those that failed, by id."""
    from tqdm import tqdm

    failed, vain = dict[str, str](), 0
    with tqdm(total=len(jobs), desc="cells", disable=not settings.progress or not jobs, smoothing=0.0) as bar:
        while True:
            left = [
                job
                for job in jobs
                if job[1].id not in failed.keys() | given_up and not job[0].answered(job[1], store)
            ]
            done = len(jobs) - len(left)
            bar.update(done - bar.n)
            if not left or (deadline is not None and time.perf_counter() > deadline):
                return failed
            reason = (
                "its rows are not in the store, although a worker wrote them: is the folder shared by all?"
            )
            try:
                for cell_id, why in _parallel(left, store, settings, deadline, alone):
                    bar.update()
                    if why is not None:
                        failed[cell_id] = why
            except EquiworldError:
                raise
            except Exception as error:  # a worker died; what it had not written is given out again
                reason = f"its worker died: {type(error).__name__}: {error}"
            lost = [
                cell.id for each, cell in left if cell.id not in failed and not each.answered(cell, store)
            ]
            if deadline is not None and time.perf_counter() > deadline:
                return failed
            vain = vain + 1 if len(lost) == len(left) else 0
            if vain == ATTEMPTS:
                return failed | dict.fromkeys(lost, reason)


def _parallel(
    jobs: Sequence[tuple[Question, Cell]], store: Store, settings: Run, deadline: float | None, alone: bool
) -> Iterator[tuple[str, str | None]]:
    """The id of each cell that was tried, and why it failed."""
    import joblib
    from joblib import Parallel, delayed, parallel_config

    def given() -> Iterator[Any]:
        for question, cell in jobs:
            if deadline is not None and time.perf_counter() > deadline:
                return
            yield delayed(_answer)(question, cell, store.folder, None if alone else 1)

    count = 1 if alone else min(settings.jobs or joblib.cpu_count(), len(jobs))
    options: dict[str, Any] = {"inner_max_num_threads": 1}
    if settings.backend == "ray" and not alone:
        _register_ray()
        count, options = settings.jobs or -1, {}
    with parallel_config(settings.backend if not alone else "loky", **options):
        work = Parallel(n_jobs=count, batch_size=1, pre_dispatch="n_jobs", return_as=_order(settings, alone))
        yield from work(given())


def _order(settings: Run, alone: bool) -> str:
    """As they come; Ray's backend hands over all at the end."""
    return "list" if settings.backend == "ray" and not alone else "generator_unordered"


def _register_ray() -> None:
    try:
        from ray.util.joblib import register_ray
    except ImportError as reason:
        raise ArgumentError(
            "--backend", "ray", "Ray to be installed: pip install 'equiworld[ray]'"
        ) from reason
    register_ray()


def _answer(question: Question, cell: Cell, folder: Path, count: int | None) -> tuple[str, str | None]:
    """Measure one cell, in a worker; why it failed, if it did."""
    try:
        with threads(count):
            question.answer(cell, Store(folder))
    except Exception as error:
        return cell.id, f"{type(error).__name__}: {error}"
    return cell.id, None


def _result(
    question: Question,
    cells: Sequence[Cell],
    store: Store,
    settings: Run,
    failed: Mapping[str, str],
    began: float,
) -> dict[str, Any]:
    """The rows that there are, written to `NAME.json` with their picture beside it."""
    rows: list[Row] = []
    missing = []
    for cell in cells:
        if question.answered(cell, store):
            rows += question.answer(cell, store)
        else:
            missing.append(cell.id)
    config = {
        "title": question.title,
        "settings": {each.name: getattr(question, each.name) for each in fields(question)},
        "run": settings,
        "measures": question.measures,
        "missing": missing,
        "failed": dict(failed),
    }
    result = make_result(question.name, config, rows, time.perf_counter() - began)
    write_json(settings.out / f"{question.name}.json", result)
    for name, figure in figures(question, rows).items():
        write_atomically(settings.out / f"{name}.png", partial(figure.savefig, format="png", dpi=130))
    return result


def figures(question: Question, rows: Sequence[Row]) -> dict[str, Any]:
    """The pictures of rows, one a world, by what to call them."""
    found = {}
    worlds = list(dict.fromkeys(row["world"] for row in rows))
    for world in worlds:
        figure = question.figure([row for row in rows if row["world"] == world])
        if figure is not None:
            found[question.name if len(worlds) == 1 else f"{question.name}-{world}"] = figure
    return found
