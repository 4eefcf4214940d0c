"""Which files a step reads and writes, seen by an audit hook of its kernel.

Python tells audit hooks of every file that it opens, whoever asks for it: `open`, pandas, numpy, zipfile;
and `os.stat` tells us who looks whether a file is there. What libraries in native code and other processes do
in the project's folders, and in those that the step names, Linux tells (see `opened`); where it does not, the
functions of well-known libraries do (see `native`). Besides, for a step whose code looks as if it used files,
files below the notebook's folder that changed meanwhile were written by it, and files that its code names were
read.

Files of installed packages, of the system, of caches and of our own store do not count; modules beside the
notebook do. The hook never raises, and does next to nothing for a file that it has seen.
"""

from __future__ import annotations

import functools
import gc
import glob
import importlib.util
import io
import os
import site
import stat
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from jupyterlab_pipelines.files import (
    ABSENT,
    MOST_NAMES,
    UNKNOWN,
    file_digest,
    identity,
    is_settled,
    listed,
    names_digest,
)
from jupyterlab_pipelines.kernel.runtime.callers import STANDARD_LIBRARY, Caller, asker, frame_that_asks
from jupyterlab_pipelines.kernel.runtime.commands import (
    STARTS_PROCESS,
    children,
    command_line,
    command_of,
    words_of,
)
from jupyterlab_pipelines.kernel.runtime.opened import OpenWatch, is_below

