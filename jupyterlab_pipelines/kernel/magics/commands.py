"""``%pipeline COMMAND …``: the use cases of `Project`, for the notebook that the kernel belongs to."""

from __future__ import annotations

import argparse
import io
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from jupyterlab_pipelines.errors import NotFoundError, PipelinesError, StepError, UsageError

if TYPE_CHECKING:
    from jupyterlab_pipelines.api import Run
    from jupyterlab_pipelines.kernel.magics.session import Session

OF_COMMAND_LINE = ("verify", "export", "schema", "tag", "comment", "check", "gc", "doctor")
COMMANDS = (
    *("run", "plan", "why", "runs", "show", "diff", "metrics", "stats", "load"),
    *("suggest", "status", "shadow", "cancel", "use"),
    *OF_COMMAND_LINE,
)
OF_NOTEBOOK = ("verify", "export")
"""Commands of the command line that want a notebook as their first word; ``schema`` wants one as its second."""


def run_command(session: Session, line: str) -> Any:
    """Do what the line says; what is returned shows itself.

    Raises
    ------
    PipelinesError
        Wrong use, or a run that failed.
    """
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError("usage", f"%pipeline {line}: {error}.") from None
    if not words or words[0] in ("help", "--help", "-h"):
        print(_help(session))
        return None
    command, *rest = words
    if command not in COMMANDS:
        close = [name for name in COMMANDS if name.startswith(command[:2])]
        hint = f" Did you mean {' or '.join(f'`{name}`' for name in close)}?" if close else ""
        raise UsageError("usage", f"%pipeline has no command `{command}`.{hint} `%pipeline?` lists them.")
    if command in OF_COMMAND_LINE:
        return _command_line(session, command, rest)
    try:
        arguments = _parser(command).parse_args(_joined(rest))
    except SystemExit:  # --help has printed what it has to say
        return None
    return globals()[f"_{command}"](session, arguments)


def _help(session: Session) -> str:
    import inspect

    return inspect.getdoc(type(session).pipeline) or ""


# -- commands -------------------------------------------------------------------------------------


def _run(session: Session, arguments: argparse.Namespace) -> None:
    from jupyterlab_pipelines.kernel.magics.progress import follow, follow_in_background

    project = session.project
    request: dict[str, Any] = {
        "content": session.content,
        "parameters": _parameters(arguments),
        "steps": tuple(arguments.to),
        "force": tuple(arguments.force),
    }
    plan = project.plan(session.path, **request)
    run_id = project.start(session.path, **request, jobs=arguments.jobs)
    if arguments.background:
        follow_in_background(session.shell, project, run_id, plan)
        return
    document = follow(session.shell, project, run_id, plan)
    if document["status"] != "succeeded":
        raise StepError("run_failed", _failure(document), run_id=run_id)


def _failure(document: dict[str, Any]) -> str:
    """Which steps failed, in one line each."""
    failed = [step for step in document["steps"] if step["error"]]
    lines = [f"step `{step['name']}`: {step['error']['message']}" for step in failed]
    if document.get("error"):
        lines.append(document["error"]["message"])
    head = f"The run {document['run_id']} {_ended(document['status'])}"
    return f"{head}: {lines[0]}" if len(lines) == 1 else "\n  ".join([f"{head}.", *lines])


def _ended(status: str) -> str:
    return {"cancelled": "was cancelled", "interrupted": "was interrupted"}.get(status, status)


def _plan(session: Session, arguments: argparse.Namespace) -> Any:
    from jupyterlab_pipelines.api_html import Shown

    document = _planned(session, arguments)
    return Shown(document, _report("report_plan", document))


def _planned(session: Session, arguments: argparse.Namespace) -> dict[str, Any]:
    return session.project.plan(
        session.path,
        content=session.content,
        parameters=_parameters(arguments),
        steps=tuple(arguments.to),
        force=tuple(arguments.force),
    )


