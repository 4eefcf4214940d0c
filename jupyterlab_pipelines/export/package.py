"""Target `package`: an installable Python package with tests, image and workflow, on which all others build."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from importlib import resources

from jupyterlab_pipelines.export.base import Export, ExportedFile, ExportedStep, literal
from jupyterlab_pipelines.export.source import docstring, may_be_deleted
from jupyterlab_pipelines.pipeline import Parameter

COPIED = ("__main__.py", "commands.py", "display.py", "io.py", "running.py", "state.py", "step.py")
"""Modules of ``template/`` that are copied as they are."""

CHECKOUT = "actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8  # v5.0.0"
SETUP_PYTHON = "actions/setup-python@e797f83bcb11b83ae66e0230d6156d7c80228e7c  # v6.0.0"
UPLOAD = "actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02  # v4.6.2"

NOTEBOOK_STYLE = [
    *("B", "C4", "E", "I", "SIM", "UP", "W"),
    *("F5", "F6", "F7", "F811", "F823", "F841", "F842", "F9"),
]
"""Rules for the style of the notebook's statements, which are exported as they are."""

RELEASES = {"ruff": "0.13.0", "mypy": "1.18.1", "pytest": "8.4.2", "hatchling": "1.27.0"}
"""What the package is checked, tested and built with."""


EVERY_MONDAY = "0 5 * * 1"

MOST_INPUTS = 10
"""So many inputs a workflow has at most that somebody starts."""


class PackageExporter:
    name = "package"
    summary = "an installable Python package with tests, Dockerfile and GitHub workflow; needs no engine"

    def write(self, export: Export) -> Iterable[ExportedFile]:
        return ()

    def gaps(self, export: Export) -> Iterator[str]:
        yield from gaps_of_package(export)
        if any(step.resources for step in export.steps):
            yield "The package runs all steps on one machine, whatever resources they ask for."


EXPORTER = PackageExporter()


def gaps_of_package(export: Export) -> Iterator[str]:
    """What no target expresses, as they all rest on the package."""
    kernels = sorted({step.kernel for step in export.steps if step.kernel})
    if kernels:
        yield f"All steps run in one environment, not in the kernels {', '.join(kernels)} that tags name."
    validators = [f"`{step.name}`" for step in export.steps if step.role == "validator"]
    if validators:
        yield (
            f"Anomalies of what {', '.join(validators)} leaves do not fail a run: schemas are no part of the "
            "export. What the code itself asserts does."
        )


def package_files(export: Export, gaps: Iterable[str] = (), section: str = "") -> Iterator[ExportedFile]:
    """The files that all targets have in common; `section` of the README is the target's own."""
    source = f"src/{export.name}"
    yield ExportedFile.code(export, f"{source}/__init__.py", f"{docstring(_sentence(export.title))}\n")
    for name, text in export.modules.items():
        yield ExportedFile.code(export, f"{source}/{name}", text)
    yield ExportedFile.code(export, f"{source}/pipeline.py", _pipeline(export))
    yield ExportedFile.text(f"{source}/py.typed", "")
    for name in COPIED:
        yield ExportedFile.code(export, f"{source}/{name}", _template(name))
    for path, content in export.local_modules.items():
        yield ExportedFile(f"src/{path}", content)
    for path, content in export.data.items():
        yield ExportedFile(f"data/{path}", content)
    for each in export.recorded:
        yield ExportedFile(f"tests/recorded/{each.path}", each.content)
    yield ExportedFile.code(export, "tests/comparing.py", _template("comparing.txt"))
    yield ExportedFile.code(export, "tests/test_steps.py", _tests(export))
    yield ExportedFile.code(export, "pyproject.toml", _pyproject(export))
    yield ExportedFile.code(export, "requirements.lock", _lock(export))
    yield ExportedFile.code(export, "Dockerfile", dockerfile(export))
    yield ExportedFile.code(export, ".dockerignore", _ignored(docker=True))
    yield ExportedFile.code(export, ".gitignore", _ignored(docker=False))
    yield ExportedFile.code(export, ".github/workflows/pipeline.yml", _workflow(export))
    yield ExportedFile.text("README.md", _readme(export, gaps, section))


