"""The papermill engine: executes a step notebook in a kernel of its own.

Registered as ``papermill.engine`` under the name ``pipelines``. Run by papermill alone it is an
ordinary engine; the runner gives it a `StepSession`, which is told of every cell, loads and stores
artifacts around the step's own cells, and can end the kernel at any moment.
"""

from __future__ import annotations

import contextlib
import json
import re
import signal
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from jupyter_core.utils import run_sync
from nbclient.exceptions import CellExecutionError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, NotebookExecutionManager
from papermill.utils import merge_kwargs, remove_args

import jupyterlab_pipelines
from jupyterlab_pipelines.errors import StepError
from jupyterlab_pipelines.execution.kernels import (
    ForkServer,
    StepKernelClient,
    StepKernelManager,
    step_kernel,
)
from jupyterlab_pipelines.execution.pool import KernelPool
from jupyterlab_pipelines.execution.shared import LiveKernel
from jupyterlab_pipelines.execution.widgets import ProgressBars
from jupyterlab_pipelines.logged import read_log
from jupyterlab_pipelines.notebook.assemble import METADATA, cell_index_of, is_step_cell
from jupyterlab_pipelines.notebook.outputs import valid_data

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
ANSI_BUT_UP = re.compile(r"\x1b\[[0-9;?]*[B-Za-z]")
"""Without it nobody could tell which line a progress bar below another writes anew."""
SECONDS_TO_SETTLE = 3.0
"""How long an interrupted kernel may take before it is killed."""
SECONDS_FOR_OUTPUT = 30


class StepSession:
    """One step's execution: what the runner tells the engine, and hears from it.

    Parameters
    ----------
    spec
        What the runtime in the kernel is told, see `kernel.runtime.watch.Watch`.
    store
        Folder of the store.
    folder
        The kernel's working directory.
    log
        File to which the step's text output is appended as it comes.
    report
        File through which the runtime's report comes back.
    logged
        File to which the runtime appends what the step logs.
    on_cell
        Called with the number of the step's cells executed so far, and of all.
    server
        What the kernel is forked from, if it can be.
    pool
        What starts and ends kernels in the background.
    timeout_seconds
        After which the step is ended.
    kernel
        The one in which the step goes on, where the step before it in its unit ended.
    keeps_kernel
        Whether the report says that the kernel must go on living.

    Attributes
    ----------
    executed
        The step notebook as far as it has been executed.
    """

    def __init__(
        self,
        spec: Mapping[str, Any],
        *,
        store: Path,
        folder: Path,
        log: Path,
        report: Path,
        logged: Path,
        on_cell: Callable[[int, int], None],
        server: ForkServer | None = None,
        pool: KernelPool | None = None,
        timeout_seconds: float | None = None,
        kernel: LiveKernel | None = None,
        keeps_kernel: Callable[[Mapping[str, Any]], bool] = lambda report: False,
    ) -> None:
        self.spec = spec
        self.kernel = kernel
        self.keeps_kernel = keeps_kernel
        self.store = store
        self.folder = folder
        self.log = log
        self.report_path = report
        self.logged_path = logged
        self.on_cell = on_cell
        self.server = server
        self.pool = pool
        self.timeout_seconds = timeout_seconds
        self.executed: Mapping[str, Any] | None = None
        self.report: dict[str, Any] | None = None
        self.files: dict[str, Any] | None = None
        self.stopped: str | None = None
        self._manager: Any = None
        self._lock = threading.Lock()
        self._timers: list[threading.Timer] = []

    def new_kernel(self, kernel_name: str) -> StepKernelManager:
        """What is to run the step's kernel: one that has started ahead of need, if there is one."""
        spare = None if self.pool is None else self.pool.take(kernel_name, self.log)
        return spare or step_kernel(kernel_name, self.server, self.log, self.require_wanted)

    def end_kernel(self, manager: StepKernelManager) -> None:
        """Shut the kernel down.

        In the background, unless that may write to files which the step has left open: later steps
        must find them as they will be.
        """
        files = None if self.report is None else self.report["files"]
        if self.pool is None or files is None or files["written"] or files["databases"]:
            manager.close()
        else:
            self.pool.later(manager.close)

    def attach(self, manager: Any) -> None:
        """What is to start the kernel: from now on it can be stopped."""
        with self._lock:
            self._manager = manager

    def begin(self) -> None:
        """The kernel is there, and the step's time begins."""
        if self.stopped is not None:
            self._signal(signal.SIGKILL)
        elif self.timeout_seconds is not None:
            self._after(self.timeout_seconds, lambda: self.stop("timeout"))

    def require_wanted(self) -> None:
        """Raise `RuntimeError` if the step was stopped: an idle kernel does not hear an interrupt."""
        if self.stopped is not None:
            raise RuntimeError(f"the step was stopped: {self.stopped}")

    def finish(self, report: dict[str, Any]) -> None:
        """The step came to its end, and stored what it leaves.

        Not if it was stopped meanwhile: code that catches the interrupt, as training loops do, goes on
        with less than it was to do.
        """
        with self._lock:
            if self.stopped is None:
                self.report = report

    def stop(self, why: str) -> None:
        """Interrupt the step's kernel, then kill it if it does not give in.

        Too late for a step that has come to its end. `why`: ``cancelled``, ``stale`` or ``timeout``.
        """
        with self._lock:
            if self.stopped is not None or self.report is not None:
                return
            self.stopped = why
        self._signal(signal.SIGINT)
        self._after(SECONDS_TO_SETTLE, lambda: self._signal(signal.SIGKILL))

    def kill(self) -> None:
        """End the step's kernel now."""
        self._signal(signal.SIGKILL)

    @property
    def manager(self) -> StepKernelManager | None:
        """What runs the kernel, if that is to go on living."""
        return self._manager if self.report is not None and self.keeps_kernel(self.report) else None

    @property
    def killed_by(self) -> int | None:
        """The number of the signal that ended the kernel; None if it lives, or ended in another way."""
        manager = self._manager
        status = None if manager is None else manager.exit_status()
        return -status if status is not None and status < 0 else None

    def close(self) -> None:
        """The step is done with its kernel."""
        for timer in self._timers:
            timer.cancel()

    def write_log(self, text: str) -> None:
        with self.log.open("a", encoding="utf-8", errors="replace") as file:
            file.write(ANSI_BUT_UP.sub("", text))

    def _after(self, seconds: float, call: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, call)
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    def _signal(self, number: int) -> None:
        with self._lock:
            manager = self._manager
        if manager is not None:
            manager.signal(number)