SYSTEM = ("/usr", "/lib", "/lib64", "/etc", "/proc", "/sys", "/dev", "/run", "/var/lib", "/var/cache")
IN_HOME = (".cache", ".config", ".matplotlib", ".fontconfig", ".ipython", ".jupyter", ".local/share/jupyter")
SAY_WHERE_CACHES_ARE = ("XDG_CACHE_HOME", "MPLCONFIGDIR", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR")
COMPILED = "__pycache__"
MOST_WATCHED = 5_000
"""Folders of which the system is asked to tell what is opened in them."""
MOST_WATCHED_OUTSIDE = 500
"""The same below one folder outside the project that the step names."""
CALLS_BETWEEN_LOOKS = 500
"""How many things Python may tell until the system's queue is looked at."""
CLOCK_TICK_NS = 20_000_000
"""How far the clock that dates files may be behind."""
NO_NAMES = ("", os.curdir, os.pardir)
MOST_SCANNED = 20_000
"""Files below the notebook's folder: of more, nobody looks which have changed."""
NEVER_SCANNED = frozenset({"node_modules", COMPILED, "site-packages"})
LISTED_BY_PYTHON = ("importlib", "pkgutil.py", "site.py")
"""Parts of the standard library that list folders in search of modules and packages."""


_stat = os.stat
"""As it is before `tell_of_files`."""


def _spellings(place: str) -> set[str]:
    return {os.path.abspath(place), os.path.realpath(place)}


# Found once, by the process that kernels are forked from.
_PLACES_OF_PYTHON = frozenset[str]().union(
    *map(_spellings, {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}),
    *(_spellings(sysconfig.get_path(kind)) for kind in ("stdlib", "platstdlib", "purelib", "platlib")),
    *map(_spellings, SYSTEM),
    _spellings(str(Path(__file__).parents[2])),
)


@dataclass(slots=True)
class _Read:
    """A file as it was when the step first opened it; `digest` is computed if the step may change the file."""

    status: os.stat_result
    is_settled: bool
    digest: str | None = None


class FileRecorder:
    """Notes what this process does to files, from now until `report`.

    Parameters
    ----------
    folder
        The notebook's, and so far the working directory.
    project
        Paths below it are told relative to `folder`, all others absolute.
    store
        Our own files.
    earlier
        Of the step before in the same kernel: what that has opened, this step may go on to write.
    """

    def __init__(self, folder: Path, project: Path, store: Path, earlier: FileRecorder | None = None) -> None:
        self.folder = os.path.realpath(folder)
        self.project = os.path.realpath(project)
        # Parts of the standard library; packages may be there only because they were imported ahead.
        loaded = sys.stdlib_module_names & sys.modules.keys()
        self._loaded_before: frozenset[str] = loaded if earlier is None else earlier._loaded_before
        self.reads: dict[str, _Read | None] = {}
        self.lists: dict[str, set[str] | None] = {}
        # By path, whether the file was there before the step's first change to it.
        self.writes: dict[str, bool] = {}
        self.appended: set[str] = set()
        # Of files that the step itself appends to, how large they were.
        self.sizes: dict[str, int] = {}
        self.databases: dict[str, str] = {}
        self.made: set[str] = set()
        self.scratch: set[str] = set()
        self._named: set[str] = set()
        self._before: dict[str, tuple[int, int, int]] | None = None
        if earlier is not None:
            earlier.close()
        opened = {} if earlier is None else {**earlier.opened_before, **earlier.writes}
        self.opened_before: dict[str, str] = {path: file_digest(path) for path in opened}
        self._is_on = True
        self._busy = threading.local()
        self._folders: dict[str, str] = {}
        # The same by how a folder was written, which stands for another one in another working directory.
        self._folders_as_said: dict[str, str] = {}
        self._folders_as_told: dict[str, str] = {}
        self._left_out = self._roots_left_out(store)
        self._temporary = os.path.join(os.path.realpath(tempfile.gettempdir()), "")
        self._pid = os.getpid()
        self._calls = 0
        # Folders that Python has just listed for its own ends.
        self._listed_by_python: set[str] = set()
        # Those that the step makes, moves or removes: what it looks for in them is its own.
        self._own_folders: set[str] = set()
        # Whether the step has started processes, and those that are kernels of other steps.
        self._has_children = False
        self._kernels: set[int] = set()
        self._sign = os.path.join(os.path.realpath(store), "secret")
        self._written_unseen: dict[str, bool] = {}
        self._watched: set[str] = set()
        self._opens: OpenWatch | None = None
        self._began_ns = time.time_ns()
        self._handlers: dict[str, Callable[..., None]] = {
            "open": self._open,
            "look": self._look,
            "os.listdir": self._list,
            "os.scandir": self._list,
            "sqlite3.connect": self._database,
            "os.remove": self._remove,
            "os.rename": self._rename,
            "os.truncate": lambda path, length: self._modify(path),
            "os.link": lambda source, target, *rest: self._write(target),
            "os.symlink": lambda source, target, *rest: self._write(target),
            "os.mkdir": lambda path, *rest: self._make(path),
            "tempfile.mkstemp": self._make_scratch,
            "tempfile.mkdtemp": self._make_scratch,
            "os.chdir": lambda path: self._folders_as_said.clear(),
            "shutil.rmtree": lambda path, *rest: self._remove_tree(path),
            **{event: functools.partial(self._start_process, event) for event in STARTS_PROCESS},
        }
        self._watch_project()

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """The audit hook."""
        handler = self._handlers.get(event)
        if handler is None or not self._is_on or getattr(self._busy, "now", False):
            return
        self._busy.now = True
        try:
            self._calls += 1
            if self._listed_by_python or self._calls % CALLS_BETWEEN_LOOKS == 0:
                self._look_at_opens()
            handler(*arguments)
        except Exception:  # whatever a path may be: the step goes on as if nobody looked
            pass
        finally:
            self._busy.now = False

    def expect(self, names: Iterable[str], *, writes: bool) -> None:
        """The step begins. `names`: text of it that may be paths of files that it reads unseen.

        `writes`: whether it may write files unseen.
        """
        self._busy.now = True
        for name in names:
            path = self._path(name)
            if path is None:
                continue
            self._read_named(path)
            self._watch_outside(path)
        self._look_at_opens()
        self._before = self._scan() if writes else None
        self._look_at_opens(without_lists=True)
        self._busy.now = False

    def so_far(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, bool]]:
        """Files read, folders listed and files written up to now."""
        self._busy.now = True
        with suppress(Exception):
            self._look_at_opens()
        self._busy.now = False
        return dict(self.reads), dict(self.lists), dict(self.writes)

    def watch(self, name: str) -> None:
        """Somebody may soon open what lies at this path, or in it."""
        if not getattr(self._busy, "now", False) and os.path.isabs(name):
            self._busy.now = True
            with suppress(Exception):
                path = self._path(name)
                if path is not None:
                    self._watch_outside(path)
            self._busy.now = False

    # -- what the system tells ------------------------------------------------------------------

    @property
    def is_told_by_system(self) -> bool:
        """Whether what native code opens is seen."""
        return self._opens is not None

    def _watch_project(self) -> None:
        try:
            opens = OpenWatch()
            can_tell = opens.mark(self.folder)
        except (OSError, AttributeError):  # the system cannot, or its library does not know how
            return
        if not can_tell:
            opens.close()
            return
        self._opens = opens
        self._watched.add(self.folder)
        self._opens.mark(os.path.dirname(self._sign))
        for folder in folders_below(self.project, self._left_out, MOST_WATCHED):
            self._mark(folder)
        self._show_sign()
        for _ in self._opens.events():  # our own doing
            pass
        self._began_ns = time.time_ns()

    def close(self) -> None:
        """The system need tell no more. It takes a while to forget, so a kernel leaves that to its end."""
        if self._opens is not None:
            self._opens.close()
            self._opens = None

    def _mark(self, folder: str) -> None:
        if self._opens is not None and folder not in self._watched:
            self._watched.add(folder)
            self._opens.mark(folder)

    def _watch_outside(self, path: str) -> None:
        """A folder outside the project, and those in it, or that in which a file lies."""
        if self._opens is None or path in self._watched:
            return
        if not os.path.isdir(path):
            folder = os.path.dirname(path)
            if folder not in self._watched and os.path.isdir(folder) and self._path(folder):
                self._mark(folder)
        elif path in (os.path.dirname(self._temporary), os.path.expanduser("~"), os.path.dirname(path)):
            self._mark(path)
        else:
            for folder in folders_below(path, self._left_out, MOST_WATCHED_OUTSIDE):
                self._mark(folder)

    def _show_sign(self) -> None:
        """Every kernel opens this file when a step begins and ends: so the others know which processes are kernels."""
        with suppress(OSError):
            os.close(os.open(self._sign, os.O_RDONLY))

    def _start_process(self, event: str, *arguments: Any) -> None:
        if not self._has_children:
            self._look_at_opens()
            self._has_children = True
        if self._opens is None or os.geteuid() != 0:
            folder = str(arguments[2] or ".") if event == "subprocess.Popen" else "."
            for name in words_of(command_of(event, arguments)):
                self._name(os.path.join(folder, name))

    def _name(self, name: str) -> None:
        """Words of a command: files that it reads, unless it turns out to write them, and folders."""
        for each in glob.iglob(name) if glob.has_magic(name) else (name,):
            path = self._path(each)
            if path is not None:
                self._read_named(path)
        if glob.has_magic(name):
            path = self._path(os.path.dirname(name) or ".")
            if path is not None:
                self.lists.setdefault(path, listed(path))

    def read_unseen(self, name: str) -> None:
        """Somebody is about to read a file, or the files in a folder, without asking Python."""
        self._busy.now = True
        with suppress(Exception):
            names = [name]
            if glob.has_magic(name) and not os.path.exists(name):
                names = glob.glob(name, recursive=True)
                self._list_tree(name)
            for each in names:
                path = self._path(each)
                if path is None:
                    continue
                if os.path.isdir(path):
                    for root in folders_below(path, self._left_out, MOST_WATCHED_OUTSIDE):
                        self.lists.setdefault(root, listed(root))
                        for file in sorted(self.lists[root] or ()):
                            self._read_named(os.path.join(root, file))
                else:
                    self._read_named(path)
        self._busy.now = False

    def _read_named(self, path: str) -> None:
        """Read it is, unless the step turns out to write it."""
        if path not in self.reads and os.path.isfile(path):
            self._read(path)
            self._named.add(path)

    def _list_tree(self, pattern: str) -> None:
        """The folders in which files of a pattern are looked for."""
        while glob.has_magic(pattern):
            pattern = os.path.dirname(pattern)
        top = self._path(pattern or ".")
        if top is not None:
            for folder in folders_below(top, self._left_out, MOST_WATCHED_OUTSIDE):
                self.lists.setdefault(folder, listed(folder))

    def _look_at_opens(self, *, without_lists: bool = False) -> None:
        """Take in what the system has told since the last time."""
        if self._opens is None or os.getpid() != self._pid:  # a forked child has the same queue
            return
        by_python, self._listed_by_python = self._listed_by_python, set()
        events = list(self._opens.events())
        self._kernels |= {each.pid for each in events if each.path == self._sign and each.pid != self._pid}
        # A program in Python lists the folders of its modules; they are no data.
        modules = {
            os.path.dirname(each.path.partition(os.sep + COMPILED)[0] + os.sep)
            if COMPILED in each.path
            else os.path.dirname(each.path)
            for each in events
            if each.pid != self._pid and (COMPILED in each.path or each.path.endswith(".py"))
        }
        # SQLite opens the folder of its journal to sync it: that is no look at the names.
        journals = {
            os.path.dirname(each.path)
            for each in events
            if each.was_changed and each.path.endswith(("-journal", "-wal"))
        }
        known: dict[int, bool] = {self._pid: True}
        for each in events:
            if each.pid not in known:
                known[each.pid] = self._is_child(each.pid)
            path = self._path(each.path) if known[each.pid] else None
            if path is None or COMPILED in each.path:
                continue
            if each.is_folder:
                is_own = each.pid == self._pid
                is_data = not without_lists and path not in (by_python if is_own else modules)
                is_data = is_data and path not in journals | self._own_folders
                # Workers of a pool look for modules where they were started, before they look anywhere else.
                is_data = is_data and (is_own or path != self.folder or not _runs_python(each.pid))
                if each.was_opened and is_data and path not in self.lists:
                    self.lists[path] = listed(path)
                if each.was_made and os.path.isdir(path):
                    self._take_new_folder(path)
            elif each.was_changed:
                if path not in self.writes and not _is_special(path):
                    self._written_unseen[path] = self._written_unseen.get(path, True) and not each.was_made
            elif each.was_opened and path not in self.reads and path not in self.writes:
                self._read_unseen(path)

    def _take_new_folder(self, top: str) -> None:
        """What lies in a folder that the step made was written by it, before anybody could tell."""
        for folder in folders_below(top, self._left_out, MOST_WATCHED_OUTSIDE):
            self._mark(folder)
            self.made.add(folder)
            self._own_folders.add(folder)
            for name in listed(folder) or ():
                path = os.path.join(folder, name)
                if path not in self.writes and os.path.isfile(path):
                    self._written_unseen.setdefault(path, False)

    def _read_unseen(self, path: str) -> None:
        """The file was opened some time ago: it must not have changed since the step began."""
        self._read(path)
        read = self.reads.get(path)
        if read is not None and read.status.st_ctime_ns + CLOCK_TICK_NS >= self._began_ns:
            read.digest = UNKNOWN

    def _is_child(self, pid: int) -> bool:
        """Whether a process was started by the step."""
        if pid == 0 or pid in self._kernels:
            return False
        answer = is_below(pid, self._pid)
        # One that has ended was the step's, unless it showed that it was another's kernel.
        return self._has_children if answer is None else answer

    def _scan(self) -> dict[str, tuple[int, int, int]] | None:
        """Size, time of modification and number of each file below the notebook's folder."""
        found: dict[str, tuple[int, int, int]] = {}
        todo = [self.folder]
        while todo:
            with suppress(OSError), os.scandir(todo.pop()) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or entry.name in NEVER_SCANNED:
                        continue
                    if (entry.path + os.sep).startswith(self._left_out):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
                    elif entry.is_file() and not entry.name.endswith(".ipynb"):
                        status = entry.stat()
                        found[entry.path] = (status.st_size, status.st_mtime_ns, status.st_ino)
            if len(found) > MOST_SCANNED:
                return None
        return found

    def _look_at_changes(self) -> None:
        """What has changed without being seen was written by the step."""
        after = None if self._before is None else self._scan()
        if self._before is None or after is None:
            return
        for path in self._before.keys() | after.keys():
            if self._before.get(path) != after.get(path) and path not in self.writes:
                self.writes[path] = path in self._before

    # -- what happens ---------------------------------------------------------------------------

    def _open(self, name: Any, mode: str | None, flags: int) -> None:
        path = self._path(name)
        if path is None:
            return
        if mode is None:
            mode = _mode(flags, path)
        updates = "+" in mode
        if _is_compiled(name) and (updates or "r" not in mode):
            return
        self._watch_beside(path)
        if "w" in mode or "x" in mode:
            self._written(path)
        elif "a" in mode:
            if updates:
                self._read(path)
            self._append(path)
        else:
            self._read(path)
            if updates:
                self._written(path)

    def _read(self, path: str) -> None:
        self._named.discard(path)
        if path in self.reads or path in self.writes:
            return
        try:
            status = _stat(path)
        except OSError:
            self.reads[path] = None
            return
        if stat.S_ISREG(status.st_mode):
            self.reads[path] = _Read(status, is_settled(status))

    def _watch_beside(self, path: str) -> None:
        """Where the step uses files, it may use others in native code."""
        folder = os.path.dirname(path)
        is_top = folder + os.sep == self._temporary or os.path.dirname(folder) == folder
        if self._opens is None or is_top or folder in self._watched:
            return
        if asker()[0] is Caller.STEP and os.path.isdir(folder) and self._path(folder) is not None:
            self._mark(folder)

    def _look(self, name: Any) -> None:
        path = self._path(name)
        if path is not None:
            self._watch_beside(path)
        if path is not None and not os.path.basename(path).startswith("<") and not os.path.isdir(path):
            self._read(path)

    def _written(self, path: str) -> None:
        """The file is about to be written: what the step has read of it must be looked at now."""
        if path in self.writes:
            return
        self._look_at_opens()
        read = self.reads.get(path)
        if read is not None and read.digest is None:
            read.digest = _digest(path, read)
        if not _is_special(path):
            self.writes[path] = os.path.lexists(path)

    def _append(self, path: str) -> None:
        """Written, but what was there before stays."""
        if path not in self.writes:
            self.sizes[path] = os.path.getsize(path) if os.path.isfile(path) else 0
            self._written(path)
            self.appended.add(path)

    def _write(self, name: Any) -> None:
        path = self._path(name)
        if path is not None and not _is_compiled(name):
            self._written(path)

    def _modify(self, name: Any) -> None:
        path = self._path(name)
        if path is not None:
            self._read(path)
            self._written(path)

    def _see_absence(self, name: Any) -> None:
        """Who moves or removes a file that is not there learns that, by an error."""
        path = self._path(name)
        if path is not None and not os.path.lexists(path):
            self._read(path)

    def _remove(self, name: Any, folder: int = -1) -> None:
        if folder == -1:  # else part of `shutil.rmtree`
            self._see_absence(name)
            self._write(name)

    def _rename(self, source: Any, target: Any, *rest: Any) -> None:
        if os.path.isdir(source):
            for root, _, names in os.walk(source):
                self._own_folders.add(os.path.realpath(root))
                for name in names:
                    old = os.path.join(root, name)
                    self._write(old)
                    self._write(os.path.join(target, os.path.relpath(old, source)))
            return
        path = self._path(source)
        if path is not None and path not in self.writes:
            self._read(path)
        self._write(source)
        self._write(target)

    def _remove_tree(self, name: Any) -> None:
        for root, _, names in os.walk(name):
            self._own_folders.add(os.path.realpath(root))
            for each in names:
                self._write(os.path.join(root, each))

    def _make(self, name: Any) -> None:
        path = self._path(name)
        if path is not None and not os.path.lexists(path):
            self.made.add(path)
            self._own_folders.add(path)

    def _make_scratch(self, name: Any) -> None:
        path = self._path(name)
        if path is not None:
            self.scratch.add(path)

    def _list(self, name: Any) -> None:
        path = self._path("." if name is None else name)
        if _is_asked_by_python():
            if path is not None and self._opens is not None:
                self._look_at_opens()
                self._listed_by_python.add(path)
            return
        if path is not None and path not in self.lists:
            self.lists[path] = listed(path)

    def _database(self, name: Any) -> None:
        """What SQLite does to its file is not seen: the file tells it in the end."""
        name = os.fsdecode(name)
        if name.startswith("file:"):
            name = unquote(name[5:].partition("?")[0])
        if not name or name == ":memory:":
            return
        path = self._path(name)
        if path is not None and path not in self.databases and path not in self.writes:
            self.databases[path] = file_digest(path)
            if self.databases[path] != ABSENT:
                self._read(path)

    # -- paths ----------------------------------------------------------------------------------

    def _path(self, name: Any) -> str | None:
        """The path under which a file is known, None if it does not count."""
        if not isinstance(name, (str, bytes, os.PathLike)):
            return None
        if type(name) is str:
            head, _, tail = name.rpartition(os.sep)
            # `/data` and `data` have the same words before the last slash: none.
            folder = self._folders_as_said.get(head) if head or name[:1] != os.sep else None
            if folder is not None and tail not in NO_NAMES:
                return self._counting(f"{folder}{os.sep}{tail}") if folder else None
        name = os.fsdecode(name)
        head, tail = os.path.split(os.path.abspath(name))
        folder = self._folders.get(head)
        if folder is None:
            folder = os.path.realpath(head)
            if (folder + os.sep).startswith(self._left_out):
                folder = ""
            self._folders[head] = folder
        said_head, _, said_tail = name.rpartition(os.sep)
        if said_tail not in NO_NAMES and folder != os.sep:
            self._folders_as_said[said_head] = folder
        if not folder:
            return None
        return self._counting(os.path.join(folder, tail) if tail else folder)

    def _counting(self, path: str) -> str | None:
        """The path, or None if it does not count, or that of the module of which it is the compiled form."""
        if (path + os.sep).startswith(self._left_out):
            return None
        if COMPILED in path:
            return importlib.util.source_from_cache(path) if path.endswith(".pyc") else None
        return path

    def look(self, name: str) -> None:
        """Note that somebody looked for a file."""
        path = self._path(name)
        if path is not None:
            self._read(path)

    def look_for_modules(self, names: Collection[str]) -> None:
        """A file beside the notebook would take the place of the module that the step imports.

        Not of one that every kernel has imported before the first cell.
        """
        for name in set(names) - self._loaded_before:
            place = os.path.join(self.folder, name)
            if f"{place}.py" not in self.reads and not os.path.isdir(place):
                self.look(f"{place}.py")
                self.look(os.path.join(place, "__init__.py"))

    def places_of_modules(self, names: Iterable[str]) -> dict[str, str]:
        """Files of modules that lie neither in the project nor where packages are installed."""
        found = {}
        for name in names:
            file = getattr(sys.modules.get(name), "__file__", None)
            path = self._path(file) if file else None
            if path is not None and not self.is_projects(path):
                found[name] = self._told(path)
        return found

    def is_projects(self, name: str) -> bool:
        """Whether a file is one of the project's own, not of an installed package."""
        path = self._path(name)
        return path is not None and (path + os.sep).startswith(os.path.join(self.project, ""))

    def _roots_left_out(self, store: Path) -> tuple[str, ...]:
        project = os.path.join(self.project, "")
        roots = {os.path.join(folder, "") for folder in spellings_left_out() | _spellings(str(store))}
        roots |= _spellings(os.path.join(tempfile.gettempdir(), "jp-"))
        # A project in /usr/src is not the system's; the environment in a project is.
        return tuple(root for root in roots if not project.startswith(os.path.join(root, "")))

    def _told(self, path: str) -> str:
        """How the trace names a path."""
        if (self.folder + os.sep).startswith(path + os.sep):
            return self._told_in_full(path)
        head, _, tail = path.rpartition(os.sep)
        if head not in self._folders_as_told:
            self._folders_as_told[head] = self._told_in_full(os.path.join(head, "x"))[:-1]
        return self._folders_as_told[head] + tail

    def _told_in_full(self, path: str) -> str:
        if (path + os.sep).startswith(os.path.join(self.project, "")):
            path = os.path.relpath(path, self.folder)
        return Path(path).as_posix()

    # -- the report -----------------------------------------------------------------------------

    def report(self, handed_on: Collection[str] = ()) -> dict[str, Any]:
        """What was seen, as JSON; nothing more is noted.

        Parameters
        ----------
        handed_on
            Texts that the step leaves: a temporary file counts if its path, or its folder's, is among them.

        Returns
        -------
        dict
            ``read`` and ``listed``: see `jupyterlab_pipelines.files`; ``written``: digest by path;
            ``appended``: those of the written that kept what was in them; ``databases``: those of SQLite,
            of which nobody knows whether the step, or another meanwhile, has changed them; ``sizes``: how large
            a file was to which the step itself has appended.
        """
        self._is_on = False
        self._busy.now = True
        self._look_at_opens()
        if self.writes or self.opened_before:
            _flush_open_files()
        self._take_in_writes()
        if self._opens is not None and self._opens.has_lost:
            self._read_folders_whole()
        for path, before in self.opened_before.items():
            if path not in self.writes and file_digest(path) != before:
                self.writes[path] = before != ABSENT
                self.appended.add(path)
        self._look_at_databases()
        self._look_at_changes()
        if self._opens is not None:
            self._show_sign()
        for path in self._named & self.writes.keys():  # nobody knows whether it was read before
            self.reads.pop(path, None)
        written = {}
        for path, was_there in self.writes.items():
            digest = file_digest(path)
            if (was_there or digest != ABSENT) and not self._is_scratch(path, handed_on):
                written[path] = digest
        return {
            "read": {
                self._told(path): None if read is None else _as_json(path, read)
                for path, read in self.reads.items()
                if not self._is_scratch(path, handed_on) and not (read is None and os.path.isdir(path))
            },
            "listed": {
                self._told(path): [names_digest(names), self._own_names(path, names), _few(names)]
                for path, names in self.lists.items()
                if not self._is_scratch(path, handed_on) and path + os.sep != self._temporary
            },
            "written": {self._told(path): digest for path, digest in written.items()},
            "appended": sorted(self._told(path) for path in self.appended & written.keys()),
            "databases": sorted(self._told(path) for path in self.databases),
            "sizes": {self._told(path): size for path, size in self.sizes.items() if path in written},
            "is_whole": self._is_whole(),
        }

    def _is_whole(self) -> bool:
        """Whether nothing was done to a file of the project that the system did not tell."""
        if self._opens is None or self._opens.has_lost:
            return False
        # Libraries start processes in ways of which Python does not tell.
        return os.geteuid() == 0 or not (self._has_children or any(children()))

    def _read_folders_whole(self) -> None:
        """More was opened than the system could tell: then all that lies beside what it told was read."""
        for folder in {os.path.dirname(path) for path in self.reads}.intersection(self._watched):
            names = self.lists.setdefault(folder, listed(folder))
            for name in names or ():
                path = os.path.join(folder, name)
                if path not in self.writes and os.path.isfile(path):
                    self._read_unseen(path)

    def _take_in_writes(self) -> None:
        """What native code and other processes have written."""
        for path, was_there in self._written_unseen.items():
            if path in self.writes or path in self.databases:
                continue
            read = self.reads.get(path)
            if read is not None and read.digest is None:
                # It was opened before it was changed, but not looked at in between.
                del self.reads[path]
            self.writes[path] = was_there

    def _look_at_databases(self) -> None:
        for path, before in self.databases.items():
            if path in self.writes or file_digest(path) == before:
                continue
            if before == ABSENT and not os.path.getsize(path):
                # SQLite makes an empty file of one that is not there, and then finds no table in it.
                self.reads[path] = None
                continue
            self.writes[path] = before != ABSENT
            if before != ABSENT:
                self.appended.add(path)
                self.reads.pop(path, None)

    def _own_names(self, folder: str, names: set[str] | None) -> list[str]:
        """Names that the step itself put into a folder after it had listed it."""
        made = [path for path, was_there in self.writes.items() if not was_there] + list(self.made)
        own = {os.path.basename(path) for path in made if os.path.dirname(path) == folder}
        return sorted(own - (names or set()))

    def _is_scratch(self, path: str, handed_on: Collection[str]) -> bool:
        """Whether it lies in what the step made by `tempfile`, under another name each time, and hands on to nobody."""
        is_outside = not path.startswith(os.path.join(self.project, ""))
        return (
            path.startswith(self._temporary)
            and is_outside
            and _is_below(path, self.scratch)
            and not _is_below(path, handed_on)
        )


