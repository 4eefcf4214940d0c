"""One live kernel: which notebook it belongs to, and what was executed in it since the extension was loaded."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyterlab_pipelines.errors import PipelinesError, UsageError
from jupyterlab_pipelines.kernel.magics.place import find_notebook

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from jupyterlab_pipelines.kernel.magics.live import Live
    from jupyterlab_pipelines.project import Project

NO_NOTEBOOK = "session.ipynb"
"""How the store calls what was executed where there is no notebook, in the working directory."""


class Session:
    """What the magics of one shell know."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.folder = Path.cwd()
        self._chosen: Path | None = None

    def begin(self) -> None:
        """Register the magics, and watch what is executed from now on."""
        shell: Any = self.shell
        shell.register_magic_function(self.pipeline, "line", "pipeline")
        shell.register_magic_function(self.step, "cell", "step")
        shell.set_hook("complete_command", self.complete, str_key="%pipeline")
        self.live.begin()

    def end(self) -> None:
        self.live.end()
        self.shell.magics_manager.magics["cell"].pop("step", None)

    @cached_property
    def live(self) -> Live:
        from jupyterlab_pipelines.kernel.magics.live import Live

        return Live(self)

    # -- the notebook ---------------------------------------------------------------------------

    @property
    def notebook(self) -> Path | None:
        """The notebook's file, if anybody has said which it is."""
        return self._chosen or find_notebook(self.shell.user_ns)

    def use(self, notebook: Path) -> None:
        """The notebook is this one."""
        if not notebook.is_file():
            raise UsageError("not_found", f"There is no file {notebook}.", path=str(notebook))
        self._chosen = notebook.absolute()

    @property
    def path(self) -> Path:
        """The notebook's file, or where one would be that has the cells of this session."""
        return self.notebook or self.folder / NO_NOTEBOOK

    @property
    def content(self) -> dict[str, Any] | None:
        """What is to be run, if not the notebook as its file has it.

        The cells of this session where there is no notebook; of a notebook without steps, all as one step.
        """
        from jupyterlab_pipelines.notebook.parse import read_notebook
        from jupyterlab_pipelines.notebook.suggest import as_one_step

        if self.notebook is None:
            return self.live.as_notebook()
        return as_one_step(read_notebook(self.notebook))

    @property
    def project(self) -> Project:
        from jupyterlab_pipelines.project import Project

        return Project.open(self.path)

    # -- magics ---------------------------------------------------------------------------------

    def pipeline(self, line: str) -> Any:
        """The notebook as a pipeline.

        ::

            %pipeline run [--to STEP] [--force STEP] [-p NAME VALUE] [--jobs N] [--background]
            %pipeline plan              what a run would do now, and why
            %pipeline why STEP          why this step would run
            %pipeline runs              runs of this notebook
            %pipeline show [RUN] [STEP] one run, or one step of it
            %pipeline diff A B          what differs between two runs
            %pipeline metrics           runs × parameters × metrics
            %pipeline stats STEP.NAME   what is known of a stored value
            %pipeline load STEP.NAME [--run RUN] [--as NAME]
                                        a stored value as a variable
            %pipeline load --to STEP [--run RUN]
                                        all variables as they were after that step
            %pipeline suggest [--apply] a cut of the notebook into steps
            %pipeline cancel [RUN]      end a run
            %pipeline verify, export, schema, …
                                        as `jupyter pipelines` has them, for this notebook
            %pipeline status            what became of the steps that were executed by hand
            %pipeline shadow on|off     record tagged cells that are executed by hand
            %pipeline use NOTEBOOK      which notebook this kernel belongs to, if it cannot know

        ``%pipeline COMMAND --help`` says more. A run may be named by the beginning or the end of its id.
        """
        from jupyterlab_pipelines.kernel.magics.commands import run_command

        try:
            return run_command(self, line)
        except PipelinesError as error:
            raise shown_briefly(error) from None

    def step(self, line: str, cell: str) -> None:
        """A cell that begins with ``%%step NAME`` is a step of the pipeline.

        ::

            %%step NAME [--after A,B] [--role ROLE] [--cache off|12h] [--outputs x,y]
                        [--params alpha=0.1] [--force] [--retries N] [--timeout 30m] [--kernel NAME]
                        [--cpu 2] [--memory 4Gi] [--gpu 1]

        It means the same as the tag ``step:NAME``. Executed by hand, a step whose code and inputs have not changed
        is not executed again: what it left is loaded, and what it showed is shown. One that has changed is
        executed, and a pipeline run reuses its result, as this cell reuses that of a run.

        ``--outputs`` names variables that are kept though no step reads them. ``--params`` sets variables before
        the cell. ``--force`` executes the cell whatever there is.
        """
        from jupyterlab_pipelines.notebook.tags import read_step_magic

        # Only a line that cannot be read comes here: all others were read before, see `lines`.
        try:
            read_step_magic(f"%%step {line}".rstrip() + f"\n{cell}", 0)
        except PipelinesError as error:
            told = UsageError(error.code, error.message.removeprefix("Cell 1, "))
            raise shown_briefly(told) from None

    def complete(self, shell: Any, event: Any) -> list[str]:
        """What may come next after ``%pipeline …``."""
        from jupyterlab_pipelines.kernel.magics.commands import completions

        return completions(self, event.line, event.symbol)


def shown_briefly(error: PipelinesError) -> PipelinesError:
    """The error, which IPython shows as its message: where in our code it arose is nobody's business."""
    vars(error)["_render_traceback_"] = lambda: [f"error: {error.message}"]
    return error
