"""An exported package leaves what the notebook leaves, passes its own checks, and says what it cannot do."""

from __future__ import annotations

import difflib
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from jupyterlab_pipelines.cli import run_command
from jupyterlab_pipelines.errors import ExportError
from jupyterlab_pipelines.project import Project
from tests.export.check import check
from tests.fixtures.notebooks import Notebook, cell, markdown, notebook, parameters, write
from tests.truth import forked
from tests.truth.generator import Story, stories
from tests.truth.test_cases import CASES

pytestmark = pytest.mark.timeout(300)

EQUAL = (
    "a database in memory",
    "an open file",
    "which NaN it is",
    "a function is defined again while a generator waits",
    "a weak reference",
    "a column is added",
    "a view of an array is written to",
    "two names for one list",
    "nested sharing",
    "draws of a generator",
)


@pytest.mark.parametrize("name", EQUAL)
def test_exported_run_leaves_what_the_notebook_leaves(name: str) -> None:
    assert check(CASES[name]) == "equal"


@pytest.mark.parametrize("seed", range(2))
def test_exported_run_of_a_random_notebook_is_equal_or_refused(seed: int) -> None:
    @hypothesis.seed(seed)
    @settings(
        max_examples=4,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
        deadline=None,
    )
    @given(stories())
    def is_equal_or_refused(story: Story) -> None:
        program = story.versions[0]
        check(program.notebook(), files=program.files, parameters=program.given)

    is_equal_or_refused()


BROAD = notebook(
    markdown("# Growth\n\nHow fast they grow."),
    cell(
        "%config InteractiveShell.autocall = 0\nimport asyncio\nimport numpy as np\nimport pandas as pd\n"
        "from dataclasses import dataclass\n\nnp.random.seed(3)\nLIMIT = 3  # rows\n\n\n"
        '@dataclass\nclass Box:\n    """Holds rows."""\n    rows: list\n\n'
        "    def total(self):\n        return sum(self.rows)\n\n\n"
        "def first(frame):  # the first rows\n    return frame.head(LIMIT)"
    ),
    parameters("factor = 2.0  # how much\nlabel = 'a b'\ndouble = factor * 2"),
    markdown("## Load\n\nReads *numbers*, and a \\ path."),
    cell(
        "# the numbers\nnumbers = pd.read_csv('numbers.csv')\ntext = '''two\n  lines'''\nnumbers.head(2)",
        step="load",
    ),
    cell(
        "def scaled(value):\n    return value * factor\n\n\ndef count():\n    global calls\n    calls += 1\n\n\n"
        "calls = 0\nnumbers['scaled'] = numbers.n.map(scaled)\ncount()\nbox = Box(list(first(numbers).scaled))\n"
        "max = box.total()",
        step="scale",
    ),
    cell("noise = np.random.rand()\nothers = [box, box.rows]", step="draw"),
    cell(
        "async def later():\n    return noise + np.random.rand()\nvalue = await later()\n"
        "words = !echo {label} $calls\n%time others[0].rows.append(max)\n"
        "assert others[1][-1] == max\n(value, others[0].total(), double)",
        step="report",
    ),
)
NUMBERS = "n\n1\n2\n3\n4\n"


def test_a_broad_notebook_is_equal_with_other_parameters_too() -> None:
    assert check(BROAD, files={"numbers.csv": NUMBERS}) == "equal"
    assert check(BROAD, files={"numbers.csv": NUMBERS}, parameters={"factor": 5.5, "label": "z"}) == "equal"


def test_the_tree_passes_its_own_checks(tmp_path: Path) -> None:
    output = exported(BROAD, tmp_path, files={"numbers.csv": NUMBERS})

    for command in (
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy", "--strict"],
        ["pytest", "-q"],
    ):
        ended = run_in(output, "-m", *command)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "skipped" not in ended.stdout
    text = "".join(path.read_text() for path in output.rglob("*.py"))
    assert "jupyterlab_pipelines" not in text
    assert str(tmp_path) not in text
    steps = (output / "src" / "notebook" / "steps.py").read_text()
    assert "# the numbers" in steps
    assert "def load() -> tuple[pd.DataFrame, str]:" in steps
    assert (output / "src" / "notebook" / "definitions.py").read_text().count("# the first rows") == 1


