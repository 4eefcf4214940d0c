"""The command line: documents and exit status for scripts, words for people."""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterlab_pipelines import cli, cli_table
from jupyterlab_pipelines.cli_report import excerpt, failing_line, size
from jupyterlab_pipelines.cli_table import LiveProgress, duration
from jupyterlab_pipelines.planner import TypedText
from tests.fake_project import FakeProject

TRACEBACK = (
    "\x1b[31m----------\x1b[39m\nAttributeError      Traceback (most recent call last)\n"
    "Cell In[2], line 2\n      1 df = read()\n----> 2 df['late'] = df.dely > 0\n"
    "File /lib/pandas/core/generic.py:6299, in NDFrame.__getattr__(self, name)\n"
    "AttributeError: 'DataFrame' object has no attribute 'dely'"
)


def fail(project: FakeProject, run_id: str) -> None:
    """What `clean` does with a misspelt column."""
    error = {
        "code": "cell_error",
        "step": "clean",
        "cell_index": 1,
        "cell_id": None,
        "message": "AttributeError: 'DataFrame' object has no attribute 'dely'",
        "traceback": TRACEBACK,
    }
    project.set_step(run_id, "load", "reused", decision="reuse", duration_seconds=0.0)
    project.set_step(run_id, "clean", "failed", duration_seconds=0.1, error=error)
    project.end(run_id, "failed")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeProject:
    project = FakeProject(tmp_path)
    monkeypatch.setattr(cli, "open_project", lambda path, store: project)
    return project