class StepClient(PapermillNotebookClient):  # type: ignore[misc]
    """Executes the cells of a step notebook, with the runtime's `begin` and `finish` around the step's own."""

    session: StepSession | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.displays: dict[str, dict[str, Any]] = {}
        self.bars = ProgressBars()

    def create_kernel_manager(self) -> Any:
        if self.session is None:
            return super().create_kernel_manager()
        if self.session.kernel is not None:
            self.km = self.session.kernel.manager
            self.session.attach(self.km)
            return self.km
        self.km = self.session.new_kernel(self.kernel_name)
        self.session.attach(self.km)
        return self.km

    async def async_start_new_kernel(self, **options: Any) -> None:
        if self.session is None:
            await super().async_start_new_kernel(**options)
        else:
            await self.km.begin(options["env"], self.session.folder)

    start_new_kernel = run_sync(async_start_new_kernel)

    async def async_start_new_kernel_client(self) -> Any:
        if self.session is not None:
            await self.km.wait_for_sockets()
        return await super().async_start_new_kernel_client()

    start_new_kernel_client = run_sync(async_start_new_kernel_client)

    def leave_kernel(self) -> None:
        """Shut the kernel down, or let go of it if it is shared with other steps: then the runner ends it."""
        assert self.session is not None
        client: StepKernelClient | None = getattr(self, "kc", None)
        if client is not None:
            client.stop_channels()
            self.kc = None
        if self.km is not None and self.session.manager is None and self.session.kernel is None:
            self.session.end_kernel(self.km)

    def execute(self, **options: Any) -> Any:
        if self.session is None:
            return super().execute(**options)
        self.reset_execution_trackers()
        with self.setup_kernel(**options):
            self.papermill_execute_cells()
            assert isinstance(self.kc, StepKernelClient)
            self.nb.metadata["language_info"] = self.kc.language_info
            self.set_widgets_metadata()
        return self.nb

    def papermill_execute_cells(self) -> None:
        session = self.session
        if session is None:
            super().papermill_execute_cells()
            return
        session.begin()
        cells = self.nb.cells
        own = [index for index, cell in enumerate(cells) if is_step_cell(cell)]
        first = next(index for index, cell in enumerate(cells) if index in own or cell_index_of(cell) is None)
        if self.km.is_forked:  # from what has our package
            self._tell(f"(__pipelines__ := {RUNTIME}).record()")
        else:
            _require_ok(run_sync(self._async_execute)(_bootstrap()))
        done = 0
        for index, cell in enumerate(cells):
            if index == first and session.spec["hidden"]:
                self._tell(f"__pipelines__.prepare({session.spec['hidden']!r})")
            if index == own[0]:
                self._begin()
                session.on_cell(0, len(own))
                self._probe(None)
            session.require_wanted()
            try:
                self.nb_man.cell_start(cell, index)
                # What we have put in has no number: `Out[3]` is what it is under Run All.
                self.execute_cell(cell, index, store_history=cell_index_of(cell) is not None)
            except CellExecutionError as error:
                self.nb_man.cell_exception(cell, cell_index=index, exception=error)
                if session.stopped is None:
                    with contextlib.suppress(StepError, RuntimeError, OSError, ValueError):
                        session.files = self._ask("__pipelines__.files()")
                self._keep_logged(read_log(session.logged_path).to_json())
                return
            finally:
                self._complete(cell, index)
            if index in own:
                done += 1
                session.on_cell(done, len(own))
                self._probe(cell_index_of(cell))
        if self.displays:
            self._tell_displays()
        report = self._ask("__pipelines__.finish()")
        self._keep_logged(report.pop("logged", {}))
        session.finish(report)

    def _complete(self, cell: Any, index: int) -> None:
        """As papermill says that a cell has ended, but without its way of reading the time at which it began."""
        times = cell.metadata.papermill
        start, times["start_time"] = times["start_time"], None
        self.nb_man.cell_complete(cell, cell_index=index)
        if start is not None:
            took = datetime.fromisoformat(times["end_time"]) - datetime.fromisoformat(start)
            times |= {"start_time": start, "duration": took.total_seconds()}

    def _begin(self) -> None:
        """Tell the runtime what it is to watch: by a file, as IPython looks at every word of a long cell."""
        assert self.session is not None
        path = self.session.report_path
        path.write_text(json.dumps(self.session.spec), encoding="utf-8")
        self._tell(f"__pipelines__.begin(__pipelines__.told({str(path)!r}))")

    def _probe(self, cell_index: int | None) -> None:
        """Keep the tables that there are now, if somebody has asked for what each cell leaves."""
        assert self.session is not None
        if self.session.spec["probe"]:
            self._tell(f"__pipelines__.probe({self.session.spec['probe']!r}, {cell_index!r})")

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        if self.session is not None:
            content = msg["content"]
            match msg["msg_type"]:
                case "stream":
                    self.session.write_log(self.bars.make_room() + content["text"])
                case "error":
                    self.session.write_log(self.bars.make_room() + "\n".join(content["traceback"]) + "\n")
                case "display_data" | "execute_result" | "update_display_data":
                    content["data"] = valid_data(content["data"])
                case "comm_open" | "comm_msg" | "comm_close":
                    shown = self.bars.hear(msg["msg_type"], content)
                    if shown:
                        self.session.write_log(shown)
            self._note_display(msg["msg_type"], content)
        return super().process_message(msg, cell, cell_index)

    def _note_display(self, kind: str, content: Mapping[str, Any]) -> None:
        """Keep what was shown under a `display_id`: it shows in outputs of earlier steps, too."""
        display_id = (content.get("transient") or {}).get("display_id")
        if display_id and kind in ("display_data", "execute_result", "update_display_data"):
            self.displays[display_id] = {"data": content["data"], "metadata": content["metadata"]}

    def _tell_displays(self) -> None:
        """Write into the notebook what was shown where, by `display_id`."""
        places: dict[str, Any] = self._display_id_map
        self.nb.metadata[METADATA]["displays"] = {
            display_id: {
                **shown,
                "places": [
                    [cell, output]
                    for cell, outputs in places.get(display_id, {}).items()
                    for output in outputs
                ],
            }
            for display_id, shown in self.displays.items()
        }

    def _keep_logged(self, logged: Mapping[str, Any]) -> None:
        """Write into the notebook what its cells have logged."""
        if logged:
            self.nb.metadata[METADATA]["logged"] = dict(logged)

    def _ask(self, expression: str) -> dict[str, Any]:
        """The value of an expression in the kernel, which JSON can say."""
        assert self.session is not None
        path = self.session.report_path
        # No name is bound meanwhile: what the step has bound is being looked at.
        self._tell(f"__pipelines__.answer({str(path)!r}, {expression})")
        answer: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return answer

    def _tell(self, expression: str) -> None:
        """Evaluate an expression in the kernel without a trace in the notebook.

        Raises
        ------
        StepError
            It raised: ours, or the kernel's environment lacks something.
        """
        _require_ok(run_sync(self._async_tell)(expression))

    async def _async_tell(self, expression: str) -> dict[str, Any]:
        # Not as a cell: in that IPython looks at every word, and calls the notebook's hooks.
        content = await self._async_execute("", {"": f"{RUNTIME}.hear({expression!r})"})
        if content["status"] != "ok":
            return content
        heard = content.get("user_expressions", {}).get("")
        if heard is None:
            # A kernel that takes no expressions.
            return await self._async_execute(expression)
        if heard["status"] == "error":
            # Of an expression it says only what was raised, not where.
            return await self._async_execute("raise __import__('sys').last_value")
        return content

    async def _async_execute(self, code: str, expressions: Mapping[str, str] | None = None) -> dict[str, Any]:
        assert self.kc is not None
        message_id = self.kc.execute(
            code, silent=True, store_history=False, user_expressions=dict(expressions or {})
        )
        reply = await self.async_wait_for_reply(message_id)
        if reply is None:
            raise DeadKernelError("Kernel died")
        content: dict[str, Any] = reply["content"]
        return content


