"""Bad input: a document with a code and a message, exit status 2, and an answer for the panel."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines import cli
from jupyterlab_pipelines.project import Project, TypedText
from tests.fixtures.notebooks import Notebook, cell, markdown, notebook, parameters, raw, write

ONE = notebook(cell("x = 1", step="a"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JUPYTER_PIPELINES_STORE", raising=False)
    return tmp_path


@dataclass
class Told:
    status: int
    document: Any
    err: str

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = self.document["error"]
        return found


@pytest.fixture
def pipelines(folder: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    """Runs a command with ``--json``: exit status, the one document on stdout, stderr."""

    def pipelines(*words: str) -> Told:
        with pytest.raises(SystemExit) as exit:
            cli.main([*words, "--json"])
        out, err = capfd.readouterr()
        assert isinstance(exit.value.code, int)
        return Told(exit.value.code, json.loads(out), err)

    return pipelines


def save(folder: Path, content: bytes | str | Notebook, name: str = "a.ipynb") -> str:
    if isinstance(content, dict):
        content = json.dumps(content)
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return name


def with_metadata(document: Notebook, **metadata: Any) -> Notebook:
    return {**document, "metadata": metadata}


def old(major: int, source: str, tags: list[str]) -> Notebook:
    """A notebook as IPython 0.13 and 1 wrote them."""
    code = {"cell_type": "code", "input": source, "language": "python", "outputs": [], "collapsed": False}
    head = {"nbformat": major, "nbformat_minor": 0, "metadata": {"name": "old"}}
    return {**head, "worksheets": [{"cells": [{**code, "metadata": {"tags": tags}}]}]}


NO_NOTEBOOKS: dict[str, tuple[bytes | str | Notebook, str, str]] = {
    "an empty file": (b"", "not_json", "is empty"),
    "white space": (b" \n", "not_json", "is empty"),
    "text": ("no JSON", "not_json", "line 1"),
    "bytes": (bytes(range(256)), "not_json", "UTF-8"),
    "a merge conflict": ('{"cells": [\n<<<<<<< HEAD\n=======\n>>>>>>> x\n]}', "not_json", "merge conflict"),
    "half a notebook": (json.dumps(ONE)[:60], "not_json", "line 1"),
    "endless brackets": ("[" * 100_000, "not_json", "not JSON"),
    "a list": ("[]", "not_a_notebook", "not an object"),
    "a number": ("3", "not_a_notebook", "not an object"),
    "null": ("null", "not_a_notebook", "not an object"),
    "an empty object": ("{}", "not_a_notebook", "no list of cells"),
    "no version": ({"cells": []}, "not_a_notebook", "nbformat"),
    "a version of the future": ({**ONE, "nbformat": 99}, "not_a_notebook", "99"),
    "a broken old notebook": ({"nbformat": 3, "worksheets": [{"cells": 3}]}, "not_a_notebook", "converted"),
    "a cell that is none": ({**ONE, "cells": [3]}, "not_a_notebook", "cell 1"),
    "no cells": (notebook(), "no_steps", "step:NAME"),
    "no steps": (notebook(cell("x = 1"), markdown("# step:a")), "no_steps", "step:NAME"),
    "tags that are no list": (notebook(cell("x", metadata={"tags": "step:a"})), "no_steps", "step:NAME"),
}


@pytest.mark.parametrize("what", NO_NOTEBOOKS)
def test_what_is_no_pipeline(folder: Path, pipelines, what: str) -> None:
    content, code, words = NO_NOTEBOOKS[what]
    file = save(folder, content)

    for command in ("run", "plan"):
        told = pipelines(command, file)
        assert (told.status, told.error["code"]) == (2, code)
        assert words in told.error["message"]
        assert "Traceback" not in told.err
    shown = Project.open(folder / file).inspect(folder / file)

    assert shown["state"] == ("untagged" if code == "no_steps" else "error")
    assert shown["error"]["code"] == code
    assert not (folder / ".pipelines").exists(), "looking leaves nothing behind"


def test_no_file_and_a_folder(folder: Path, pipelines) -> None:
    (folder / "b.ipynb").mkdir()

    assert pipelines("run", "none.ipynb").error["code"] == "not_found"
    assert pipelines("run", "no/such/folder.ipynb").error["code"] == "not_found"
    assert "folder" in pipelines("run", "b.ipynb").error["message"]
    assert Project.open(folder).inspect(folder / "b.ipynb")["state"] == "error"


@pytest.mark.parametrize("major", [2, 3])
def test_old_notebooks_are_converted(folder: Path, pipelines, major: int) -> None:
    told = pipelines("plan", save(folder, old(major, "x = 1", ["step:a"])))

    assert [step["name"] for step in told.document["steps"]] == ["a"]


# -- what the cells say ---------------------------------------------------------------------------

SYNTAX_ERRORS = {
    "a step": (notebook(cell("x = 1", step="a"), cell("y = 1\nz = = 2", step="b")), 1, 2),
    "setup": (notebook(markdown("# Title"), cell("def f(:\n"), cell("x = 1", step="a")), 1, 1),
    "parameters": (notebook(parameters("m = 1\n\nn = = 1"), cell("x = 1", step="a")), 0, 3),
    "return outside": (notebook(cell("x = 1\nreturn x", step="a")), 0, 2),
    "after magics": (notebook(cell("%time x = 1\n!ls\ny = )", step="a")), 0, 3),
    "CRLF": (notebook(cell("x = 1", step="a"), cell("y = 1\r\nz = = 2\r\n", step="b")), 1, 2),
    "below a step line": (notebook(cell("%%step a\nx = 1\ny = = 2")), 0, 3),
    "a lone surrogate": (notebook(cell("x = '\ud800'", step="a")), 0, 1),
    "a null character": (notebook(cell("x = '\0'", step="a")), 0, 1),
    "too many brackets": (notebook(cell("x = " + "[" * 500 + "]" * 500, step="a")), 0, 1),
}


@pytest.mark.parametrize("where", SYNTAX_ERRORS)
def test_a_syntax_error_is_told_with_cell_and_line(folder: Path, pipelines, where: str) -> None:
    content, cell_index, line = SYNTAX_ERRORS[where]

    told = pipelines("run", save(folder, content))
    shown = Project.open(folder).inspect(folder / "a.ipynb", content=content)

    assert (told.status, told.error["code"]) == (2, "syntax_error")
    assert (told.error["details"]["cell_index"], told.error["details"]["line"]) == (cell_index, line)
    assert f"Cell {cell_index + 1}, line {line}: " in told.error["message"]
    assert len(told.error["message"]) < 300
    assert (shown["state"], shown["error"]["details"]["line"]) == ("error", line)


def test_what_is_skipped_or_text_may_say_anything(folder: Path, pipelines) -> None:
    told = pipelines(
        "plan",
        save(
            folder,
            notebook(
                raw("x = = 1"),
                markdown("def f(:"),
                cell("x = = 1", tags=["skip"]),
                cell("%time x = 1\n!echo {x}\nfiles = !ls\nx?\n%matplotlib inline", step="a"),
                cell("%%bash\nif then fi fi", step="b"),
                cell("import asyncio\nawait asyncio.sleep(0)", step="c"),
            ),
        ),
    )

    assert (told.status, len(told.document["steps"])) == (0, 3)


def test_steps_that_wait_for_each_other(folder: Path, pipelines) -> None:
    by_tags = notebook(cell("x = 1", step="a", after="b"), cell("y = 1", step="b", after="a"))
    by_cells = notebook(cell("x = 1", step="a"), cell("y = x", step="b"), cell("z = y", step="a"))

    for content in (by_tags, by_cells):
        told = pipelines("run", save(folder, content))
        assert (told.status, told.error["code"]) == (2, "order_cycle")
        assert sorted(told.error["details"]["steps"]) == ["a", "b"]
        assert "`a`" in told.error["message"] and "`b`" in told.error["message"]
        shown = Project.open(folder).inspect(folder / "a.ipynb")
        assert (shown["state"], sorted(shown["error"]["details"]["steps"])) == ("error", ["a", "b"])


@pytest.mark.parametrize(
    ("document", "code", "words"),
    [
        (notebook(cell("x", step="a", after="zz")), "unknown_step", "`zz`"),
        (notebook(cell("x", step="1 a")), "bad_tag", "`1 a`"),
        (notebook(cell("x", step="été")), "bad_tag", "`été`"),
        (notebook(cell("x", tags=["step:a", "step:b"])), "bad_tag", "`a`"),
        (notebook(cell("x", step="a", role="king")), "bad_tag", "trainer"),
        (notebook(cell("x", step="a", cache="soon")), "bad_tag", "12h"),
        (notebook(cell("x", step="a", tags=["retries:-1"])), "bad_tag", "retries:2"),
        (notebook(cell("x", step="a", tags=["timeout:5 years"])), "bad_tag", "30m"),
        (notebook(cell("%%step\nx = 1")), "bad_tag", "%%step NAME"),
        (notebook(cell("%%step a --colour red\nx = 1")), "bad_tag", "--after"),
    ],
)
def test_bad_tags(folder: Path, pipelines, document: Notebook, code: str, words: str) -> None:
    told = pipelines("run", save(folder, document))

    assert (told.status, told.error["code"], told.error["details"]["cell_index"]) == (2, code, 0)
    assert words in told.error["message"]
    assert Project.open(folder).inspect(folder / "a.ipynb")["error"]["code"] == code


def test_a_name_that_nobody_defines_is_told_in_the_plan(folder: Path, pipelines) -> None:
    told = pipelines("plan", save(folder, notebook(cell("x = nobody\nprint(len(str(x)))", step="a"))))

    assert told.status == 0
    assert [warning["cell_index"] for warning in told.document["warnings"]] == [0]
    assert "`nobody`" in told.document["warnings"][0]["message"]


# -- kernels --------------------------------------------------------------------------------------


@pytest.fixture
def kernelspecs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose kernelspecs Jupyter finds."""
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    return tmp_path / "jupyter" / "kernels"


