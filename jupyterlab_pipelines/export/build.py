"""A run of a notebook → `Export`: everything that targets need to know, found to be exportable."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import keyword
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jupyterlab_pipelines import __version__
from jupyterlab_pipelines.artifact import Artifact, is_state
from jupyterlab_pipelines.environment import find_kernelspec, kernel_environment
from jupyterlab_pipelines.errors import ExportError
from jupyterlab_pipelines.export.base import Export, ExportedFile, ExportedStep, Origin, Recorded, Value
from jupyterlab_pipelines.export.functions import OURS, Facts, Functions, is_made_here, kind_of_state
from jupyterlab_pipelines.export.imports import imports_in
from jupyterlab_pipelines.export.joining import Joint, Part, join, joints_of
from jupyterlab_pipelines.export.modules import notebook_modules
from jupyterlab_pipelines.export.package import package_files
from jupyterlab_pipelines.export.requirements import COMPUTES_FOR, ask_environment, named_in, requirements_of
from jupyterlab_pipelines.export.scopes import all_statements, shared_positions
from jupyterlab_pipelines.export.source import unbound_names
from jupyterlab_pipelines.notebook.assemble import is_step_cell
from jupyterlab_pipelines.notebook.names import analyse
from jupyterlab_pipelines.notebook.parse import Outline, last_heading, source_of
from jupyterlab_pipelines.pipeline import Effects, Pipeline, Role
from jupyterlab_pipelines.run import Execution
from jupyterlab_pipelines.store import Store

MOST_RECORDED_BYTES = 1 << 18
MOST_DATA_BYTES = 1 << 22
"""Up to this size, an artifact is recorded for the tests, and a file that is read comes with the package."""

MOST_TEST_SECONDS = 60

MOST_ROUNDS = 20

OF_DRAWINGS = re.compile(r"\A\W*(<?(Axes|Figure)\w*\b|Text\()|<matplotlib\.| at 0x[0-9a-f]{4}")
"""Texts that stand for an object which has no text of its own."""

RECORDED_STATES = ("random", "numpy random")
"""State that the package keeps in the same form as our store."""


@dataclass(frozen=True)
class Source:
    """A notebook with a finished run.

    Attributes
    ----------
    notebook
        Its file.
    executions
        By step, the execution that the run had or reused.
    learned
        By step, what it was seen to do.
    """

    notebook: Path
    content: Mapping[str, Any]
    outline: Outline
    pipeline: Pipeline
    executions: Mapping[str, Execution]
    learned: Mapping[str, Effects]
    store: Store
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.notebook.parent

    @property
    def python(self) -> str:
        """The interpreter that runs the notebook."""
        return python_of(self.outline)

    def environment(self) -> dict[str, str]:
        """Variables with which that interpreter finds this package."""
        return environment_for(self.outline, self.store)


def python_of(outline: Outline) -> str:
    """The interpreter of a notebook's kernel."""
    kernel = find_kernelspec(outline.kernel)
    return sys.executable if kernel.is_own else kernel.argv[0]


def environment_for(outline: Outline, store: Store) -> dict[str, str]:
    """Variables with which the interpreter of a notebook's kernel finds this package."""
    environment = kernel_environment(find_kernelspec(outline.kernel), store.path)
    ours = str(Path(__file__).resolve().parents[2])
    known = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = f"{ours}{os.pathsep}{known}" if known else ours
    return environment


def build(source: Source, name: str | None = None) -> Export:
    """The export of a notebook, as every target gets it.

    Raises
    ------
    ExportError
        ``not_exportable`` with cell and line; ``bad_name``; ``environment_broken``.
    """
    name = _package_name(source, name)
    source = replace(source, pipeline=_with_referred(source))
    facts, answer = _facts(source)
    joints = [*joints_of(source.pipeline), *_joints_of_artifacts(source, facts)]
    for _ in range(MOST_ROUNDS):
        parts = join(source.pipeline, joints)
        export = _draft(source, name, parts, facts, answer)
        found = _examine(source, export)
        if not found.joints and found.unwritable <= facts.unwritable:
            break
        joints += found.joints
        facts = replace(facts, unwritable=facts.unwritable | found.unwritable)
    else:
        raise ExportError("not_exportable", "The values of the steps cannot be written to files.")
    steps = tuple(replace(step, pickled=found.pickled.get(step.name, ())) for step in export.steps)
    return replace(export, steps=steps, recorded=tuple(found.recorded), untested=found.untested)


