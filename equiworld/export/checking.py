"""Is an exported file the one that was certified, and does it still do what it did?"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from equiworld.errors import ArgumentError, CheckpointError
from equiworld.export.bundle import claims_of, digest, names_of_files, read_certificate
from equiworld.export.self_test import SelfTest
from equiworld.sb3.onnx_file import OnnxPolicy

__all__ = ["CheckReport", "check"]


@dataclass(frozen=True)
class CheckReport:
    """What the check of an exported file found.

    Attributes:
        model: the file.
        problems: what is wrong, a line each; empty if nothing is.
        deviation: |file − original|, largest; None if it was not run.
        orbit_deviation: |file(g·x) − g·file(x)|, largest; None where nothing is claimed.
        elements: how many elements it was tried at.
        rows: how many inputs.

    >>> print(CheckReport(Path("policy.onnx"), (), 1e-7, 2e-7, 8, 144))
    policy.onnx PASSED: hashes agree, 144 inputs within 1e-07 of the original, over 8 elements 2e-07
    """

    model: Path
    problems: tuple[str, ...]
    deviation: float | None = None
    orbit_deviation: float | None = None
    elements: int = 0
    rows: int = 0

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def __str__(self) -> str:
        if self.problems:
            return "\n".join([f"{self.model} FAILED", *(f"  {problem}" for problem in self.problems)])
        orbit = f", over {self.elements} elements {self.orbit_deviation:.2g}" if self.elements else ""
        told = f"{self.rows} inputs within {self.deviation:.2g} of the original"
        return f"{self.model} PASSED: hashes agree, {told}{orbit}"


def check(path: str | os.PathLike[str]) -> CheckReport:
    """Compare the files' hashes with those that the certificate names, and run the self-test by onnxruntime.

    Args:
        path: of the certificate, or of the model beside it. Nothing but these files is opened, and nothing in them is
            run but the graph.

    Returns:
        The report. What fails raises nothing: see `passed`.

    Raises:
        FileNotFoundError: no such certificate.
        CheckpointError: the certificate is damaged, or of another version.
        ArgumentError: the path is none of a file, or onnxruntime is not installed.
    """
    if not isinstance(path, str | os.PathLike) or Path(path).is_dir():
        raise ArgumentError("path", path, "the path of a certificate, or of the .onnx file beside it")
    given = Path(path)
    certificate = names_of_files(given)[2] if given.suffix == ".onnx" else given
    content = read_certificate(certificate)
    model, tested = (certificate.parent / content[part]["file"] for part in ("model", "self_test"))
    problems = []
    for part, file in (("model", model), ("self_test", tested)):
        if not file.is_file():
            problems.append(f"{file.name} is not there")
        elif digest(file) != content[part]["sha256"]:
            problems.append(
                f"{file.name} is not the file that was certified: its SHA-256 is {digest(file)[:12]}…"
            )
    if problems:
        return CheckReport(model, tuple(problems))
    try:
        test = SelfTest.load(tested)
        found = OnnxPolicy(model).run(test.inputs)
        apart, orbit = test.deviation(found), test.orbit_deviation(found)
    except CheckpointError as error:
        return CheckReport(model, (str(error),))
    for name, true in claims_of(test).items():
        if content.get(name) != true:
            problems.append(f"{certificate.name} says otherwise than the self-test of its {name}")
    if not apart <= test.tolerance:
        problems.append(f"outputs are {apart:.2g} away from the original's; allowed {test.tolerance:.2g}")
    if orbit is not None and not orbit <= test.orbit_tolerance:
        problems.append(f"over the orbit {orbit:.2g}; allowed {test.orbit_tolerance:.2g}")
    elements = 0 if test.elements is None else len(test.elements)
    return CheckReport(model, tuple(problems), apart, orbit, elements, test.rows)
