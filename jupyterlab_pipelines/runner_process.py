"""The process of one run that was started by the server: ``python -m jupyterlab_pipelines.runner_process``."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path

from jupyterlab_pipelines.execution import lean
from jupyterlab_pipelines.project import Project
from jupyterlab_pipelines.run import Status


def main() -> None:
    parser = argparse.ArgumentParser(prog="runner_process")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--lock", type=int, help="open file that holds the run's lock")
    arguments = parser.parse_args()
    lean.own_process()
    carry_out(arguments.root, arguments.store, arguments.run, lock=arguments.lock)


def carry_out(root: Path, store: Path, run_id: str, *, lock: int | None = None) -> None:
    """Carry out a prepared run in this process, which does nothing else.

    `lock` is the open file that holds the run's lock; None to take it.
    """
    project = Project(root, store)
    run_lock = project.store.run_lock(run_id)
    if lock is None:
        run_lock.acquire()
    else:
        run_lock.adopt(lock)
    log = project.store.run_folder(run_id) / "runner.log"
    try:
        project.carry_out(run_id)
        log.unlink(missing_ok=True)  # it told nothing: what goes wrong in a step is kept with the step
        with contextlib.suppress(OSError):
            log.parent.rmdir()
    except Exception:
        # A bug of ours, or a full disk: the traceback is in the run's `runner.log`.
        project.store.runs.finish(
            run_id,
            Status.FAILED,
            0.0,
            {"code": "internal_error", "message": f"The run broke off; see {log}.", "details": {}},
        )
        raise
    finally:
        run_lock.release()


if __name__ == "__main__":
    main()