def _with_referred(source: Source) -> Pipeline:
    """The pipeline whose steps also need what their stored inputs refer to: classes, functions."""
    steps = []
    for step in source.pipeline.steps:
        referred: set[str] = set()
        for given in step.needs.inputs:
            artifact = source.executions[given.step].outputs.get(given.name)
            referred.update(artifact.definitions if artifact else ())
        needs = source.pipeline.needs_with(step.name, frozenset(referred)) if referred else step.needs
        steps.append(replace(step, needs=needs))
    return replace(source.pipeline, steps=tuple(steps))


def _draft(
    source: Source, name: str, parts: tuple[Part, ...], facts: Facts, answer: Mapping[str, Any]
) -> Export:
    functions = Functions(source.outline, source.pipeline, source.content, parts, facts)
    steps = functions.write()
    modules = notebook_modules(functions, steps)
    direct, lock = requirements_of(answer)
    local, data, missing = _files(source)
    title, text = _prose(source)
    return Export(
        name=name,
        title=title,
        text=text,
        origin=_origin(source),
        steps=steps,
        parameters=source.pipeline.parameters,
        modules=modules,
        requirements=direct,
        lock=lock,
        python=answer["python"],
        local_modules=local,
        data=data,
        data_missing=missing,
        run_parameters=dict(source.parameters),
        unbound=tuple(sorted(set().union(*map(unbound_names, modules.values())))),
        notes=(*_notes(parts, functions), *_missing_modules(answer, local)),
    )


# -- facts ----------------------------------------------------------------------------------------


def _facts(source: Source) -> tuple[Facts, Mapping[str, Any]]:
    artifacts = {step: dict(execution.outputs) for step, execution in source.executions.items()}
    placed = all_statements(source.outline).values()
    modules = {root for each in placed for root in each.statement.imports} - {OURS}
    stars = {module for each in placed for module in each.statement.star_imports}
    modules |= {star.partition(".")[0] for star in stars}
    types = {artifact.type for left in artifacts.values() for artifact in left.values()}
    modules |= {each.partition(".")[0] for each in types if "." in each} - {"builtins", "__main__"}
    if not any("IPython" in each.statement.imports for each in placed):
        modules.discard("IPython")
    if any(artifact.materializer == "pandas" for left in artifacts.values() for artifact in left.values()):
        modules |= {"pandas", "pyarrow"}
    imported, texts = _beside(source)
    wanted = modules | imported
    own = {module for module in wanted if _is_local(source.folder, module)}
    also = named_in([*(each.statement.source for each in placed), *texts])
    also -= {name for name, package in COMPUTES_FOR.items() if package not in wanted}
    answer = ask_environment(
        source.python,
        wanted - own,
        stars,
        also,
        types,
        source.environment(),
        str(source.folder),
        _import_folders(source, stars),
    )
    stars_bind = {
        module: tuple(names)
        for module in sorted(stars)
        if (names := answer["stars"].get(module) or _bound_in(source, module)) is not None
    }
    # A module beside the notebook may do without what it tries to import: it has, where that is missing.
    answer["missing"] = [module for module in answer["missing"] if module in modules]
    return (
        Facts(artifacts, source.learned, stars_bind, public=answer["public"], silent=_silent_cells(source)),
        answer,
    )


def _import_folders(source: Source, modules: Iterable[str]) -> list[str]:
    """Folders in which the run has found modules that lie elsewhere than beside the notebook."""
    endings = tuple(
        f"{module.replace('.', '/')}{end}" for module in modules for end in (".py", "/__init__.py")
    )
    found = set()
    for execution in source.executions.values():
        for path in execution.trace.get("files", {}):
            ending = next((end for end in endings if path.endswith(f"/{end}")), None)
            if ending is not None:
                found.add(os.path.join(source.folder, path.removesuffix(f"/{ending}")))
    return sorted(found)


def _bound_in(source: Source, module: str) -> list[str] | None:
    """What a module beside the notebook, which cannot be imported alone, binds as its text says; else None."""
    file = source.folder / f"{module.replace('.', '/')}.py"
    if not file.is_file():
        return None
    statements = analyse(file.read_text(encoding="utf-8", errors="replace")).statements
    if any(each.star_imports or each.opaque or "__all__" in each.binds for each in statements):
        return None
    names = {name for each in statements for name in each.binds | each.may_bind}
    return sorted(name for name in names if not name.startswith("_"))


