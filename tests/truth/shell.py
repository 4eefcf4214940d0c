"""IPython's shell as a kernel has it, in a process that is forked for every notebook or step."""

from __future__ import annotations

import sys
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

Output = dict[str, Any]

_outputs: list[Output] = []


class _Results(DisplayHook):  # type: ignore[misc]
    """What the last expression of a cell shows."""

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: dict[str, Any], md_dict: Any = None) -> None:
        _outputs.append({"output_type": "execute_result", "data": dict(format_dict), "metadata": {}})

    def finish_displayhook(self) -> None:
        pass


class _Displays(DisplayPublisher):  # type: ignore[misc]
    """What a cell shows by `display`."""

    def publish(self, data: dict[str, Any], *_: Any, **__: Any) -> None:
        _outputs.append({"output_type": "display_data", "data": dict(data), "metadata": {}})


class _Shell(InteractiveShell):  # type: ignore[misc]
    displayhook_class = _Results
    display_pub_class = _Displays


def start() -> InteractiveShell:
    """The shell of this process, whose namespace is that of ``__main__``."""
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "NoColor"
    shell = _Shell.instance(config=config)
    sys.modules["__main__"] = shell.user_module
    return shell


def run_cell(source: str) -> tuple[list[Output], BaseException | None]:
    """The outputs of one cell, and what it raised."""
    _outputs.clear()
    with capture_output(display=False) as captured:
        result = InteractiveShell.instance().run_cell(source, store_history=True)
    streams = [
        {"output_type": "stream", "name": name, "text": text}
        for name, text in (("stdout", captured.stdout), ("stderr", captured.stderr))
        if text
    ]
    return [*streams, *_outputs], result.error_before_exec or result.error_in_exec
