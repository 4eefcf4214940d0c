"""Doctor: what is wrong is found, told, and has a remedy."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from jupyterlab_pipelines import cli, doctor


def levels(findings: list[doctor.Finding], check: str) -> set[str]:
    return {finding.level for finding in findings if finding.check == check}


def test_every_finding_that_is_not_ok_has_a_message_and_every_check_reports(tmp_path: Path) -> None:
    findings = doctor.examine(tmp_path)

    assert {finding.check for finding in findings} == {
        *("python", "packages", "sqlite", "store", "kernels"),
        *("papermill_engine", "server_extension", "lab_extension"),
    }
    assert levels(findings, "python") == levels(findings, "sqlite") == levels(findings, "store") == {"ok"}
    assert all(finding.message for finding in findings)
    assert not (tmp_path / ".pipelines").exists()


def test_a_kernel_whose_python_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, argv in {
        "gone": ["/gone/python", "-m", "ipykernel_launcher"],
        "other": [sys.executable, "x.py"],
    }.items():
        (folder := tmp_path / "kernels" / name).mkdir(parents=True)
        spec = {"argv": argv, "display_name": name, "language": "python"}
        (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))

    findings = {
        finding.message: finding for finding in doctor.examine(tmp_path) if finding.check == "kernels"
    }

    gone = findings["Kernel gone starts /gone/python, which does not exist."]
    assert (gone.level, "jupyter kernelspec remove gone" in gone.remedy) == ("warning", True)
    assert findings[f"Kernel other is started by {sys.executable}."].level == "ok"


def test_a_package_that_is_missing_or_old_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = ["none-such>=1", "pytest<1", "hypothesis", 'never; extra == "x"']
    version = doctor.metadata.version
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: needed)
    monkeypatch.setattr(
        doctor.metadata, "version", lambda name: "0.1" if name == doctor.DISTRIBUTION else version(name)
    )

    findings = {f.message: f for f in doctor.examine(tmp_path) if f.check == "packages"}

    assert [finding.level for finding in findings.values()] == ["ok", "problem", "problem", "ok"]
    assert findings["none-such is missing."].remedy == 'pip install "none-such>=1"'


def test_a_check_that_fails_itself_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(doctor, "_sqlite", broken)

    assert levels(doctor.examine(tmp_path), "sqlite") == {"problem"}


@pytest.mark.parametrize(("level", "status"), [("ok", 0), ("warning", 0), ("problem", 1)])
def test_a_problem_exits_with_1(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, level: doctor.Level, status: int
) -> None:
    finding = doctor.Finding("python", level, "It is as it is.", "Do something.")
    monkeypatch.setattr(doctor, "examine", lambda directory, store: [finding])

    for words in (["doctor"], ["doctor", "--json"]):
        with pytest.raises(SystemExit) as exit:
            cli.main(words)
        assert exit.value.code == status
    told, _, document = capfd.readouterr().out.partition("\n")

    assert told.endswith("It is as it is. → Do something.")
    assert json.loads(document)["checks"] == [finding.to_json()]
