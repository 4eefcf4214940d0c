"""Locks: one holder at a time, and none when the holder is dead."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from jupyterlab_pipelines.store.locks import FileLock

HOLD = """
import sys, time
from pathlib import Path
from jupyterlab_pipelines.store.locks import FileLock
lock = FileLock(Path(sys.argv[1]))
print(lock.acquire(), flush=True)
sys.stdin.readline()
"""

COUNT = """
import sys, time
from pathlib import Path
from jupyterlab_pipelines.store.locks import FileLock
counter = Path(sys.argv[2])
for number in range(50):
    lock = FileLock(Path(sys.argv[1]))
    while not lock.acquire():
        time.sleep(0.001)
    counter.write_text(str(int(counter.read_text()) + 1))
    lock.release()
"""


def test_a_lock_ends_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "a"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    mine = FileLock(path)

    assert not mine.acquire()
    holder.kill()
    holder.wait(10)
    assert mine.acquire()
    assert not FileLock(path).acquire()
    mine.release()
    assert not path.exists()
    assert FileLock(path).acquire()


def test_nobody_enters_twice(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    processes = [
        subprocess.Popen([sys.executable, "-c", COUNT, str(tmp_path / "lock"), str(counter)])
        for _ in range(3)
    ]

    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert counter.read_text() == "150"
