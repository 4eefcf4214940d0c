"""Commands at a terminal are carried out by a warm process, if an earlier one has left it behind (`runner_host`).

Somebody who sits at a terminal runs, edits, and runs again; most of what a run after an edit costs are imports
that the one before has done, too. So the first run leaves a host behind, and later ones are forks of it. To whoever
waits for the command nothing is different: it has the command's own environment, working directory, standard streams,
signals and exit status.

A host is found by its address, in which stands all that a process is born with: interpreter, path, versions,
environment, limits. Where any of it differs it is another address, and nobody listens there.

Standard library only, and little of it: a command that has nothing to do takes a tenth of a second.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import stat
import struct
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.errors import UsageError

VARIABLE = "JUPYTER_PIPELINES_WARM"
COMMANDS = frozenset({"run", "verify"})
"""Those that execute steps."""
SECONDS_TO_KEEP = 600.0
SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}

MOST_HOSTS = 2
"""Of one user, each for another environment; a third takes the place of the one that began first."""
MOST_BYTES = 1 << 18
SECONDS_TO_ANSWER = 1.0
SECONDS_TO_BEGIN = 10.0
HELLO, BEGUN = b"hello", b"begun"

OF_THE_WINDOW = re.compile(
    r"_|PWD|OLDPWD|SHLVL|COLUMNS|LINES|WINDOWID|TTY|STY|PS[1-4]|HIST\w+|SSH_\w+|TMUX\w*|GPG_\w+|VTE_VERSION"
    r"|INVOCATION_ID|JOURNAL_STREAM|(TERM|ITERM)_SESSION_ID|VSCODE_\w+|JUPYTER_PIPELINES_\w+"
)
"""Variables that no package asks for while it is imported."""


def is_wanted() -> bool:
    """Whether a command may be carried out by a host."""
    return sys.platform == "linux" and os.environ.get(VARIABLE) != "0"


def seconds_to_keep() -> float:
    """How long a host that is left behind is to wait for the next command; 0 if there is to be none.

    Raises
    ------
    UsageError
        The variable that says it says something else.
    """
    if not is_wanted():
        return 0.0
    said = os.environ.get(VARIABLE)
    if said is None:
        return SECONDS_TO_KEEP if _is_at_terminal() else 0.0
    match = re.fullmatch(r"(\d+)([smh])", said.strip())
    if match is None:
        raise UsageError(
            "usage", f"{VARIABLE} must be a number and s, m or h, such as 10m, or 0, not {said!r}."
        )
    return int(match[1]) * SECONDS[match[2]]


def _is_at_terminal() -> bool:
    """Whether somebody types commands, and goes on to: no script, no service."""
    return os.isatty(0) and (os.isatty(1) or os.isatty(2)) and "CI" not in os.environ


def carry_out(words: Sequence[str]) -> int | None:
    """Have a command carried out by a host; its exit status, None if there is none that could.

    Parameters
    ----------
    words
        The command.
    """
    order: dict[str, Any] = {
        "command": list(words),
        "argv": sys.argv,
        "path": sys.path,
        "umask": _umask(),
        "environment": dict(os.environ),
    }
    try:
        if not any(_folder_of_addresses().glob("*.host")):
            return None
        order["folder"] = os.getcwd()
        with _connected(address()) as host:
            host.settimeout(SECONDS_TO_ANSWER)
            if host.recv(MOST_BYTES) != HELLO:
                return None
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            socket.send_fds(host, [json.dumps(order).encode()], [1, 2])
            host.settimeout(SECONDS_TO_BEGIN)
            if host.recv(MOST_BYTES) != BEGUN:
                return None
            host.settimeout(None)
            return _wait_for_end(host)
    except OSError:
        return None  # nobody is there, or nobody who answers: what has not begun is given up by now


def _wait_for_end(host: socket.socket) -> int:
    passed_on: list[int] = []

    def pass_on(number: int, frame: Any) -> None:
        passed_on.append(number)
        with contextlib.suppress(OSError):
            host.send(json.dumps({"signal": number}).encode())

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, pass_on)
    try:
        message = host.recv(MOST_BYTES)
    except OSError:
        message = b""
    if message:
        status: int = json.loads(message)["status"]
        return status
    if passed_on:
        # It has ended as this process would have.
        signal.signal(passed_on[-1], signal.SIG_DFL)
        os.kill(os.getpid(), passed_on[-1])
    print("The process that ran the steps was killed.", file=sys.stderr)
    return 128 + signal.SIGKILL


def leave_host(wishes: Sequence[Sequence[Any]], seconds: float) -> None:
    """Leave a host behind that is ready for a command like this one.

    Parameters
    ----------
    wishes
        What this one would have borrowed.
    seconds
        How long the host waits for the next one.
    """
    import subprocess

    from jupyterlab_pipelines.environment import environment_with_us

    if not wishes:
        return
    with contextlib.suppress(OSError):  # then the next one begins as this one did
        _folder_of_addresses(make=True)
        subprocess.Popen(
            [
                *(sys.executable, *subprocess._args_from_interpreter_flags()),  # type: ignore[attr-defined]
                *("-m", "jupyterlab_pipelines.runner_host", "--at", str(address())),
                *("--seconds", str(seconds), "--prepare", json.dumps(wishes)),
            ],
            env=environment_with_us(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def address() -> Path:
    """Where a host for a process like this one listens.

    Raises
    ------
    OSError
        There is no folder for it that is this user's alone.
    """
    import resource

    limits = [
        resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT_")
    ]
    variables = sorted(each for each in os.environ.items() if not OF_THE_WINDOW.fullmatch(each[0]))
    born_with = [
        *(
            sys.executable,
            sys.version,
            str(sys.flags),
            str(sys.warnoptions),
            str(sys._xoptions),
            sys.path[1:],
        ),
        *(_changed(), limits, variables, sorted(os.getgroups()), os.nice(0), _control_group()),
    ]
    digest = hashlib.blake2b(json.dumps(born_with).encode(), digest_size=8)
    return _folder_of_addresses() / f"{digest.hexdigest()}.host"


def addresses() -> Iterator[tuple[Path, int]]:
    """The hosts of this user, the newest first: address and process id."""
    try:
        found = sorted(_folder_of_addresses().glob("*.host"), key=lambda each: -each.stat().st_mtime_ns)
    except OSError:
        return
    for each in found:
        with contextlib.suppress(OSError), _connected(each) as host:
            yield each, _peer(host)[0]


def end(at: Path) -> None:
    """Ask a host to end; what it carries out goes on."""
    with contextlib.suppress(OSError), _connected(at) as host:
        host.settimeout(SECONDS_TO_ANSWER)
        # Where its greeting was left unread, a connection that is closed takes with it what was said.
        if host.recv(MOST_BYTES) == HELLO:
            host.send(json.dumps({"end": True}).encode())


def remove(at: Path) -> None:
    """Remove what the host at an address has on disk."""
    at.unlink(missing_ok=True)
    lock_of(at).unlink(missing_ok=True)


def lock_of(at: Path) -> Path:
    """The file that the host at an address holds a lock on."""
    return at.with_suffix(".lock")


def user_of(peer: socket.socket) -> int:
    """The id of the user at the other end of a socket."""
    return _peer(peer)[1]


@contextlib.contextmanager
def _connected(at: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as host:
        host.connect(str(at))
        if user_of(host) != os.getuid():
            raise PermissionError(at)
        yield host


def _peer(other: socket.socket) -> tuple[int, int]:
    told = other.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, user, _ = struct.unpack("3i", told)
    return pid, user


def _folder_of_addresses(*, make: bool = False) -> Path:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.path.isdir(runtime):
        folder = Path(runtime) / "jupyter-pipelines"
    else:
        folder = Path(os.environ.get("TMPDIR") or "/tmp") / f"jupyter-pipelines-{os.getuid()}"
    if make:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(folder)
    return folder


def _changed() -> list[int]:
    """Another one after packages were installed, or this one was changed."""
    ours = Path(__file__).parent
    folders = [entry for entry in sys.path if os.path.basename(entry) in ("site-packages", "dist-packages")]
    times = [os.stat(folder).st_mtime_ns for folder in folders if os.path.isdir(folder)]
    files = (os.path.join(folder, name) for folder, _, names in os.walk(ours) for name in names)
    return [*times, max(os.stat(file).st_mtime_ns for file in files if file.endswith(".py"))]


def _control_group() -> str:
    try:
        return Path("/proc/self/cgroup").read_text()
    except OSError:
        return ""


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
