"""Versions of installed distributions: remembered, and noticed when they change."""

from __future__ import annotations

import json
import shutil
import sys
from importlib import metadata
from pathlib import Path

import pytest

from jupyterlab_pipelines.environment import distributions_of, moved_modules, still_installed


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


def test_modules_are_of_the_distributions_that_importlib_says() -> None:
    said = metadata.packages_distributions()
    importable = sorted(said.keys() - sys.stdlib_module_names)

    found = distributions_of(importable)

    assert len(importable) > 50
    for module in importable:
        told = found[module]
        assert told is not None and told[0] in said[module]
        assert told[1] == metadata.version(told[0])


def test_a_module_in_another_place_is_another_module(tmp_path: Path) -> None:
    one, other, notebooks = (tmp_path / name for name in ("one", "other", "notebooks"))
    for folder in (one, other, notebooks):
        folder.mkdir()
    for folder in (one, other):
        (folder / "mine.py").touch()
    places = {"mine": str(one / "mine.py")}

    assert moved_modules(places, notebooks, [str(one), str(other)]) == []
    assert moved_modules(places, notebooks, [str(other), str(one)]) == [
        ("mine", str(one / "mine.py"), str(other / "mine.py"))
    ]
    assert moved_modules(places, notebooks, []) == [("mine", str(one / "mine.py"), None)]
    (notebooks / "mine").mkdir()
    assert moved_modules(places, notebooks, [str(one)])[0][2] == str(notebooks / "mine")


def test_a_package_that_is_edited_in_place_moves_with_its_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [tmp_path / "one", tmp_path / "other"]
    for source in sources:
        (source / "src" / "edited").mkdir(parents=True)
        (source / "src" / "edited" / "__init__.py").touch()
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def install_in_place(source: Path) -> None:
        place = site / "edited-1.0.dist-info"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        (place / "METADATA").write_text("Metadata-Version: 2.1\nName: edited\nVersion: 1.0\n")
        (place / "top_level.txt").write_text("edited\n")
        (place / "RECORD").write_text("")
        (place / "direct_url.json").write_text(
            json.dumps({"url": source.as_uri(), "dir_info": {"editable": True}})
        )

    file = str(sources[0] / "src" / "edited" / "__init__.py")
    install_in_place(sources[0])
    assert moved_modules({"edited": file}, tmp_path, [str(site)]) == []
    install_in_place(sources[1])
    assert moved_modules({"edited": file}, tmp_path, [str(site)]) == [("edited", file, str(sources[1]))]
