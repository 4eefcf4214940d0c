"""The process of one sweep: ``python -m jupyterlab_pipelines.sweep_process``.

It starts the runs, one after another or a few at a time, and outlives the server. When it is killed no more
runs begin; those that it started go on, and the rest can be begun later (`Project.resume_sweep`).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from jupyterlab_pipelines.project import Project
from jupyterlab_pipelines.runner_host import RunnerHost
from jupyterlab_pipelines.sweep import is_cancelled, read_sweep, remove_sweep, runs_of, unfinished_runs

LOOK_SECONDS = 0.2
"""Between two looks whether a run has ended, or the sweep was cancelled."""


def carry_out(project: Project, sweep_id: str, host: RunnerHost) -> None:
    """Start the runs of a sweep and wait for them, until all have ended or the sweep is cancelled.

    `host` is the warm process that they are forked from.
    """
    store = project.store
    told = read_sweep(store, sweep_id)
    begun = runs_of(store, sweep_id)
    for position, values in enumerate(told["parameter_sets"]):
        if position < begun:
            continue
        # The first by itself: what all share is there then, and nobody waits for another's step.
        room = 1 if position <= begun + 1 else told["parallel"]
        while len(unfinished_runs(store, sweep_id)) >= room and not is_cancelled(store, sweep_id):
            time.sleep(LOOK_SECONDS)
        if is_cancelled(store, sweep_id):
            break
        project.start(
            Path(told["notebook"]),
            content=told["content"],
            parameters=values,
            jobs=told["jobs"],
            sweep=sweep_id,
            host=host,
        )
    while runs := unfinished_runs(store, sweep_id):
        if is_cancelled(store, sweep_id):
            # One may have begun while the others were being cancelled.
            for run_id in runs:
                project.cancel(run_id)
        time.sleep(LOOK_SECONDS)
    remove_sweep(store, sweep_id)


def main() -> None:
    parser = argparse.ArgumentParser(prog="sweep_process")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--sweep", required=True)
    parser.add_argument("--lock", type=int, help="open file that holds the sweep's lock")
    arguments = parser.parse_args()
    project = Project(arguments.root, arguments.store)
    lock = project.store.sweep_lock(arguments.sweep)
    if arguments.lock is None:
        lock.acquire()
    else:
        lock.adopt(arguments.lock)
    host = RunnerHost()
    try:
        carry_out(project, arguments.sweep, host)
    finally:
        host.close()
        lock.release()


if __name__ == "__main__":
    main()