def _why(session: Session, arguments: argparse.Namespace) -> Any:
    from jupyterlab_pipelines.api_html import Shown

    project = session.project
    plan = project.plan(session.path, content=session.content, parameters=_parameters(arguments))
    steps = {step["name"]: step for step in plan["steps"]}
    if arguments.step not in steps:
        known = ", ".join(f"`{name}`" for name in steps)
        raise UsageError(
            "unknown_step", f"The notebook has no step `{arguments.step}`. Its steps are {known}."
        )
    step = steps[arguments.step]
    lines = [f"{step['name']}: {step['decision']}"]
    lines += [f"  {reason['message']}" for reason in (*step["reasons"], *step["warnings"])]
    return Shown(step, "\n".join(lines))


def _runs(session: Session, arguments: argparse.Namespace) -> Any:
    from jupyterlab_pipelines.api import Run, Runs

    project = session.project
    found = project.runs(None if arguments.all else session.path, limit=arguments.limit)
    return Runs([Run(project, run["run_id"], run) for run in found])


def _metrics(session: Session, arguments: argparse.Namespace) -> Any:
    runs = _runs(session, arguments)
    return runs.to_frame() if "pandas" in sys.modules else runs


def _show(session: Session, arguments: argparse.Namespace) -> Any:
    run = _find_run(session, arguments.run)
    return run if arguments.step is None else run[arguments.step]


def _diff(session: Session, arguments: argparse.Namespace) -> Any:
    return _find_run(session, arguments.first).diff(_find_run(session, arguments.second))


def _stats(session: Session, arguments: argparse.Namespace) -> Any:
    step, _, name = arguments.value.partition(".")
    if not name:
        raise UsageError("usage", f"Say whose value is meant: `STEP.NAME`, not `{arguments.value}`.")
    value = _find_run(session, arguments.run, step)[step][name]
    try:
        return value.statistics
    except NotFoundError:
        return value


def _load(session: Session, arguments: argparse.Namespace) -> None:
    if (arguments.value is None) == (arguments.to is None):
        raise UsageError("usage", "Say what to load: `STEP.NAME`, `STEP`, or `--to STEP` for all there was.")
    if arguments.to is not None:
        from jupyterlab_pipelines.kernel.magics.load import load_state

        run = _find_run(session, arguments.run, arguments.to)
        load_state(session, run, arguments.to)
        return
    step, _, name = arguments.value.partition(".")
    run = _find_run(session, arguments.run, step)
    names = [name] if name else list(run[step])
    if arguments.name is not None and len(names) != 1:
        raise UsageError("usage", "`--as` goes with one value: `STEP.NAME --as NAME`.")
    from jupyterlab_pipelines.kernel.magics.load import load_values

    load_values(session, run, step, names, arguments.name)


def _suggest(session: Session, arguments: argparse.Namespace) -> Any:
    from jupyterlab_pipelines.kernel.magics.suggesting import suggest

    return suggest(session, apply=arguments.apply)


def _status(session: Session, arguments: argparse.Namespace) -> None:
    """Which notebook this is, and what became of the steps that were executed by hand."""
    print(session.notebook or "The cells of this session are the pipeline: no notebook is known.")
    for name, what in session.live.status.items():
        print(f"  {name}: {what}")


def _shadow(session: Session, arguments: argparse.Namespace) -> None:
    """Whether cells that are steps by their tags are recorded when they are executed by hand."""
    if arguments.switch is not None:
        session.live.shadows = arguments.switch == "on"
    print(f"Tagged cells that are executed by hand are {'' if session.live.shadows else 'not '}recorded.")


def _cancel(session: Session, arguments: argparse.Namespace) -> None:
    run = _find_run(session, arguments.run)
    run.cancel(arguments.step)
    what = f"step {arguments.step} of run {run.id}" if arguments.step else f"run {run.id}"
    print(f"{what}: asked to end")


def _use(session: Session, arguments: argparse.Namespace) -> None:
    session.use(Path(arguments.notebook))
    print(f"This kernel belongs to {session.notebook}.")


