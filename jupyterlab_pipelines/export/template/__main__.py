"""The door for terminals: ``python -m NAME run`` and ``python -m NAME run-step STEP``.

Exit status 0: done. 1: a step failed. 2: wrong use.
"""

from __future__ import annotations

import argparse
import atexit
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any, NoReturn

from .parameters import TYPES
from .pipeline import NAME, STEPS


def main(words: Sequence[str] | None = None) -> int:
    """Carry out a command; its exit status."""
    parser = _parser()
    arguments = parser.parse_args(words)
    from . import running

    try:
        parameters = _parameters(arguments)
        running.check_parameters(parameters)
        if arguments.command != "run":
            running.find_step(arguments.step)
        else:
            for name in arguments.step:
                running.find_step(name)
    except (KeyError, ValueError) as error:
        parser.error(str(error.args[0]))
    if arguments.command == "fail-step":
        ended = running.StepFailedError(arguments.message)
        running.fail(arguments.step, ended, artifacts=arguments.artifacts, parameters=parameters)
        return 0
    if arguments.command == "run-step":
        signal.signal(signal.SIGTERM, running.end)
        try:
            document = running.run_step(
                arguments.step, artifacts=arguments.artifacts, parameters=parameters, data=arguments.data
            )
        except BaseException as error:  # Also `sys.exit`, and what ends this process from outside.
            running.tell_error()
            running.fail(arguments.step, error, artifacts=arguments.artifacts, parameters=parameters)
            return 1
    else:
        document = running.run(
            artifacts=arguments.artifacts,
            parameters=parameters,
            data=arguments.data,
            jobs=arguments.jobs,
            steps=arguments.step,
            resume=arguments.resume,
        )
    if arguments.json:
        print(json.dumps(document))
    return 0 if document["status"] == "succeeded" else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {__package__ or NAME}", description=f"Runs the pipeline {NAME}."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    runner = commands.add_parser("run", help="run the pipeline")
    one = commands.add_parser("run-step", help="run one step; what it needs must be in the artifacts folder")
    other = commands.add_parser("fail-step", help="leave word that a step was ended from outside")
    other.add_argument("--message", default="It was ended from outside.", metavar="TEXT", help="why")
    for each in (one, other):
        each.add_argument("step", metavar="STEP", help=f"one of {', '.join(step.name for step in STEPS)}")
    runner.add_argument(
        "--step", action="append", default=[], metavar="STEP", help="only this and what it needs"
    )
    runner.add_argument("--jobs", type=int, metavar="N", help="steps at the same time")
    runner.add_argument(
        "--resume", action="store_true", help="take what an earlier run in the folder has left"
    )
    for either in (runner, one, other):
        either.add_argument(
            "--artifacts",
            default="artifacts",
            metavar="URL",
            help="folder or fsspec URL of the run (default: artifacts)",
        )
        either.add_argument("--data", metavar="DIR", help="folder in which the steps find their files")
        either.add_argument(
            "-p", "--param", action="append", default=[], metavar="NAME=VALUE", help="value of a parameter"
        )
        either.add_argument("--parameters", metavar="JSON", help="values of parameters as one JSON object")
        either.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


def _parameters(arguments: argparse.Namespace) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if arguments.parameters:
        try:
            values = json.loads(arguments.parameters)
        except ValueError:
            raise ValueError("--parameters is no JSON.") from None
        if not isinstance(values, dict):
            raise ValueError("--parameters must be a JSON object.")
    for said in arguments.param:
        name, is_there, text = said.partition("=")
        if not is_there:
            raise ValueError(f"--param must be NAME=VALUE, not {said!r}.")
        if text or TYPES.get(name) == "str":  # Engines say "" for what nobody gave.
            values[name] = _value(name, text)
    return values


def _value(name: str, text: str) -> Any:
    """The value that a text says: JSON, or for a text itself."""
    if TYPES.get(name) == "str":
        return text
    try:
        return json.loads(text)
    except ValueError:
        lowered = text.lower()
        return {"true": True, "false": False, "none": None}.get(lowered, text)


def _leave(status: int) -> NoReturn:
    """End the process in order, but for the threads of native libraries: now and then one aborts on its way out.

    What was computed is written by then, and an engine would take the step for failed.
    """
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    _leave(main())
