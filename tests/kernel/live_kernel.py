"""A real kernel, to which cells are sent one by one, as a front end does."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.manager import start_new_kernel

ROOT = Path(__file__).parents[2]
LOAD = "%load_ext jupyterlab_pipelines"
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Answer:
    """What a cell has shown."""

    stdout: str = ""
    stderr: str = ""
    shown: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None
    traceback: str = ""

    @property
    def text(self) -> str:
        """The text of what was shown last."""
        return "".join(self.shown[-1]["text/plain"]) if self.shown else ""


class LiveKernel:
    """Executes cells."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def run(self, source: str, cell_id: str | None = None) -> Answer:
        """Execute a cell; `cell_id`: the front end says which of the notebook's it is."""
        answer = Answer()
        make = self._client.session.msg

        def message(*arguments: Any, **options: Any) -> dict[str, Any]:
            made: dict[str, Any] = make(*arguments, **options)
            if cell_id is not None and made["msg_type"] == "execute_request":
                made["metadata"]["cellId"] = cell_id
            return made

        def take(message: dict[str, Any]) -> None:
            content = message["content"]
            match message["msg_type"]:
                case "stream":
                    was = getattr(answer, content["name"])
                    setattr(answer, content["name"], was + content["text"])
                case "display_data" | "execute_result" | "update_display_data":
                    answer.shown.append(content["data"])
                case "error":
                    answer.error = f"{content['ename']}: {content['evalue']}"
                    answer.traceback = ANSI.sub("", "\n".join(content["traceback"]))

        self._client.session.msg = message
        try:
            self._client.execute_interactive(source, timeout=120, output_hook=take)
        finally:
            self._client.session.msg = make
        return answer

    def all(self, *sources: str) -> list[Answer]:
        return [self.run(source) for source in sources]

    def status(self) -> dict[str, str]:
        """By step, what became of it: ``stored``, ``reused``, ``not stored``."""
        lines = self.run("%pipeline status").stdout.splitlines()[1:]
        told = (line.strip().split(": ", 1) for line in lines)
        return {name: re.split(r"[,:]", what)[0] for name, what in told}

    def complete(self, line: str) -> list[str]:
        reply = self._client.complete(line, reply=True, timeout=30)
        matches: list[str] = reply["content"]["matches"]
        return matches


@contextmanager
def live_kernel(folder: Path, notebook: Path | None = None, **environment: str) -> Iterator[LiveKernel]:
    """A kernel in `folder`, which is a project; `notebook`: the server says that it belongs to this one."""
    (folder / "pyproject.toml").touch()
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    variables.pop("JPY_SESSION_NAME", None)
    if notebook is not None:
        variables["JPY_SESSION_NAME"] = str(notebook)
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder), env=variables)
    try:
        yield LiveKernel(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
