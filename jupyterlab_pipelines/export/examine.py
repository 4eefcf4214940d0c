"""Executed by the notebook's environment: does every value survive the exported package's files?

Reads a JSON document from stdin, prints one. It loads stored values, so it runs user code: never in the server.
Values that the package can bring back exactly are kept as recorded files where they are small.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import sys
import types
from pathlib import Path
from typing import Any

LARGE_BYTES = 1 << 16


def main() -> None:
    """Answer the question on stdin."""
    asked = json.load(sys.stdin)
    sys.path[:0] = [asked["source"]]
    real, sys.stdout = sys.stdout, sys.stderr
    answer = examine(asked)
    print(json.dumps(answer), file=real, flush=True)


def examine(asked: dict[str, Any]) -> dict[str, Any]:
    """Look at each artifact of the exported pipeline.

    Parameters
    ----------
    asked
        ``store``: folder; ``package``: name; ``names``: definitions of the notebook; ``rebound``; ``steps``: by
        exported step a list of groups ``{"names", "references"}``; ``places``: folders of the machine; ``run``:
        folder of an exported run to compare with, in place of looking what survives.

    Returns
    -------
    dict
        By step a list of ``{"names", "problem", "content", "format", "pickled", …}``; with ``run``, of ``{"names",
        "problem", "digest", "exported"}``.
    """
    from jupyterlab_pipelines import materializers
    from jupyterlab_pipelines.kernel.runtime.inputs import load_references

    main = _become_main(asked["package"])
    package_io = importlib.import_module(f"{asked['package']}.io")
    answer: dict[str, Any] = {}
    with materializers.carried_definitions(asked["names"], asked["rebound"]):
        for step, groups in asked["steps"].items():
            answer[step] = []
            for group in groups:
                told: dict[str, Any] = {"names": group["names"], "problem": None, "content": None}
                try:
                    values = {}
                    loaded = load_references(
                        Path(asked["store"]), group["references"], into=vars(main).copy()
                    )
                    values = {name: _plain(loaded[name]) for name in group["names"]}
                    if "run" in asked:
                        _compare_group(package_io, materializers, values, told, asked, step)
                    else:
                        _examine_group(
                            package_io, materializers, values, told, asked["most_bytes"], asked["places"]
                        )
                except Exception as error:
                    told["problem"] = f"{type(error).__name__}: {error}"
                    told["is_unwritable"] = True
                answer[step].append(told)
    return answer


def _plain(value: Any) -> Any:
    """What a command printed is a list of lines; in a notebook it is IPython's own kind of list."""
    if f"{type(value).__module__}.{type(value).__qualname__}" == "IPython.utils.text.SList":
        return list(value)
    return value


def _become_main(package: str) -> types.ModuleType:
    """Let stored values find the notebook's definitions where a kernel has them, and the package's be the same."""
    main = sys.modules["__main__"]
    try:
        definitions = importlib.import_module(f"{package}.definitions")
    except ModuleNotFoundError as error:
        if error.name != f"{package}.definitions":
            raise
        return main
    for name, thing in vars(definitions).items():
        if not name.startswith("__"):
            setattr(main, name, thing)
    return main


def _examine_group(
    package_io: Any,
    materializers: Any,
    values: dict[str, Any],
    told: dict[str, Any],
    most_bytes: int,
    places: list[str],
) -> None:
    before = _digest(materializers, values)
    told["pickled"] = False
    if len(values) == 1:
        name, value = next(iter(values.items()))
        form, content = package_io.dump(value)
        back = {name: package_io.parse(form, content)}
        if form != "pickle" and _digest(materializers, back) != before:
            told["pickled"] = True
            form, content = "pickle", package_io.pickle_of(value)
            back = {name: package_io.parse(form, content)}
    else:
        form, content = "pickle", package_io.pickle_of(values)
        back = package_io.parse(form, content)
    told["is_unwritable"] = all(_is_drawing(value) for value in values.values())
    told["names_place"] = _names_place(values, content, places)
    if _digest(materializers, back) != before:
        told["problem"] = "it does not come back from a file as it was"
    elif len(content) <= most_bytes:
        told["content"] = base64.b64encode(content).decode()
    told["format"] = form
    told["size_bytes"] = len(content)
    told["types"] = _types(values)


def _compare_group(
    package_io: Any,
    materializers: Any,
    values: dict[str, Any],
    told: dict[str, Any],
    asked: dict[str, Any],
    step: str,
) -> None:
    folder = package_io.Folder(asked["run"])
    manifest = folder.read_json(f"{step}/_step.json")
    told["digest"] = _digest(materializers, values)
    told["types"] = _types(values)
    told["exported"] = None
    if manifest is None or not set(values) <= manifest["outputs"].keys():
        return
    read = package_io.loaders(folder)
    exported = {name: read(manifest["outputs"][name]) for name in values}
    told["exported"] = _digest(materializers, exported)
    if told["exported"] != told["digest"]:
        content = package_io.pickle_of(values)
        told["names_place"] = _names_place(values, content, asked["places"])
        # What nobody reads may lose what no file holds: that a NaN is the very one of NumPy.
        back = package_io.parse("pickle", content)
        if _digest(materializers, back) == told["exported"]:
            told["digest"] = told["exported"]


def _names_place(values: dict[str, Any], content: bytes, places: list[str]) -> bool:
    """Whether a value names a folder of the machine; a path is stored in parts, but says itself as a whole."""
    said = repr(values) if len(content) < LARGE_BYTES else ""
    return any(place.encode() in content or place in said for place in places)


def _is_drawing(value: Any) -> bool:
    """Whether a value is a drawing, or a container of drawings: its step has shown it."""
    if type(value).__module__.partition(".")[0] == "matplotlib":
        return True
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray):
        value = list(value.flat) if value.dtype == object else ()
    return isinstance(value, list | tuple) and bool(value) and all(_is_drawing(each) for each in value)


def _types(values: dict[str, Any]) -> dict[str, str]:
    return {name: f"{type(value).__module__}.{type(value).__qualname__}" for name, value in values.items()}


def _digest(materializers: Any, values: dict[str, Any]) -> str:
    if len(values) > 1:
        return str(materializers.group_digest(values))
    return str(materializers.digest_of(next(iter(values.values()))))


if __name__ == "__main__":
    main()
    # Threads of native libraries may abort a process that is taken down, and the answer is told.
    os._exit(0)
