"""Every registered benchmark, in its small version: it runs, writes what it returns, and says what it ran."""

from __future__ import annotations

from dataclasses import is_dataclass, replace
from pathlib import Path

import pytest

from equiworld.benchmarks import BENCHMARKS, benchmark
from equiworld.errors import UnknownNameError
from equiworld.results import read_json


@pytest.mark.parametrize("name", BENCHMARKS)
def test_benchmark_settings_are_a_frozen_command_line(name: str) -> None:
    settings = benchmark(name).settings()
    assert is_dataclass(settings)
    assert settings.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert isinstance(settings.out, Path)
    assert settings.seed == 0
    assert not settings.quick


def test_an_unknown_benchmark_lists_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match="data-efficiency"):
        benchmark("sucess")


@pytest.mark.slow
@pytest.mark.parametrize("name", BENCHMARKS)
def test_benchmark_runs_small(name: str, tmp_path: Path) -> None:
    found = benchmark(name)
    result = found.run(replace(found.settings(), out=tmp_path, quick=True))
    assert result["benchmark"] == name
    assert set(result) == {"benchmark", "versions", "config", "rows", "seconds"}
    assert result["rows"]
    assert read_json(tmp_path / f"{name}.json")["rows"]
    assert found.report(result)
