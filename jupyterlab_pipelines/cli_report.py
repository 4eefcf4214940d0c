"""What the command line tells people: plans, runs, and above all what went wrong and where."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from jupyterlab_pipelines.cli_table import SYMBOLS, duration, is_drawn, show_table, time_of, why
from jupyterlab_pipelines.errors import PipelinesError

if TYPE_CHECKING:
    from jupyterlab_pipelines.doctor import Finding
    from jupyterlab_pipelines.project import Project

Line = tuple[str, str]
"""A line and its style, for where styles are shown."""

TRACEBACK_LINES = 12
LINES_AROUND = 2

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_FRAME_IN_CELL = re.compile(r"^\s*(?:Cell|Input) In ?\[\d+\], (?:line |in <cell line: )(\d+)", re.MULTILINE)
_MARKED_LINE = re.compile(r"^-+> (\d+)(?: (.*))?$", re.MULTILINE)


def say(lines: Iterable[Line], out: TextIO) -> None:
    if is_drawn(out):
        from rich.console import Console
        from rich.text import Text

        console = Console(file=out, soft_wrap=True)
        for text, style in lines:
            console.print(Text(text, style=style))
    else:
        for text, _ in lines:
            print(text, file=out)


# -- plans and runs -------------------------------------------------------------------------------


def report_plan(document: dict[str, Any], out: TextIO) -> None:
    rows = [
        (step["name"], step["decision"], "; ".join(reason["message"] for reason in step["reasons"]))
        for step in document["steps"]
    ]
    show_table(("step", "decision", "why"), rows, out)
    lines = [("", ""), *_units(document["steps"]), *_doubts(document["steps"]), (_forecast(document), "bold")]
    lines += [(f"warning: {warning['message']}", "yellow") for warning in document["warnings"]]
    say(lines, out)


def _forecast(document: dict[str, Any]) -> str:
    """``3 of 19 steps would run, about 12 s``: what a run would do, in one line."""
    steps = document["steps"]
    decisions = Counter(step["decision"] for step in steps)
    of_all = f"of {_count(len(steps), 'step')}"
    if decisions["reuse"] == len(steps):
        return "The step is up to date" if len(steps) == 1 else f"All {len(steps)} steps are up to date"
    # Of some that wait for others it is known that they will run: their own code is new.
    open_yet = [step for step in steps if {reason["kind"] for reason in step["reasons"]} == {"waits"}]
    undecided = sum(step["decision"] == "undecided" for step in open_yet)
    told = f"{decisions['run'] + decisions['undecided'] - undecided} {of_all} would run"
    if undecided:
        told += f", {undecided} may"
    seconds = document.get("expected_duration_seconds")
    if seconds:
        told += f", {'at most about' if undecided else 'about'} {duration(seconds)}"
    unknown = [
        step
        for step in steps
        if step["decision"] != "reuse" and step.get("expected_duration_seconds") is None
    ]
    if seconds and unknown:
        told += f", not counting {_count(len(unknown), 'step')} that never ran"
    return told


VERDICTS = {
    "equal": ("✓", "green"),
    "different": ("✗", "bold red"),
    "failed": ("✗", "bold red"),
    "not_verified": ("·", "dim"),
}


def report_verdict(verdict: dict[str, Any], out: TextIO) -> None:
    """One verified step: a line, and below it what differs and what may be behind that."""
    mark, style = VERDICTS[verdict["status"]]
    title = [verdict["name"], verdict["status"].replace("_", " "), duration(verdict["duration_seconds"])]
    lines: list[Line] = [(f"{mark} " + " · ".join(part for part in title if part), style)]
    if verdict["differences"]:
        lines += [(f"    {difference['message']}", "") for difference in verdict["differences"]]
    elif verdict["message"]:
        lines.append((f"    {verdict['message']}", "" if verdict["status"] == "failed" else "dim"))
    if verdict["causes"]:
        lines.append(
            ("    likely, since " + "; or since ".join(c["message"] for c in verdict["causes"]), "yellow")
        )
    say(lines, out)


def report_verification(document: dict[str, Any], out: TextIO) -> None:
    """The last line: how many steps came out how."""
    statuses = Counter(step["status"] for step in document["steps"])
    words = {
        "equal": "gave the same again",
        "different": "did not",
        "failed": "failed",
        "not_verified": "not verified",
    }
    told = ", ".join(f"{statuses[key]} {word}" for key, word in words.items() if statuses[key])
    say([("", ""), (f"{_count(len(document['steps']), 'step')}: {told}", "bold")], out)


def _units(steps: Sequence[dict[str, Any]]) -> list[Line]:
    """Which steps run in one kernel, and why: a line for each unit."""
    units = {tuple(step["unit"]["steps"]): step["unit"]["names"] for step in steps if step["unit"]}
    return [
        (f"one kernel: {_quoted(members)}, since {_quoted(names)} cannot be stored", "")
        for members, names in units.items()
    ]


def _doubts(steps: Sequence[dict[str, Any]]) -> list[Line]:
    """Results that may be out of date: a line for each."""
    return [
        (f"{step['name']} {warning['message']}", "dim")
        for step in steps
        for warning in step.get("warnings", ())
    ]


MOST_ANOMALIES = 10
"""Of a run; the others are counted."""


def _anomalies(steps: Sequence[dict[str, Any]]) -> list[Line]:
    """What is odd in the tables of a run: a line for each, told where it came in, the gravest first."""
    order = ("error", "warning", "info")
    told: dict[tuple[str, str, str | None, str], dict[str, Any]] = {}
    for step in steps:
        for anomaly in step.get("anomalies", ()):
            first = anomaly["first"]
            told.setdefault((first["step"], first["output"], anomaly["feature"], anomaly["kind"]), anomaly)
    found = sorted(told.values(), key=lambda anomaly: order.index(anomaly["severity"]))
    styles = {"error": "red", "warning": "yellow", "info": "dim"}
    lines: list[Line] = [
        (_anomaly(anomaly), styles[anomaly["severity"]]) for anomaly in found[:MOST_ANOMALIES]
    ]
    if len(found) > MOST_ANOMALIES:
        lines.append((f"… and {len(found) - MOST_ANOMALIES} more anomalies", "dim"))
    return lines


def _anomaly(anomaly: dict[str, Any]) -> str:
    first = anomaly["first"]
    place = f"{first['step']}.{first['output']}"
    column = f" · {anomaly['feature']}" if anomaly["feature"] else ""
    return f"{anomaly['severity']}: {place}{column}: {anomaly['kind']}: {anomaly['description']}"


def report_run(document: dict[str, Any], project: Project, out: TextIO) -> None:
    """What a run came to: every failure with its place, then one line of summary."""
    lines: list[Line] = []
    for step in document["steps"]:
        if step["status"] == "failed":
            lines += [("", ""), *failure(document, step, project)]
    if document.get("error"):
        lines += [("", ""), (f"The run failed: {document['error']['message']}", "red")]
    doubts = _doubts(document["steps"])
    if doubts:
        lines += [("", ""), *doubts]
    anomalies = _anomalies(document["steps"])
    if anomalies:
        lines += [("", ""), *anomalies]
    if document.get("output"):
        lines += [("", ""), (f"Written: {document['output']}", "")]
    say([*lines, ("", ""), (summary(document), "bold")], out)


def summary(document: dict[str, Any]) -> str:
    """One line: how many steps ended how, how long it took, which run it was."""
    statuses = Counter(step["status"] for step in document["steps"])
    words = {"succeeded": "executed"}
    order = ("succeeded", "reused", "failed", "cancelled", "interrupted", "skipped", "running", "queued")
    counts = ", ".join(f"{statuses[key]} {words.get(key, key)}" for key in order if statuses[key])
    took = f" in {duration(document['duration_seconds'])}" if document["duration_seconds"] is not None else ""
    ending = "" if document["status"] == "succeeded" else f"{document['status']} · "
    return f"{ending}{_count(len(document['steps']), 'step')}: {counts}{took} · run {document['run_id']}"


def report_runs(runs: Sequence[dict[str, Any]], out: TextIO) -> None:
    if not runs:
        say([("No runs yet.", "")], out)
        return
    rows = [
        (
            run["run_id"],
            f"{SYMBOLS[run['status']]} {run['status']}",
            local_time(run["created_at"]),
            duration(run["duration_seconds"]),
            f"{run['steps_executed']} of {run['steps_total']}",
            run["notebook"],
            " ".join([*(f"#{tag}" for tag in run["tags"]), run["comment"]]).strip(),
        )
        for run in runs
    ]
    show_table(("run", "status", "begun", "time", "executed", "notebook", "notes"), rows, out)


def report_run_in_full(document: dict[str, Any], project: Project, out: TextIO) -> None:
    parameters = ", ".join(f"{name}={json.dumps(value)}" for name, value in document["parameters"].items())
    facts = {
        "notebook": document["notebook"],
        "begun": local_time(document["created_at"]),
        "parameters": parameters,
        "tags": ", ".join(document.get("tags") or ()),
        "comment": document.get("comment") or "",
    }
    say([(f"run {document['run_id']} · {document['status']}", "bold")], out)
    say([(f"{name:<12}{value}", "") for name, value in facts.items() if value], out)
    say([("", "")], out)
    rows = [
        (
            step["name"],
            f"{SYMBOLS[step['status']]} {step['status']}",
            time_of(step),
            why(step["decision"], step["reasons"]),
        )
        for step in document["steps"]
    ]
    show_table(("step", "status", "time", "why"), rows, out)
    report_run(document | {"output": None}, project, out)


def report_step(
    document: dict[str, Any], step: dict[str, Any], log: str, project: Project, out: TextIO
) -> None:
    title = [f"step {step['name']} of run {document['run_id']}", step["status"], time_of(step)]
    lines = [(" · ".join(part for part in title if part), "bold")]
    lines += [(f"{step['decision'] or 'undecided'}: {reason['message']}", "") for reason in step["reasons"]]
    say(lines, out)
    if step["verdicts"]:
        say([("", "")], out)
        values = {output["name"]: output.get("summary") or "" for output in step["outputs"]}
        gone = {output["name"]: output["gone"] for output in step["outputs"] if output.get("gone")}
        rows = [
            (
                verdict["name"],
                verdict["type"],
                "" if verdict["size_bytes"] is None else size(verdict["size_bytes"]),
                verdict["materializer"] or "–",
                gone.get(verdict["name"]) or values.get(verdict["name"]) or _not_stored(verdict),
            )
            for verdict in step["verdicts"]
        ]
        show_table(("output", "type", "size", "materializer", "value"), rows, out)
    if step.get("metrics"):
        say([("", ""), *((f"{name} = {value}", "") for name, value in step["metrics"].items())], out)
    if anomalies := _anomalies([step]):
        say([("", ""), *anomalies], out)
    if step["error"]:
        say([("", ""), *failure(document, step, project, whole=True)], out)
    if log.strip():
        say([("", ""), ("log", "bold"), *((line, "") for line in plain(log).rstrip().splitlines())], out)


def _not_stored(verdict: dict[str, Any]) -> str:
    """Why a value was not stored, in one line; nothing if it was."""
    if verdict["kept"]:
        return ""
    if verdict["carriable"]:
        return "not stored: no step reads it"
    return " ".join(verdict["message"].split())


def report_diff(document: dict[str, Any], out: TextIO) -> None:
    first, second = document["runs"]
    lines: list[Line] = [(f"run {first} → run {second}", "bold")]
    lines += _changed_values("parameter", document["parameters"])
    for step in document["steps"]:
        if difference := _step_difference(step):
            lines += [("", ""), (f"step {step['name']}", "bold"), *difference]
    if len(lines) == 1:
        lines.append(("No difference.", ""))
    say(lines, out)


def _step_difference(step: dict[str, Any]) -> list[Line]:
    """What differs in a step, and its times; nothing if it was only executed once and reused once."""
    if step["change"] != "changed":
        return [(f"  {step['change']}", "")]
    lines: list[Line] = []
    status = step.get("status")
    if status and not set(status.values()) <= {"reused", "succeeded"}:
        lines.append((f"  status: {status['before']} → {status['after']}", ""))
    if code := step.get("code"):
        lines += _changed_code(code["before"], code["after"])
    lines += _changed_values("metric", step.get("metrics") or {})
    for what in ("inputs", "outputs"):
        # Digests say that a value is another one, and nothing more to people.
        if names := step.get(what):
            lines.append((f"  {what} that differ: {', '.join(names)}", ""))
    for name, table in (step.get("statistics") or {}).items():
        rows = table["rows"]
        if rows["before"] != rows["after"]:
            lines.append((f"  {name}: {rows['before']} → {rows['after']} rows", ""))
        for anomaly in table["anomalies"]:
            column = f".{anomaly['feature']}" if anomaly["feature"] else ""
            lines.append((f"  {name}{column}: {anomaly['kind']}: {anomaly['description']}", ""))
    if lines:
        took = [duration(step["duration_seconds"][moment]) or "–" for moment in ("before", "after")]
        lines.append((f"  time: {' → '.join(took)}", "dim"))
    return lines


def _changed_values(what: str, changes: dict[str, Any]) -> list[Line]:
    return [
        (f"  {what} {name}: {_value(change['before'])} → {_value(change['after'])}", "")
        for name, change in changes.items()
    ]


def _value(value: Any) -> str:
    return "–" if value is None else json.dumps(value)


def _changed_code(before: Sequence[str] | None, after: Sequence[str] | None) -> list[Line]:
    if before is None or after is None:
        return [("  code: not known of a run that did not finish the step", "dim")]
    styles = {"+": "green", "-": "red"}
    old, new = ("\n\n".join(cells).splitlines() for cells in (before, after))
    # Without its two lines of file names, which there are none of.
    difference = list(difflib.unified_diff(old, new, lineterm="", n=1))[2:]
    shown = [line for line in difference if not line.startswith("@@")]
    return [("  code:", ""), *((f"    {line}", styles.get(line[:1], "dim")) for line in shown)]


def report_findings(findings: Sequence[Finding], out: TextIO) -> None:
    marks = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "problem": ("✗", "red")}
    lines = []
    for finding in findings:
        mark, style = marks[finding.level]
        remedy = f" → {finding.remedy}" if finding.remedy else ""
        lines.append(
            (f"{mark} {finding.level:<8} {finding.message}{remedy}", "" if style == "green" else style)
        )
    say(lines, out)


def report_check(document: dict[str, Any], out: TextIO) -> None:
    lines = [
        (
            f"{'✓' if finding['is_repaired'] else '✗'} {finding['message']}",
            "" if finding["is_repaired"] else "red",
        )
        for finding in document["findings"]
    ]
    stored = f"{_count(document['files'], 'stored file')}, {size(document['size_bytes'])}"
    endings = {
        "clean": f"The store is whole: {stored}.",
        "repaired": f"Repaired. The store is whole now: {stored}.",
        "damaged": "The store is damaged, and cannot be repaired.",
    }
    say([*lines, (endings[document["status"]], "bold")], out)


def report_gc(document: dict[str, Any], out: TextIO) -> None:
    verb = "would be reclaimed" if document["dry_run"] else "reclaimed"
    of = f"of {_count(document['executions'], 'execution')} and {_count(document['runs'], 'run')}"
    files = f"{_count(document['files'], 'file')}, {size(document['reclaimed_bytes'])}"
    lines: list[Line] = [
        (f"{files} {verb} {of}; {size(document['kept_bytes'])} stay." if document["files"] else
         f"Nothing to reclaim: {size(document['kept_bytes'])} stay.", "bold")
    ]  # fmt: skip
    if not document["is_enough"]:
        lines.append(
            (
                f"That is more than {size(document['max_size_bytes'])}: tagged runs need "
                f"{size(document['pinned_bytes'])}, runs under way {size(document['needed_bytes'])}.",
                "yellow",
            )
        )
    say(lines, out)


# -- failures -------------------------------------------------------------------------------------


def failure(
    document: dict[str, Any], step: dict[str, Any], project: Project, *, whole: bool = False
) -> list[Line]:
    """A failed step: the cell, the line in it, the exception, and what to do.

    Parameters
    ----------
    whole
        The whole traceback instead of its end.
    """
    error = step["error"] or {"message": "It left no error.", "cell_index": None, "traceback": ""}
    index = error["cell_index"]
    place = "" if index is None else f" in cell {index + 1} of the notebook"
    lines: list[Line] = [(f"✗ step `{step['name']}` failed{place}", "bold red")]
    trace = error["traceback"] or ""
    trace = plain(trace if isinstance(trace, str) else "\n".join(trace))
    if index is not None and (source := _cell_source(document, index, project)):
        lines += [("", ""), *excerpt(source, error.get("line") or failing_line(trace, source))]
    lines += [("", ""), *((f"  {line}", "red") for line in error["message"].splitlines())]
    frames = trace.rstrip().splitlines()
    goes_deeper = "File " in trace or len(_FRAME_IN_CELL.findall(trace)) > 1
    if whole or goes_deeper:
        shown = frames if whole else frames[-TRACEBACK_LINES:]
        dots = [("    …", "dim")] if len(shown) < len(frames) else []
        lines += [("", ""), *dots, *((f"    {line}", "dim") for line in shown)]
    if not whole:
        lines += [
            ("", ""),
            ("  Correct it and run again: what has succeeded is kept.", ""),
            (f"  Outputs and log: jupyter pipelines show {document['run_id']} --step {step['name']}", ""),
        ]
    return lines


def excerpt(source: str, line: int | None) -> list[Line]:
    """The lines around `line` (1-based) of a cell, that line marked; the beginning if it is not known."""
    lines = source.splitlines()
    if line is not None and not 1 <= line <= len(lines):
        line = None
    first = max(1, (line or 1) - LINES_AROUND)
    last = min(len(lines), (line or 2) + LINES_AROUND)
    width = len(str(last))
    return [
        (
            f"  {'▸' if number == line else ' '} {number:>{width}} │ {lines[number - 1]}".rstrip(),
            "bold" if number == line else "dim",
        )
        for number in range(first, last + 1)
    ]


def failing_line(trace: str, source: str) -> int | None:
    """The line (1-based) of the cell `source` that failed, from IPython's traceback.

    It is the first frame in a cell. Where the traceback shows the line itself, the nearest line with
    that text counts: a kernel is not given a first line such as ``%%step``, and counts without it.
    """
    frame = _FRAME_IN_CELL.search(trace)
    if frame is None:
        return None
    number = int(frame.group(1))
    marked = _MARKED_LINE.search(trace, frame.end())
    if marked is None or int(marked.group(1)) != number:
        return number
    same = [
        n for n, line in enumerate(source.splitlines(), 1) if line.strip() == (marked.group(2) or "").strip()
    ]
    return min(same, key=lambda n: abs(n - number), default=number)


def report_error(error: PipelinesError, words: Sequence[str], out: TextIO) -> None:
    """An error of use: what is wrong, and the line of the notebook where it is."""
    lines = [(f"error: {error.message}", "red")]
    cell, line = error.details.get("cell_index"), error.details.get("line")
    if isinstance(cell, int) and isinstance(line, int):
        notebooks = [Path(word) for word in words if word.endswith(".ipynb")]
        source = next((source for path in notebooks if (source := _source_in_file(path, cell))), None)
        if source:
            lines += [("", ""), (f"  cell {cell + 1} of the notebook", ""), *excerpt(source, line)]
    say(lines, out)


def _source_in_file(notebook: Path, cell_index: int) -> str | None:
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        return _text(cells[cell_index]["source"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _cell_source(document: dict[str, Any], cell_index: int, project: Project) -> str | None:
    """The cell as it was run, which the file may no longer say."""
    try:
        return _text(project.run_notebook(document["run_id"])["cells"][cell_index]["source"])
    except (PipelinesError, LookupError):
        return _source_in_file(project.root / document["notebook"], cell_index)


# -- words ----------------------------------------------------------------------------------------


def plain(text: str) -> str:
    """`text` without the colours that kernels put into it."""
    return _ANSI.sub("", text)


def local_time(moment: str) -> str:
    """A stored moment (ISO 8601, UTC) on the reader's clock."""
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M")


def size(size_bytes: int) -> str:
    value = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 9.95 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _text(value: str | Sequence[str] | None) -> str:
    """A string as nbformat may keep it: whole or in lines."""
    return value if isinstance(value, str) else "".join(value or ())