def _command_line(session: Session, command: str, rest: Sequence[str]) -> None:
    """What `jupyter pipelines` does, in a process of its own."""
    words = [command, *rest]
    asks = any(word in ("--help", "-h", "--list") for word in rest)
    notebook = session.notebook
    if not asks and (command in OF_NOTEBOOK or command == "schema"):
        if notebook is None:
            raise UsageError("no_notebook", _NO_NOTEBOOK)
        words.insert(2 if command == "schema" else 1, str(notebook))
    done = subprocess.run(
        [sys.executable, "-m", "jupyterlab_pipelines", *words],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        cwd=session.path.parent,
    )
    print(done.stdout, end="")
    if done.returncode == 2:
        raise UsageError("usage", done.stderr.strip().removeprefix("error: "))
    print(done.stderr, end="", file=sys.stderr)


_NO_NOTEBOOK = (
    "It is not known which notebook this kernel belongs to. "
    "Say `%pipeline use NOTEBOOK`, with the path of its file."
)


# -- words ----------------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError("usage", f"{message}. `{self.prog} --help` says more.")


def _parser(command: str) -> argparse.ArgumentParser:
    helps = {
        "run": "run the steps that are not up to date",
        "plan": "tell what a run would do now, and why; runs nothing",
        "why": "tell why a step would run, or be reused",
        "runs": "list the runs of this notebook, newest first",
        "metrics": "runs × parameters × metrics",
        "show": "show a run, or one step of it",
        "diff": "tell what differs between two runs",
        "stats": "show what is known of a stored value",
        "load": "bring stored values into this kernel",
        "suggest": "propose a cut of the notebook into steps",
        "cancel": "end a run",
        "status": "tell what became of the steps that were executed by hand",
        "shadow": "record tagged cells that are executed by hand, for pipeline runs to reuse",
        "use": "say which notebook this kernel belongs to",
    }
    parser = _Parser(prog=f"%pipeline {command}", description=helps[command], allow_abbrev=False)
    if command in ("run", "plan", "why"):
        parser.add_argument(
            *("-p", "--parameters"),
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="value of a parameter, also as two words; may be given again",
        )
    if command in ("run", "plan"):
        parser.add_argument(
            "--to", action="append", default=[], metavar="STEP", help="only what this step needs, and itself"
        )
        parser.add_argument(
            "--force",
            action="append",
            default=[],
            metavar="STEP",
            help="execute it though it could be reused",
        )
    match command:
        case "run":
            parser.add_argument("--jobs", type=int, metavar="N", help="steps at the same time")
            parser.add_argument("--background", action="store_true", help="do not wait for its end")
        case "why":
            parser.add_argument("step", metavar="STEP")
        case "runs" | "metrics":
            parser.add_argument("--limit", type=int, default=20, metavar="N", help="how many (default: 20)")
            parser.add_argument("--all", action="store_true", help="of all notebooks of the project")
        case "show":
            parser.add_argument("run", nargs="?", metavar="RUN", help="default: the newest")
            parser.add_argument("step", nargs="?", metavar="STEP")
        case "diff":
            parser.add_argument("first", metavar="RUN")
            parser.add_argument("second", metavar="RUN")
        case "stats":
            parser.add_argument("value", metavar="STEP.NAME")
            parser.add_argument("--run", metavar="RUN", help="default: the newest that has the step's result")
        case "load":
            parser.add_argument("value", nargs="?", metavar="STEP[.NAME]", help="what a step has left")
            parser.add_argument("--to", metavar="STEP", help="all variables as they were after this step")
            parser.add_argument("--run", metavar="RUN", help="default: the newest that has the step's result")
            parser.add_argument("--as", dest="name", metavar="NAME", help="the variable that it becomes")
        case "suggest":
            parser.add_argument(
                "--apply", action="store_true", help="write the tags into the notebook's file"
            )
        case "shadow":
            parser.add_argument("switch", nargs="?", choices=["on", "off"])
        case "cancel":
            parser.add_argument("run", nargs="?", metavar="RUN", help="default: the newest")
            parser.add_argument("--step", metavar="STEP", help="end this step alone; the others go on")
        case "use":
            parser.add_argument("notebook", metavar="NOTEBOOK")
    return parser


