"""Traces an anomaly to the first cell that let it in.

The first *step* is known: the first whose table has it. Its cells are replayed on its stored inputs, and the table is
followed backwards through them, under whatever names it has there, to the first cell after which it has the anomaly.
If an input has it already, the step that left the input is replayed in turn.

A cell's table is held against the same table after the same cell of the reference run, which is replayed, too: before
the last cell a table is seldom like the one that the step leaves. Where there is none such, it is held against what is
expected of the step's table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from typing import Any

from jupyterlab_pipelines.artifact import WITH
from jupyterlab_pipelines.errors import PipelinesError
from jupyterlab_pipelines.execution.replay import Replay, Replayer, State, Table
from jupyterlab_pipelines.notebook.flow import normal_form
from jupyterlab_pipelines.notebook.names import analyse
from jupyterlab_pipelines.quality.anomalies import Anomaly, find
from jupyterlab_pipelines.quality.kinds import BY_NAME
from jupyterlab_pipelines.quality.measurer import Measurer, known_statistics
from jupyterlab_pipelines.quality.overview import likely_renames
from jupyterlab_pipelines.quality.schema import Feature, Schema
from jupyterlab_pipelines.quality.statistics import Statistics
from jupyterlab_pipelines.store import Store

ABSENT = ("missing_column", "renamed_column")
"""Kinds that a table has by lacking a column."""

LIKE = 0.5
"""The share of common columns from which on a table may be an earlier form of another."""

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Place:
    """A table at a moment of a replay; `column` is the guilty one's name there, None for the whole table."""

    at: int
    name: str
    column: str | None