def _silent_cells(source: Source) -> frozenset[int]:
    """Cells below which the run has shown no value of their last expression, or the mere name of a drawing."""
    silent = set()
    for step in source.pipeline.steps:
        content = source.store.artifacts.read_bytes(source.executions[step.name].notebook)
        if content is None:
            continue
        executed = [cell for cell in json.loads(content)["cells"] if is_step_cell(cell)]
        for index, cell in zip(step.cells, executed, strict=False):
            results = [each for each in cell["outputs"] if each["output_type"] == "execute_result"]
            texts = ["".join(each["data"].get("text/plain", "")) for each in results]
            if all(OF_DRAWINGS.search(text) for text in texts):
                silent.add(index)
    return frozenset(silent)


def _joints_of_artifacts(source: Source, facts: Facts) -> Iterable[Joint]:
    """Steps that share a value which no file can hold, or which refers to what no module can define."""
    placed = all_statements(source.outline)
    shared = shared_positions(source.outline, source.pipeline, source.learned, placed)
    names = {name for position in shared for name in placed[position].names}
    for step in source.pipeline.steps:
        for given in step.needs.inputs:
            artifact = facts.artifacts.get(given.step, {}).get(given.name)
            if artifact is None or artifact.kind == "absent" or is_state(given.name):
                continue
            if is_made_here(artifact, names):
                yield Joint(
                    given.step, step.name, f"`{given.name}` is a function, or of a class, made in a step"
                )
            if any(".resize(" in statement for code in step.code for statement in code):
                yield Joint(
                    given.step, step.name, f"`{step.name}` resizes an array, which must own its memory"
                )
            if artifact.kind == "uncarriable" and not (step.unit and given.step in step.unit.steps):
                yield Joint(given.step, step.name, f"`{given.name}` cannot be stored")
            elif not names.issuperset(artifact.definitions):
                own = sorted(set(artifact.definitions) - names)[0]
                yield Joint(
                    given.step, step.name, f"`{given.name}` refers to `{own}`, which is made in a step"
                )


def _package_name(source: Source, wanted: str | None) -> str:
    """An identifier that no module has which the notebook imports."""
    stem = re.sub(r"\W+", "_", source.notebook.stem, flags=re.ASCII).strip("_").lower()
    name = wanted or stem or "pipeline"
    taken = {root for each in all_statements(source.outline).values() for root in each.statement.imports}
    taken |= sys.stdlib_module_names | {"src", "tests", *keyword.kwlist}
    if wanted is None and (not name.isidentifier() or name in taken):
        name = f"{name}_pipeline" if name[0].isalpha() else f"pipeline_{name}"
    if not name.isidentifier() or name in taken or not name.isascii():
        raise ExportError("bad_name", f"`{wanted}` is no name for a package: use letters, digits and `_`.")
    return name


def _origin(source: Source) -> Origin:
    cells = [
        [cell["cell_type"], source_of(cell), (cell.get("metadata") or {}).get("tags") or []]
        for cell in source.content["cells"]
    ]
    text = json.dumps(cells, ensure_ascii=True).encode()
    return Origin(
        notebook=source.notebook.name,
        digest=hashlib.sha256(text).hexdigest(),
        commit=_commit(source.folder),
        generator=f"pipelines-as-experiments {__version__}",
    )


def _commit(folder: Path) -> str:
    try:
        ended = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return ended.stdout.strip()


def _prose(source: Source) -> tuple[str, str]:
    """The notebook's first heading, and the prose below it that stands above the first code cell."""
    texts = []
    for cell in source.content["cells"]:
        if cell["cell_type"] == "code":
            break
        if cell["cell_type"] == "markdown":
            texts.append(source_of(cell).strip("\n"))
    whole = "\n\n".join(texts)
    title = source.notebook.stem
    first = re.search(r"^ {0,3}#{1,6}\s+.+$", whole, re.MULTILINE)
    if first:
        title = last_heading(first[0]) or title
        whole = whole[first.end() :]
    whole = re.split(r"^ {0,3}#{1,6}\s", whole, maxsplit=1, flags=re.MULTILINE)[0]
    return title, whole.strip("\n")