def spellings_left_out() -> frozenset[str]:
    """Folders of installed packages, of the system and of caches, as they are called."""
    home = os.path.expanduser("~")
    places = {entry for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))}
    places.add(site.getusersitepackages())
    places |= {os.path.join(home, name) for name in IN_HOME}
    places |= {os.environ.get(variable) or "" for variable in SAY_WHERE_CACHES_ARE}
    return _all_spellings(frozenset(places - {""}))


@functools.cache
def _all_spellings(places: frozenset[str]) -> frozenset[str]:
    return _PLACES_OF_PYTHON.union(*map(_spellings, places))


def _few(names: set[str] | None) -> list[str] | None:
    """The names, if they are few enough to be kept."""
    return None if names is None or len(names) > MOST_NAMES else sorted(names)


def _runs_python(process: int) -> bool:
    program = command_line(process).partition(b"\0")[0]
    return os.path.basename(program).startswith(b"python")


def folders_below(top: str, left_out: tuple[str, ...], most: int) -> list[str]:
    """A folder and those in it that may hold data, nearest first."""
    found = [top]
    for folder in found:
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith(".") or name in NEVER_SCANNED or not entry.is_dir(follow_symlinks=False):
                    continue
                if not (entry.path + os.sep).startswith(left_out):
                    found.append(entry.path)
        if len(found) >= most:
            break
    return found[:most]


