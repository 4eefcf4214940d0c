"""Environment variables: what a step saw of them, and whether that still holds.

A step's trace keeps of the variables that it read::

    {"REGION": digest, "DEBUG": null, "*": true}

``null`` stands for a variable that was not set. ``*`` is there if somebody went through the whole environment,
so that a new variable counts: true if the step did, false if only a library did. ``DASK_*`` is there if a library
did, in search of variables that begin so. Values may be secrets. They are
kept nowhere; their digests are made with a secret of the store's.

Standard library only; used in kernels and by the planner.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from hashlib import blake2b

ALL = "*"
"""In a trace, after the beginning of names: all variables that begin so were looked at."""
DIGEST_BYTES = 16

OF_THE_SESSION = re.compile(
    r"_|PWD|OLDPWD|SHLVL|TERM\w*|COLORTERM|LS_COLORS|COLUMNS|LINES|DISPLAY|WAYLAND_DISPLAY|WINDOWID|TTY|STY"
    r"|PAGER|GIT_PAGER|LESS\w*|NO_COLOR|FORCE_COLOR|CLICOLOR\w*|PS[1-4]|HIST\w+|INVOCATION_ID|JOURNAL_STREAM"
    r"|MAIL|MANAGERPID|GPG_\w+|DBUS_\w+|SSH_\w+|TMUX\w*|XDG_(SESSION|SEAT|VTNR|RUNTIME)\w*|DESKTOP_SESSION"
    r"|VTE_VERSION|ITERM_\w+|VSCODE_\w+|PYCHARM_\w+|PYTEST_\w+|JPY_\w+|JUPYTER\w*|KERNEL_\w+|MPLBACKEND"
    r"|SESSION_MANAGER|XAUTHORITY|XMODIFIERS|(GTK|QT|GDM|GNOME|KDE|WSL|XPC|BASH|ZSH|STARSHIP)\w*|_\w+"
    r"|KMP_\w+|OMP_WAIT_POLICY|OPENBLAS_THREAD_TIMEOUT|PYTHONPATH|PYTHONHASHSEED|PYDEVD_\w+|SYSTEMD_\w+|SECURITYSESSIONID"
)
"""Variables that differ from one session to the next, and on which no result should depend."""

OF_THE_PLACE = re.compile(
    r"PATH|PATHEXT|HOME|HOMEDRIVE|HOMEPATH|USERPROFILE|USER|USERNAME|LOGNAME|SHELL|HOSTNAME|TMPDIR|TMP|TEMP"
    r"|LANG|LANGUAGE|LC_\w+|XDG_\w+|APPDATA|LOCALAPPDATA|PROGRAMDATA|SYSTEMROOT|WINDIR|VIRTUAL_ENV\w*|CONDA_\w+"
    r"|MPLCONFIGDIR|IPYTHONDIR|PYTHON[A-Z]*|\w+_NUM_THREADS|\w+_MAX_THREADS|LD_LIBRARY_PATH|EDITOR|VISUAL|BROWSER"
)
"""Variables that libraries ask for where to keep their own things, and for how many threads to start."""


def variable_digest(name: str, value: str, secret: bytes) -> str:
    """What a trace keeps of a value."""
    text = f"{name}={value}".encode("utf-8", "surrogateescape")
    return blake2b(text, digest_size=DIGEST_BYTES, key=secret, person=b"variable").hexdigest()


def changed_variables(
    trace: Mapping[str, str | bool | None], environment: Mapping[str, str], secret: bytes
) -> Iterator[tuple[str, str]]:
    """Variables that are not as a step saw them, each with ``changed``, ``was set`` or ``was removed``.

    Parameters
    ----------
    environment
        What the step's kernel would be given now.
    """
    for name, seen in trace.items():
        if name.endswith(ALL):
            for new in sorted(environment.keys() - trace.keys()):
                if new.startswith(name[:-1]) and counts_among_all(new, by_step=bool(seen)):
                    yield new, "was set"
            continue
        value = environment.get(name)
        if value is None:
            if seen is not None:
                yield name, "was removed"
        elif seen is None:
            yield name, "was set"
        elif seen != variable_digest(name, value, secret):
            yield name, "changed"


def counts_among_all(name: str, *, by_step: bool) -> bool:
    """Whether a variable counts for who went through all of them."""
    return not OF_THE_SESSION.fullmatch(name) and (by_step or not OF_THE_PLACE.fullmatch(name))
