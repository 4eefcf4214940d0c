"""What notebooks do by ``!command`` and a few magics."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def shell(command: str, *, program: str | None = None) -> None:
    """Run a command and show what it prints. As in a notebook, a command that fails is no error.

    Parameters
    ----------
    program
        What reads the command instead of the system's shell.
    """
    sys.stdout.flush()
    ended = subprocess.run(
        [program, "-c", command] if program else command,
        shell=program is None,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    print(ended.stdout, end="")
    if program and ended.returncode:
        raise subprocess.CalledProcessError(ended.returncode, command)


def shell_lines(command: str) -> list[str]:
    """The lines that a command prints."""
    ended = subprocess.run(
        command,
        shell=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return ended.stdout.splitlines()


def write_file(path: str, text: str, *, append: bool = False) -> None:
    """Write a text file, or add to it."""
    with Path(path).expanduser().open("a" if append else "w", encoding="utf-8") as file:
        file.write(text)


def set_variable(name: str, value: str) -> None:
    """Set an environment variable of this process."""
    os.environ[name] = value


def change_folder(path: str) -> None:
    """Make another folder the current one."""
    os.chdir(os.path.expanduser(path))


def current_folder() -> str:
    """The current folder of this process."""
    return os.getcwd()