def _is_below(path: str, places: Collection[str]) -> bool:
    """Whether a path is among some, or in a folder that is."""
    while os.path.dirname(path) != path:
        if path in places:
            return True
        path = os.path.dirname(path)
    return False


def tell_of_files(tell: Callable[[str, tuple[Any, ...]], None]) -> None:
    """From now on, `tell` every audit event, and who looks whether a file is there, how large or how old it is."""
    sys.addaudithook(tell)
    for name in ("stat", "lstat"):
        original = getattr(os, name)

        @functools.wraps(original)
        def look(path: Any, *rest: Any, _ask: Any = original, **options: Any) -> Any:
            tell("look", (path,))
            return _ask(path, *rest, **options)

        for capability in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
            if original in capability:
                capability.add(look)
        setattr(os, name, look)


def _is_compiled(name: Any) -> bool:
    """Whether a file is Python's own copy of a module: reading it reads the module, writing it changes nothing."""
    return COMPILED in os.fsdecode(name)


def _mode(flags: int, path: str) -> str:
    """The mode of `open` for flags of `os.open`."""
    if not flags & (os.O_WRONLY | os.O_RDWR):
        return "r"
    if flags & os.O_APPEND:
        return "a"
    is_new = flags & (os.O_TRUNC | os.O_EXCL) or (flags & os.O_CREAT and not os.path.exists(path))
    return "w" if is_new else "r+"


