"""The door for terminals and scripts: ``jupyter pipelines …``.

``--json`` prints exactly one JSON document on stdout, whatever happens, and everything else on
stderr. Exit status 0: done. 1: the run failed or was cancelled. 2: wrong use, or a notebook that is
no pipeline; nothing ran.

A command that has nothing to run starts quickly, so this module imports the standard library alone,
and the rest where it is used.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from jupyterlab_pipelines import (
    __version__,
    cli_export,
    cli_quality,
    cli_stats,
    cli_tables,
    lending,
    warm,
)
from jupyterlab_pipelines.documents import write_document
from jupyterlab_pipelines.errors import NotFoundError, ParameterError, PipelinesError, UsageError
from jupyterlab_pipelines.execution import lean

if TYPE_CHECKING:
    from jupyterlab_pipelines.project import Project

Command = Callable[[argparse.Namespace], int]

SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT])?(i)?B?", re.IGNORECASE)


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command and exit with its status."""
    words = list(sys.argv[1:] if argv is None else argv)
    raise SystemExit(exit_status(words, is_own=argv is None))


def _run_warm(words: Sequence[str]) -> int:
    """Let a warm process run a command, or leave one behind for the next, if that is wanted; its exit status."""
    seconds = warm.seconds_to_keep()
    status = warm.carry_out(words)
    if status is None:
        lending.lender = wishes = lending.Wishes()
        status = run_command(words)
        if seconds:
            warm.leave_host(wishes.noted, seconds)
    return status


def exit_status(argv: Sequence[str], *, is_own: bool = False) -> int:
    """Run a command, and tell what goes wrong; its exit status.

    `is_own`: it is this process's command, which a warm one may run in its stead.
    """
    words = list(argv)
    as_json = "--json" in words
    lean.own_process()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show ✓ shows a question mark, not a traceback.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        if is_own and words and words[0] in warm.COMMANDS and warm.is_wanted():
            return _run_warm(words)
        return run_command(words)
    except SystemExit as end:  # argparse has told what was asked: help, or the version
        return end.code if isinstance(end.code, int) else 0
    except PipelinesError as error:
        _tell(error, words, as_json)
        return error.exit_code
    except KeyboardInterrupt:
        _tell(PipelinesError("cancelled", "Cancelled."), words, as_json)
        return 1
    except BrokenPipeError:
        # The reader has what it wanted (`… | head`). Python must not flush to it once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        traceback.print_exc()
        if as_json:
            print(
                write_document(
                    PipelinesError("internal_error", f"{type(error).__name__}: {error}").to_document()
                )
            )
        return 1


def run_command(words: Sequence[str]) -> int:
    """Run the command that `words` say; its exit status.

    Raises
    ------
    PipelinesError
        Wrong use, or something that does not exist.
    """
    arguments = make_parser().parse_args(join_parameters(words))
    command: Command = arguments.command
    return command(arguments)


# -- commands -------------------------------------------------------------------------------------


def run(arguments: argparse.Namespace) -> int:
    from jupyterlab_pipelines.cli_table import show_progress

    with _stdout_for_document(arguments.json) as out:
        # Under --json stdout is the document's alone, and what people watch goes to stderr.
        with show_progress(sys.stderr if arguments.json else out) as on_event:
            project = open_project(arguments.notebook, arguments.store)
            document = project.run(
                arguments.notebook,
                parameters=read_parameters(arguments),
                steps=tuple(arguments.step),
                force=tuple(arguments.force),
                jobs=arguments.jobs,
                executor=arguments.executor,
                kernel=arguments.kernel,
                environment=arguments.environment,
                output=arguments.output,
                on_event=on_event,
            )
        if not arguments.json:
            from jupyterlab_pipelines.cli_report import report_run

            report_run(document, project, out)
    if arguments.json:
        _print_document(document)
    return 0 if document["status"] == "succeeded" else 1


def plan(arguments: argparse.Namespace) -> int:
    document = open_project(arguments.notebook, arguments.store).plan(
        arguments.notebook,
        parameters=read_parameters(arguments),
        steps=tuple(arguments.step),
        force=tuple(arguments.force),
        kernel=arguments.kernel,
    )
    if arguments.json:
        _print_document(document)
    else:
        from jupyterlab_pipelines.cli_report import report_plan

        report_plan(document, sys.stdout)
    return 0


