"""Target `metaflow`: a flow, ``flow.py``.

Metaflow wants branches that are joined again, each join closing one split; a notebook's graph is freer. So the steps
go level by level: those that do not need each other run side by side, and meet in a join.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from jupyterlab_pipelines.export.base import Export, ExportedFile, ExportedStep, literal
from jupyterlab_pipelines.export.engines import (
    Engine,
    call,
    default,
    free_names,
    given_words,
    is_scalar,
    levels,
    mapping,
    megabytes,
    scratch,
    seconds,
    sentence,
    used_parameters,
    words,
)
from jupyterlab_pipelines.export.proof import Workbench
from jupyterlab_pipelines.pipeline import RESOURCES

TAKEN = words(
    """
    start end next input name index cmd folder script_name foreach_stack merge_artifacts artifacts task_run
    FlowSpec JSONType Parameter current resources retry run_folder run_task schedule step timeout
    """
)
"""Names that a flow or its file has for itself."""

COMMAND_WORDS = words(
    """
    tag namespace run_id_file max_workers max_num_splits max_log_size user_namespace decospecs package
    datastore metadata environment event_logger monitor pylint quiet config with config_value resume
    help runner_attribute_file datastore_root force_rebuild_environments config_values local_config_file
    config_file params obj tags run_id task_id script
    """
)
"""Options of the command ``run``, which a parameter would hide, and what Metaflow reserves."""


class MetaflowExporter(Engine):
    name = "metaflow"
    summary = "a Metaflow flow"
    engine = ("metaflow==2.19.39", "setuptools<81")
    known_options = RESOURCES
    lacks: Mapping[str, str] = {"role": "A step of Metaflow has no place for the role."}

    def files(self, export: Export) -> Iterator[ExportedFile]:
        yield ExportedFile.code(export, "flow.py", self._flow(export))

    def gaps(self, export: Export) -> Iterator[str]:
        yield from super().gaps(export)
        if _waits(export):
            yield (
                "A Metaflow flow runs its steps level by level: a step waits for all of the level before it, also "
                "for those that it does not need."
            )
        renamed = {name: flag for name, flag in _flags(export).items() if name != flag}
        for name, flag in renamed.items():
            yield f"The parameter `{name}` is `--{flag}` on the command line of the flow."

    def section(self, export: Export) -> str:
        return """\
## Run it on Metaflow

```sh
.venv/bin/pip install -r requirements-engine.txt
.venv/bin/python flow.py run
.venv/bin/python flow.py resume
```

