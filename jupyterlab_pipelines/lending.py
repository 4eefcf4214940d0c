"""Processes that are lent: whoever keeps them has them ready, and takes them back for the next one.

A run that was forked from a warm process (`runner_host`) borrows from it what takes long to start: processes
that kernels are forked from, and one that measures tables. Elsewhere nobody lends, and everything is started
when it is needed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

MOST_BYTES = 1 << 16
"""Of one wish or answer."""

SECONDS_TO_ANSWER = 5.0

Wish = Sequence[Any]
"""What is to be lent, as JSON has it; its first word says what kind of thing."""


class Lent:
    """A process that is lent: its standard input and output.

    Parameters
    ----------
    stdin, stdout
        Open files, which this object closes.
    give_back
        Tells the keeper that the next one may have the process.
    """

    def __init__(self, pid: int, stdin: int, stdout: int, give_back: Callable[[], None]) -> None:
        self.pid = pid
        self.stdin = os.fdopen(stdin, "wb")
        self.stdout = os.fdopen(stdout, "rb")
        self._give_back = give_back

    def kill(self) -> None:
        """End the process: nobody can have it any more."""
        with contextlib.suppress(OSError):  # it has ended
            os.kill(self.pid, signal.SIGKILL)

    def close(self, *, is_idle: bool) -> None:
        """Give the process back if it is as it was; else it ends."""
        if not is_idle:
            self.kill()
        with contextlib.suppress(OSError):  # it has ended
            self.stdin.close()
        self.stdout.close()
        if is_idle:
            self._give_back()


class Lends(Protocol):
    """Who may have something to lend."""

    def borrow(self, wish: Wish) -> Lent | None: ...


class Lender:
    """Borrows from the process at the other end of a socket. Its methods may be called by any thread."""

    def __init__(self, keeper: socket.socket) -> None:
        keeper.settimeout(SECONDS_TO_ANSWER)
        self._keeper = keeper
        self._one_at_a_time = threading.Lock()

    def borrow(self, wish: Wish) -> Lent | None:
        """What is wanted; None if the keeper has none left, or is no more."""
        with self._one_at_a_time:
            try:
                self._keeper.send(json.dumps({"borrow": wish}).encode())
                message, files, _, _ = socket.recv_fds(self._keeper, MOST_BYTES, 2)
            except OSError:  # what it answers late would be taken for the next answer
                self._keeper.close()
                return None
        if len(files) != 2:
            return None
        pid: int = json.loads(message)["pid"]
        stdin, stdout = files
        return Lent(pid, stdin, stdout, lambda: self._give_back(pid))

    def _give_back(self, pid: int) -> None:
        with self._one_at_a_time, contextlib.suppress(OSError):
            self._keeper.send(json.dumps({"back": pid}).encode())


class Wishes:
    """Lends nothing, and remembers what was wanted.

    Attributes
    ----------
    noted
        Each wish once.
    """

    def __init__(self) -> None:
        self.noted: list[Wish] = []

    def borrow(self, wish: Wish) -> None:
        if wish not in self.noted:
            self.noted.append(wish)


lender: Lends | None = None
"""Whom this process borrows from."""


def borrow(wish: Wish) -> Lent | None:
    """What is wanted, if somebody lends it."""
    return None if lender is None else lender.borrow(wish)