RUNTIME = "__import__('jupyterlab_pipelines.kernel.runtime', fromlist=['hear'])"
"""An expression for it, in a kernel that has our package."""


def _require_ok(reply: Mapping[str, Any]) -> None:
    if reply["status"] == "ok":
        return
    trace = ANSI.sub("", "\n".join(reply.get("traceback", [])))
    raise StepError(
        "runtime_failed",
        f"{reply.get('ename', 'Error')}: {ANSI.sub('', reply.get('evalue', ''))}",
        traceback=trace,
    )


def _bootstrap() -> str:
    """Code that makes our package importable in a kernel of any environment, for that kernel only, and begins."""
    package = Path(jupyterlab_pipelines.__file__).parent
    return (
        "import sys as _s\n"
        "if 'jupyterlab_pipelines' not in _s.modules:\n"
        "    import importlib.util as _u\n"
        f"    _f = _u.spec_from_file_location('jupyterlab_pipelines', {str(package / '__init__.py')!r},"
        f" submodule_search_locations=[{str(package)!r}])\n"
        "    _s.modules['jupyterlab_pipelines'] = _u.module_from_spec(_f)\n"
        "    _f.loader.exec_module(_s.modules['jupyterlab_pipelines'])\n"
        "    del _f, _u\n"
        "import jupyterlab_pipelines.kernel.runtime as __pipelines__\n"
        "__pipelines__.record()\n"
        "del _s\n"
    )