def kernelspec(folder: Path, name: str, content: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "kernel.json").write_text(content)


def test_kernels_that_cannot_run_it(folder: Path, kernelspecs: Path, pipelines) -> None:
    kernelspec(kernelspecs, "ir", json.dumps({"argv": ["R"], "display_name": "R", "language": "R"}))
    kernelspec(kernelspecs, "broken", "no JSON")
    gone = {"argv": ["/no/such/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]}
    kernelspec(kernelspecs, "gone", json.dumps({**gone, "display_name": "Gone", "language": "python"}))
    cases = {
        "none-such": "unknown_kernel",
        "ir": "kernel_not_python",
        "broken": "unknown_kernel",
        "gone": "kernel_broken",
    }

    for kernel, code in cases.items():
        by_notebook = save(folder, notebook(cell("x = 1", step="a"), kernel=kernel))
        by_tag = save(folder, notebook(cell("x = 1", step="a", tags=[f"kernel:{kernel}"])), "b.ipynb")
        by_option = save(folder, ONE, "c.ipynb")
        for words in (["run", by_notebook], ["run", by_tag], ["run", by_option, "--kernel", kernel]):
            told = pipelines(*words)
            assert (told.status, told.error["code"]) == (2, code), words
            assert f"`{kernel}`" in told.error["message"] or kernel in told.error["message"]
        assert Project.open(folder).inspect(folder / by_tag)["error"]["code"] == code


@pytest.mark.parametrize(
    "metadata",
    [
        {"kernelspec": {"name": "ir", "language": "R"}},
        {"language_info": {"name": "julia"}},
        {"kernelspec": {"name": "python3", "language": "R"}, "language_info": {"name": "R"}},
    ],
)
def test_notebooks_in_another_language(folder: Path, pipelines, metadata: dict[str, Any]) -> None:
    told = pipelines("run", save(folder, with_metadata(ONE, **metadata)))

    assert (told.status, told.error["code"]) == (2, "kernel_not_python")
    assert Project.open(folder).inspect(folder / "a.ipynb")["state"] == "error"


# -- options --------------------------------------------------------------------------------------

PARAMETERS = notebook(
    parameters("n = 1\nrate = 0.5\nname = 'x'\nflag = True\nitems = [1]\nnothing = None\ntwice = 2 * n"),
    cell("n, rate, name, flag, items, nothing, twice", step="a"),
)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("n", "5", 5),
        ("n", "1_000", 1000),
        ("n", "1.5", 1.5),
        ("rate", "1", 1),
        ("rate", "-1e-3", -0.001),
        ("rate", "inf", float("inf")),
        ("name", "5", "5"),
        ("name", "True", "True"),
        ("name", "", ""),
        ("name", "[1]", "[1]"),
        ("flag", "False", False),
        ("flag", "false", False),
        ("items", "[1, 2]", [1, 2]),
        ("items", "None", None),
        ("nothing", "5", 5),
        ("nothing", "word", "word"),
        ("twice", "3", 3),
        ("n", "null", None),
    ],
)
def test_a_typed_value_means_what_the_default_says(
    folder: Path, pipelines, name: str, text: str, value: Any
) -> None:
    file = save(folder, PARAMETERS)

    told = Project.open(folder).plan(folder / file, parameters={name: TypedText(text)})

    assert told["parameters"] == {name: value}
    assert type(told["parameters"][name]) is type(value)
    assert pipelines("plan", file, "-p", name, text).status == 0


