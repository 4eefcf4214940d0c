"""What a cell shows in the live kernel: kept as a notebook keeps it while it is shown, and shown again."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jupyterlab_pipelines.notebook.outputs import SHOWING, Outputs

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


class Recording:
    """Keeps what is shown, from `start` to `stop`."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell: Any = shell
        self.outputs = Outputs()
        self._undo: list[Any] = []

    def start(self) -> None:
        kernel = getattr(self._shell, "kernel", None)
        if kernel is not None:
            self._tap_messages(kernel.session)
        else:
            self._tap_terminal()

    def stop(self) -> list[dict[str, Any]]:
        """What was shown, as outputs of a notebook's cell."""
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()
        return self.outputs.outputs

    def _tap_messages(self, session: Any) -> None:
        """In a kernel everything that is shown is a message; streams are sent from a thread."""
        send = session.send

        def tell(stream: Any, msg_or_type: Any, *arguments: Any, **options: Any) -> Any:
            if isinstance(msg_or_type, Mapping) and msg_or_type["msg_type"] in SHOWING:
                self.outputs.add(msg_or_type["msg_type"], copy.deepcopy(msg_or_type["content"]))
            return send(stream, msg_or_type, *arguments, **options)

        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        session.send = tell
        self._undo.append(lambda: setattr(session, "send", send))

    def _tap_terminal(self) -> None:
        """A terminal shows the text of what a notebook would show whole."""
        shell = self._shell
        formatter = shell.display_formatter
        active = formatter.active_types
        formatter.active_types = formatter.format_types
        self._undo.append(lambda: setattr(formatter, "active_types", active))
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            setattr(
                sys,
                name,
                _Tee(
                    stream, lambda text, name=name: self.outputs.add("stream", {"name": name, "text": text})
                ),
            )
            self._undo.append(lambda name=name, stream=stream: setattr(sys, name, stream))
        publish = shell.display_pub.publish
        write = shell.displayhook.write_format_data

        def tell(data: Any, metadata: Any = None, **options: Any) -> Any:
            kind = "update_display_data" if options.get("update") else "display_data"
            content = {
                "data": dict(data),
                "metadata": metadata or {},
                "transient": options.get("transient") or {},
            }
            self.outputs.add(kind, content)
            with _untold(self.outputs):
                return publish(data, metadata, **options)

        def tell_result(data: Any, metadata: Any = None) -> Any:
            content = {
                "data": dict(data),
                "metadata": metadata or {},
                "execution_count": shell.execution_count,
            }
            self.outputs.add("execute_result", content)
            with _untold(self.outputs):
                return write(data, metadata)

        prompt = shell.displayhook.write_output_prompt

        def write_prompt() -> None:
            with _untold(self.outputs):
                prompt()

        shell.displayhook.write_output_prompt = write_prompt
        self._undo.append(lambda: setattr(shell.displayhook, "write_output_prompt", prompt))
        shell.display_pub.publish = tell
        shell.displayhook.write_format_data = tell_result
        self._undo.append(lambda: setattr(shell.display_pub, "publish", publish))
        self._undo.append(lambda: setattr(shell.displayhook, "write_format_data", write))


@contextmanager
def _untold(outputs: Outputs) -> Iterator[None]:
    """What is printed within it is the text of something that was told."""
    outputs.is_deaf = True
    try:
        yield
    finally:
        outputs.is_deaf = False


class _Tee:
    """A stream that tells what is written to it."""

    def __init__(self, stream: Any, tell: Any) -> None:
        self._stream = stream
        self._tell = tell

    def write(self, text: str) -> Any:
        self._tell(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def replay(shell: Any, outputs: list[dict[str, Any]]) -> None:
    """Show outputs of a notebook's cell again."""
    kernel = getattr(shell, "kernel", None)
    for output in outputs:
        if output["output_type"] == "stream":
            stream = sys.stderr if output["name"] == "stderr" else sys.stdout
            stream.write(_joined(output["text"]))
            stream.flush()
            continue
        # In a file, long texts are lists of lines.
        data = {
            kind: each if kind.endswith("json") else _joined(each) for kind, each in output["data"].items()
        }
        metadata = output.get("metadata") or {}
        if output["output_type"] == "display_data":
            shell.display_pub.publish(data, metadata)
        elif kernel is None:
            shell.displayhook.write_output_prompt()
            shell.displayhook.write_format_data(data, metadata)
        else:
            content = {"data": data, "metadata": metadata, "execution_count": shell.execution_count}
            hook = shell.displayhook
            kernel.session.send(
                hook.pub_socket, "execute_result", content, hook.parent_header, ident=hook.topic
            )


def _joined(text: Any) -> Any:
    return "".join(text) if isinstance(text, list) else text
