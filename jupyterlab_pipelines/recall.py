"""What brings a process into the state in which it was after a step of a run, without running the step.

It is asked as the engine asks for every step's inputs: a step is imagined right below, one that may read
anything at all. What that step would be given is what there was: values from whichever step wrote them last,
definitions and imports as source, setup, parameters, and the state of the random generators.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jupyterlab_pipelines.artifact import AMBIENT, FILE, HIDDEN, KERNEL, Artifact, in_loading_order, is_state
from jupyterlab_pipelines.notebook.flow import read_pipeline, step_fingerprints
from jupyterlab_pipelines.notebook.parse import read_outline
from jupyterlab_pipelines.pipeline import AS_READ, Definition, Effects, Pipeline
from jupyterlab_pipelines.planner import Resolved
from jupyterlab_pipelines.run import Execution
from jupyterlab_pipelines.store import Store

IMAGINED = "_imagined_"
"""The step below; its code could read and bind anything."""
READS_ALL = "exec(get_ipython().user_ns)"


@dataclass(frozen=True, slots=True)
class NotRecalled:
    """A name that cannot be brought back as it was, and why, as a sentence."""

    name: str
    message: str


@dataclass(frozen=True, slots=True)
class Recalled:
    """What is to be done, in this order, to be where the run was.

    Attributes
    ----------
    preamble
        Source of setup and parameters cells.
    parameters
        Values that the run replaced, to be set after the preamble.
    state
        By name of process state, where its stored value is.
    setup_definitions
        Those of the definitions that stand in the preamble.
    definitions, inputs, late_definitions, late_inputs
        Sources to be executed, and stored values to be loaded, as in a step's notebook.
    aliases
        By name, the other name for the same object.
    inside
        Where a value holds the object of another: name, path, other name.
    absent
        Names that stood for nothing.
    missing
        What cannot be brought back.
    """

    preamble: tuple[str, ...]
    parameters: Mapping[str, Any]
    state: Mapping[str, Artifact]
    setup_definitions: tuple[Definition, ...]
    definitions: tuple[Definition, ...]
    inputs: Mapping[str, Artifact]
    late_definitions: tuple[Definition, ...]
    late_inputs: Mapping[str, Artifact]
    aliases: Mapping[str, str]
    inside: tuple[tuple[str, list[list[Any]], str], ...]
    absent: tuple[str, ...]
    missing: tuple[NotRecalled, ...]


def recall(
    store: Store,
    content: Mapping[str, Any],
    step: str,
    done: Mapping[str, Execution],
    parameters: Mapping[str, Any],
    *,
    name: str | None = None,
) -> Recalled:
    """What there was when `step` had ended, as *Run All* would have it.

    Parameters
    ----------
    content
        The notebook as it was run.
    done
        By name, the executions that stood for the run's steps.
    parameters
        Those that the run replaced.
    name
        Only this variable, and what it refers to.
    """
    cells = list(content["cells"])
    below = read_pipeline(read_outline(content))[step].cells[-1] + 1
    imagined = {"cell_type": "code", "metadata": {"tags": [f"step:{IMAGINED}"]}, "source": name or READS_ALL}
    outline = read_outline({**content, "cells": [*cells[:below], imagined]})
    learned = store.executions.effects(step_fingerprints(outline))
    pipeline = read_pipeline(outline, learned)
    whole = {each.name: each.cells for each in read_pipeline(read_outline(content)).steps}
    missing: dict[str, str] = {}
    resolved = _resolve(store, pipeline, whole, done, missing)
    values = {each: artifact for each, artifact in resolved.inputs.items() if not is_state(each)}
    loaded = {each: artifact for each, artifact in values.items() if artifact.kind == "value"}
    aliases = _aliases(resolved, done, loaded)
    inside = tuple(_inside(resolved, done, loaded))
    missing |= _parted(learned, resolved, loaded, aliases, {(name, other) for name, _, other in inside})
    in_order = in_loading_order({each: loaded[each] for each in loaded if each not in aliases})
    late = resolved.late_inputs
    used = set(resolved.needs.parameters)
    return Recalled(
        preamble=tuple(cell.source for cell in pipeline.preamble_of(resolved.step)),
        parameters={each: value for each, value in parameters.items() if name is None or each in used},
        state={
            each: artifact
            for each, artifact in resolved.inputs.items()
            if each.startswith((HIDDEN, AMBIENT)) and artifact.stored
        },
        setup_definitions=resolved.needs.setup_definitions,
        definitions=resolved.needs.definitions,
        inputs={each: loaded[each] for each in in_order if each not in late},
        late_definitions=resolved.needs.late_definitions,
        late_inputs={each: loaded[each] for each in in_order if each in late},
        aliases=aliases,
        inside=inside,
        absent=tuple(sorted(each for each, artifact in values.items() if artifact.kind == "absent")),
        missing=tuple(NotRecalled(each, why) for each, why in sorted(missing.items())),
    )


def _resolve(
    store: Store,
    pipeline: Pipeline,
    whole: Mapping[str, Collection[int]],
    done: Mapping[str, Execution],
    missing: dict[str, str],
) -> Resolved:
    """The imagined step with its inputs; `missing` is told of those that there are not."""
    step = pipeline[IMAGINED]
    needs, known = step.needs, frozenset[str]()
    while True:
        inputs: dict[str, Artifact] = {}
        missing.clear()
        for given in needs.inputs:
            if given.name == KERNEL or given.name.startswith(FILE):
                continue
            execution = done.get(given.step)
            if execution is None:
                if not is_state(given.name):
                    missing[given.name] = f"step `{given.step}`, which makes it, has no result in this run."
                continue
            if len(whole[given.step]) > len(pipeline[given.step].cells) and not is_state(given.name):
                missing[given.name] = f"step `{given.step}`, which makes it, goes on further down."
                continue
            artifact = execution.outputs.get(given.name) or _as_it_was_given(given.name, execution, done)
            if artifact is None:
                if given.name in execution.unkept:
                    missing[given.name] = f"{execution.unkept[given.name].summary}."
                elif not given.optional:
                    missing[given.name] = f"step `{given.step}` has not kept it."
            elif artifact.kind == "uncarriable":
                missing[given.name] = artifact.summary
            elif artifact.stored and (problem := store.integrity.problem(artifact)):
                missing[given.name] = f"its stored value {problem}."
            else:
                inputs[given.name] = artifact
        definitions = frozenset(each for artifact in inputs.values() for each in artifact.definitions)
        if definitions <= known:
            return Resolved(pipeline, step, needs, inputs, "", {})
        known |= definitions
        needs = pipeline.needs_with(step.name, known)


def _as_it_was_given(name: str, execution: Execution, done: Mapping[str, Execution]) -> Artifact | None:
    """The input that a step was to pass on to steps below, and left as it was."""
    digest = execution.parts["inputs"].get(name)
    left = (each.outputs.get(name) for each in done.values())
    return next((artifact for artifact in left if artifact is not None and artifact.digest == digest), None)


def _aliases(
    resolved: Resolved, done: Mapping[str, Execution], loaded: Mapping[str, Artifact]
) -> dict[str, str]:
    """Names that a step had bound to the object of one of its inputs, which still is what it was."""
    writers = {given.name: given.step for given in resolved.needs.inputs}
    found: dict[str, str] = {}
    for name in loaded:
        execution = done[writers[name]]
        other = execution.trace.get("same", {}).get(name)
        if other in loaded and execution.parts["inputs"].get(other) == loaded[other].digest:
            found[name] = other
    # An alias of an alias is one of the first.
    for name in found:
        seen = {name}
        while found[name] in found and found[name] not in seen:
            seen.add(found[name])
            found[name] = found[found[name]]
    return found


def _inside(
    resolved: Resolved, done: Mapping[str, Execution], loaded: Mapping[str, Artifact]
) -> Iterator[tuple[str, list[list[Any]], str]]:
    """Values that hold the object of an input of their step, which still is what it was."""
    writers = {given.name: given.step for given in resolved.needs.inputs}
    for name in loaded:
        execution = done[writers[name]]
        for holder, path, other in execution.trace.get("inside", ()):
            is_left = other in loaded and execution.parts["inputs"].get(other) == loaded[other].digest
            if holder == name and is_left:
                yield name, path, other


def _parted(
    learned: Mapping[str, Effects],
    resolved: Resolved,
    loaded: Mapping[str, Artifact],
    aliases: Mapping[str, str],
    inside: Collection[tuple[str, str]],
) -> dict[str, str]:
    """Names that shared parts of their values, and lie in the store apart from each other."""
    writers = {given.name: given.step for given in resolved.needs.inputs}

    def home(name: str) -> str:
        name = aliases.get(name, name)
        return loaded[name].stored if loaded[name].member else name

    parted: dict[str, str] = {}
    for step, effects in learned.items():
        for group in effects.shared:
            own = sorted(n for n in group if n in loaded and writers[n] == step)
            others = {each.removeprefix(AS_READ) for each in group}
            read = sorted(n for n in others if n in loaded and writers[n] != step)
            for name in own:
                for other in read:
                    if home(name) != home(other) and (name, other) not in inside:
                        parted[name] = f"it shared objects with `{other}`; here it is a copy of its own."
    return parted
