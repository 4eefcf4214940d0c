"""Versions of installed distributions: remembered, and noticed when they change."""

from __future__ import annotations

from pathlib import Path

from jupyterlab_pipelines.environment import still_installed


def install(folder: Path, version: str) -> None:
    for old in folder.glob("*.dist-info"):
        (old / "METADATA").unlink()
        old.rmdir()
    new = folder / f"thing-{version}.dist-info"
    new.mkdir(parents=True)
    (new / "METADATA").write_text(f"Metadata-Version: 2.1\nName: thing\nVersion: {version}\n")


def test_another_version_is_noticed(tmp_path: Path) -> None:
    paths = [str(tmp_path / "none"), str(tmp_path / "site")]
    packages = {"thing": ["thing", "1.0"]}

    install(tmp_path / "site", "1.0")
    assert still_installed(packages, paths) == []
    assert still_installed(packages, paths) == []
    install(tmp_path / "site", "1.1")
    assert still_installed(packages, paths) == [("thing", "1.0", "1.1")]
    install(tmp_path / "none", "1.0")
    assert still_installed(packages, paths) == [], "the first folder counts"
    install(tmp_path / "none", "2.0")
    assert still_installed(packages, paths) == [("thing", "1.0", "2.0")]