def _template(name: str) -> str:
    return resources.files("jupyterlab_pipelines.export").joinpath("template", name).read_text("utf-8")


# -- Python ---------------------------------------------------------------------------------------


def _pipeline(export: Export) -> str:
    steps = "".join(_step(step) for step in export.steps)
    data = f"DATA: tuple[str, ...] = {literal(tuple(export.data))}"
    if len(data) > 110:
        data = f"DATA: tuple[str, ...] = {_spread(tuple(export.data), '')}"
    return (
        '"""The pipeline: its steps, in an order in which they can run."""\n\n'
        "from __future__ import annotations\n\n"
        "from . import steps\nfrom .step import Step\n\n"
        f"NAME = {literal(export.name)}\n\n"
        f'NOTEBOOK = {literal(export.origin.notebook)}\n"""Where it was exported from."""\n\n'
        f"{data}\n"
        '"""Files that the steps read, below the data folder."""\n\n'
        f"STEPS = (\n{steps})\n"
    )


def _step(step: ExportedStep) -> str:
    fields: list[tuple[str, object]] = [("name", step.name), ("function", None)]
    optional: list[tuple[str, object, object]] = [
        ("inputs", dict(step.inputs), {}),
        ("parameters", step.parameters, ()),
        ("outputs", step.output_names, ()),
        ("optional", tuple(value.name for value in step.outputs if value.is_optional), ()),
        ("together", step.together, ()),
        ("pickled", step.pickled, ()),
        ("files_in", dict(step.files_in), {}),
        ("files_out", step.files_out, ()),
        ("after", step.parents, ()),
        ("retries", step.retries, 0),
        ("timeout_seconds", step.timeout_seconds, None),
        ("cache", step.cache, "on"),
        ("cache_age_seconds", step.cache_age_seconds, None),
        ("role", step.role and str(step.role), None),
        ("covers", step.steps, (step.name,)),
    ]
    fields += [(name, value) for name, value, default in optional if value != default]
    fields.append(("version", step.version))
    lines = ""
    for name, value in fields:
        said = f"steps.{step.name}" if name == "function" else literal(value)
        line = f"        {name}={said},\n"
        lines += line if len(line) <= 111 else f"        {name}={_spread(value)},\n"
    return f"    Step(\n{lines}    ),\n"


def _spread(value: object, indent: str = "        ") -> str:
    """A container with one item a line."""
    if isinstance(value, dict):
        inner = "".join(f"{indent}    {literal(key)}: {literal(item)},\n" for key, item in value.items())
        return f"{{\n{inner}{indent}}}"
    if isinstance(value, tuple):
        return "(\n" + "".join(f"{indent}    {literal(item)},\n" for item in value) + f"{indent})"
    return literal(value)


def _tests(export: Export) -> str:
    skipped = {step.name: why for step in export.steps if (why := why_untested(export, step)) is not None}
    table = "".join(f"    {literal(name)}: {literal(why)},\n" for name, why in skipped.items())
    table = f"{{\n{table}}}" if table else "{}"
    text = _template("test_steps.txt").replace("PACKAGE", export.name)
    parameters = f"PARAMETERS: dict[str, Any] = {literal(export.run_parameters)}"
    text = text.replace("PARAMETERS: dict[str, Any] = {PARAMETERS}", _as_it_is(parameters))
    return text.replace("SKIPPED: dict[str, str] = {SKIPPED}", f"SKIPPED: dict[str, str] = {table}")


def _as_it_is(text: str) -> str:
    """Code that the formatter would break over several lines, and need not."""
    return text if len(text) <= 110 else f"# fmt: off\n{text}\n# fmt: on"


