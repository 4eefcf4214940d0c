"""A step that reads the network, the clock or chance is reused, and the user is told that it may be out of date."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.cli import main
from jupyterlab_pipelines.project import Project
from tests.fixtures.notebooks import cell, notebook, parameters, write
from tests.truth import forked


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.delenv("JUPYTER_PIPELINES_STORE", raising=False)
    return tmp_path


@pytest.fixture
def server() -> Iterator[str]:
    """A server on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"n\n1\n")

        def log_message(self, *_: Any) -> None:
            pass

    serving = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{serving.server_port}/table.csv"
    serving.shutdown()
    serving.server_close()


def run(folder: Path, *cells: Any, kernels: bool = False) -> dict[str, Any]:
    path = write(notebook(*cells), folder / "a.ipynb")
    if kernels:
        document = Project.open(path).run(path)
    else:
        with forked.without_kernels():
            document = Project.open(path).run(path)
    assert document["status"] == "succeeded", [step["error"] for step in document["steps"]]
    return document


def kinds(document: dict[str, Any]) -> dict[str, list[str]]:
    """Kinds of warnings by step."""
    return {step["name"]: [each["kind"] for each in step["warnings"]] for step in document["steps"]}


NETWORK = {
    "urllib": "import urllib.request\nprint(urllib.request.urlopen(URL).read())",
    "pandas": "import pandas as pd\nprint(pd.read_csv(URL))",
    "requests": "import requests\nprint(requests.get(URL).text)",
    "socket": "import socket\nsocket.create_connection(('127.0.0.1', PORT)).close()",
    "asyncio": "import asyncio\nr, w = await asyncio.open_connection('127.0.0.1', PORT)\nw.close()",
    "curl": "import subprocess\nsubprocess.run(['curl', '-s', URL])",
}


@pytest.mark.parametrize("how", NETWORK)
def test_the_network(folder: Path, server: str, how: str) -> None:
    if how == "requests":
        pytest.importorskip("requests")
    port = server.split(":")[2].split("/")[0]
    code = f"URL = {server!r}\nPORT = {port}\n{NETWORK[how]}"
    cells = [cell(code, step="fetch"), cell("print(1)", step="other")]
    assert kinds(run(folder, *cells)) == {"fetch": ["network"], "other": []}

    again = run(folder, *cells)

    assert [step["status"] for step in again["steps"]] == ["reused", "reused"]
    assert kinds(again) == {"fetch": ["network"], "other": []}
    [warning] = Project.open(folder).plan(folder / "a.ipynb")["steps"][0]["warnings"]
    assert warning["message"].startswith("may be out of date: reads the network")
    assert "`cache:12h`" in warning["message"]


CLOCK = [
    "from datetime import datetime\nprint(datetime.now().year)",
    "import datetime as dt\nprint(dt.date.today())",
    "import datetime\nstamp = datetime.datetime.now(datetime.UTC)",
    "import time\nstamp = time.time()",
    "import time\nprint(time.strftime('%Y'))",
    "import time\nprint(time.localtime().tm_year)",
    "import pandas as pd\nprint(pd.Timestamp.now())",
    "import pandas as pd\nprint(pd.Timestamp('today'))",
    "import pandas as pd\nprint(pd.to_datetime('now'))",
    "import numpy as np\nprint(np.datetime64('today'))",
    "from time import time as t\nage = t() - 1700000000.0",
    "def f():\n    from datetime import datetime\n    return datetime.today()\nprint(f())",
    "import datetime\nstamps = [make() for make in [datetime.datetime.now]]",
    "import dates\nprint(dates.cutoff())",
    "import dates\nprint(dates.Report().day())",
]


@pytest.mark.parametrize("code", CLOCK)
def test_the_clock(folder: Path, code: str) -> None:
    (folder / "dates.py").write_text(
        "import datetime as d\n"
        "def _today(): return d.date.today()\n"
        "def cutoff(): return _today()\n"
        "class Report:\n    def day(self): return d.datetime.now().day\n"
    )
    assert kinds(run(folder, cell(code, step="when"))) == {"when": ["clock"]}


CHANCE = [
    "import random\nx = random.random()",
    "import numpy as np\nx = np.random.rand()",
    "import numpy as np\nrng = np.random.default_rng()\nx = rng.random()",
    "import numpy as np\nx = np.random.RandomState().rand()",
    "import random\nx = random.Random().random()",
    "import uuid\nx = str(uuid.uuid4())",
    "import os\nx = os.urandom(4)",
    "import secrets\nx = secrets.token_hex()",
    "import secrets\nx = secrets.choice([1, 2])",
    "import pandas as pd\nx = pd.DataFrame({'a': range(9)}).sample(3)",
    "import random\nrandom.seed()\nx = random.random()",
]


@pytest.mark.parametrize("code", CHANCE)
def test_chance(folder: Path, code: str) -> None:
    assert kinds(run(folder, cell(code, step="draw"))) == {"draw": ["randomness"]}


