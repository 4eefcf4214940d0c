"""A process that has ipykernel and the notebook's packages imported, and forks kernels from itself.

A kernel that is started afresh spends over a second in imports before its first cell; one that is forked
from here answers at once. Started as a script by the Python of the kernel's own environment: the folder of this
package is told to it, so that kernels also have their runtime when they begin. It speaks JSON lines:

- stdin: ``{"fork": id, "argv": [...], "env": {...}, "cwd": "...", "log": "...", "sockets": "..."}``, ``{"echo": word}``
- stdout: ``{"ready": true}``, ``{"forked": id, "pid": n}``, ``{"exited": pid, "status": n}``, ``{"echo": word}``

It ends when stdin closes, and its kernels with it.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import gc
import importlib
import importlib.util
import json
import os
import random
import selectors
import shutil
import signal
import sys
import threading
import traceback
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

READ_AHEAD = "_pipelines_read_ahead"
"""A module that tells the kernels' runtime which environment variables the packages have read."""

SECONDS_TO_ANSWER = 0.5

OPTIONS = ("--HistoryManager.hist_file=:memory:",)
"""Of every kernel: what steps execute is not what somebody has typed."""

RUNTIME = "jupyterlab_pipelines.kernel.runtime"

KILL_WITH_PARENT = 1
"""Linux's PR_SET_PDEATHSIG."""


def main() -> None:
    if sys.path and os.path.realpath(sys.path[0]) == os.path.dirname(os.path.realpath(__file__)):
        # This script's folder: our modules must not hide the user's.
        del sys.path[0]
    orders, answers = _take_over_stdio()
    # What is imported stays: to look through it for garbage takes a twentieth of the time.
    gc.disable()
    _import_kernel()
    _preload(json.loads(sys.argv[1]))
    _import_runtime(sys.argv[2])
    prepared = _prepare()
    for look_up in (_launcher, _prctl):
        # So that the kernels know.
        with contextlib.suppress(Exception):
            look_up()
    if threading.active_count() > 1:
        # A forked child would miss these threads, and might wait for them for ever.
        _say(answers, {"ready": False, "why": "a package started threads when it was imported"})
        return
    gc.freeze()
    gc.enable()
    _serve(orders, answers, prepared)


def _take_over_stdio() -> tuple[BinaryIO, BinaryIO]:
    """The two ends of our protocol; what packages print while they are imported goes nowhere."""
    orders, answers = os.fdopen(os.dup(0), "rb", buffering=0), os.fdopen(os.dup(1), "wb", buffering=0)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    return orders, answers


def _import_kernel() -> None:
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    # The kernels' parent, which ipykernel reads when it is imported; without one it thinks that it was
    # started in a terminal, and prints how to connect.
    os.environ["JPY_PARENT_PID"] = str(os.getpid())
    # A step's kernel is not debugged, and nobody types in it: the debugger costs a quarter of a second and ten
    # threads, what completes names as much again as IPython.
    blocked = [name for name in ("debugpy", "jedi") if name not in sys.modules]
    sys.modules.update(dict.fromkeys(blocked))  # type: ignore[arg-type]
    for module in (
        "ipykernel.kernelapp",
        "ipykernel.debugger",
        "ipykernel.datapub",
        "IPython.core.completer",
        "IPython.core.completerlib",
        "IPython.core.debugger",
        "IPython.core.logger",
        "IPython.core.magics",
        "IPython.core.oinspect",
        "IPython.extensions.storemagic",
        "IPython.utils.wildcard",
        "comm",
        "decimal",
        "faulthandler",
        "psutil",
        "tornado.platform.asyncio",
        "unicodedata",
    ):
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    for name in blocked:
        del sys.modules[name]


def _preload(modules: list[str]) -> None:
    """Import the notebook's packages as they would be imported in a kernel.

    pandas asks for IPython's shell while it is imported: with a kernel in it, tables are printed as in a
    notebook, without one as in a terminal.
    """
    shell = types.SimpleNamespace(kernel=True)
    builtins.get_ipython = lambda: shell  # type: ignore[attr-defined]
    noted = types.ModuleType(READ_AHEAD)
    vars(noted).update(roots={name.partition(".")[0] for name in modules}, variables=[])
    sys.modules[READ_AHEAD] = noted
    with _noting_variables(noted.variables):
        for module in modules:
            # What cannot be imported is the step's to tell, when its cell imports it.
            with contextlib.suppress(BaseException):
                importlib.import_module(module)
    del builtins.get_ipython  # type: ignore[attr-defined]