@pytest.mark.parametrize(
    ("name", "text"),
    [("n", "abc"), ("n", ""), ("n", "true"), ("n", "[1]"), ("rate", "fast"), ("flag", "1"), ("items", "3")],
)
def test_values_of_another_kind(folder: Path, pipelines, name: str, text: str) -> None:
    told = pipelines("run", save(folder, PARAMETERS), "-p", name, text)

    assert (told.status, told.error["code"]) == (2, "bad_parameter")
    assert f"`{name}`" in told.error["message"]
    shown = Project.open(folder).inspect(folder / "a.ipynb", parameters={name: TypedText(text)})
    assert (shown["state"], shown["error"]["code"]) == ("error", "bad_parameter")


def test_values_of_a_file_are_what_yaml_says(folder: Path, pipelines) -> None:
    file = save(folder, PARAMETERS)
    (folder / "p.yaml").write_text("name: 5\n")

    told = pipelines("plan", file, "-f", "p.yaml")

    assert (told.status, told.error["code"]) == (2, "bad_parameter")
    assert pipelines("plan", file, "-f", "p.yaml", "-p", "name", "5").status == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["-p", "none", "1"], "unknown_parameter"),
        (["--step", "none"], "unknown_step"),
        (["--force", "none"], "unknown_step"),
        (["--jobs", "0"], "usage"),
        (["--jobs", "many"], "usage"),
        (["--executor", "moon"], "usage"),
        (["--output", "no/such/folder/out.ipynb"], "bad_output"),
        (["--output", "a.ipynb"], "bad_output"),
        (["--output", "./x/../a.ipynb"], "bad_output"),
        (["--output", "."], "bad_output"),
    ],
)
def test_wrong_options(folder: Path, pipelines, words: list[str], code: str) -> None:
    (folder / "x").mkdir()
    file = save(folder, PARAMETERS)
    before = (folder / file).read_bytes()

    told = pipelines("run", file, *words)

    assert (told.status, told.error["code"]) == (2, code)
    assert (folder / file).read_bytes() == before
    assert not (folder / ".pipelines").exists()