def _notes(parts: Iterable[Part], functions: Functions) -> Iterable[str]:
    for part in parts:
        if len(part.steps) > 1:
            steps = ", ".join(f"`{step}`" for step in part.steps)
            yield f"Steps {steps} are one function, because {'; '.join(part.reasons)}."
    left_out = "; ".join(dict.fromkeys(functions.left_out))
    if left_out:
        yield f"Left out, as it only shows something or prepares a notebook: {left_out}."


def _missing_modules(answer: Mapping[str, Any], local: Mapping[str, bytes]) -> Iterable[str]:
    roots = {path.split("/")[0].removesuffix(".py") for path in local}
    missing = [module for module in answer["missing"] if module not in roots]
    if missing:
        said = ", ".join(f"`{module}`" for module in missing)
        yield f"No installed distribution provides {said}: add what does to the requirements."


# -- files ----------------------------------------------------------------------------------------


def _is_local(folder: Path, module: str) -> bool:
    return (folder / f"{module}.py").is_file() or (folder / module / "__init__.py").is_file()


def _files(source: Source) -> tuple[dict[str, bytes], dict[str, bytes], tuple[str, ...]]:
    """Modules beside the notebook, small files that steps read, and what else they read."""
    written = {path for effects in source.learned.values() for path in effects.files.writes}
    local: dict[str, bytes] = {}
    data: dict[str, bytes] = {}
    missing: set[str] = set()
    imported, _ = _beside(source)
    read = {
        path
        for execution in source.executions.values()
        for path, found in execution.trace.get("files", {}).items()
        if found is not None
    }
    for path in sorted((read | _listed(source)) - written):
        file = source.folder / path
        module = _module_path(path, imported) if file.is_file() else None
        if module is not None:
            local[module] = file.read_bytes()
        elif path.startswith(("/", "..", "~")) or not file.is_file():
            if not path.endswith((".py", ".pyc")):
                missing.add(path)
        elif file.stat().st_size <= MOST_DATA_BYTES:
            data[path] = file.read_bytes()
        else:
            missing.add(path)
    for root in sorted(imported):
        for file in _module_files(source.folder, root):
            local.setdefault(file.relative_to(source.folder).as_posix(), file.read_bytes())
    return local, data, tuple(sorted(missing))


def _beside(source: Source) -> tuple[set[str], list[str]]:
    """What the notebook imports, and what its own modules import in turn: root names; the texts of these modules."""
    imported = {root for each in all_statements(source.outline).values() for root in each.statement.imports}
    traces = [execution.trace.get("files", {}) for execution in source.executions.values()]
    traced = {path for files in traces for path, found in files.items() if found is not None}
    texts: dict[Path, str] = {}
    todo = set(imported)
    while todo:
        files = {source.folder / path for path in traced if _module_path(path, imported)}
        files.update(file for root in todo for file in _module_files(source.folder, root))
        todo = set()
        for file in files - texts.keys():
            if file.is_file():
                text = file.read_text(encoding="utf-8", errors="replace")
                with contextlib.suppress(SyntaxError):  # a module of a package, of which nobody imports it
                    todo |= imports_in(text) - imported
                    texts[file] = text
        imported |= todo
    return imported, list(texts.values())


def _listed(source: Source) -> set[str]:
    """Small files in the folders that steps have listed: those below the notebook's that no step writes to."""
    written = {
        path.rpartition("/")[0] for effects in source.learned.values() for path in effects.files.writes
    }
    found = set()
    for execution in source.executions.values():
        for folder, (*_, names) in execution.trace.get("folders", {}).items():
            if not folder or folder.startswith(("/", ".", "~")) or folder in written:
                continue
            for name in names:
                file = source.folder / folder / name
                if file.is_file() and file.stat().st_size <= MOST_DATA_BYTES:
                    found.add(f"{folder}/{name}")
    return found


def _module_path(path: str, imported: Collection[str]) -> str | None:
    """Where a module lies below the folder in which Python found it; None if nobody imports it."""
    parts = path.split("/")
    if not path.endswith(".py"):
        return None
    for number, part in enumerate(parts):
        if part.removesuffix(".py") in imported:
            return "/".join(parts[number:])
    return None


