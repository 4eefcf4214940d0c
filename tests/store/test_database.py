"""The database: made once by whoever comes first, whole for everybody, and gone when it is deleted."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jupyterlab_pipelines.errors import StoreError
from jupyterlab_pipelines.store import Store
from jupyterlab_pipelines.store.database import Database

FIRST = """
import sys
from pathlib import Path
from jupyterlab_pipelines.store import Store
store = Store(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    store.create()
    with store.database.transaction() as connection:
        connection.execute("INSERT INTO previews VALUES (?, '', '', NULL)", (f"{sys.argv[2]}-{number}",))
    store.database.close()
"""


def test_many_open_a_new_store_at_the_same_time(tmp_path: Path) -> None:
    for round in range(3):
        store = tmp_path / f"store-{round}"
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", FIRST, str(store), str(number)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for number in range(4)
        ]
        for process in processes:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        told = [process.communicate(timeout=60)[1] for process in processes]

        assert told == [""] * 4
        assert len(Store(store).database.rows("SELECT * FROM previews")) == 4 * 20


def test_looking_makes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")

    assert store.runs.unfinished() == []
    assert store.database.version_of_data() == 0
    assert list(tmp_path.iterdir()) == []


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.create()

    with pytest.raises(ZeroDivisionError), store.database.transaction() as connection:
        connection.execute("INSERT INTO previews VALUES ('a', '', '', NULL)")
        raise ZeroDivisionError
    with pytest.raises(sqlite3.IntegrityError), store.database.transaction() as connection:
        connection.execute("INSERT INTO previews VALUES ('b', '', '', NULL)")
        connection.execute("INSERT INTO previews VALUES ('b', '', '', NULL)")

    assert store.database.rows("SELECT * FROM previews") == []
    with store.database.transaction() as connection:
        connection.execute("INSERT INTO previews VALUES ('c', '', '', NULL)")
    assert len(store.database.rows("SELECT * FROM previews")) == 1


def test_others_hear_of_a_change(tmp_path: Path) -> None:
    writer, listener = Store(tmp_path), Store(tmp_path)
    heard = [listener.database.version_of_data()]

    for number in range(3):
        writer.create()
        with writer.database.transaction() as connection:
            connection.execute("INSERT INTO previews VALUES (?, '', '', NULL)", (str(number),))
        heard.append(listener.database.version_of_data())

    assert len(set(heard)) == 4
    assert listener.database.version_of_data() == heard[-1]


def test_the_store_is_deleted_while_it_is_open(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    heard = []
    for _ in range(3):
        store.create()
        heard.append(store.database.version_of_data())
        with store.database.transaction() as connection:
            connection.execute("INSERT INTO previews VALUES ('a', '', '', NULL)")
        shutil.rmtree(store.path)
        assert store.database.rows("SELECT * FROM previews") == []
        heard.append(store.database.version_of_data())

    assert all(one != next for one, next in itertools.pairwise(heard))


def test_threads_have_connections_of_their_own(tmp_path: Path) -> None:
    database = Database(tmp_path / "metadata.db")
    database.create()
    problems: list[BaseException] = []

    def write(name: str) -> None:
        try:
            for number in range(25):
                with database.transaction() as connection:
                    connection.execute("INSERT INTO previews VALUES (?, '', '', NULL)", (f"{name}-{number}",))
                database.rows("SELECT * FROM previews")
            database.close_thread()
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert problems == []
    assert len(database.rows("SELECT * FROM previews")) == 100


def test_a_lock_that_is_never_given_up_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyterlab_pipelines.store.database.BUSY_SECONDS", 0.1)
    database = Database(tmp_path / "metadata.db")
    database.create()
    other = sqlite3.connect(database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreError) as told, database.transaction():
        pass

    assert told.value.code == "store_busy"
    other.execute("ROLLBACK")
    with database.transaction():
        pass