def verify(arguments: argparse.Namespace) -> int:
    from jupyterlab_pipelines.cli_report import report_verdict, report_verification

    with _stdout_for_document(arguments.json) as out:
        document = open_project(arguments.notebook, arguments.store).verify(
            arguments.notebook,
            parameters=read_parameters(arguments),
            steps=tuple(arguments.step),
            kernel=arguments.kernel,
            on_event=lambda verdict: report_verdict(verdict, out),
        )
        if not arguments.json:
            report_verification(document, out)
    if arguments.json:
        _print_document(document)
    return 0 if document["status"] == "equal" else 1


def runs(arguments: argparse.Namespace) -> int:
    project = open_project(arguments.notebook or Path.cwd(), arguments.store)
    found = project.runs(arguments.notebook, limit=arguments.limit)
    if arguments.json:
        _print_document({"runs": found})
    else:
        from jupyterlab_pipelines.cli_report import report_runs

        report_runs(found, sys.stdout)
    return 0


def show(arguments: argparse.Namespace) -> int:
    project = open_project(Path.cwd(), arguments.store)
    document = project.run_document(arguments.run)
    if arguments.step is None:
        if arguments.json:
            _print_document(document)
        else:
            from jupyterlab_pipelines.cli_report import report_run_in_full

            report_run_in_full(document, project, sys.stdout)
        return 0
    step = _step_of(document, arguments.step)
    log = project.step_log(document["run_id"], step["name"])
    if arguments.json:
        _print_document(step | {"run_id": document["run_id"], "log": log})
    else:
        from jupyterlab_pipelines.cli_report import report_step

        report_step(document, step, log, project, sys.stdout)
    return 0


def diff(arguments: argparse.Namespace) -> int:
    document = open_project(Path.cwd(), arguments.store).diff(arguments.run, arguments.other)
    if arguments.json:
        _print_document(document)
    else:
        from jupyterlab_pipelines.cli_report import report_diff

        report_diff(document, sys.stdout)
    return 0


def tag(arguments: argparse.Namespace) -> int:
    project = open_project(Path.cwd(), arguments.store)
    before = project.run_document(arguments.run)
    if arguments.remove:
        tags = [name for name in before["tags"] if name not in arguments.name]
    else:
        tags = list(dict.fromkeys([*before["tags"], *arguments.name]))
    document = project.annotate(before["run_id"], tags=tags)
    if arguments.json:
        _print_document(document)
    else:
        print(f"run {document['run_id']}: {', '.join(document['tags']) or 'no tags'}")
    return 0


def comment(arguments: argparse.Namespace) -> int:
    project = open_project(Path.cwd(), arguments.store)
    run_id = project.run_document(arguments.run)["run_id"]
    if (arguments.text is None) != arguments.remove:
        raise UsageError("usage", "Give a comment, or --remove to take it away.")
    document = project.annotate(run_id, comment=arguments.text or "")
    if arguments.json:
        _print_document(document)
    else:
        print(f"run {document['run_id']}: {document['comment'] or 'no comment'}")
    return 0


def check(arguments: argparse.Namespace) -> int:
    document = open_project(Path.cwd(), arguments.store).check()
    if arguments.json:
        _print_document(document)
    else:
        from jupyterlab_pipelines.cli_report import report_check

        report_check(document, sys.stdout)
    return 1 if document["status"] == "damaged" else 0


def gc(arguments: argparse.Namespace) -> int:
    document = open_project(Path.cwd(), arguments.store).gc(
        older_than_seconds=arguments.older_than,
        max_size_bytes=arguments.max_size,
        dry_run=arguments.dry_run,
    )
    if arguments.json:
        _print_document(document)
    else:
        from jupyterlab_pipelines.cli_report import report_gc

        report_gc(document, sys.stdout)
    return 0


def doctor(arguments: argparse.Namespace) -> int:
    from jupyterlab_pipelines.doctor import examine

    with _stdout_for_document(arguments.json):
        findings = examine(Path.cwd(), arguments.store)
        if not arguments.json:
            from jupyterlab_pipelines.cli_report import report_findings

            report_findings(findings, sys.stdout)
    has_problem = any(finding.level == "problem" for finding in findings)
    if arguments.json:
        checks = [finding.to_json() for finding in findings]
        _print_document({"status": "problem" if has_problem else "ok", "checks": checks})
    return 1 if has_problem else 0