def _is_special(path: str) -> bool:
    """A folder, a pipe, a device."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def _digest(path: str, read: _Read) -> str:
    """Digest of what was read, `UNKNOWN` if the file has changed since."""
    return file_digest(path) if _is_unchanged(path, read) else UNKNOWN


def _is_unchanged(path: str, read: _Read) -> bool:
    try:
        return identity(os.stat(path)) == identity(read.status)
    except OSError:
        return False


def _as_json(path: str, read: _Read) -> list[Any]:
    status, digest = read.status, read.digest
    # The times are proof enough: who finds others says that the file has changed. Reading it once more is left to
    # the process that runs the steps, so that it holds up none.
    if digest is None and not read.is_settled:
        digest = _digest(path, read)
    is_proof = read.is_settled and digest != UNKNOWN
    return [status.st_size, status.st_mtime_ns if is_proof else None, digest, status.st_ctime_ns]


def _is_asked_by_python() -> bool:
    """Whether a folder is listed in search of modules, not by the step."""
    frame = frame_that_asks()
    caller = "" if frame is None else frame.f_code.co_filename
    if f"{os.sep}importlib_metadata{os.sep}" in caller or f"{os.sep}pkg_resources{os.sep}" in caller:
        return True
    # Of Python's frozen modules these alone: `os` is another one.
    is_import = caller.startswith(("<frozen importlib", "<frozen zipimport", "<frozen site"))
    return is_import or any(
        f"{os.sep}{part}" in caller and caller.startswith(STANDARD_LIBRARY) for part in LISTED_BY_PYTHON
    )


def _flush_open_files() -> None:
    """What the step has written to files that it did not close is theirs, too."""
    for thing in gc.get_objects():
        with suppress(Exception):
            # Not `isinstance`: it asks the thing, which may be anybody's proxy.
            if issubclass(type(thing), io.TextIOWrapper | io.BufferedWriter | io.BufferedRandom):
                thing.flush()