def why_untested(export: Export, step: ExportedStep) -> str | None:
    if step.name in export.untested:
        return export.untested[step.name]
    recorded = {each.path for each in export.recorded}
    parents = {artifact.partition("/")[0] for artifact in step.inputs.values()} | set(step.files_in.values())
    lacking = sorted(parent for parent in parents if f"{parent}/_step.json" not in recorded)
    if lacking:
        return f"what it gets from {', '.join(lacking)} is not recorded"
    return None


# -- distribution ---------------------------------------------------------------------------------


def _pyproject(export: Export) -> str:
    dependencies = "".join(f'  "{requirement}",\n' for requirement in export.requirements)
    roots = sorted({path.split("/")[0] for path in export.local_modules})
    included = ", ".join(literal(f"src/{root}") for root in [export.name, *roots])
    locked = {requirement.name.lower(): requirement.version for requirement in export.lock}
    versions = {name: locked.get(name, RELEASES[name]) for name in ("mypy", "pytest", "ruff")}
    development = "".join(f'  "{name}=={version}",\n' for name, version in versions.items())
    own = [f"{export.name}/{name}" for name in export.modules]
    beside = [
        path if "/" not in path else f"{path.split('/')[0]}/**" for path in sorted(export.local_modules)
    ]
    styles = [
        [*NOTEBOOK_STYLE, "F821"] if may_be_deleted(source) else [*NOTEBOOK_STYLE]
        for source in export.modules.values()
    ]
    notebook_code = "".join(
        f'"src/{path}" = {literal(style)}\n' for path, style in zip(own, styles, strict=True)
    )
    notebook_code += "".join(f'"src/{path}" = ["ALL"]\n' for path in dict.fromkeys(beside))
    unbound = f"# Read by code that a run does not come to.\nbuiltins = {literal(list(export.unbound))}\n"
    unbound = unbound if export.unbound else ""
    formatted_not = [f"src/{export.name}/{name}" for name in export.modules] + [
        f"src/{root}" if root.endswith(".py") else f"src/{root}/**" for root in roots
    ]
    modules = [f"{export.name}.{name.removesuffix('.py')}" for name in export.modules]
    modules += [root.removesuffix(".py") for root in roots] + [
        f"{r}.*" for r in roots if not r.endswith(".py")
    ]
    return f"""\
[build-system]
requires = ["hatchling=={RELEASES["hatchling"]}"]
build-backend = "hatchling.build"

[project]
name = {literal(export.distribution)}
version = "1.0.0"
description = {_quoted(_sentence(export.title))}
readme = "README.md"
requires-python = ">={export.python}"
dependencies = [
{dependencies}]

[project.optional-dependencies]
development = [
{development}]

[project.scripts]
{export.distribution} = "{export.name}.__main__:main"

[tool.hatch.build.targets.wheel]
only-include = [{included}]
sources = ["src"]

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["src"]

[tool.ruff]
line-length = 110
src = ["src"]
{unbound}
[tool.ruff.lint]
select = ["E", "F", "W", "I", "UP", "B", "C4", "SIM"]
ignore = ["E501"]  # The formatter breaks lines; what it leaves long are names and texts of the notebook.

[tool.ruff.lint.per-file-ignores]
# The notebook's own code keeps its author's style. Checked is that every name is known, and every import used.
{notebook_code}
[tool.ruff.format]
exclude = [{", ".join(literal(each) for each in formatted_not)}]

[tool.mypy]
strict = true
mypy_path = "src"
packages = [{literal(export.name)}]
ignore_missing_imports = true

[[tool.mypy.overrides]]
# The notebook's own code, whose functions have the types that the notebook gave them.
module = [{", ".join(literal(each) for each in modules)}]
ignore_errors = true
"""


def _lock(export: Export) -> str:
    lines = "".join(f"{requirement}\n" for requirement in export.lock)
    return (
        f"# All that is needed, as it was installed where the notebook ran (Python {export.python}).\n{lines}"
    )


