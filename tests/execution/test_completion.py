"""What is completed after steps have ended, however many end at once."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyterlab_pipelines.execution.completion import Completion
from jupyterlab_pipelines.run import Execution
from jupyterlab_pipelines.store import Store


@pytest.fixture
def quick_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("quick_switches")
def test_steps_that_end_at_the_same_moment_are_all_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / ".pipelines")
    store.create()
    execution = Execution(1, "key", "step", "run", "2026-01-01T00:00:00+00:00", 1.0, {}, {}, "", None, {}, {})
    completed: list[Execution] = []
    monkeypatch.setattr(Completion, "_complete", lambda _, executions: completed.extend(executions))
    problems: list[BaseException] = []

    def end(completion: Completion, together: threading.Barrier) -> None:
        try:
            together.wait()
            completion.add(execution)
        except BaseException as problem:
            problems.append(problem)

    for _ in range(100):
        completion, together = Completion(store, tmp_path), threading.Barrier(4)
        ending = [threading.Thread(target=end, args=(completion, together)) for _ in range(4)]
        for each in ending:
            each.start()
        for each in ending:
            each.join()
        completion.close(lambda: True, 0.1)

    assert problems == []
    assert len(completed) == 400
