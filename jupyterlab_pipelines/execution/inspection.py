"""Tables are inspected beside a run: no step waits for it, but a validator for what it reads and leaves.

A step with the role `validator` is a gate: an anomaly of severity error in one of its tables fails it, and so
nothing below it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any

from jupyterlab_pipelines.artifact import Artifact
from jupyterlab_pipelines.errors import StoreError
from jupyterlab_pipelines.pipeline import Role
from jupyterlab_pipelines.planner import Resolved
from jupyterlab_pipelines.quality.inspection import Inspector
from jupyterlab_pipelines.run import Execution
from jupyterlab_pipelines.store import Store

MOST_TOLD = 3
"""Anomalies that an error spells out; the others are counted."""

Tell = Callable[[str, list[dict[str, Any]]], None]


class Inspections:
    """Inspects what steps leave, one after another, in a thread of its own.

    Parameters
    ----------
    tell
        Called with a step and the anomalies of its tables as soon as they are known.
    """

    def __init__(self, inspector: Inspector | None, store: Store, tell: Tell) -> None:
        self._inspector = inspector
        self._store = store
        self._tell = tell
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inspection")
        self._todo: list[Future[None]] = []

    def add(self, resolved: Resolved, execution: Execution) -> None:
        """A step has ended well, or was found to be up to date."""
        if self._inspector is not None:
            self._todo.append(
                self._thread.submit(self._inspect, resolved.step.name, execution, resolved.inputs)
            )

    def gate(self, resolved: Resolved, outputs: Collection[Artifact]) -> dict[str, Any] | None:
        """The error of a validator whose tables have an anomaly of severity error; None lets pass."""
        step = resolved.step
        if self._inspector is None or step.role != Role.VALIDATOR:
            return None
        # What it reads must have been inspected first: there anomalies are traced from.
        wait(list(self._todo))
        origins = {given.name: given.step for given in resolved.needs.inputs}
        left = {artifact.name: artifact for artifact in outputs}
        found = self._inspector.gate(step.name, left, resolved.inputs, origins)
        errors = [anomaly for anomaly in found if anomaly["severity"] == "error"]
        if found:
            self._tell(step.name, found)
        if not errors:
            return None
        last = step.cells[-1]
        return {
            "code": "anomalies_found",
            "step": step.name,
            "cell_index": last,
            "cell_id": resolved.pipeline.cells[last].id,
            "message": _message(step.name, errors),
            "traceback": "",
        }

    def close(self, is_wanted: Callable[[], bool], every_seconds: float) -> None:
        """Wait until all is inspected, or nobody wants it any more."""
        while is_wanted() and wait(self._todo, every_seconds).not_done:
            pass
        if self._inspector is not None:
            self._inspector.close()
        self._thread.submit(self._store.database.close_thread)
        self._thread.shutdown(wait=True, cancel_futures=not is_wanted())

    def _inspect(self, step: str, execution: Execution, inputs: Mapping[str, Artifact]) -> None:
        assert self._inspector is not None
        # A store that is busy or full: the run goes on without.
        with suppress(StoreError, OSError):
            found = self._inspector.inspect(step, dict(execution.outputs), inputs)
            found += self._inspector.inspect_metrics(step, execution)
            if found:
                self._tell(step, found)


def _message(step: str, errors: list[dict[str, Any]]) -> str:
    told = [
        f"{error['first']['step']}.{error['first']['output']}"
        + (f", column `{error['feature']}`" if error["feature"] else "")
        + f": {error['kind']}: {error['description']}"
        for error in errors[:MOST_TOLD]
    ]
    more = f" And {len(errors) - MOST_TOLD} more." if len(errors) > MOST_TOLD else ""
    return (
        f"Validator `{step}` found anomalies of severity error. {' '.join(told)}{more} Mend the data, or accept it "
        "with `jupyter pipelines schema pin`."
    )