def test_exporting_again_changes_what_changed(tmp_path: Path) -> None:
    first = tree(exported(BROAD, tmp_path, files={"numbers.csv": NUMBERS}))

    assert tree(exported(BROAD, tmp_path)) == first

    edited = json.loads(json.dumps(BROAD).replace("box.total()", "box.total() + 1"))
    second = tree(exported(edited, tmp_path))

    changed = {
        path: [line for line in difflib.unified_diff(first[path], second[path], n=0) if line[:1] in "+-"]
        for path in first
        if first[path] != second[path] and not path.startswith("tests/recorded")
    }
    assert [line for line in changed["src/notebook/steps.py"] if line[1:2] != "-" and "+++" not in line] == [
        "-    max = box.total()",
        "+    max = box.total() + 1",
    ]
    assert changed.keys() == {"src/notebook/steps.py"}


def test_a_failed_run_keeps_what_there_is_and_goes_on_from_it(tmp_path: Path) -> None:
    document = notebook(
        cell("import os"),
        cell("x = 1", step="make"),
        cell("y = x + 1\nassert not os.path.exists('broken'), 'it is broken'", step="use"),
        cell("z = 5", step="apart"),
        cell("w = y + z", step="end"),
    )
    output = exported(document, tmp_path)
    (output / "broken").touch()

    ended = run_in(output, "-m", "notebook", "run", "--json")

    assert ended.returncode == 1
    assert "it is broken" in ended.stderr
    told = json.loads(ended.stdout)
    assert told["steps"] == {"make": "succeeded", "use": "failed", "apart": "succeeded", "end": "skipped"}
    assert json.loads((output / "artifacts" / "make" / "x.json").read_text()) == 1

    (output / "broken").unlink()
    again = run_in(output, "-m", "notebook", "run", "--json", "--resume")

    assert again.returncode == 0
    assert json.loads(again.stdout)["steps"] == {
        "make": "reused",
        "use": "succeeded",
        "apart": "reused",
        "end": "succeeded",
    }


PATHS = notebook(
    parameters("n = 5\ndebug = False"),
    cell(
        """
        values = list(range(n))
        if debug:
            sample = values[:2]
        for value in values[1:]:
            last = value
        """,
        step="load",
    ),
    cell("if n > 3:\n    sign = 'wide'\nsize = len(values)", step="widen"),
    cell(
        """
        if n > 3:
            word = sign.upper()
        if debug:
            first = sample[0]
        try:
            after = last + 1
        except NameError:
            after = None
        """,
        step="use",
    ),
)


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({}, {"load": {"values", "last"}, "widen": {"sign", "size"}, "use": {"word", "after"}}),
        ({"n": 2}, {"load": {"values", "last"}, "widen": {"size"}, "use": {"after"}}),
        (
            {"n": 1, "debug": True},
            {"load": {"values", "sample"}, "widen": {"size"}, "use": {"after", "first"}},
        ),
    ],
)
def test_other_parameters_lead_steps_along_other_paths(
    given: dict[str, Any], left: dict[str, set[str]], tmp_path: Path
) -> None:
    output = exported(PATHS, tmp_path)

    ended = run_in(output, "-m", "notebook", "run", "--parameters", json.dumps(given))

    assert ended.returncode == 0, ended.stderr
    manifests = {step: output / "artifacts" / step / "_step.json" for step in left}
    found = {step: set(json.loads(path.read_text())["outputs"]) for step, path in manifests.items()}
    # `first` was not seen in the run that was exported, and nobody reads it.
    assert found == {step: names - {"first"} for step, names in left.items()}


def test_results_that_nothing_reads_are_returned_and_means_to_an_end_are_not(tmp_path: Path) -> None:
    document = notebook(
        cell(
            "raw = [3, 1, 2]\nordered = sorted(raw)\nlargest = max(raw)\nprint(largest)\n"
            "for each in raw:\n    pass\ndoubled = [each * 2 for each in raw]\ndoubled.sort()",
            step="make",
        ),
        cell("total = sum(ordered)", step="use"),
    )

    code = (exported(document, tmp_path) / "src" / "notebook" / "steps.py").read_text()

    assert "return ordered, largest, doubled\n" in code


def test_what_a_with_binds_is_bound_unless_it_keeps_exceptions(tmp_path: Path) -> None:
    document = notebook(
        cell("import contextlib"),
        cell(
            "with open('a.txt') as file:\n    text = file.read()\n"
            "with contextlib.suppress(ValueError):\n    number = int(text)",
            step="read",
        ),
        cell("size = len(text), number", step="use"),
    )

    code = (exported(document, tmp_path, files={"a.txt": "12"}) / "src" / "notebook" / "steps.py").read_text()

    assert 'return text, locals().get("number", ABSENT)\n' in code
    assert "def use(text: str, number: int = ABSENT) -> " in code