def dockerfile(export: Export, *, has_engine: bool = False) -> str:
    """How the image is made; with `has_engine`, ``python`` is that of a second environment, with the engine in it."""
    data = "COPY data ./data\n" if export.data else ""
    copied, made, kept, path, variable = "", "", "", "/venv/bin", ""
    if has_engine:
        copied, path = " requirements-engine.txt", "/engine/bin:/venv/bin"
        made = (
            " \\\n    && python -m venv /engine"
            " \\\n    && /engine/bin/pip install --no-cache-dir -r requirements-engine.txt"
            " \\\n    && /engine/bin/pip install --no-cache-dir --no-index --no-deps /wheels/*.whl"
        )
        kept = "COPY --from=build /engine /engine\n"
        variable = f" \\\n    {export.name.upper()}_PYTHON=/venv/bin/python"
    return f"""\
FROM python:{export.python}-slim AS build
WORKDIR /build
COPY requirements.lock{copied} pyproject.toml README.md ./
COPY src ./src
RUN python -m venv /venv \\
    && /venv/bin/pip install --no-cache-dir -r requirements.lock hatchling=={RELEASES["hatchling"]} \\
    && /venv/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation -w /wheels . \\
    && /venv/bin/pip install --no-cache-dir --no-index --no-deps /wheels/*.whl{made}

FROM python:{export.python}-slim
ENV PATH={path}:$PATH \\
    PYTHONUNBUFFERED=1 \\
    PYTHONHASHSEED=0 \\
    MPLBACKEND=agg \\
    {export.name.upper()}_DATA=/srv/data{variable}
COPY --from=build /venv /venv
{kept}WORKDIR /srv
{data}RUN mkdir -p /srv/data /srv/artifacts && chown -R 10001:10001 /srv
USER 10001
ENTRYPOINT ["python", "-m", "{export.name}"]
CMD ["run", "--artifacts", "/srv/artifacts"]
"""


def _ignored(*, docker: bool) -> str:
    common = [
        "__pycache__/",
        "*.egg-info/",
        ".mypy_cache/",
        ".pytest_cache/",
        ".ruff_cache/",
        ".venv/",
        "artifacts/",
        "dist/",
    ]
    return "\n".join([*common, *([".git/", ".github/", "tests/", "Dockerfile"] if docker else [])]) + "\n"


def _workflow(export: Export) -> str:
    asks_each = len(export.parameters) <= MOST_INPUTS and all(p.name.isascii() for p in export.parameters)
    if asks_each:
        inputs = "".join(_input_of(parameter) for parameter in export.parameters)
        variables = {f"P_{each.name}": each.name for each in export.parameters}
        words = "".join(
            f'          if [ -n "$P_{each.name}" ]; then set -- "$@" --param "{each.name}=$P_{each.name}"; fi\n'
            for each in export.parameters
        )
    else:
        inputs = "      parameters:\n        type: string\n        required: false\n"
        inputs += '        description: "Values of parameters, as a JSON object"\n'
        variables = {"PARAMETERS": "parameters"}
        words = '          if [ -n "$PARAMETERS" ]; then set -- "$@" --parameters "$PARAMETERS"; fi\n'
    dispatch = f"  workflow_dispatch:\n    inputs:\n{inputs}" if inputs else "  workflow_dispatch:\n"
    environment = "".join(
        f"          {variable}: ${{{{ inputs.{name} }}}}\n" for variable, name in variables.items()
    )
    run_environment = f"        env:\n{environment}" if environment else ""
    schedule = f"  schedule:\n    - cron: {_quoted(export.schedule or EVERY_MONDAY)}\n"
    return f"""\
name: {export.distribution}

on:
  push:
  pull_request:
{schedule}{dispatch}
permissions:
  contents: read

concurrency:
  group: ${{{{ github.workflow }}}}-${{{{ github.ref }}}}-${{{{ github.event_name }}}}
  cancel-in-progress: false

jobs:
  test:
    name: Lint and test
    runs-on: ubuntu-latest
    timeout-minutes: 30
    steps:
      - uses: {CHECKOUT}
        with:
          persist-credentials: false
      - uses: {SETUP_PYTHON}
        with:
          python-version: "{export.python}"
      - name: Install
        run: |
          python -m pip install -r requirements.lock
          python -m pip install ".[development]"
      - name: Lint
        run: |
          ruff check .
          mypy
      - name: Test
        run: pytest
  run:
    name: Run
    needs: test
    if: github.event_name == 'schedule' || github.event_name == 'workflow_dispatch'
    runs-on: ubuntu-latest
    timeout-minutes: 360
    steps:
      - uses: {CHECKOUT}
        with:
          persist-credentials: false
      - uses: {SETUP_PYTHON}
        with:
          python-version: "{export.python}"
      - name: Install
        run: |
          python -m pip install -r requirements.lock
          python -m pip install --no-deps .
      - name: Run
{run_environment}        run: |
          set -- --artifacts artifacts
          if [ -d data ]; then set -- "$@" --data data; fi
{words}          python -m {export.name} run "$@"
      - name: Keep the artifacts
        if: always()
        uses: {UPLOAD}
        with:
          name: artifacts
          path: artifacts
"""