@pytest.fixture
def pipelines(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command: exit status, stdout, stderr."""

    def pipelines(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit:
            cli.main(words)
        out, err = capfd.readouterr()
        assert isinstance(exit.value.code, int)
        return exit.value.code, out, err

    return pipelines


# -- for scripts ----------------------------------------------------------------------------------


def test_run_hands_on_every_option(project: FakeProject, pipelines) -> None:
    words = (
        "run a.ipynb -p n 1 -p name flights --step clean --force load --jobs 2 --kernel k --output o.ipynb"
        " --environment serving"
    )

    status, _, _ = pipelines(*words.split())

    assert status == 0
    assert project.asked == [
        (
            "run",
            {
                "notebook": Path("a.ipynb"),
                "parameters": {"n": "1", "name": "flights"},
                "steps": ("clean",),
                "force": ("load",),
                "jobs": 2,
                "executor": "local",
                "kernel": "k",
                "environment": "serving",
                "output": Path("o.ipynb"),
            },
        )
    ]


def test_json_is_the_only_thing_on_stdout(project: FakeProject, pipelines) -> None:
    def noisy(project: FakeProject, run_id: str) -> None:
        print("from Python")
        os.write(1, b"from a kernel that inherited the descriptor\n")
        project.succeed(run_id)

    project.script = noisy

    status, out, err = pipelines("run", "a.ipynb", "--json")

    assert (status, json.loads(out)["status"]) == (0, "succeeded")
    assert "from Python" in err
    assert "from a kernel" in err
    assert "succeeded" in err


@pytest.mark.parametrize("ending", ["failed", "cancelled", "interrupted"])
def test_a_run_that_did_not_succeed_exits_with_1(project: FakeProject, pipelines, ending: str) -> None:
    project.script = lambda project, run_id: project.end(run_id, ending)

    status, out, _ = pipelines("run", "a.ipynb", "--json")

    assert (status, json.loads(out)["status"]) == (1, ending)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("run --json", "usage"),
        ("--json", "usage"),
        ("fly a.ipynb --json", "usage"),
        ("run a.ipynb --jobs 0 --json", "usage"),
        ("run a.ipynb -p n --json", "usage"),
        ("run a.ipynb --jso --json", "usage"),
        ("run a.ipynb -p unknown 1 --json", "unknown_parameter"),
        ("run a.ipynb -f none.yaml --json", "no_parameters_file"),
        ("show none --json", "unknown_run"),
        ("tag none good --json", "unknown_run"),
    ],
)
def test_wrong_use_is_a_document_and_exits_with_2(
    project: FakeProject, pipelines, words: str, code: str
) -> None:
    status, out, _ = pipelines(*words.split())

    assert (status, json.loads(out)["error"]["code"]) == (2, code)
    assert set(json.loads(out)["error"]) == {"code", "message", "details"}


def test_wrong_use_is_told_to_people_on_stderr(project: FakeProject, pipelines) -> None:
    status, out, err = pipelines("run", "a.ipynb", "--jobs", "none")

    assert (status, out) == (2, "")
    assert "error: argument --jobs: must be a whole number above 0" in err


def test_a_bug_of_ours_is_a_document_too_and_keeps_its_traceback(project: FakeProject, pipelines) -> None:
    def broken(project: FakeProject, run_id: str) -> None:
        raise RuntimeError("broken")

    project.script = broken

    status, out, err = pipelines("run", "a.ipynb", "--json")

    assert (status, json.loads(out)["error"]["code"]) == (1, "internal_error")
    assert "Traceback" in err


def test_ctrl_c_before_anything_runs(project: FakeProject, pipelines) -> None:
    def interrupted(project: FakeProject, run_id: str) -> None:
        raise KeyboardInterrupt

    project.script = interrupted

    status, out, _ = pipelines("run", "a.ipynb", "--json")

    assert (status, json.loads(out)["error"]["code"]) == (1, "cancelled")


def test_history_as_documents(project: FakeProject, pipelines, tmp_path: Path) -> None:
    first, second = (project.begin(tmp_path / name) for name in ("a.ipynb", "b.ipynb"))
    project.succeed(first)

    def document(*words: str) -> Any:
        status, out, _ = pipelines(*words, "--json")
        assert status == 0
        return json.loads(out)

    assert [run["run_id"] for run in document("runs")["runs"]] == [second, first]
    assert [run["run_id"] for run in document("runs", "--limit", "1")["runs"]] == [second]
    assert [run["run_id"] for run in document("runs", str(tmp_path / "a.ipynb"))["runs"]] == [first]
    assert document("show", first)["status"] == "succeeded"
    assert document("show", first, "--step", "load")["log"] == "log of load"
    assert document("tag", first, "good", "first")["tags"] == ["good", "first"]
    assert document("tag", first, "best", "good")["tags"] == ["good", "first", "best"]
    assert document("comment", first, "the best so far")["comment"] == "the best so far"


def test_a_step_that_a_run_lacks_is_told_with_those_it_has(project: FakeProject, pipelines, tmp_path) -> None:
    run_id = project.begin(tmp_path / "a.ipynb")

    status, out, _ = pipelines("show", run_id, "--step", "none", "--json")

    assert (status, json.loads(out)["error"]["code"]) == (2, "unknown_step")
    assert "load, clean" in json.loads(out)["error"]["message"]


# -- parameters -----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["-1e-3", "-x", "-inf", "a=b", "=", "", "two words"])
def test_a_value_may_look_like_anything(value: str) -> None:
    words = cli.join_parameters(["run", "a.ipynb", "-p", "name", value, "--jobs", "2"])

    arguments = cli.make_parser().parse_args(words)

    assert arguments.parameters == [("name", value)]
    assert isinstance(arguments.parameters[0][1], TypedText)
    assert (arguments.jobs, arguments.json) == (2, False)


def test_files_give_parameters_and_p_has_the_last_word(
    project: FakeProject, pipelines, tmp_path: Path
) -> None:
    (tmp_path / "one.yaml").write_text("alpha: 0.1\nday: 2013-01-31\nnested: {a: [1, null]}\n")
    (tmp_path / "two.yaml").write_text("alpha: 0.2\nbeta: 1\n")
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    files = [word for name in ("one", "two", "empty") for word in ("-f", str(tmp_path / f"{name}.yaml"))]

    pipelines("plan", "a.ipynb", "-p", "beta", "2", *files)

    assert project.asked[0][1]["parameters"] == {
        "alpha": 0.2,
        "day": "2013-01-31",
        "nested": {"a": [1, None]},
        "beta": "2",
    }


@pytest.mark.parametrize(
    "text", ["- 1\n", "a: [", "1: x\n", "!!python/object:os.system x", "a: !!set {b}", "word"]
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "parameters.yaml"
    file.write_text(text)

    with pytest.raises(cli.ParameterError) as refused:
        cli.read_parameters_file(file)

    assert refused.value.code == "bad_parameters_file"


# -- for people -----------------------------------------------------------------------------------


def test_plain_lines_where_there_is_no_terminal(project: FakeProject, pipelines) -> None:
    status, out, _ = pipelines("run", "a.ipynb")

    assert status == 0
    assert out.splitlines() == [
        "succeeded    load        1.0 s  run: it has never run",
        "succeeded    clean       1.0 s  run: it has never run",
        "",
        "2 steps: 2 executed in 2.1 s · run 3f2a0001",
    ]


def test_a_failure_shows_cell_line_exception_and_what_to_do(project: FakeProject, pipelines) -> None:
    project.script = fail

    status, out, _ = pipelines("run", "a.ipynb")

    assert status == 1
    assert "✗ step `clean` failed in cell 2 of the notebook" in out
    assert "  ▸ 2 │ df['late'] = df.dely > 0" in out
    assert "  AttributeError: 'DataFrame' object has no attribute 'dely'" in out
    assert "File /lib/pandas/core/generic.py:6299" in out
    assert "jupyter pipelines show 3f2a0001 --step clean" in out
    assert "\x1b" not in out
    assert out.splitlines()[-1] == "failed · 2 steps: 1 reused, 1 failed in 2.1 s · run 3f2a0001"


def test_a_notebook_error_shows_the_line_in_the_file(project, pipelines, tmp_path: Path, monkeypatch) -> None:
    notebook = tmp_path / "a.ipynb"
    notebook.write_text(json.dumps({"cells": [{"source": ["x = 1\n", "y = = 2\n"]}]}))

    def refuse(*args: Any, **options: Any) -> Any:
        raise cli.UsageError("syntax_error", "Cell 1 is no Python: invalid syntax.", cell_index=0, line=2)

    monkeypatch.setattr(project, "plan", refuse)

    status, out, err = pipelines("plan", str(notebook))

    assert (status, out) == (2, "")
    assert "error: Cell 1 is no Python: invalid syntax." in err
    assert "  ▸ 2 │ y = = 2" in err


def test_tables_for_people(project: FakeProject, pipelines, tmp_path: Path) -> None:
    project.script = fail
    pipelines("run", "a.ipynb", "-p", "alpha", "0.5")
    pipelines("tag", "3f2a0001", "good")

    plan = pipelines("plan", "a.ipynb")[1]
    runs = pipelines("runs")[1]
    shown = pipelines("show", "3f2a")[1]
    step = pipelines("show", "3f2a", "--step", "clean")[1]

    assert plan.splitlines()[1].split() == ["load", "run", "it", "has", "never", "run"]
    assert plan.splitlines()[-1] == "2 of 2 steps would run"
    assert "✗ failed" in runs and "#good" in runs and "0 of 2" in runs
    assert 'parameters  alpha="0.5"' in shown and "tags        good" in shown and "↺ reused" in shown
    assert "log of clean" in step and "▸ 2 │" in step


def test_a_plan_tells_once_which_steps_share_a_kernel(project: FakeProject, pipelines) -> None:
    project.unit = {"steps": ["load", "clean"], "names": ["rows", "lock"]}

    _, out, _ = pipelines("plan", "a.ipynb")

    assert out.splitlines()[3:] == [
        "",
        "one kernel: `load`, `clean`, since `rows`, `lock` cannot be stored",
        "2 of 2 steps would run",
    ]


@pytest.mark.parametrize(
    ("decisions", "seconds", "line"),
    [
        (["reuse", "reuse"], 0.0, "All 2 steps are up to date"),
        (["run", "reuse", "run"], 12.3, "2 of 3 steps would run, about 12 s"),
        (["run", "undecided", "reuse"], 75.0, "1 of 3 steps would run, 1 may, at most about 1 min 15 s"),
        (["run"], None, "1 of 1 step would run"),
    ],
)
def test_a_plan_tells_how_much_would_run(
    decisions: list[str], seconds: float | None, line: str, project: FakeProject, pipelines, monkeypatch
) -> None:
    document = {
        "steps": [
            {
                "name": f"step{number}",
                "decision": decision,
                "reasons": [{"kind": "waits" if decision == "undecided" else "code", "message": ""}],
                "unit": None,
                "expected_duration_seconds": seconds,
            }
            for number, decision in enumerate(decisions)
        ],
        "warnings": [],
        "expected_duration_seconds": seconds,
    }
    monkeypatch.setattr(project, "plan", lambda notebook, **options: document)

    assert pipelines("plan", "a.ipynb")[1].splitlines()[-1] == line


def test_verify_tells_what_does_not_give_the_same(project: FakeProject, pipelines, monkeypatch) -> None:
    difference = {
        "kind": "value",
        "what": "x",
        "before": "1",
        "after": "2",
        "message": "`x` has another value",
    }
    steps = [
        {"name": "load", "status": "equal", "message": "", "differences": [], "causes": []},
        {
            "name": "draw",
            "status": "different",
            "message": "`x` has another value",
            "differences": [difference],
        }
        | {"causes": [{"kind": "clock", "message": "it reads the clock"}]},
        {"name": "new", "status": "not_verified", "message": "not up to date: never ran"}
        | {"differences": [], "causes": []},
    ]
    steps = [step | {"duration_seconds": 1.0 if step["status"] != "not_verified" else None} for step in steps]
    document = {"notebook": "a.ipynb", "parameters": {}, "status": "different", "steps": steps}

    def verify(notebook: Path, *, on_event: Any, **options: Any) -> dict[str, Any]:
        for step in steps:
            on_event(step)
        return document

    monkeypatch.setattr(project, "verify", verify, raising=False)
    status, out, _ = pipelines("verify", "a.ipynb", "--step", "draw")

    assert status == 1
    assert out.splitlines() == [
        "✓ load · equal · 1.0 s",
        "✗ draw · different · 1.0 s",
        "    `x` has another value",
        "    likely, since it reads the clock",
        "· new · not verified",
        "    not up to date: never ran",
        "",
        "3 steps: 1 gave the same again, 1 did not, 1 not verified",
    ]
    status, out, _ = pipelines("verify", "a.ipynb", "--json")
    assert (status, json.loads(out)) == (1, document)


def test_what_a_step_left_is_told_with_what_became_of_it(project: FakeProject, pipelines, tmp_path) -> None:
    def verdict(name: str, type_: str, **others: Any) -> dict[str, Any]:
        kept = {"carriable": True, "kept": True, "materializer": "json", "size_bytes": 1234, "message": ""}
        return {"name": name, "type": type_, **kept, **others}

    project.set_step(
        project.begin(tmp_path / "a.ipynb"),
        "load",
        "succeeded",
        outputs=[{"name": "numbers", "type": "list", "size_bytes": 1234, "summary": "5 items"}],
        verdicts=[
            verdict("large", "bytearray", kept=False, materializer="pickle", message="1 GB, not stored"),
            verdict("numbers", "list"),
            verdict(
                "rows",
                "generator",
                **{"carriable": False, "kept": False, "materializer": None, "size_bytes": None},
                message="A `generator` cannot be handed on.\nMake it again.",
            ),
        ],
    )

    _, out, _ = pipelines("show", "3f2a", "--step", "load")

    assert [line.split(maxsplit=1) for line in out.splitlines()[3:7]] == [
        ["output", "type       size    materializer  value"],
        ["large", "bytearray  1.2 kB  pickle        not stored: no step reads it"],
        ["numbers", "list       1.2 kB  json          5 items"],
        ["rows", "generator          –             A `generator` cannot be handed on. Make it again."],
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_user_may_refuse_drawing(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert cli_table.is_drawn(Terminal())
    monkeypatch.setenv(name, value)
    assert not cli_table.is_drawn(Terminal())


def test_the_live_table_ends_with_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "10")
    out, names = Terminal(), [f"step_{number}" for number in range(30)]
    live = LiveProgress(out)

    live({"kind": "plan", "steps": [{"name": name, "decision": "run", "reasons": []} for name in names]})
    live({"kind": "step", "step": "step_3", "status": "running", "progress": {"cell": 1, "cells": 4}})
    out.truncate(0)
    live._live.refresh()
    while_running = out.getvalue()
    for name in names:
        live({"kind": "step", "step": name, "status": "reused", "decision": "reuse", "reasons": []})
    out.truncate(0)
    live.stop()
    at_the_end = out.getvalue()

    assert "1 of 4 cells done" in while_running and "running" in while_running and "more" in while_running
    assert while_running.count("\n") < 10
    assert all(name in at_the_end for name in names) and "running" not in at_the_end


def test_every_kind_of_progress_can_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    progress = cli_table.PlainProgress(out)
    progress({"kind": "plan", "steps": [{"name": "load", "decision": "run", "reasons": []}]})

    for shown in ({"cell": 0, "cells": 1}, {"cell": 1, "cells": 3}, {"retry": 1}, None):
        progress({"kind": "step", "step": "load", "status": "running", "progress": shown})
    progress({"kind": "run", "status": "succeeded"})

    assert out.getvalue() == "running      load              run\n"


def test_a_difference_is_told_in_words(project: FakeProject, pipelines, monkeypatch) -> None:
    def change(before: Any, after: Any) -> dict[str, Any]:
        return {"before": before, "after": after}

    def diff(first: str, second: str) -> dict[str, Any]:
        code = change(["import math", "x = 1\n-x\ny = 2"], ["import math", "x = 1\ny = 3"])
        times = {"duration_seconds": change(1.0, 62.0)}
        return {
            "runs": ["one", "two"],
            "parameters": {"n": change(1, None)},
            "steps": [
                {"name": "old", "change": "removed"},
                {"name": "quiet", "change": "changed", "status": change("succeeded", "reused"), **times},
                {
                    "name": "loud",
                    "change": "changed",
                    "code": code,
                    "outputs": {"y": change("a", "b")},
                    **times,
                },
                {"name": "ill", "change": "changed", "status": change("succeeded", "failed"), **times},
            ],
        }

    monkeypatch.setattr(project, "diff", diff, raising=False)

    _, out, _ = pipelines("diff", "one", "two")

    assert out.splitlines() == [
        "run one → run two",
        "  parameter n: 1 → –",
        "",
        "step old",
        "  removed",
        "",
        "step loud",
        "  code:",
        "     x = 1",
        "    --x",
        "    -y = 2",
        "    +y = 3",
        "  outputs that differ: y",
        "  time: 1.0 s → 1 min 2 s",
        "",
        "step ill",
        "  status: succeeded → failed",
        "  time: 1.0 s → 1 min 2 s",
    ]


def test_the_line_that_failed_is_found_in_every_form_of_traceback() -> None:
    source = "df = read()\ndf['late'] = df.dely > 0\n"

    assert failing_line(TRACEBACK, source) == 2
    assert failing_line(TRACEBACK, "%%step clean\n" + source) == 3
    assert failing_line(TRACEBACK, "another version of the cell") == 2
    assert failing_line("Cell In[9], line 14, in <module>\nCell In[2], line 3, in f()", source) == 14
    assert failing_line("Input In [4], in <cell line: 7>()", source) == 7
    assert failing_line("  Cell In[1], line 5\n    x = = 1", source) == 5
    assert failing_line("KeyError: 'x'", source) is None


@given(
    st.lists(st.text(st.characters(codec="utf-8", categories=["L", "N"])), max_size=12),
    st.none() | st.integers(),
)
def test_an_excerpt_marks_the_line_if_there_is_one(lines: list[str], line: int | None) -> None:
    shown = excerpt("\n".join(lines), line)

    marked = [text for text, _ in shown if "▸" in text]
    source = "\n".join(lines).splitlines()
    expected = (
        [f"  ▸ {line:>{len(str(min(len(source), line + 2)))}} │ {source[line - 1]}".rstrip()]
        if (line is not None and 1 <= line <= len(source))
        else []
    )
    assert marked == expected
    assert len(shown) <= 5


def test_lengths_of_time_and_sizes_as_people_say_them() -> None:
    assert [duration(seconds) for seconds in (None, 0, 2.13, 9.96, 59.4, 59.6, 192, 7500)] == [
        "", "0.0 s", "2.1 s", "10 s", "59 s", "1 min 0 s", "3 min 12 s", "2 h 5 min",
    ]  # fmt: skip
    assert [size(n) for n in (0, 999, 1000, 1_234_567, 10**13)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "1.2 MB",
        "10.0 TB",
    ]


# -- promises -------------------------------------------------------------------------------------


def test_the_command_line_imports_nothing_heavy() -> None:
    heavy = [
        "papermill",
        "nbformat",
        "pandas",
        "numpy",
        "jupyter_client",
        "IPython",
        "rich",
        "yaml",
        "asyncio",
    ]
    code = f"import sys, jupyterlab_pipelines.cli; print([name for name in {heavy} if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_every_command_says_what_it_does() -> None:
    parser = cli.make_parser()
    [commands] = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]

    expected = [
        *("run", "plan", "verify", "runs", "show", "diff", "tag", "comment", "check", "gc"),
        *("export", "import-run", "quality", "stats", "schema", "slices", "edge", "trend", "doctor"),
    ]
    assert list(commands.choices) == expected
    for command in commands.choices.values():
        assert command.description
        assert {"--json", "--store"} <= command._option_string_actions.keys()


def test_a_reader_that_goes_away_is_no_error() -> None:
    code = "from jupyterlab_pipelines import cli; cli.main(['run', '--help'])"

    done = subprocess.run(
        f'{sys.executable} -c "{code}" | true', shell=True, capture_output=True, text=True, check=False
    )

    assert "Traceback" not in done.stderr