Each parameter is an option, `--NAME VALUE`; `--artifacts URL` says where this run leaves its artifacts
(default: a folder of its own for each run). `resume` goes on where the last run failed.
"""

    def prove(self, bench: Workbench) -> None:
        flags = _flags(bench.export)
        words = [word.split("=", 1) for word in given_words(bench, "{name}={value}")]
        bench.run(
            [
                *(bench.engine, "flow.py", "--no-pylint", "run", "--artifacts", str(bench.artifacts)),
                *(f"--{flags[name]}={value}" for name, value in words),
            ],
            environment={
                "METAFLOW_USER": "verify",
                "METAFLOW_DEFAULT_METADATA": "local",
                "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(scratch(bench, "metaflow")),
            },
        )

    def _flow(self, export: Export) -> str:
        flags = _flags(export)
        attributes = free_names(flags, TAKEN)
        methods = free_names(
            (step.name for step in export.steps),
            {
                *TAKEN,
                *attributes.values(),
                *(f"{kind}_{number}" for kind in ("join", "split") for number in range(len(export.steps))),
            },
        )
        schedule = export.schedule
        used = {"FlowSpec", "Parameter", "current", "step"}
        used |= {"schedule"} if schedule else set()
        used |= {"retry"} if any(step.retries for step in export.steps) else set()
        used |= {"timeout"} if any(step.timeout_seconds for step in export.steps) else set()
        used |= {"resources"} if any(self.resources(step) for step in export.steps) else set()
        parameters = "".join(
            call(
                f"{attributes[each.name]} = Parameter(",
                [
                    literal(flags[each.name]),
                    *([f"type={each.type}"] if is_scalar(each) else []),
                    f"default={default(each)}",
                    *([f"help={literal(each.comment)}"] if each.comment else []),
                ],
                indent=4,
            )
            + "\n"
            for each in export.parameters
        )
        decorator = f"@schedule(cron={literal(_aws_cron(schedule))})\n" if schedule else ""
        return f'''\
"""{sentence(export.title)} As a Metaflow flow: ``python flow.py run``."""

from metaflow import {", ".join(sorted(used, key=_isort))}

from {export.name}.task import run_folder, run_task


{decorator}class {_class_name(export)}(FlowSpec):
    """{sentence(export.title)}"""

    artifacts = Parameter("artifacts", default="", help="folder or URL of this run; default: one by its id")
{parameters}
    @property
    def folder(self):
        return self.artifacts or run_folder(f"{{current.flow_name}}-{{current.origin_run_id or current.run_id}}")

{"".join(self._methods(export, attributes, methods))}

if __name__ == "__main__":
    {_class_name(export)}()
'''

    def _methods(self, export: Export, attributes: dict[str, str], methods: dict[str, str]) -> Iterator[str]:
        stages = levels(export)
        # A join may not be a split, too.
        heads = [
            f"self.split_{number}"
            if number and len(stage) > 1 and len(stages[number - 1]) > 1
            else _next(stage, methods)
            for number, stage in enumerate(stages)
        ] + ["self.end"]
        yield f"    @step\n    def start(self):\n        self.next({heads[0]})\n\n"
        for number, stage in enumerate(stages):
            if heads[number] == f"self.split_{number}":
                yield f"    @step\n    def split_{number}(self):\n        self.next({_next(stage, methods)})\n\n"
            following = heads[number + 1] if len(stage) == 1 else f"self.join_{number}"
            for each in stage:
                yield self._step(export, each, methods[each.name], attributes, following)
            if len(stage) > 1:
                yield f"    @step\n    def join_{number}(self, inputs):\n        self.next({heads[number + 1]})\n\n"
        yield "    @step\n    def end(self):\n        pass\n"

    def _step(
        self, export: Export, step: ExportedStep, method: str, attributes: dict[str, str], following: str
    ) -> str:
        lines = []
        wanted = self.resources(step)
        if wanted:
            said = {"cpu": wanted.cpu, "memory": megabytes(wanted), "gpu": wanted.gpu}
            lines.append(call("@resources(", [f"{name}={v}" for name, v in said.items() if v], indent=4))
        if step.retries:
            lines.append(f"    @retry(times={step.retries}, minutes_between_retries=0)")
        if step.timeout_seconds is not None:
            lines.append(f"    @timeout(seconds={seconds(step)})")
        taken = {each.name: f"self.{attributes[each.name]}" for each in used_parameters(export, step)}
        arguments = [literal(step.name), "artifacts=self.folder"]
        arguments += [f"parameters={mapping(taken)}"] if taken else []
        lines += ["    @step", f"    def {method}(self):", f'        """{sentence(step.title)}"""']
        lines += [call("run_task(", arguments, indent=8), f"        self.next({following})"]
        return "\n".join(lines) + "\n\n"


def _next(stage: Iterable[ExportedStep], methods: dict[str, str]) -> str:
    return ", ".join(f"self.{methods[step.name]}" for step in stage)


def _waits(export: Export) -> bool:
    """Whether a step waits for one that is not before it."""
    before: dict[str, set[str]] = {}
    for step in export.steps:
        before[step.name] = set(step.parents).union(*(before[parent] for parent in step.parents))
    earlier: set[str] = set()
    for stage in levels(export):
        if any(earlier - before[step.name] for step in stage):
            return True
        earlier |= {step.name for step in stage}
    return False


def _flags(export: Export) -> dict[str, str]:
    """By parameter, its option of the command, for which upper and lower case are the same."""
    plain = {
        each.name: f"parameter_{each.name}"
        if each.name.lower() in COMMAND_WORDS or each.name in TAKEN or each.name.startswith("_")
        else each.name
        for each in export.parameters
    }
    free = free_names(plain.values(), (), str.lower)
    return {name: free[flag] for name, flag in plain.items()}


def _class_name(export: Export) -> str:
    words = "".join(word[:1].upper() + word[1:] for word in export.name.split("_") if word)
    return f"{words}Flow"


def _aws_cron(cron: str) -> str:
    """The six fields that Metaflow hands on to schedulers of AWS: one of the days must be `?`, and there is a year."""
    fields = cron.split()
    if len(fields) != 5:
        return cron
    minute, hour, day, month, weekday = fields
    return f"{minute} {hour} {'?' if weekday != '*' else day} {month} {'?' if weekday == '*' else weekday} *"


def _isort(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


EXPORTER = MetaflowExporter()