def _input_of(parameter: Parameter) -> str:
    """What GitHub asks for when somebody starts the workflow; numbers, too, are texts for all checkers."""
    kind = "boolean" if parameter.type == "bool" else "string"
    said = f"      {parameter.name}:\n        type: {kind}\n        required: false\n"
    if parameter.comment:
        said += f"        description: {_quoted(parameter.comment)}\n"
    if parameter.is_literal and parameter.default is not None:
        default = parameter.default
        if kind == "boolean":
            said += f"        default: {json.dumps(default)}\n"
        else:
            said += (
                f"        default: {_quoted(default if isinstance(default, str) else json.dumps(default))}\n"
            )
    return said


def _quoted(text: str) -> str:
    """A text in double quotes as JSON, TOML and YAML all read it."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


# -- prose ----------------------------------------------------------------------------------------


def _readme(export: Export, gaps: Iterable[str], section: str) -> str:
    header = "\n".join(export.origin.lines())
    rows = "".join(
        f"| `{step.name}` | {_cell(step.title)} | {_names(step.inputs.values())} | {_names(step.parameters)} | "
        f"{_names(step.output_names)} |\n"
        for step in export.steps
    )
    engine = f"\n{section.strip()}\n" if section else ""
    parameters = "".join(
        f"| `{each.name}` | `{each.source}` | {_cell(each.comment)} |\n" for each in export.parameters
    )
    text = f"""\
<!--
{header}
-->

# {export.title}

{export.text}

## Run it

```sh
python -m venv .venv
.venv/bin/pip install -r requirements.lock
.venv/bin/pip install --no-deps .
.venv/bin/python -m {export.name} run --artifacts artifacts
```

`--param NAME=VALUE` replaces a parameter, `--step NAME` runs only what that step needs, `--resume` goes on where a
run failed, and takes what is still valid. `--artifacts` takes any fsspec URL (`s3://…`) for which the driver is
installed. A single step, for containers and schedulers: `python -m {export.name} run-step NAME --artifacts URL`.
A run that fails ends with exit status 1 and keeps what its steps have left.

The steps find and leave files in the folder that `--data`, or the variable `{export.name.upper()}_DATA`, says; else
in the current folder, or in `data` below it if the files are only there.
{engine}
## Steps

| Step | | Inputs | Parameters | Outputs |
| --- | --- | --- | --- | --- |
{rows}"""
    if export.parameters:
        text += f"\n## Parameters\n\n| Parameter | Default | |\n| --- | --- | --- |\n{parameters}"
    told = list(dict.fromkeys([*gaps, *export.notes]))
    if export.data_missing:
        told.append(
            "These files were read and are not part of the package; put them into the data folder: "
            + ", ".join(f"`{path}`" for path in export.data_missing)
            + "."
        )
    if told:
        text += "\n## Good to know\n\n" + "".join(f"- {each}\n" for each in told)
    return text


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _sentence(text: str) -> str:
    line = " ".join(text.split())
    return line if line.endswith((".", "?", "!")) else f"{line}."
