"""Other processes that a step starts, and the commands that it hands to them, as Python's audit events tell."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

STARTS_PROCESS = ("subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "os.system", "os.exec")
_BETWEEN_WORDS = re.compile(r"[\s'\"=(),;<>|&]+")
_BETWEEN_COMMANDS = re.compile(r"[;|&\n(]+")


def command_of(event: str, arguments: tuple[Any, ...]) -> list[str]:
    """The words of the command, or the one text that a shell is given."""
    command: Any = ()
    if event == "os.system":
        command = arguments[0]
    elif event in ("subprocess.Popen", "os.posix_spawn", "os.exec"):
        command = arguments[1]
    elif event == "os.forkpty":
        # IPython's `!`: who starts the shell knows the command.
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and not command:
            command = frame.f_locals.get("cmd", ()) if frame.f_code.co_name == "system" else ()
            frame = frame.f_back
    parts = [command] if isinstance(command, (str, bytes, os.PathLike)) else list(command)
    return [os.fsdecode(part) for part in parts]


def words_of(command: list[str]) -> Iterator[str]:
    """What may be paths in it."""
    for part in command:
        yield part
        yield from _BETWEEN_WORDS.split(part)


def programs_of(command: list[str]) -> Iterator[list[str]]:
    """The commands that a shell would make of it, each as its words, the program's plain name first."""
    texts = [" ".join(command)] if len(command) != 3 or command[1] != "-c" else [command[2]]
    for text in texts:
        for part in _BETWEEN_COMMANDS.split(text):
            words = part.split()
            while words and "=" in words[0]:  # a variable for the program
                words.pop(0)
            if words:
                yield [os.path.basename(words[0]), *words[1:]]


def children() -> Iterator[int]:
    """The processes that this one has started and has not yet asked how they ended, where Linux tells."""
    with suppress(OSError, AttributeError):  # another system, or there are none
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        for thread in os.listdir("/proc/self/task"):
            with suppress(OSError), open(f"/proc/self/task/{thread}/children") as listed:  # it may have ended
                yield from map(int, listed.read().split())


def command_line(process: int) -> bytes:
    """Its words, each before a null byte; nothing if it has ended, or where nobody tells."""
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes()
    return b""