def open_project(path: Path, store: Path | None) -> Project:
    from jupyterlab_pipelines.project import Project

    return Project.open(path, store)


def _step_of(document: dict[str, Any], name: str) -> dict[str, Any]:
    steps: dict[str, dict[str, Any]] = {step["name"]: step for step in document["steps"]}
    if name not in steps:
        raise NotFoundError(
            "unknown_step",
            f"Run {document['run_id']} has no step {name!r}; it has {', '.join(steps)}.",
            step=name,
            steps=list(steps),
        )
    return steps[name]


# -- words of the command line --------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """Wrong use is an error like every other, and so becomes a document under ``--json``."""

    def error(self, message: str) -> NoReturn:
        raise UsageError("usage", f"{message}\nTry: {self.prog} --help", usage=self.format_usage().strip())


def make_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="jupyter pipelines",
        description="Runs tagged notebooks as cached, parallel pipelines.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(command: Command, help: str) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = commands.add_parser(
            command.__name__.replace("_", "-"), help=help, description=help, allow_abbrev=False
        )
        added.set_defaults(command=command)
        added.add_argument(
            "--store", type=Path, metavar="DIR", help="the store, if it is not where the project is"
        )
        added.add_argument("--json", action="store_true", help="print one JSON document")
        return added

    runner = add(run, "run the steps that are not up to date")
    planner = add(plan, "tell what a run would do now, and why; runs nothing")
    verifier = add(verify, "execute reused steps again in a scratch place; tell which do not give the same")
    for either in (runner, planner, verifier):
        either.add_argument("notebook", type=Path, metavar="NOTEBOOK")
        _add_parameters(either)
        either.add_argument("--kernel", metavar="NAME", help="kernelspec, instead of the notebook's own")
        only = "only this step" if either is verifier else "only what this step needs, and itself"
        either.add_argument("--step", action="append", default=[], metavar="NAME", help=only)
    for either in (runner, planner):
        either.add_argument(
            "--force",
            action="append",
            default=[],
            metavar="NAME",
            help="execute this step though it could be reused",
        )
    runner.add_argument(
        "--environment", metavar="NAME", help="e.g. serving, where the schema file has environments"
    )
    runner.add_argument(
        "--output", type=Path, metavar="OUT.ipynb", help="write the notebook with fresh outputs here"
    )
    runner.add_argument(
        "--jobs", type=_count, metavar="N", help="steps at the same time (default: number of cores)"
    )
    runner.add_argument("--executor", choices=["local"], default="local", help="where steps run")

    lister = add(runs, "list runs, newest first")
    lister.add_argument(
        "notebook", type=Path, nargs="?", metavar="NOTEBOOK", help="only runs of this notebook"
    )
    lister.add_argument("--limit", type=_count, default=20, metavar="N", help="how many (default: 20)")

    shower = add(show, "show one run, or one step of it with its log")
    _add_run(shower, "run")
    shower.add_argument("--step", metavar="NAME", help="this step, with its outputs, error and log")

    differ = add(diff, "tell what differs between two runs")
    _add_run(differ, "run")
    _add_run(differ, "other")

    tagger = add(tag, "add tags to a run, which also keeps `gc` from reclaiming it")
    _add_run(tagger, "run")
    tagger.add_argument("name", nargs="+", metavar="NAME")
    tagger.add_argument("--remove", action="store_true", help="take these tags away")

    commenter = add(comment, "write a comment on a run, in place of the one it has")
    _add_run(commenter, "run")
    commenter.add_argument("text", nargs="?", metavar="TEXT")
    commenter.add_argument("--remove", action="store_true", help="take the comment away")

    add(check, "look whether all that is stored is whole, and mend what can be mended")

    collector = add(gc, "reclaim space from what was not used for long; runs that have a tag stay")
    collector.add_argument("--dry-run", action="store_true", help="only say what would be reclaimed")
    collector.add_argument(
        "--older-than",
        type=_age,
        metavar="AGE",
        help="what was not used for so long, e.g. 12h or 7d (default, without --max-size: 30d)",
    )
    collector.add_argument(
        "--max-size",
        type=_size,
        metavar="SIZE",
        help="the least recently used, until the rest is no larger than e.g. 500MB or 20GB",
    )

    cli_export.register(add, _add_parameters, read_parameters)
    cli_quality.register(add)
    cli_stats.register(add)
    cli_tables.register(add)
    add(doctor, "tell what is wrong with this installation, and what to do")
    return parser