def _import_runtime(package: str) -> None:
    """Import what every kernel needs of this package, none of which looks at the process yet.

    Found by its folder alone: whatever lies beside it is no concern of the kernels'.
    """
    with contextlib.suppress(Exception):  # then each kernel tries for itself, and tells why it cannot
        spec: Any = importlib.util.spec_from_file_location(
            "jupyterlab_pipelines", os.path.join(package, "__init__.py"), submodule_search_locations=[package]
        )
        sys.modules[spec.name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[spec.name])
        importlib.import_module(RUNTIME)
        folder = os.path.join(package, "materializers")
        for name in sorted(os.listdir(folder)):
            if name.endswith(".py") and not name.startswith("_"):
                importlib.import_module(f"jupyterlab_pipelines.materializers.{name[:-3]}")


TIMES_TO_LEARN = 9
"""Python rewrites what has been executed eight times."""

KNOWN_VERSIONS = (6, 7)
"""Of ipykernel: those whose kernels may be made before they have sockets."""

GIVEN_BEFORE = ("parent", "session", "log", "profile_dir", "user_ns")
GIVEN_LATER = frozenset(
    {
        *("control_stream", "debugpy_stream", "shell_stream", "debug_shell_socket", "stdin_socket"),
        *("control_thread", "shell_channel_thread", "iopub_thread", "iopub_socket"),
    }
)
"""What ipykernel gives a kernel: from its application, and of sockets and threads."""


class Prepared:
    """As much of a kernel as can be made before the fork: what starts no thread, and opens neither file nor socket.

    The application has read its command line and configuration; IPython's shell is there, and the kernel itself.
    """

    def __init__(self) -> None:
        if importlib.import_module("ipykernel").version_info[0] not in KNOWN_VERSIONS:
            raise RuntimeError("this ipykernel may do more with its sockets")
        app: Any = importlib.import_module("ipykernel.kernelapp").IPKernelApp.instance()
        applications: Any = importlib.import_module("IPython.core.application").BaseIPythonApplication
        transformers: Any = importlib.import_module("IPython.core.inputtransformer2").TransformerManager
        applications.initialize(app, ["-f", "", *OPTIONS])
        given = {"parent": app} | {name: getattr(app, name) for name in GIVEN_BEFORE if name != "parent"}
        self.app = app
        self.kernel: Any = app.kernel_class.instance(**given)
        self.shell: Any = self.kernel.shell
        # Made when they are used for the first time.
        transformers().transform_cell("def f(x):\n    return f'{x}'\n")
        self.shell.display_formatter.formatters, app.connection_dir  # noqa: B018
        for extension in app.default_extensions:
            self.shell.extension_manager.load_extension(extension)
        importlib.import_module(RUNTIME).look_ahead(vars(sys.modules[READ_AHEAD])["roots"])
        self._rehearse()
        # A logger lets everything through to its handlers, which throw most of it away.
        app.log.setLevel(app.log_level)

    def _rehearse(self) -> None:
        """Let the kernel be asked for nothing, until Python has found its quick ways through the code for that."""
        frames: Any = importlib.import_module("zmq").Frame
        session = self.app.session
        request = session.msg("execute_request", {"code": "", "silent": True})
        said = types.SimpleNamespace(send_multipart=lambda *_, **__: None)

        async def ask() -> None:
            for _ in range(TIMES_TO_LEARN):
                parts = [frames(part) for part in session.serialize(request, b"nobody")]
                session.deserialize(session.feed_identities(parts, copy=False)[1], copy=False)
                session.digest_history.clear()
                await self.kernel.do_execute("", True, user_expressions={"": "None"})
                session.send(said, "status", {"execution_state": "idle"}, parent=request, ident=b"nobody")

        loop = importlib.import_module("asyncio").new_event_loop()
        loop.run_until_complete(ask())
        loop.close()

    def initialize(self, connection_file: str) -> None:
        """In the child: do what is left of the kernel's start."""
        applications: Any = importlib.import_module("IPython.core.application").BaseIPythonApplication
        # By these others tell kernels apart.
        new_id = importlib.import_module("jupyter_client.session").new_id
        session, self.kernel.ident = self.app.session, new_id()
        session.session, session.pid = new_id(), os.getpid()
        # The environment and the working directory are the kernel's by now.
        self.shell.init_environment()
        self.shell.starting_dir = os.getcwd()
        self.shell.history_manager.dir_hist[:] = [Path.cwd()]
        # Whoever has started this kernel sees whether it lives; a heart has three threads.
        self.app.init_heartbeat = lambda: None
        begin, kernels = applications.initialize, self.app.kernel_class
        applications.initialize = lambda *_: None
        kernels.instance = functools.partial(self._kernel_with, kernels.instance)
        try:
            self.app.connection_file = connection_file
            self.app.initialize([])
        finally:
            applications.initialize = begin
            del kernels.instance
        kernel = self.app.kernel
        find = getattr(kernel, "_process_children", None)
        if find is not None and sys.platform == "linux":
            children = importlib.import_module(f"{RUNTIME}.commands").children
            # psutil looks at every process of the machine.
            kernel._process_children = lambda: find() if any(children()) else []

    def _kernel_with(self, make: Callable[..., Any], **given: Any) -> Any:
        """The kernel, with its sockets and threads."""
        kernel, shell = self.kernel, self.shell
        if {name for name, value in given.items() if value is not None} - GIVEN_LATER.union(GIVEN_BEFORE):
            # Another ipykernel than we know makes another kernel.
            type(kernel).clear_instance()
            type(shell).clear_instance()
            return make(**given)
        for name, value in given.items():
            setattr(kernel, name, value)
        kernel._stdout, kernel._stderr = sys.stdout, sys.stderr
        shell.displayhook.pub_socket = shell.display_pub.pub_socket = kernel.iopub_socket
        shell.displayhook.topic = kernel._topic("execute_result")
        return kernel