def _module_files(folder: Path, module: str) -> Iterable[Path]:
    if (folder / f"{module}.py").is_file():
        yield folder / f"{module}.py"
    elif (folder / module / "__init__.py").is_file():
        yield from sorted((folder / module).rglob("*.py"))


@dataclass
class Findings:
    """What was found of the values of an export.

    Attributes
    ----------
    joints
        Of steps between which a value would not survive.
    recorded
        Files for the tests.
    untested
        By step, why the tests cannot ask it for the same again.
    pickled
        By step, outputs that other formats do not bring back exactly.
    unwritable
        Step and name of what no file can hold, and nobody reads.
    """

    joints: list[Joint] = field(default_factory=list)
    recorded: list[Recorded] = field(default_factory=list)
    untested: dict[str, str] = field(default_factory=dict)
    pickled: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unwritable: frozenset[tuple[str, str]] = frozenset()


# -- examination ----------------------------------------------------------------------------------


def _examine(source: Source, export: Export) -> Findings:
    """Look at every value in the notebook's environment."""
    asked = question(source, export)
    with tempfile.TemporaryDirectory(prefix="export-") as folder:
        for file in package_files(replace(export, recorded=())):
            if file.path.startswith("src/"):
                write_file(Path(folder), file)
        asked["source"] = str(Path(folder) / "src")
        answer = examined(source, asked, "The exported modules cannot be imported where the notebook runs")
    return _judge(source, export, answer)