def test_what_modules_beside_the_notebook_import_is_required_and_comes_along(tmp_path: Path) -> None:
    document = notebook(cell("from helper import parsed"), cell("value = parsed('a: 1')", step="read"))
    files = {
        "helper.py": "import yaml\nfrom other import same\ndef parsed(text):\n    return same(yaml.safe_load(text))\n",
        "other.py": "try:\n    import not_there\nexcept ImportError:\n    pass\ndef same(value):\n    return value\n",
    }

    output = exported(document, tmp_path, files=files)

    assert "PyYAML==" in (output / "pyproject.toml").read_text()
    assert (output / "src" / "other.py").is_file()
    assert "not_there" not in (output / "README.md").read_text()
    assert run_in(output, "-m", "notebook", "run").returncode == 0


def test_subclasses_come_along_where_it_matters_which_there_are() -> None:
    document = notebook(
        cell(
            "class Base:\n    known = []\n    def __init_subclass__(cls):\n        Base.known.append(cls.__name__)\n\n"
            "class One(Base):\n    pass\n\nclass Two(One):\n    pass"
        ),
        cell("names = list(Base.known)", step="list"),
        cell("children = [each.__name__ for each in Base.__subclasses__()]", step="ask"),
    )

    assert check(document) == "equal"


def test_retries_and_timeouts_are_those_of_the_tags(tmp_path: Path) -> None:
    document = notebook(
        cell("import os, time"),
        cell(
            "if os.path.exists('armed'):\n    os.rename('armed', 'fired')\n    raise RuntimeError('once')\na = 1",
            step="flaky",
            tags=["retries:1"],
        ),
        cell("if os.path.exists('slow'):\n    time.sleep(60)\nb = a", step="quick", tags=["timeout:2s"]),
    )
    output = exported(document, tmp_path)
    (output / "armed").touch()

    assert run_in(output, "-m", "notebook", "run").returncode == 0
    assert (output / "fired").exists()

    (output / "slow").touch()
    ended = run_in(output, "-m", "notebook", "run")

    assert ended.returncode == 1
    assert "longer than 2 seconds" in ended.stderr


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("exec('x = 1')", "Cell 2, line 1"),
        ("y = 1\nz = globals()['y']", "Cell 2, line 2"),
        ("%%capture out\nprint(1)\n", "capture"),
        ("y = Out", "`Out`"),
        ("%alias_magic t timeit", "`%alias_magic` needs IPython"),
        ("ip = get_ipython()", "get_ipython"),
    ],
)
def test_what_only_a_notebook_can_do_is_refused_with_its_place(
    source: str, told: str, tmp_path: Path
) -> None:
    document = notebook(
        cell("import os"), cell(source, step="a"), cell("print(out)" if "out" in source else "", step="b")
    )

    with pytest.raises(ExportError) as refused:
        exported(document, tmp_path)

    assert refused.value.code == "not_exportable"
    assert told in refused.value.message


def test_a_folder_that_no_export_wrote_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "thesis.txt").write_text("years")

    with pytest.raises(ExportError, match="no export wrote"):
        exported(notebook(cell("x = 1", step="a")), tmp_path)

    assert os.listdir(tmp_path / "output") == ["thesis.txt"]


def test_the_command_lists_targets_and_tells_what_it_wrote(tmp_path: Path, capsys: Any) -> None:
    run_command(["export", "--list", "--json"])
    targets = json.loads(capsys.readouterr().out)["targets"]
    assert "package" in {target["name"] for target in targets}

    with pytest.raises(ExportError, match="no target `nothing`"):
        run_command(["export", "x.ipynb", "--to", "nothing", "--output", str(tmp_path / "out")])


# -- helpers --------------------------------------------------------------------------------------


def exported(document: Notebook, folder: Path, *, files: dict[str, str] | None = None) -> Path:
    here = folder / "here"
    here.mkdir(exist_ok=True)
    for name, text in (files or {}).items():
        (here / name).write_text(text)
    path = write(document, here / "notebook.ipynb")
    with forked.without_kernels():
        Project.open(path, store=folder / "store").exports.export(path, "package", folder / "output", jobs=2)
    return folder / "output"


def run_in(output: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(output / "src")}
    return subprocess.run(
        [sys.executable, *words], cwd=output, env=environment, capture_output=True, text=True, check=False
    )


def tree(output: Path) -> dict[str, list[str]]:
    """By path, the lines of every text file without those that tell of the notebook as a whole."""
    found = {}
    for path in sorted(output.rglob("*")):
        if path.is_file() and path.suffix not in (".pkl", ".parquet", ".npy"):
            lines = path.read_text().splitlines()
            found[path.relative_to(output).as_posix()] = [
                x for x in lines if "Exported from" not in x and "version=" not in x
            ]
    return found