@dataclass
class Tracer:
    """Traces the anomalies of one run.

    Parameters
    ----------
    run
        The run's document.
    schemas
        By ``step.name``, what the schema file says now.
    environment
        That of the run.
    """

    store: Store
    run: Document
    schemas: dict[str, Schema]
    replayer: Replayer
    measurer: Measurer
    environment: str | None = None
    _replays: dict[tuple[str, str], Replay] = field(default_factory=dict)
    _statistics: dict[str, Statistics | None] = field(default_factory=dict)

    def trace(self, anomaly: Document) -> Document:
        """The first cell that let an anomaly of one of the run's tables in, as ``openapi.yaml`` describes it.

        Whatever keeps a step from being replayed is part of the answer.
        """
        first = anomaly["first"]
        step, name, column = str(first["step"]), str(first["output"]), anomaly["feature"]
        expectation = _Expectation(self, anomaly, f"{step}.{name}")
        found: Document = {
            "status": "not_replayed",
            "step": step,
            **dict.fromkeys(("cell_index", "cell_id", "name", "source")),
            "message": "",
            "warnings": [],
            "cells": [],
        }
        seen: set[str] = set()
        while step not in seen:
            seen.add(step)
            replay = self._replay(self.run["run_id"], step)
            found["warnings"] += [warning for warning in replay.warnings if warning not in found["warnings"]]
            problem = self._problem(replay, name)
            if problem is not None:
                if not found["cells"]:
                    message = f"Step `{step}` is the first, but its cells were not replayed: {problem}."
                    found |= {"step": step, "message": message}
                else:
                    found["warnings"].append(f"step `{step}` was not replayed: {problem}")
                return found
            digest = self._left_in_run(step, name)
            again = replay.states[-1].tables[name].digest
            if digest is not None and digest.partition(WITH)[0] != again:
                found["warnings"].append(f"the replay of step `{step}` did not leave the same `{name}`")
            walk = _Walk(replay, expectation.within(self, replay, step))
            place, chain = walk.first(_Place(len(replay.states) - 1, name, column))
            found["cells"] = [*self._cells(replay, chain), *found["cells"]]
            origin = self._origin(replay, step, place.name) if place.at == 0 else None
            found |= self._found(replay, place, anomaly, origin)
            if origin is None:
                return found
            step, name, column = *origin, place.column
            expectation = expectation.before()
        return found

    def _problem(self, replay: Replay, name: str) -> str | None:
        if replay.problem is not None:
            return replay.problem.rstrip(".")
        if not replay.states or name not in replay.states[-1].tables:
            return f"it left no table `{name}` this time"
        return None

    def _replay(self, run_id: str, step: str) -> Replay:
        if (run_id, step) not in self._replays:
            self._replays[run_id, step] = self.replayer.replay(run_id, step)
        return self._replays[run_id, step]

    def reference_replay(self, run_id: str | None, step: str) -> Replay | None:
        """The same step of the reference run, if it was another execution and can be replayed."""
        if run_id is None:
            return None
        executions = [self._execution_id(each, step) for each in (run_id, self.run["run_id"])]
        if executions[0] is None or executions[0] == executions[1]:
            return None
        try:
            replay = self._replay(run_id, step)
        except PipelinesError:
            return None
        return replay if replay.problem is None and replay.states else None

    def _execution_id(self, run_id: str, step: str) -> int | None:
        rows = {row["step"]: row["execution_id"] for row in self.store.runs.steps(run_id)}
        return rows.get(step)

    def _left_in_run(self, step: str, name: str) -> str | None:
        outputs = [each for one in self.run["steps"] if one["name"] == step for each in one["outputs"]]
        return next((each["digest"] for each in outputs if each["name"] == name), None)

    def _origin(self, replay: Replay, step: str, name: str) -> tuple[str, str] | None:
        """The step and the name of the value that the step has as its input `name`."""
        for given in replay.pipeline[step].needs.inputs:
            if given.name == name:
                return given.step, name
        return None

    def _cells(self, replay: Replay, chain: list[tuple[_Place, bool]]) -> list[Document]:
        """The cells in order, with what the table was called after each, and whether it had the anomaly."""
        places = {place.at: (place, guilty) for place, guilty in chain}
        cells = []
        for at, state in enumerate(replay.states):
            if state.cell_index is None:
                continue
            place, guilty = places.get(at, (None, None))
            statistics = self.statistics(state.tables[place.name]) if place else None
            cells.append(
                {
                    "step": replay.step,
                    "cell_index": state.cell_index,
                    "name": place.name if place else None,
                    "rows": statistics.rows if statistics else None,
                    "has_anomaly": guilty,
                }
            )
        return cells

    def _found(
        self, replay: Replay, place: _Place, anomaly: Document, origin: tuple[str, str] | None
    ) -> Document:
        told = anomaly["kind"].replace("_", " ")
        if place.at == 0:
            where = f"Step `{replay.step}` got it with its input `{place.name}`"
            where += f", from step `{origin[0]}`" if origin else ""
            return {
                "status": "found",
                "step": replay.step,
                "message": f"{where}: {told}.",
                "name": place.name,
            }
        index = replay.states[place.at].cell_index
        assert index is not None
        cell = replay.pipeline.cells[index]
        column = f", column `{place.column}`" if place.column else ""
        return {
            "status": "found",
            "step": replay.step,
            "cell_index": index,
            "cell_id": cell.id,
            "name": place.name,
            "source": cell.source,
            "message": f"Cell {index + 1}, in step `{replay.step}`, let it in: {told} in `{place.name}`{column}.",
        }

    def statistics(self, table: Table) -> Statistics | None:
        """Of a table of a replay."""
        if table.digest not in self._statistics:
            self._statistics[table.digest] = self.measurer.statistics_of_file(
                table.digest, table.materializer, table.path
            )
        return self._statistics[table.digest]


