"""`jupyter pipelines quality`: documents for scripts, words for people."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jupyterlab_pipelines import cli
from jupyterlab_pipelines.quality.processor import prefer_fast_sort
from jupyterlab_pipelines.quality.statistics import Statistics


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"price": np.round(rng.lognormal(3, 1, 2_000), 2), "town": rng.choice(["Berlin", "Paris"], 2_000)}
    )
    table[:1_000].to_csv(tmp_path / "a.csv", index=False)
    table[1_000:].assign(price=lambda t: t.price * 100).to_parquet(tmp_path / "b.parquet")
    return str(tmp_path / "a.csv"), str(tmp_path / "b.parquet")


def status(*words: str) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["quality", *words])
    return ended.value.code


def test_the_document(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert status(*files, "--json") == 0
    document = json.loads(capsys.readouterr().out)

    assert set(document) == {"tables", "anomalies"} and set(document["tables"]) == {"reference", "current"}
    (anomaly,) = document["anomalies"]
    assert list(anomaly) == [
        *("feature", "kind", "severity", "description", "reference", "current", "p_value", "effect")
    ]
    assert (anomaly["feature"], anomaly["kind"], anomaly["severity"]) == ("price", "unit_changed", "error")
    assert document["tables"]["current"]["rows"] == 1_000
    assert (
        Statistics.from_document(document["tables"]["reference"]["statistics"]).by_name["town"].distinct == 2
    )
    assert document["tables"]["current"]["drift"]["price"]["population_stability_index"] > 1


def test_words_for_people(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert status(*files) == 0
    told = capsys.readouterr().out

    assert "price" in told.splitlines()[1] and "100 times" in told
    assert "1 anomaly; one column without change" in told
    assert status(files[0], files[0]) == 0
    assert "No anomaly in 2 columns" in capsys.readouterr().out


def test_a_broken_schema_is_a_failure(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = tmp_path / "s.yaml"
    schema.write_text("closed: false\nchecks: [price < 1000]\n")

    assert status(*files, "--schema", str(schema)) == 1
    assert "check_failed" in capsys.readouterr().out
    assert status(files[0], files[0], "--schema", str(schema)) == 0


def test_wrong_use_is_a_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(str(tmp_path / "a.csv"), str(tmp_path / "b.csv"), "--json") == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "file_not_found"


def test_what_concerns_the_table_has_no_feature(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.DataFrame({"n": range(500), "x": np.random.default_rng(0).normal(size=500)})
    table.to_csv(tmp_path / "a.csv", index=False)
    table.head(0).to_csv(tmp_path / "b.csv", index=False)

    assert status(str(tmp_path / "a.csv"), str(tmp_path / "b.csv"), "--json") == 0
    (anomaly,) = json.loads(capsys.readouterr().out)["anomalies"]
    assert (anomaly["feature"], anomaly["kind"]) == (None, "empty_table")


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ("columns: [a", "s.yaml"),
        ("columns: {price: {typ: float}}", "typ"),
        ("columns: {price: {type: number}}", "number"),
        ("rows: {min: 9, max: 3}", "min"),
    ],
)
def test_a_wrong_schema_is_told(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], schema: str, says: str
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(schema + "\n")
    ended = status(*files, "--schema", str(path), "--json")
    document = json.loads(capsys.readouterr().out)

    if "error" in document:
        assert ended == 2 and says in document["error"]["message"]
    else:
        told = [one for one in document["anomalies"] if one["kind"] == "invalid_schema"]
        assert ended == 1 and says in told[0]["description"]


def test_verdicts_need_no_table_library() -> None:
    script = (
        "import sys; from jupyterlab_pipelines.quality import anomalies, schema, schema_file, drift, kinds;"
        "print([name for name in ('numpy', 'pandas', 'pyarrow') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("cpuinfo", "slow"),
    [
        ("vendor_id : AuthenticAMD\ncpu family : 25\nflags : sse avx512f\n\n", True),
        ("vendor_id : AuthenticAMD\ncpu family : 25\nflags : sse avx2\n\n", False),
        ("vendor_id : GenuineIntel\ncpu family : 6\nflags : avx512f\n\n", False),
    ],
)
def test_numpy_is_told_how_to_sort(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cpuinfo: str, slow: bool
) -> None:
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    monkeypatch.delitem(sys.modules, "numpy")
    monkeypatch.setenv("NPY_DISABLE_CPU_FEATURES", "x")
    monkeypatch.delenv("NPY_DISABLE_CPU_FEATURES")
    prefer_fast_sort(tmp_path / "cpuinfo")

    assert ("NPY_DISABLE_CPU_FEATURES" in os.environ) == slow
