"""The digest of the source files that a module depends on, found by reading them, not by running them."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import re
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from equiworld.errors import EquiworldError

__all__ = ["source_files", "sources_digest"]

_ROOT = "equiworld"
_NAMED = re.compile(rf"{_ROOT}(?:\.\w+)+")  # in strings, such as a registry's "equiworld.planners.cem:CEM"
_LEFT_OUT = {
    f"{_ROOT}.{name}"
    for name in (
        # what a line says of an arm, a world or a question is itself an input of what depends on it
        "benchmarks",
        "benchmarks.arms",
        "benchmarks.worlds",
        # how rows are shown
        "benchmarks.suite.pictures",
        "benchmarks.suite.style",
        "benchmarks.suite.summary",
        "benchmarks.suite.run",
    )
}
_LONGEST = 200  # of such strings


@cache
def sources_digest(*modules: str) -> str:
    """A hash over the sources of these modules and of all of equiworld that they import, wherever in the file.

    Args:
        modules: names, such as "equiworld.benchmarks.questions.success".

    Raises:
        EquiworldError: a file of equiworld was written after this process began, which may run what stood there before.

    >>> len(sources_digest("equiworld.errors"))
    16
    """
    digest = hashlib.sha256()
    for name, path in sorted(source_files(*modules).items()):
        if name.split(".")[0] == _ROOT and path.stat().st_mtime > _BEGAN:
            raise EquiworldError(f"{path} was changed while this process ran; start it again")
        digest.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def source_files(*modules: str) -> dict[str, Path]:
    """The modules of equiworld that these depend on, themselves included, and their files.

    A module depends on what it imports, also inside functions and for annotations, and on what its strings name, as
    registries do. Of the packages around it, which run before it, it depends on their imports alone: the names in
    their registries are for others. Of equiworld itself it depends on the first file, and on more only where it
    imports from it.
    """
    found: dict[str, Path] = {}
    waiting, visited = [(name, True) for name in modules], set[tuple[str, bool]]()
    while waiting:
        name, whole = waiting.pop()
        path = _file(name)
        if path is None or name in _LEFT_OUT or (name, whole) in visited or (name, True) in visited:
            continue
        visited.add((name, whole))
        found[name] = path
        imported, named = _mentioned(name, path)
        waiting += [(each, True) for each in (*imported, *(named if whole else ()))]
        parent = name.rpartition(".")[0]
        if parent == _ROOT:
            found[_ROOT] = _file(_ROOT)  # type: ignore[assignment]
        elif parent:
            waiting.append((parent, False))
    return found


def _began() -> float:
    """When this process began, to two seconds, or when this module was imported, if that was sooner."""
    now = time.time()
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        booted = re.search(r"^btime (\d+)$", Path("/proc/stat").read_text(), re.MULTILINE)
        began = float(booted[1]) + ticks / os.sysconf("SC_CLK_TCK")  # type: ignore[index]
    except (OSError, ValueError, TypeError, IndexError):  # the system does not say
        return now
    return min(now, began + 2.0)  # the system counts whole seconds


_BEGAN = _began()


@cache
def _file(name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    return Path(spec.origin)


@cache
def _mentioned(name: str, path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The modules of equiworld that a file imports, and those that its strings name."""
    nodes = list(ast.walk(ast.parse(path.read_bytes())))
    imported = dict.fromkeys(each for node in nodes for each in _imported(node) if each != name)
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    named = dict.fromkeys(match for text in texts if len(text) < _LONGEST for match in _NAMED.findall(text))
    return tuple(imported), tuple(named)


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name.split(".")[0] == _ROOT)
    elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == _ROOT:
        if node.module != _ROOT:
            yield node.module
        for alias in node.names:  # a module, or a name within one
            inner = f"{node.module}.{alias.name}"
            if _file(inner) is not None:
                yield inner
            elif node.module == _ROOT:
                yield _ROOT