@dataclass
class _Expectation:
    """What is expected where the anomaly was found, and of the tables that it was made of."""

    tracer: Tracer
    anomaly: Document
    home: str
    replay: Replay | None = None
    reference: Replay | None = None
    positions: dict[int, int] = field(default_factory=dict)
    is_home: bool = True

    def before(self) -> _Expectation:
        """The same in an earlier step: other tables are at home there."""
        return replace(self, is_home=False, replay=None, reference=None)

    def within(self, tracer: Tracer, replay: Replay, step: str) -> _Expectation:
        """The same, while the step is looked at."""
        if self.anomaly["pinned"]:
            return replace(self, replay=replay)
        reference = tracer.reference_replay(self.anomaly.get("reference_run"), step)
        positions = _aligned(replay, reference) if reference else {}
        return replace(self, replay=replay, reference=reference, positions=positions)

    def is_broken_by(self, place: _Place) -> bool:
        """Whether a table has the anomaly."""
        assert self.replay is not None
        table = self.replay.states[place.at].tables[place.name]
        if self.anomaly["kind"] == "check_failed":
            checks = [self.anomaly["reference"]]
            failed = self.tracer.measurer.failed_checks_of_file(table.materializer, table.path, checks)
            return any(one["kind"] == "check_failed" for one in failed)
        statistics = self.tracer.statistics(table)
        if statistics is None:
            return False
        feature = self.anomaly["feature"]
        if place.column is not None:
            statistics = _renamed(statistics, place.column, feature)
        if self.anomaly["pinned"]:
            schema = self.tracer.schemas.get(self.home) or Schema(closed=False)
            environment = schema.environment_in(self.tracer.environment)
            found = find(statistics, self._pinned(schema), environment=environment)
        else:
            before = self._reference(place)
            found = [one for one in find(statistics, None, before) if self._is_alike(one)] if before else []
        return any(one.feature == feature for one in found)

    def _is_alike(self, other: Anomaly) -> bool:
        """Whether another anomaly is about the same thing: ``nulls_increased`` and ``all_null`` are."""
        aspect = BY_NAME[self.anomaly["kind"]].aspect
        if aspect is None:
            return bool(other.kind == self.anomaly["kind"])
        return BY_NAME[other.kind].aspect == aspect

    def _pinned(self, schema: Schema) -> Schema:
        """The one constraint that is broken: a table may break others before it is finished."""
        aspect = BY_NAME[self.anomaly["kind"]].aspect
        if aspect == "rows":
            return Schema(rows=schema.rows, closed=False)
        feature = schema.by_name.get(self.anomaly["feature"])
        constraint = getattr(feature, aspect, None) if feature and aspect else None
        if feature is None or constraint is None or aspect is None:
            return Schema((feature,) if feature else (), closed=False)
        bare = Feature(feature.name, not_in=feature.not_in, only_in=feature.only_in)
        only = replace(bare, **{aspect: constraint})
        return Schema((only,), closed=False)

    def _reference(self, place: _Place) -> Statistics | None:
        if self.reference is not None and place.at in self.positions:
            same = self.reference.states[self.positions[place.at]].tables.get(place.name)
            found = self.tracer.statistics(same) if same else None
            if found is not None:
                feature = self.anomaly["feature"]
                return _renamed(found, place.column, feature) if place.column else found
        run_id = self.anomaly.get("reference_run")
        if run_id is None:
            return None
        step, _, name = self.home.partition(".")
        for row in self.tracer.store.runs.steps(run_id):
            if row["step"] == step and row["execution_id"] is not None:
                execution = self.tracer.store.executions.get(row["execution_id"])
                artifact = execution.outputs.get(name) if execution else None
                return known_statistics(self.tracer.store, artifact.digest) if artifact else None
        return None