def examined(source: Source, asked: Mapping[str, Any], failure: str, *, module: str = "examine") -> Any:
    """What `examine`, or another module of this package, answers to a question in the notebook's environment.

    Raises
    ------
    ExportError
        ``environment_broken``: `failure`, and why.
    """
    ended = subprocess.run(
        [source.python, "-m", f"jupyterlab_pipelines.export.{module}"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        env=source.environment(),
        cwd=source.folder,
        check=False,
    )
    if ended.returncode:
        raise ExportError("environment_broken", f"{failure}: {ended.stderr.strip()[-800:]}")
    return json.loads(ended.stdout.strip().splitlines()[-1])


def question(source: Source, export: Export) -> dict[str, Any]:
    """What `examine` is asked about an export's artifacts."""
    return {
        "store": str(source.store.path),
        "package": export.name,
        "names": sorted({name for step in source.pipeline.steps for name in step.defines}),
        "rebound": sorted({name for step in source.pipeline.steps for name in step.rebound}),
        "most_bytes": MOST_RECORDED_BYTES,
        "places": sorted(_places(source)),
        "steps": {step.name: _groups(source, step) for step in export.steps},
    }


def _places(source: Source) -> set[str]:
    """Folders that only this machine has, as values name them."""
    own = {os.fspath(source.folder), os.path.realpath(source.folder), str(Path.home()), tempfile.gettempdir()}
    return {place for place in own if len(place) > 1}


def _judge(source: Source, export: Export, answer: Mapping[str, Any]) -> Findings:
    findings = Findings()
    for step in export.steps:
        records: dict[str, Any] = {}
        is_whole = True
        files: list[Recorded] = []
        for told in answer[step.name]:
            names = told["names"]
            if told.get("pickled"):
                findings.pickled[step.name] = (*findings.pickled.get(step.name, ()), *names)
            readers = _readers(source, step, names)
            if told.get("is_unwritable") and not readers:
                owners = {each.name: each.step for each in step.outputs}
                findings.unwritable |= {(owners[name], name) for name in names}
            if told["problem"]:
                why = f"{', '.join(f'`{name}`' for name in names)}: {told['problem']}"
                findings.joints += [Joint(step.steps[-1], reader, why) for reader in readers]
            if told["content"] is None:
                is_whole = False
                continue
            content = base64.b64decode(told["content"])
            suffix = {"json": ".json", "npy": ".npy", "parquet": ".parquet", "pickle": ".pkl"}[told["format"]]
            path = f"{step.name}/{'+'.join(names)}{suffix}"
            files.append(Recorded(path, content))
            for name in names:
                records[name] = {
                    "file": path,
                    "format": told["format"],
                    "type": told["types"][name],
                    "size_bytes": len(content),
                    "sha256": hashlib.sha256(content).hexdigest(),
                } | ({"member": name} if len(names) > 1 else {})
        kept, kept_files = _recorded_files(source, step)
        wanted = {value.name for value in step.outputs if not _is_absent(source, value)}
        if not is_whole or not wanted <= records.keys() or kept_files is None:
            findings.untested[step.name] = (
                "what it leaves is too large to keep, or is not in its file any more"
            )
        elif any(told.get("names_place") for told in answer[step.name]):
            findings.untested[step.name] = "what it leaves names a folder of the machine"
        else:
            untested = _why_not_again(source, export, step)
            if untested is not None:
                findings.untested[step.name] = untested
            manifest = {
                "step": step.name,
                "status": "succeeded",
                "version": "",
                "parameters": {},
                "inputs": {},
                "outputs": records,
                "files": kept,
                "finished_at": "2000-01-01T00:00:00+00:00",
            }
            text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
            findings.recorded += [*files, *kept_files, Recorded(f"{step.name}/_step.json", text.encode())]
    return findings


def _readers(source: Source, step: ExportedStep, names: Iterable[str]) -> list[str]:
    wanted = set(names)
    return [
        other.name
        for other in source.pipeline.steps
        if other.name not in step.steps
        and any(given.name in wanted and given.step in step.steps for given in other.needs.inputs)
    ]


def _why_not_again(source: Source, export: Export, step: ExportedStep) -> str | None:
    """Why the step would not give the same again from what comes with the package; None if it would."""
    for name in step.steps:
        execution = source.executions[name]
        doubts = sorted(execution.trace.get("doubts") or ())
        if doubts:
            return f"it does not give the same each time ({', '.join(doubts)})"
        if source.pipeline[name].cache == "off":
            return "its results are not to be used again"
        if source.pipeline[name].role == Role.DEPLOYER:
            return "it deploys"
        read = {path for path, found in execution.trace.get("files", {}).items() if found is not None}
        if read & set(export.data_missing):
            return "it reads files that do not come with the package"
        if execution.duration_seconds > MOST_TEST_SECONDS:
            return "it takes too long for a test"
    return None


def _recorded_files(source: Source, step: ExportedStep) -> tuple[dict[str, Any], list[Recorded] | None]:
    """Files that later steps read, as they are now; None if one is too large, or was changed since."""
    kept: dict[str, Any] = {}
    files: list[Recorded] = []
    for path in step.files_out:
        file = source.folder / path
        writers = [e for e in source.learned.values() if path in e.files.writes]
        if len(writers) != 1 or not file.is_file() or file.stat().st_size > MOST_RECORDED_BYTES:
            return {}, None
        content = file.read_bytes()
        place = f"{step.name}/files/{path}"
        files.append(Recorded(place, content))
        kept[path] = {
            "file": place,
            "size_bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
    return kept, files


def _groups(source: Source, step: ExportedStep) -> list[dict[str, Any]]:
    """The outputs of an exported step as they lie in the store, with those that share objects together."""
    states = {f"{kind.replace(' ', '_')}_state": kind for kind in step.states_out}
    groups = []
    together = {name: group for group in step.together for name in group}
    for value in step.outputs:
        group = together.get(value.name, (value.name,))
        if group[0] != value.name:
            continue
        owners = {each.name: each.step for each in step.outputs}
        references = {}
        for name in group:
            artifact = _artifact(source, step, name, owners[name], states)
            if artifact is not None and artifact.stored:
                references[name] = artifact.reference
        if len(references) == len(group):
            groups.append({"names": list(group), "references": references})
    return groups


def _is_absent(source: Source, value: Value) -> bool:
    """Whether the notebook's run, too, took a path that does not bind it."""
    artifact = source.executions[value.step].outputs.get(value.name)
    return value.is_optional and (artifact is None or artifact.kind == "absent")


def _artifact(
    source: Source, step: ExportedStep, name: str, owner: str, states: Mapping[str, str]
) -> Artifact | None:
    if name not in states:
        return source.executions[owner].outputs.get(name)
    if states[name] not in RECORDED_STATES:
        return None
    for member in reversed(step.steps):
        for stored, artifact in source.executions[member].outputs.items():
            if is_state(stored) and kind_of_state(stored) == states[name]:
                return artifact
    return None


def write_file(folder: Path, file: ExportedFile) -> None:
    """Write one file of an export."""
    target = folder / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(file.content)
    if file.is_executable:
        target.chmod(target.stat().st_mode | 0o111)
