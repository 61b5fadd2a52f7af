"""An exported model, its self-test and its certificate: three files that name each other by hash."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equiworld.errors import ArgumentError, CheckpointError, EquiworldError
from equiworld.export.self_test import SelfTest
from equiworld.files import check_folder, write_atomically
from equiworld.results import to_plain, versions
from equiworld.sb3.onnx_file import OnnxPolicy
from equiworld.symmetry.serialise import symmetry_to_dict

__all__ = ["Bundle", "Exported", "SelfTestFailed", "checked_bundle", "claims_of", "digest", "names_of_files"]

FORMAT = 1
_CERTIFICATE, _SELF_TEST = ".certificate.json", ".selftest.safetensors"


class SelfTestFailed(EquiworldError, RuntimeError):
    """What was just exported does not give what the original gives; nothing was written."""


@dataclass(frozen=True)
class Exported:
    """What was written, and what its self-test measured.

    Attributes:
        model: the ONNX file.
        self_test: the file of its inputs and expected outputs.
        certificate: the file that names the hashes of both.
        deviation: |file − original|, largest, in units of the largest number or 1.
        orbit_deviation: |file(g·x) − g·file(x)|, likewise; None where there is no symmetry.
        original_orbit_deviation: the same of the original.
        notes: why decisions can be exact in law only.
    """

    model: Path
    self_test: Path
    certificate: Path
    deviation: float
    orbit_deviation: float | None
    original_orbit_deviation: float | None
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        orbit = "nothing claimed of the orbit"
        if self.original_orbit_deviation is not None:
            orbit += f" (the original is off by {self.original_orbit_deviation:.2g})"
        if self.orbit_deviation is not None:
            orbit = (
                f"over the orbit {self.orbit_deviation:.2g} (original {self.original_orbit_deviation:.2g})"
            )
        return f"{self.model}: from the original {self.deviation:.2g}, {orbit}"


def names_of_files(path: str | os.PathLike[str]) -> tuple[Path, Path, Path]:
    """Model, self-test and certificate, from the path of the first.

    Raises:
        ArgumentError: it does not end in .onnx, or no file can be written there.

    >>> [str(name) for name in names_of_files("policy.onnx")]
    ['policy.onnx', 'policy.selftest.safetensors', 'policy.certificate.json']
    """
    if not isinstance(path, str | os.PathLike):
        raise ArgumentError("path", path, "the path of a file that ends in .onnx")
    model = Path(path)
    if model.suffix != ".onnx":
        raise ArgumentError("path", str(path), "one that ends in .onnx")
    stem = model.with_suffix("")
    files = (model, Path(f"{stem}{_SELF_TEST}"), Path(f"{stem}{_CERTIFICATE}"))
    check_folder("path", model.parent, [file.name for file in files])
    return files


@dataclass(frozen=True)
class Bundle:
    """A graph that passed its self-test, to be written.

    Attributes:
        kind: of the model: "policy", "encode" or "predict".
        graph: the ONNX file's content.
        test: its self-test.
        files: their paths.
        deviation: see `Exported`, as the two below.
        orbit_deviation: likewise.
        original_orbit_deviation: likewise.
        details: for the certificate.
    """

    kind: str
    graph: bytes
    test: SelfTest
    files: tuple[Path, Path, Path]
    deviation: float
    orbit_deviation: float | None
    original_orbit_deviation: float | None
    details: Mapping[str, Any]

    def write(self) -> Exported:
        """Write all three files."""
        model, tested, certificate = self.files
        write_atomically(model, lambda file: file.write(self.graph))
        self.test.save(tested)
        found = self.deviation, self.orbit_deviation, self.original_orbit_deviation
        content = {
            "format": FORMAT,
            "kind": self.kind,
            "model": {"file": model.name, "sha256": hashlib.sha256(self.graph).hexdigest()},
            "self_test": {"file": tested.name, "sha256": digest(tested)},
            **claims_of(self.test),
            **dict(zip(("deviation", "orbit_deviation", "original_orbit_deviation"), found, strict=True)),
            **self.details,
            "versions": versions(),
        }
        text = json.dumps(to_plain(content, allow_nonfinite=True), indent=2, allow_nan=False)
        write_atomically(certificate, lambda file: file.write(text.encode()))
        return Exported(model, tested, certificate, *found, tuple(self.details.get("notes", ())))


def checked_bundle(
    kind: str, graph: bytes, test: SelfTest, files: tuple[Path, Path, Path], **details: Any
) -> Bundle:
    """Run the self-test on a graph; nothing is written yet.

    Args:
        kind: of the model: "policy", "encode" or "predict".
        graph: the ONNX file's content.
        test: its self-test.
        files: their paths.
        details: for the certificate: "symmetry", "notes", "closed_loop" and the like, JSON-able;
            "original_orbit_deviation" where the self-test claims nothing.

    Raises:
        ArgumentError: onnxruntime cannot run the graph.
        SelfTestFailed: its outputs are not the expected ones.
    """
    try:
        runnable = OnnxPolicy.of(graph, files[0])
    except CheckpointError as error:
        argument, cause = "policy" if kind == "policy" else "model", error.__cause__ or error
        expected = (
            "operations that onnxruntime has in the network's dtype; of float32 it has most: export .float()"
        )
        raise ArgumentError(argument, f"one that onnxruntime cannot run ({cause})", expected) from error
    found = runnable.run(test.inputs)
    apart, orbit = test.deviation(found), test.orbit_deviation(found)
    original = details.pop("original_orbit_deviation", test.orbit_deviation(test.expected))
    if not apart <= test.tolerance:
        raise SelfTestFailed(
            f"the exported graph is {apart:.2g} away from the original, more than {test.tolerance:.2g}; a policy that "
            "draws, or whose `predict` does more than its module, cannot be exported"
        )
    return Bundle(kind, graph, test, files, apart, orbit, original, details)


def claims_of(test: SelfTest) -> dict[str, Any]:
    """What a certificate says of its self-test, as JSON holds it."""
    claims: dict[str, Any] = {
        "tolerance": test.tolerance,
        "orbit_tolerance": test.orbit_tolerance,
        "elements": 0 if test.elements is None else len(test.elements),
        "rows": test.rows,
    }
    if test.symmetry is not None:
        claims["symmetry"] = json.loads(
            json.dumps(to_plain(symmetry_to_dict(test.symmetry), allow_nonfinite=True))
        )
    return claims


def digest(path: Path) -> str:
    """The SHA-256 of a file, hexadecimal.

    Raises:
        FileNotFoundError: no such file.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_certificate(path: Path) -> Mapping[str, Any]:
    """What a certificate says.

    Raises:
        FileNotFoundError: no such file.
        CheckpointError: it is damaged, of another version, or names files elsewhere.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ArgumentError("format", content["format"], f"{FORMAT}")
        for part in ("model", "self_test"):
            name, known = content[part]["file"], content[part]["sha256"]
            if Path(name).name != name or not isinstance(known, str):
                raise ArgumentError("file", name, "the name of a file beside the certificate")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged, or of another version: {error}") from error
    return content  # type: ignore[no-any-return]