def _prepare() -> Prepared | None:
    """None where IPython or ipykernel is another than we know: then each kernel starts from its beginning."""
    try:
        return Prepared()
    except Exception:
        with contextlib.suppress(Exception):
            from ipykernel.kernelapp import IPKernelApp
            from ipykernel.zmqshell import ZMQInteractiveShell

            IPKernelApp.clear_instance()
            ZMQInteractiveShell.clear_instance()
        return None


@contextlib.contextmanager
def _noting_variables(noted: list[tuple[str, list[str]]]) -> Iterator[None]:
    """Within it, note which environment variables are read, each with the files of the stack, innermost first."""

    class Environ(os._Environ):  # type: ignore[type-arg]
        def __getitem__(self, name: Any) -> Any:
            places: list[str] = []
            frame = sys._getframe(1)
            while frame is not None and len(places) < 20:
                places.append(frame.f_code.co_filename)
                frame = frame.f_back  # type: ignore[assignment]
            noted.append((os.fsdecode(name), places))
            return super().__getitem__(name)

    plain = type(os.environ)
    os.environ.__class__ = Environ
    try:
        yield
    finally:
        os.environ.__class__ = plain


def _serve(orders: BinaryIO, answers: BinaryIO, prepared: Prepared | None) -> None:
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    selector = selectors.DefaultSelector()
    selector.register(orders, selectors.EVENT_READ)
    selector.register(woken, selectors.EVENT_READ)
    _say(answers, {"ready": True})
    pending = b""
    living: dict[int, str] = {}
    while True:
        for key, _ in selector.select():
            if key.fileobj == woken:
                with contextlib.suppress(BlockingIOError):
                    os.read(woken, 4096)
                for ended in _reap(answers):
                    living.pop(ended, None)
                continue
            data = orders.read(1 << 20)
            if not data:
                _kill(living)
                return
            pending += data
            *lines, pending = pending.split(b"\n")
            for line in lines:
                order = json.loads(line)
                if "echo" in order:
                    _say(answers, order)
                    continue
                # Before the fork: whoever is told of the kernel may give the file another name.
                log = _open_log(order["log"])
                pid = os.fork()
                if pid == 0:
                    selector.close()
                    signal.set_wakeup_fd(-1)
                    for handle in (orders.fileno(), answers.fileno(), woken, waker):
                        os.close(handle)
                    _become_kernel(order, log, prepared)
                os.close(log)
                living[pid] = order["sockets"]
                _say(answers, {"forked": order["fork"], "pid": pid})