def test_a_failed_run_comes_home(tmp_path: Path) -> None:
    document = notebook(
        cell("class Box:\n    def __init__(self, n):\n        self.n = n"),
        parameters("n = 3"),
        cell("box = Box(n)", step="make"),
        cell("rest = 10 / (box.n - 4)", step="use"),
        cell("print(rest)", step="show"),
    )
    output = exported(document, tmp_path)
    assert run_in(output, "-m", "notebook", "run", "--param", "n=4").returncode == 1
    path = tmp_path / "here" / "notebook.ipynb"
    project = Project.open(path, store=tmp_path / "store")

    home = project.exports.import_run(output / "artifacts", path)

    assert home["status"] == "failed"
    assert home["parameters"] == {"n": 4}
    assert [step["status"] for step in home["steps"]] == ["succeeded", "failed", "skipped"]
    assert [each["name"] for each in home["steps"][0]["outputs"]] == ["box"]
    assert home["steps"][1]["error"]["message"] == "ZeroDivisionError: division by zero"
    assert project.runs(path)[0]["run_id"] == home["run_id"]
    assert {step["decision"] for step in project.plan(path)["steps"]} == {"reuse"}


def test_tests_ask_only_what_can_come_again(tmp_path: Path) -> None:
    document = notebook(
        cell("import os\nimport tempfile\nimport time"),
        cell("steady = [1, 2]", step="steady"),
        cell("number = os.getpid()", step="process"),
        cell("folder = tempfile.gettempdir() + '/x'", step="place"),
        cell("now = time.time()", step="clock"),
        cell("sent = len(steady)", step="deploy", role="deployer"),
        cell("later = number > 0, now > 0, steady", step="later"),
    )
    output = exported(document, tmp_path)

    ended = run_in(output, "-m", "pytest", "-rs", "-q")

    assert ended.returncode == 0, ended.stdout
    assert "2 passed, 4 skipped" in ended.stdout
    for why in ("called again, it gave something else", "names a folder", "(clock)", "it deploys"):
        assert why in (output / "tests" / "test_steps.py").read_text()
    assert not any(str(path) == "place" for path in (output / "tests" / "recorded").iterdir())


STYLE = notebook(
    cell(
        """
        import os, sys
        os.environ["MODE"] = "fast"
        import helper
        import logging
        from typing import Literal
        from math import *
        from helper import *

        logger = logging.getLogger(__name__)
        logger.setLevel(logging.INFO)
        Mode = Literal["a", "b"]

        !pip install -q numpy
        """
    ),
    cell("mode: Mode = helper.MODE[0]\nroot = sqrt(16) + double(2)", step="first"),
    cell("# only a comment", step="second"),
    cell("values = []\nfor each in range(3):\n    values.append(each * root)\nvalues.sort()", step="second"),
    cell("if __name__ == '__main__':\n    total = sum(values)\nlogger.info('%s', total)", step="third"),
)


def test_exported_code_reads_as_if_it_were_written_by_hand(tmp_path: Path) -> None:
    helper = "import os\nMODE = os.environ['MODE']\n\n\ndef double(x):\n    return 2 * x\n"
    output = exported(STYLE, tmp_path, files={"helper.py": helper})

    steps = (output / "src" / "notebook" / "steps.py").read_text().partition("import annotations\n\n")[2]

    assert steps == textwrap.dedent(
        '''\
        from . import environment as environment  # before all that reads it when it is imported

        from math import sqrt
        from typing import Any

        import helper
        from helper import double

        from .definitions import Mode, configure, logger


        def first() -> tuple[str, float]:
            """First."""
            configure()
            mode: Mode = helper.MODE[0]
            root = sqrt(16) + double(2)
            return mode, root


        def second(root: float) -> list[Any]:
            """Second."""
            configure()
            # only a comment

            values = []
            for each in range(3):
                values.append(each * root)
            values.sort()
            return values


        def third(values: list[Any]) -> float:
            """Third."""
            configure()
            total = sum(values)
            logger.info('%s', total)
            return total
        '''
    )
    assert run_in(output, "-m", "notebook", "run").returncode == 0
    assert run_in(output, "-m", "ruff", "check", ".").returncode == 0


def test_what_a_decorator_notes_is_noted_wherever_it_is_read() -> None:
    document = notebook(
        cell(
            """
            table = {}

            def noted(name):
                def note(function):
                    table[name] = function
                    return function
                return note

            def more(x):
                return x + base

            base = 1

            @noted("a")
            def first(x):
                return more(x)
            """
        ),
        cell(
            "@noted('b')\ndef second(x):\n    return 2 * x\nfound = {n: f(5) for n, f in sorted(table.items())}",
            step="a",
        ),
        cell("plain = 3", step="b"),
    )
    assert check(document) == "equal"