def test_setup_and_parameters_count_for_the_steps_that_read_them(folder: Path) -> None:
    cells = [
        cell("import numpy as np, datetime\nyear = datetime.date.today().year\nnoise = np.random.rand(3)"),
        parameters("until = datetime.date.today()"),
        cell("print(year)", step="year"),
        cell("print(until)", step="until"),
    ]
    told = kinds(run(folder, *cells))
    assert "clock" in told["year"]
    assert "clock" in told["until"]


def test_what_an_edit_has_taken_out_is_not_told(folder: Path) -> None:
    run(folder, cell("import time\nstamp = time.time()", step="when"))
    path = write(notebook(cell("stamp = 5", step="when")), folder / "a.ipynb")
    assert kinds(Project.open(path).plan(path)) == {"when": []}


NOTHING = {
    "seeded": "import random\nrandom.seed(1)\nx = random.random()",
    "seeded numpy": "import numpy as np\nnp.random.seed(1)\nx = np.random.rand()",
    "seeded generator": "import numpy as np\nx = np.random.default_rng(7).random()",
    "seeded by name": "import numpy as np\nx = np.random.RandomState(seed=7).rand()",
    "how long it took": "import time\nstart = time.time()\nsum(range(9))\nprint(f'{time.time() - start:.1f} s')",
    "how long, in dates": "from datetime import datetime\nt = datetime.now()\nprint((datetime.now() - t).days)",
    "a counter": "import time\nstart = time.perf_counter()\nprint(time.perf_counter() > start)",
    "a date": "import datetime\nprint(datetime.datetime(2020, 1, 1), datetime.date.fromisoformat('2020-01-01'))",
    "a time": "import time\nprint(time.strftime('%Y', time.gmtime(0)))",
    "logging": "import logging\nlogging.basicConfig()\nlogging.warning('hello')",
    "temporary files": "import tempfile\nwith tempfile.TemporaryDirectory() as name:\n    pass",
    "a module nobody calls": "import dates\nprint(dates.fixed())",
    "names": "now = 1\ntoday = 2\nprint(now + today)",
    "a plot": "import pandas as pd\nprint(pd.DataFrame({'when': pd.to_datetime(['2020-01-01'])}))",
}


@pytest.mark.parametrize("what", NOTHING)
def test_no_doubt(folder: Path, what: str) -> None:
    (folder / "dates.py").write_text(
        "import datetime as d\ndef today(): return d.date.today()\ndef fixed(): return 1\n"
    )
    assert kinds(run(folder, cell(NOTHING[what], step="work"))) == {"work": []}


def test_in_kernels_only_what_the_step_does_is_told(folder: Path) -> None:
    code = "import pandas as pd, matplotlib.pyplot as plt\nplt.plot([1, 2])\nprint(pd.DataFrame({'a': [1]}))"
    pytest.importorskip("matplotlib")
    cells = [
        cell("from datetime import datetime\ndef stamp():\n    return datetime.now().isoformat()"),
        cell(code, step="plain"),
        cell("made = stamp()", step="stamped"),
        cell("import numpy as np\nnp.random.seed(3)\nxs = np.random.rand(3)", step="seeded"),
        cell("print(np.random.rand(3))", step="goes_on"),
    ]
    told = {"plain": [], "stamped": ["clock"], "seeded": [], "goes_on": []}
    assert kinds(run(folder, *cells, kernels=True)) == told


def test_a_tag_that_says_how_long_is_an_answer(folder: Path) -> None:
    cells = [cell("import time\nstamp = time.time()", step="when")]
    assert kinds(run(folder, *cells)) == {"when": ["clock"]}
    for tag in ("cache:12h", "cache:off"):
        tagged = [cell("import time\nstamp = time.time()", step="when")]
        tagged[0]["metadata"]["tags"].append(tag)
        assert kinds(run(folder, *tagged)) == {"when": []}
        assert kinds(Project.open(folder).plan(folder / "a.ipynb")) == {"when": []}


def test_people_are_told_below_the_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(folder, cell("import time\nstamp = time.time()", step="when"))
    with pytest.raises(SystemExit):
        main(["plan", str(folder / "a.ipynb")])
    told = [line for line in capsys.readouterr().out.splitlines() if "out of date" in line]
    assert told == [
        "when may be out of date: reads the clock (`time.time`); `cache:12h` would limit how long it is reused"
    ]


def test_no_secret_of_an_address_is_kept(folder: Path) -> None:
    code = "url = 'postgresql://me:hunter2@db.example.org/sales?x=hunter2'\nopen('a.txt').read()"
    (folder / "a.txt").touch()
    document = run(folder, cell(code, step="query"))
    [warning] = document["steps"][0]["warnings"]
    assert warning["what"] == "postgresql://db.example.org"