def _add_parameters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-p",
        "--parameters",
        type=_parameter,
        action="append",
        default=[],
        metavar="NAME VALUE",
        help="value of a parameter; may be given again",
    )
    parser.add_argument(
        "-f",
        "--parameters-file",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="YAML file with values of parameters; -p has the last word",
    )


def _add_run(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument(name, metavar="RUN", help="id of a run, or a beginning or end that no other run has")


def join_parameters(words: Sequence[str]) -> list[str]:
    """`words` with each ``-p NAME VALUE`` as one word.

    argparse takes a value that begins with a hyphen, such as ``-1e-3``, for an option. As one word it
    is what was meant. What is an option of ours stays one: a forgotten value is not to become the
    string ``--json``.
    """
    joined: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in ("-p", "--parameters") and len(rest) >= 2 and not _is_option(rest[1]):
            name, value = rest.pop(0), rest.pop(0)
            joined.append(f"--parameters={name}={value}")
        else:
            joined.append(word)
    return joined


def _is_option(word: str) -> bool:
    return word.startswith("--") or word in ("-p", "-f", "-h")


def _parameter(word: str) -> tuple[str, Any]:
    name, equals, value = word.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError("expected NAME VALUE")
    from jupyterlab_pipelines.project import TypedText

    return name, TypedText(value)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"must be a whole number above 0, not {text!r}")
    return int(text)


def _age(text: str) -> float:
    from jupyterlab_pipelines.notebook.tags import AGE, SECONDS

    match = AGE.match(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"must be a number and s, m, h, d or w, such as 7d, not {text!r}")
    return float(match[1]) * SECONDS[match[2]]


def _size(text: str) -> int:
    match = SIZE.fullmatch(text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f"must be a number and kB, MB, GB or TB, such as 20GB, not {text!r}")
    base = 1024.0 if match[3] else 1000.0
    return round(float(match[1]) * pow(base, " KMGT".index((match[2] or " ").upper())))


def read_parameters(arguments: argparse.Namespace) -> dict[str, Any]:
    """Parameters of the files, in their order, then those of ``-p``: the last word counts."""
    parameters: dict[str, Any] = {}
    for file in arguments.parameters_file:
        parameters |= read_parameters_file(file)
    return parameters | dict(arguments.parameters)


def read_parameters_file(file: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises
    ------
    ParameterError
        No such file, no YAML, no mapping of names, or a value that JSON has no form for.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """Leaves dates as they are written, as papermill does: parameters are JSON."""

    Loader.yaml_implicit_resolvers = {
        first: [resolver for resolver in resolvers if resolver[0] != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    try:
        values = yaml.load(file.read_text(encoding="utf-8"), Loader)
        json.dumps(values)
    except OSError as error:
        raise ParameterError(
            "no_parameters_file",
            f"The parameters file {file} cannot be read: {error.strerror}.",
            file=str(file),
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParameterError(
            "bad_parameters_file", f"The parameters file {file} is no YAML: {error}", file=str(file)
        ) from error
    except TypeError as error:
        raise ParameterError(
            "bad_parameters_file",
            f"The parameters file {file} has a value that is no JSON: {error}.",
            file=str(file),
        ) from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise ParameterError(
            "bad_parameters_file",
            f"The parameters file {file} must be a mapping of names to values, such as `alpha: 0.1`.",
            file=str(file),
        )
    return values


# -- stdout and errors ----------------------------------------------------------------------------


@contextlib.contextmanager
def _stdout_for_document(as_json: bool) -> Iterator[TextIO]:
    """Where people read; under ``--json`` nothing but the document reaches stdout.

    Kernels inherit the file descriptor, not Python's `sys.stdout`, so both point to stderr meanwhile.
    """
    if not as_json:
        yield sys.stdout
        return
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield sys.stderr
    finally:
        sys.stderr.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _print_document(document: Any) -> None:
    print(write_document(document, indent=2))


def _tell(error: PipelinesError, words: Sequence[str], as_json: bool) -> None:
    if as_json:
        _print_document(error.to_document())
        return
    from jupyterlab_pipelines.cli_report import report_error

    report_error(error, words, sys.stderr)


if __name__ == "__main__":
    main()
