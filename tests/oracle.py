"""The independent oracle: what *Restart & Run All* shows.

The oracle runs a notebook from top to bottom in one fresh kernel with nbclient, and knows nothing of steps,
caches or artifacts. A pipeline is right when every cell of its executed notebook shows the same::

    truth = run_all(document, cwd=tmp_path)
    assert_same_outputs(executed_document, truth)
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from traitlets.config import Config

Notebook = Mapping[str, Any]

_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")
_KERNEL_FOLDER = re.compile(r"ipykernel_\d+")  # in the file names of warnings and tracebacks: the process id


@dataclass(frozen=True, slots=True)
class CellText:
    """What one code cell shows, as text.

    Attributes
    ----------
    index
        Position in the notebook, counted without cells that papermill injected.
    source
        The code of the cell.
    stdout, stderr
        Everything written to the stream, in one piece.
    displays
        Results and displays in order, each as its output type, MIME types and ``text/plain``.
    error
        ``"ValueError: no such month"``, or None.
    """

    index: int
    source: str
    stdout: str = ""
    stderr: str = ""
    displays: tuple[str, ...] = ()
    error: str | None = None

    def lines(self) -> list[str]:
        """For people, and for a diff."""
        parts = [("source", self.source), ("stdout", self.stdout), ("stderr", self.stderr)]
        parts += [("shows", display) for display in self.displays]
        parts += [("error", self.error)] if self.error is not None else []
        return [f"{name}: {line}" for name, text in parts for line in text.splitlines()]


def run_all(
    notebook: Notebook | Path,
    cwd: Path,
    *,
    parameters: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    kernel_name: str = "python3",
    timeout_seconds: float = 300,
) -> list[CellText]:
    """What each code cell shows after *Restart & Run All* in the folder `cwd`.

    A cell that raises ends the run, as it does in Jupyter: the cells after it show nothing. The given
    notebook is not changed.

    Parameters
    ----------
    parameters
        Values that replace those of the parameters cell, set where papermill sets them: right after it.
    env
        Environment variables to add for the kernel.
    """
    document = deepcopy(_read(notebook))
    for cell in document["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    if parameters:
        _inject(document, parameters)
    executed = nbformat.reads(json.dumps(document), as_version=4)  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory() as sockets:
        # Not over ports: between the choice of one and its use, another process may take it.
        connection = {"transport": "ipc", "ip": f"{sockets}/kernel"}
        client = NotebookClient(
            executed,
            timeout=timeout_seconds,
            kernel_name=kernel_name,
            resources={"metadata": {"path": str(cwd)}},
            config=Config({"KernelManager": connection}),
        )
        with contextlib.suppress(CellExecutionError):  # the error is an output of its cell
            client.execute(env={**os.environ, **(env or {})})
    return cell_texts(executed)


def cell_texts(notebook: Notebook | Path) -> list[CellText]:
    """What each code cell of an executed notebook shows, with memory addresses and process ids evened out."""
    cells = [cell for cell in _read(notebook)["cells"] if "injected-parameters" not in _tags(cell)]
    return [_cell_text(index, cell) for index, cell in enumerate(cells) if cell["cell_type"] == "code"]


def assert_same_outputs(
    executed: Notebook | Path | Sequence[CellText], oracle: Notebook | Path | Sequence[CellText]
) -> None:
    """Fail with a readable difference unless every code cell shows what the oracle saw."""
    shown, truth = _texts(executed), _texts(oracle)
    differences = []
    for index in sorted({text.index for text in (*shown, *truth)}):
        got = next((text for text in shown if text.index == index), None)
        expected = next((text for text in truth if text.index == index), None)
        if got != expected:
            diff = difflib.unified_diff(
                expected.lines() if expected else [],
                got.lines() if got else [],
                "Run All" if expected else "no such code cell in Run All",
                "executed" if got else "no such code cell in the executed notebook",
                n=2,
                lineterm="",
            )
            differences.append(f"cell {index} differs from Run All\n" + "\n".join(diff))
    assert not differences, "\n\n".join(differences)


def _texts(notebook: Notebook | Path | Sequence[CellText]) -> Sequence[CellText]:
    return cell_texts(notebook) if isinstance(notebook, (Mapping, Path)) else notebook


def _read(notebook: Notebook | Path) -> dict[str, Any]:
    if isinstance(notebook, Path):
        return dict(json.loads(notebook.read_text(encoding="utf-8")))
    return dict(notebook)


def _inject(document: dict[str, Any], parameters: Mapping[str, Any]) -> None:
    position = next(
        (
            index + 1
            for index, cell in enumerate(document["cells"])
            if {"parameters", "pipeline-parameters"} & set(_tags(cell))
        ),
        0,
    )
    injected: dict[str, Any] = {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {"tags": ["injected-parameters"]},
        "outputs": [],
        "source": "\n".join(f"{name} = {value!r}" for name, value in parameters.items()),
    }
    if (document["nbformat"], document["nbformat_minor"]) >= (4, 5):
        injected["id"] = "injected-parameters"
    document["cells"] = [*document["cells"][:position], injected, *document["cells"][position:]]


def _tags(cell: Mapping[str, Any]) -> list[str]:
    return list(cell.get("metadata", {}).get("tags", []))


def _cell_text(index: int, cell: Mapping[str, Any]) -> CellText:
    streams = {"stdout": "", "stderr": ""}
    displays = []
    error = None
    for output in cell["outputs"]:
        match output["output_type"]:
            case "stream":
                streams[output["name"]] += _joined(output["text"])
            case "error":
                error = _even(f"{output['ename']}: {output['evalue']}")
            case kind:
                text = _even(_joined(output["data"].get("text/plain", "")))
                displays.append(f"{kind} ({', '.join(sorted(output['data']))})\n{text}")
    return CellText(
        index,
        _joined(cell["source"]),
        _even(streams["stdout"]),
        _even(streams["stderr"]),
        tuple(displays),
        error,
    )


def _joined(text: str | list[str]) -> str:
    """A multiline string of nbformat: in files a list of lines, in memory a string."""
    return text if isinstance(text, str) else "".join(text)


def _even(text: str) -> str:
    return _KERNEL_FOLDER.sub("ipykernel", _ADDRESS.sub("at 0x…", text))