def _open_log(path: str) -> int:
    with contextlib.suppress(OSError):  # its folder is gone: nobody will read it
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    return os.open(os.devnull, os.O_WRONLY)


def _reap(answers: BinaryIO) -> list[int]:
    """Tell which kernels have ended."""
    ended: list[int] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended.append(pid)
        _say(answers, {"exited": pid, "status": os.waitstatus_to_exitcode(status)})


def _kill(kernels: dict[int, str]) -> None:
    """End the kernels and the processes that they have started; remove the folders of their sockets."""
    for pid, sockets in kernels.items():
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
        shutil.rmtree(sockets, ignore_errors=True)


def _become_kernel(order: dict[str, Any], log: int, prepared: Prepared | None) -> None:
    """In the child: be what ``python -m ipykernel_launcher`` would have been."""
    status = 1
    try:
        parent = os.getppid()
        os.setsid()
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        _die_with(parent)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        backend = os.environ.get("MPLBACKEND")
        _set_environment(order["env"])
        if backend and "matplotlib" in sys.modules:
            os.environ.setdefault("MPLBACKEND", backend)
        os.environ["JPY_PARENT_PID"] = str(parent)
        os.chdir(order["cwd"])
        random.seed()
        numpy_random = sys.modules.get("numpy.random")
        if numpy_random is not None:
            numpy_random.seed()
        sys.argv = [_launcher(), *order["argv"]]
        sys.orig_argv = [sys.executable, "-m", "ipykernel_launcher", *order["argv"]]
        from ipykernel import kernelapp

        if prepared is not None and tuple(order["argv"][2:]) == OPTIONS:
            prepared.initialize(order["argv"][1])
            prepared.app.start()
        else:
            kernelapp.launch_new_instance()
        _wait_for_answer(kernelapp)
        status = 0
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        # The way out of an ordinary interpreter, so that the user's open files are written: exit
        # functions, then the standard streams.
        with contextlib.suppress(BaseException):
            import atexit

            atexit._run_exitfuncs()
        with contextlib.suppress(BaseException):
            _close_open_files()
        os._exit(status)


@functools.cache
def _launcher() -> str:
    launcher = importlib.util.find_spec("ipykernel_launcher")
    return (launcher and launcher.origin) or "ipykernel_launcher"


def _set_environment(variables: dict[str, str]) -> None:
    """Have these environment variables and no others; most are there."""
    for name in os.environ.keys() - variables.keys():
        del os.environ[name]
    for name, value in variables.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def _wait_for_answer(kernels: Any) -> None:
    """Let the control thread finish its answer to the request to shut down.

    It ends by itself then. Were the thread that sends for it ended first, as ipykernel does now and then,
    it would wait for ever.
    """
    control = getattr(kernels.IPKernelApp.instance(), "control_thread", None)
    if control is not None:
        control.join(SECONDS_TO_ANSWER)


def _close_open_files() -> None:
    """Write out what the user's code left in the buffers of files that it did not close."""
    import io

    # What was there before the fork is frozen, and not among them.
    for thing in gc.get_objects():
        if isinstance(thing, io.TextIOWrapper | io.BufferedWriter | io.BufferedRandom) and not thing.closed:
            with contextlib.suppress(Exception):
                thing.flush()


def _die_with(parent: int) -> None:
    """Ask the system to kill this process when its parent ends; elsewhere ipykernel looks for itself."""
    if sys.platform == "linux":
        with contextlib.suppress(Exception):
            _prctl()(KILL_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


@functools.cache
def _prctl() -> Any:
    return importlib.import_module("ctypes").CDLL(None).prctl


def _say(answers: BinaryIO, message: dict[str, Any]) -> None:
    try:
        answers.write(json.dumps(message).encode() + b"\n")
    except OSError:
        os._exit(1)


if __name__ == "__main__":
    main()