@dataclass
class _Walk:
    """Follows a table backwards through the cells of a replay."""

    replay: Replay
    expectation: _Expectation

    def first(self, place: _Place) -> tuple[_Place, list[tuple[_Place, bool]]]:
        """The earliest place at which the table has the anomaly, and all places that it was followed through."""
        chain = [(place, True)]
        while True:
            place = self._made(place, chain)
            if place.at == 0:
                return place, chain
            parents = list(self._parents(place))
            guilty = next((parent for parent in parents if self.expectation.is_broken_by(parent)), None)
            if guilty is None:
                if parents:
                    self._follow_on(parents[0], chain)
                return place, chain
            chain.append((guilty, True))
            place = guilty

    def _made(self, place: _Place, chain: list[tuple[_Place, bool]], has_it: bool = True) -> _Place:
        """Where the very table was made: cells that leave it as it is are gone through.

        Unless the reference's cell did not leave it so: then this cell has failed to mend it.
        """
        digest = self.replay.states[place.at].tables[place.name].digest
        while place.at > 0:
            before = self.replay.states[place.at - 1].tables
            same = [name for name, table in before.items() if table.digest == digest]
            if not same:
                return place
            name = place.name if place.name in same else same[0]
            earlier = replace(place, at=place.at - 1, name=name)
            if has_it and self.expectation.reference and not self.expectation.is_broken_by(earlier):
                return place
            place = earlier
            chain.append((place, has_it))
        return place

    def _follow_on(self, place: _Place, chain: list[tuple[_Place, bool]]) -> None:
        """What the table was before it had the anomaly, for those who want to see."""
        chain.append((place, False))
        while (place := self._made(place, chain, False)).at > 0:
            parent = next(self._parents(place), None)
            if parent is None:
                return
            chain.append((parent, False))
            place = parent

    def _parents(self, place: _Place) -> Iterator[_Place]:
        """The tables before the cell that made this one of which it may have been made, the likeliest first."""
        state, before = self.replay.states[place.at], self.replay.states[place.at - 1]
        read = self._read_by(state)
        # ``parts['a']`` is read where `parts` is.
        names = [name for name in before.tables if name.partition("[")[0] in read]
        tracer = self.expectation.tracer
        own = tracer.statistics(state.tables[place.name])
        scored = []
        for name in names:
            statistics = tracer.statistics(before.tables[name])
            if own is None or statistics is None:
                continue
            column = place.column
            if column is not None and column not in statistics.by_name:
                column = _former_name(statistics, own, column)
            lacks = column is None and place.column is not None
            is_absence = self.expectation.anomaly["kind"] in ABSENT
            score = _likeness(statistics, own)
            if lacks and not is_absence:
                continue
            if (place.column is None or is_absence) and score < LIKE:
                continue
            scored.append((name == place.name, score, name, place.column if lacks else column))
        for _, _, name, column in sorted(scored, key=lambda one: one[:2], reverse=True):
            yield _Place(place.at - 1, name, column)

    def _read_by(self, state: State) -> set[str]:
        """Names that the cell may read; all, where it says nothing."""
        assert state.cell_index is not None
        try:
            statements = analyse(self.replay.pipeline.cells[state.cell_index].source).statements
        except SyntaxError:
            statements = ()
        if not statements or any(one.opaque or one.calls or one.deferred for one in statements):
            return {name.partition("[")[0] for each in self.replay.states for name in each.tables}
        return {
            name for one in statements for name in (*one.reads, *one.mentions, *one.mutates, *one.may_bind)
        }


def _former_name(before: Statistics, after: Statistics, column: str) -> str | None:
    """What a column of `after` was called in `before`, if it looks as if it was only renamed."""
    return next((old for old, new in likely_renames(before, after).items() if new == column), None)


def _likeness(first: Statistics, second: Statistics) -> float:
    """The share of the columns of the smaller table that the other one has, too."""
    fewest = min(len(first.columns), len(second.columns))
    return len(first.by_name.keys() & second.by_name.keys()) / fewest if fewest else 0.0


def _renamed(statistics: Statistics, old: str, new: str) -> Statistics:
    if old == new or old not in statistics.by_name:
        return statistics
    columns = tuple(
        replace(column, name=new) if column.name == old else column
        for column in statistics.columns
        if column.name != new
    )
    return replace(statistics, columns=columns)


def _aligned(replay: Replay, reference: Replay) -> dict[int, int]:
    """By position of a state, that of the reference's state which comes after the same cell."""
    ours, theirs = (
        [
            () if state.cell_index is None else normal_form(one.pipeline.cells[state.cell_index])
            for state in one.states
        ]
        for one in (replay, reference)
    )
    positions: dict[int, int] = {}
    for _, start, stop, other, other_stop in SequenceMatcher(
        None, ours, theirs, autojunk=False
    ).get_opcodes():
        if stop - start == other_stop - other:
            positions |= dict(zip(range(start, stop), range(other, other_stop), strict=True))
    return positions