# -- the store ------------------------------------------------------------------------------------


def database(store: Path) -> Path:
    store.mkdir()
    return store / "metadata.db"


def newer(store: Path) -> None:
    connection = sqlite3.connect(database(store))
    connection.execute("PRAGMA user_version = 99")
    connection.close()


def somebody_elses(store: Path) -> None:
    connection = sqlite3.connect(database(store))
    connection.execute("CREATE TABLE runs (x)")
    connection.close()


def cut_in_half(store: Path) -> None:
    made = Project(store.parent, store).store
    made.create()
    made.database.close()
    whole = (store / "metadata.db").read_bytes()
    (store / "metadata.db").write_bytes(whole[: len(whole) // 2])


STORES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a file": (lambda store: store.write_text("x"), "store_unwritable"),
    "newer": (newer, "store_too_new"),
    "damaged": (lambda store: database(store).write_bytes(b"no database" * 999), "store_damaged"),
    "cut in half": (cut_in_half, "store_damaged"),
    "somebody else's": (somebody_elses, "store_damaged"),
    "a folder for a database": (lambda store: database(store).mkdir(), "store_unwritable"),
}


@pytest.mark.parametrize("what", STORES)
def test_stores_that_cannot_be_used(folder: Path, pipelines, what: str) -> None:
    make, code = STORES[what]
    make(folder / "store")
    file = save(folder, ONE)

    for command in ("run", "plan", "runs"):
        told = pipelines(command, file, "--store", "store")
        assert (told.status, told.error["code"]) == (2, code)
        assert str(folder / "store") in told.error["message"]
        assert "Traceback" not in told.err
    shown = Project.open(folder, folder / "store").inspect(folder / file)
    assert (shown["state"], shown["error"]["code"]) == ("error", code)


def test_stores_that_cannot_be_written(folder: Path, pipelines) -> None:
    (folder / "file").touch()
    for name in ("artifacts", "locks", "runs"):
        (folder / f"no-{name}").mkdir()
        (folder / f"no-{name}" / name).touch()
    stores = ["file/below", *(f"no-{name}" for name in ("artifacts", "locks", "runs"))]
    if sys.platform == "linux":
        stores.append("/proc/pipelines")
    if os.geteuid() != 0:
        (folder / "read-only").mkdir(mode=0o555)
        stores.append("read-only/store")
    file = save(folder, ONE)

    for store in stores:
        told = pipelines("run", file, "--store", store)
        assert (told.status, told.error["code"]) == (2, "store_unwritable"), store
        assert "--store" in told.error["message"]


def test_an_empty_database_is_a_new_one(folder: Path, pipelines) -> None:
    database(folder / "store").touch()

    assert pipelines("plan", save(folder, ONE), "--store", "store").status == 0


# -- unusual, and fine ----------------------------------------------------------------------------


def test_unusual_notebooks(folder: Path, pipelines) -> None:
    document = notebook(
        markdown("# \ud800 surrogates in text"),
        cell("import math", id="same"),
        raw("raw"),
        cell("x = 1\r\nif x:\r\n    y = 'ü, 中, 🎉'\r\n", step="a", id="same"),
        cell("z = y * 2\nz", step="b", tags=["x\ud800"], id="same"),
        cell("", step="c"),
    )
    document["cells"][0]["attachments"] = {"a.png": {"image/png": "aGk="}}
    del document["cells"][1]["metadata"], document["cells"][1]["outputs"]
    document["cells"][2]["metadata"] = None
    document["cells"][3]["source"] = document["cells"][3]["source"].splitlines(keepends=True)
    document["cells"][4]["metadata"]["tags"] += [None, 3, {}]
    document["cells"] += [{"cell_type": "code", "source": None}, {"cell_type": "heading", "source": 3}]
    document["metadata"] = None
    (folder / "ein Ordner, été 中").mkdir()
    file = save(folder, document, "ein Ordner, été 中/mein 🎉 notebook.ipynb")

    told = pipelines("run", file, "--output", "out 🎉.ipynb")

    assert told.status == 0, told.err
    written = json.loads((folder / "out 🎉.ipynb").read_text())
    assert "".join(written["cells"][4]["outputs"][0]["data"]["text/plain"]) == "'ü, 中, 🎉ü, 中, 🎉'"
    assert [c["source"] for c in written["cells"]] == [c["source"] for c in document["cells"]]
    assert pipelines("run", file).document["steps"][0]["status"] == "reused"


@pytest.mark.parametrize("chained", [True, False])
def test_300_steps_are_planned_within_a_second(folder: Path, chained: bool) -> None:
    sources = [f"x{n} = x{n - 1} + 1" if chained and n else f"x{n} = {n}" for n in range(300)]
    content = notebook(*(cell(source, step=f"s{n}") for n, source in enumerate(sources)))
    write(content, folder / "a.ipynb")
    started = time.perf_counter()

    planned = Project.open(folder).plan(folder / "a.ipynb")

    assert time.perf_counter() - started < 1
    assert len(planned["steps"]) == 300
