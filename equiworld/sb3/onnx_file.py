"""A policy that is an ONNX file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.errors import ArgumentError, CheckpointError
from equiworld.extras import optional
from equiworld.files import write_atomically

__all__ = ["OnnxPolicy", "is_onnx_file"]

_DTYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}


def is_onnx_file(policy: Any) -> bool:
    """Whether it is the path of an ONNX file."""
    return isinstance(policy, str | os.PathLike) and Path(policy).suffix.lower() == ".onnx"


class OnnxPolicy:
    """An ONNX file as a policy without memory, run by onnxruntime on the CPU.

    Its one input is the whole observation `(B, size)`; of several each is the key of its name. Its first output, or the
    one called "action", is the action `(B, size)`. A file that was exported for one row is asked row by row.

    Args:
        path: of the file.

    Raises:
        ArgumentError: onnxruntime is not installed; names the extra.
        FileNotFoundError: no such file.
        CheckpointError: it is no ONNX file, or one of inputs that are no floating numbers.

    >>> is_onnx_file("policy.onnx"), is_onnx_file("policy.zip")
    (True, False)
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.content = self.path.read_bytes()
        self._open()

    @staticmethod
    def of(content: bytes, path: str | os.PathLike[str] = "policy.onnx") -> OnnxPolicy:
        """What a file would be that has not been written yet."""
        made = OnnxPolicy.__new__(OnnxPolicy)
        made.__setstate__({"path": Path(path), "content": content})
        return made

    def _open(self) -> None:
        runtime = optional("onnxruntime", "onnx")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = (
            1  # bits do not depend on the machine's cores
        )
        options.log_severity_level = 3
        try:
            session = runtime.InferenceSession(self.content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # of several kinds, none of which is public
            raise CheckpointError(f"{self.path} is no ONNX file that can be run: {error}") from error
        self._session = session
        self.inputs = {each.name: each.type for each in session.get_inputs()}
        unknown = [f"{name}: {kind}" for name, kind in self.inputs.items() if kind not in _DTYPES]
        if unknown or not self.inputs:
            raise CheckpointError(f"{self.path} takes {unknown or 'nothing'}; expected floating numbers")
        self.outputs = [each.name for each in session.get_outputs()]
        first = session.get_inputs()[0].shape
        self._single = bool(first) and first[0] == 1

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "content": self.content}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._open()

    @property
    def dtype(self) -> np.dtype:
        """Of its first input."""
        return np.dtype(_DTYPES[next(iter(self.inputs.values()))])

    def run(self, observation: Any) -> dict[str, NDArray[Any]]:
        """All outputs by name, of a batch of observations.

        Raises:
            ArgumentError: a key that the file takes is not observed.
        """
        given = observation if isinstance(observation, Mapping) else {next(iter(self.inputs)): observation}
        missing = [name for name in self.inputs if name not in given]
        if missing or (not isinstance(observation, Mapping) and len(self.inputs) > 1):
            raise ArgumentError("observation", list(given), "the inputs of the file", self.inputs)
        feed = {name: np.ascontiguousarray(given[name], _DTYPES[kind]) for name, kind in self.inputs.items()}
        if not self._single:
            return dict(zip(self.outputs, self._session.run(None, feed), strict=True))
        count = len(next(iter(feed.values())))
        rows = [
            self._session.run(None, {name: each[row : row + 1] for name, each in feed.items()})
            for row in range(count)
        ]
        return {name: np.concatenate([row[index] for row in rows]) for index, name in enumerate(self.outputs)}

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> tuple[NDArray[np.floating], None]:
        """The action `(size,)` or actions `(B, size)`; state comes back as None."""
        some = next(iter(observation.values())) if isinstance(observation, Mapping) else observation
        batched = np.ndim(some) > 1
        if not batched:
            observation = (
                {name: np.asarray(value)[None] for name, value in observation.items()}
                if isinstance(observation, Mapping)
                else np.asarray(observation)[None]
            )
        found = self.run(observation)
        actions = found["action" if "action" in found else self.outputs[0]]
        return (actions if batched else actions[0]), None

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a copy of the file, called `.onnx`."""
        return write_atomically(Path(path).with_suffix(".onnx"), lambda file: file.write(self.content))

    @staticmethod
    def load(path: str | os.PathLike[str]) -> OnnxPolicy:
        """Read what `save` wrote."""
        return OnnxPolicy(Path(path).with_suffix(".onnx"))