class PipelinesEngine(NBClientEngine):  # type: ignore[misc]
    """`papermill --engine pipelines`."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: NotebookExecutionManager,
        kernel_name: str,
        log_output: bool = False,
        stdout_file: Any = None,
        stderr_file: Any = None,
        start_timeout: float = 60,
        execution_timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Execute the notebook; see papermill's `NBClientEngine` for the parameters.

        Parameters
        ----------
        session : StepSession, optional
            Given by the runner.
        environment : dict, optional
            The kernel's environment variables, if not those of this process.
        """
        session: StepSession | None = kwargs.pop("session", None)
        environment: dict[str, str] | None = kwargs.pop("environment", None)
        safe_kwargs = remove_args(["timeout", "startup_timeout", "input_path"], **kwargs)
        final_kwargs = merge_kwargs(
            safe_kwargs,
            timeout=execution_timeout or kwargs.get("timeout"),
            startup_timeout=start_timeout,
            kernel_name=kernel_name,
            log_output=log_output,
            stdout_file=stdout_file,
            stderr_file=stderr_file,
            # Outputs that take long to arrive are late, not lost.
            iopub_timeout=SECONDS_FOR_OUTPUT,
            # How often to look whether the kernel still lives.
            shell_timeout_interval=1,
            raise_on_iopub_timeout=True,
        )
        client = StepClient(nb_man, **final_kwargs)
        client.session = session
        if session is None:
            client.execute()
            return
        session.executed = nb_man.nb
        try:
            client.execute(env=environment, cleanup_kc=False)
        finally:
            client.leave_kernel()
            session.close()