def _joined(words: Sequence[str]) -> list[str]:
    """``-p NAME VALUE`` as one word, so that a value may begin with a hyphen."""
    joined: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in ("-p", "--parameters") and rest and "=" not in rest[0] and len(rest) > 1:
            joined.append(f"--parameters={rest.pop(0)}={rest.pop(0)}")
        elif word in ("-p", "--parameters") and rest:
            joined.append(f"--parameters={rest.pop(0)}")
        else:
            joined.append(word)
    return joined


def _parameters(arguments: argparse.Namespace) -> dict[str, Any]:
    from jupyterlab_pipelines.project import TypedText

    values: dict[str, Any] = {}
    for word in arguments.parameters:
        name, equals, text = word.partition("=")
        if not (name and equals):
            raise UsageError("usage", f"`-p` wants a name and a value, such as `-p alpha 0.1`, not `{word}`.")
        values[name] = TypedText(text)
    return values


def _find_run(session: Session, run_id: str | None, step: str | None = None) -> Run:
    """The run that is meant; without an id, the newest of the notebook in which `step` has a result."""
    from jupyterlab_pipelines.api import Run

    project = session.project
    if run_id is not None:
        return Run(project, project.run_document(run_id)["run_id"])
    found = [Run(project, each["run_id"]) for each in project.runs(session.path, limit=50)]
    if step is not None:
        named = [run for run in found if step in list(run)]
        found = [run for run in named if run[step].status in ("succeeded", "reused")] or named
    if not found:
        what = f"No run of this notebook has a step `{step}`" if step else "This notebook has no run"
        raise UsageError("unknown_run", f"{what} yet: `%pipeline run` makes one.")
    return found[0]


def _report(report: str, *arguments: Any) -> str:
    from jupyterlab_pipelines import cli_report

    out = io.StringIO()
    getattr(cli_report, report)(*arguments, out)
    return out.getvalue().rstrip("\n")


# -- completion -----------------------------------------------------------------------------------


def completions(session: Session, line: str, symbol: str) -> list[str]:
    """Commands, options, and names of steps, runs and values that begin as `symbol` does."""
    words = line.split()[1:]
    before = words if line.endswith((" ", "\t")) else words[:-1]
    try:
        offered = _offered(session, before)
    except (PipelinesError, OSError):
        offered = []
    word = "" if line.endswith((" ", "\t")) or not words else words[-1]
    # What IPython replaces may begin behind a dot or a hyphen of the word.
    skipped = max(len(word) - len(symbol), 0) if word.endswith(symbol) else 0
    return [each[skipped:] for each in offered if each.startswith(word)]


def _offered(session: Session, before: Sequence[str]) -> list[str]:
    if not before:
        return list(COMMANDS)
    command, last = before[0], before[-1]
    if last in ("--run",) or (command in ("show", "diff", "cancel") and not last.startswith("--")):
        runs = [run["run_id"] for run in session.project.runs(session.path, limit=20)]
        return [*runs, *(_steps(session) if command == "show" and len(before) == 2 else [])]
    if last in ("--to", "--force", "--step") or command == "why":
        return _steps(session)
    if command in ("stats", "load"):
        options = ["--run", "--to", "--as"] if command == "load" else ["--run"]
        return [*_values(session), *options]
    if command in ("export", "schema", "verify", "use", *()):
        return []
    try:
        actions = _parser(command)._actions
    except KeyError:
        return []
    return [option for action in actions for option in action.option_strings if option.startswith("--")]


def _steps(session: Session) -> list[str]:
    return [step["name"] for step in session.project.inspect(session.path, content=session.content)["steps"]]


def _values(session: Session) -> list[str]:
    steps = session.project.inspect(session.path, content=session.content)["steps"]
    return [*(s["name"] for s in steps), *(f"{s['name']}.{name}" for s in steps for name in s["outputs"])]
