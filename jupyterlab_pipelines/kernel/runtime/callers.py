"""Who asks: the step, a library that it uses, or the machinery around it.

The same question, what a variable holds or what time it is, means something when the step asks it, and nothing
when Python or Jupyter does for its own ends. The stack tells.
"""

from __future__ import annotations

import enum
import os
import site
import sys
import sysconfig
from types import FrameType


class Caller(enum.Enum):
    STEP = "step"
    """The notebook's cells, and modules that are no installed packages."""
    LIBRARY = "library"
    PYTHON = "python"
    """A part of the standard library, for its own needs."""
    MACHINERY = "machinery"
    """Jupyter's, and ours."""
    HANDS_ON = "hands on"
    """It asks for its own caller: `os`, `collections`, …"""


PYTHONS = frozenset(
    {
        *("_colorize", "_osx_support", "_pyrepl", "_sysconfigdata", "argparse", "asyncio", "code", "codeop"),
        *("ctypes", "curses", "ensurepip", "gettext", "http", "idlelib", "importlib", "linecache", "locale"),
        *(
            "logging",
            "mimetypes",
            "multiprocessing",
            "optparse",
            "pdb",
            "platform",
            "pkgutil",
            "pty",
            "pydoc",
        ),
        *("random", "readline", "runpy", "secrets", "selectors", "shutil", "site", "socket", "socketserver"),
        *("ssl", "subprocess", "sysconfig", "tempfile", "traceback", "unittest", "urllib", "uuid", "venv"),
        *("warnings", "webbrowser", "xmlrpc", "zoneinfo"),
    }
)
"""Parts of the standard library that ask for their own needs."""

JUPYTERS = frozenset(
    {
        *("IPython", "ipykernel", "ipython_genutils", "traitlets", "jupyter_client", "jupyter_core", "comm"),
        *(
            "zmq",
            "tornado",
            "debugpy",
            "jedi",
            "parso",
            "matplotlib_inline",
            "psutil",
            "pexpect",
            "ptyprocess",
        ),
        *("cloudpickle", "joblib", "loky", "threadpoolctl", "platformdirs", "pygments", "_pytest", "pluggy"),
        *("ipywidgets", "pip", "setuptools", "_distutils_hack", "pkg_resources", "execnet", "nest_asyncio"),
    }
)

ENV_MAGIC = "<%env>"
"""In place of the magic's own file: its words are the step's."""

_TOLD = frozenset(
    os.path.join(os.path.dirname(__file__), f"{name}.py")
    for name in ("__init__", "callers", "doubts", "files", "variables")
)
_OURS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "")


def _folders(*kinds: str) -> tuple[str, ...]:
    found = {sysconfig.get_path(kind) for kind in kinds}
    return tuple({os.path.join(each, "") for path in found for each in (path, os.path.realpath(path))})


STANDARD_LIBRARY = _folders("stdlib", "platstdlib")
_INSTALLED = tuple(
    {
        *_folders("purelib", "platlib"),
        *(
            os.path.join(entry, "")
            for entry in sys.path
            if entry.endswith(("site-packages", "dist-packages"))
        ),
        os.path.join(site.getusersitepackages(), ""),
    }
)
_PACKAGES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_kinds: dict[str, Caller] = {}


def frame_that_asks() -> FrameType | None:
    """The frame above those who were told that somebody asks."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename in _TOLD:
        frame = frame.f_back
    return frame


def asker(*, through_python: bool = False) -> tuple[Caller, FrameType | None]:
    """Who asks, and its frame, above those who were told of it.

    `through_python`: who asks by way of the standard library asks for itself.
    """
    frame = frame_that_asks()
    while frame is not None:
        kind = kind_of(_place(frame))
        if kind is not Caller.HANDS_ON and not (through_python and kind is Caller.PYTHON):
            return kind, frame
        frame = frame.f_back
    return Caller.STEP, None


def kind_of(place: str) -> Caller:
    """Whose a file of code is."""
    kind = _kinds.get(place)
    if kind is None:
        kind = _kinds[place] = _kind_of(place)
    return kind


def _place(frame: FrameType) -> str:
    name = frame.f_code.co_filename
    if frame.f_code.co_name == "env" and name.endswith("osm.py"):
        return ENV_MAGIC
    return name


def _kind_of(place: str) -> Caller:
    if place == ENV_MAGIC or place.startswith("<ipython-input"):
        return Caller.STEP
    if place.startswith(_OURS):
        return Caller.MACHINERY
    if place.startswith("<"):
        name = place.removeprefix("<frozen ").rstrip(">").partition(".")[0]
        return Caller.PYTHON if name in PYTHONS or "importlib" in name else Caller.HANDS_ON
    added_later = (f"{place.rpartition(part)[0]}{part}" for part in _PACKAGES if part in place)
    for folder in (*_INSTALLED, *added_later):
        if place.startswith(folder):
            package = _first_part(place[len(folder) :])
            return Caller.MACHINERY if package in JUPYTERS else Caller.LIBRARY
    for folder in STANDARD_LIBRARY:
        if place.startswith(folder):
            name = _first_part(place[len(folder) :])
            return Caller.PYTHON if name in PYTHONS else Caller.HANDS_ON
    return Caller.STEP


def _first_part(path: str) -> str:
    return path.split(os.sep, 1)[0].removesuffix(".py")
