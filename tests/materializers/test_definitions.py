"""Classes and functions of a notebook, which is ``__main__`` in its kernel: scripts play its part."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

DEFINITIONS = """
import abc, dataclasses, enum, functools, sys, typing
from pathlib import Path
from jupyterlab_pipelines.materializers import carried_definitions, digest_of
from jupyterlab_pipelines.materializers import materializer_named, materializer_of
path, pickle = Path(sys.argv[1]), materializer_named("pickle")

class Color(enum.Enum):
    RED = 1
    BLUE = 2

@dataclasses.dataclass
class Point:
    x: int
    color: Color = Color.RED
    class Kind: pass

class Base(abc.ABC):
    @abc.abstractmethod
    def area(self): ...

class Square(Base):
    __slots__ = ("side",)
    def area(self): return self.side ** 2

class Pair(typing.NamedTuple):
    a: int
    b: int

@functools.lru_cache
def cached(x): return helper(x)

def helper(x): return x + 1
"""

VALUES = """
square = Square()
square.side = 3
values = [Point(1), Color.BLUE, Point, Point.Kind(), square, Pair(1, 2), helper, cached]
values.append({Color.RED: Point(2)})
"""

ALL = '{"Color", "Point", "Base", "Square", "Pair", "cached", "helper"}'


def run(program: str, path: Path, seed: str = "0") -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed}
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_carried_definitions_are_met_again_by_name(tmp_path: Path) -> None:
    write = f"with carried_definitions({ALL}): print(pickle.write(values, path), digest_of(values))"
    read = f"""
with carried_definitions({ALL}):
    back = pickle.read(path)
    print(pickle.write(back, path.with_name("again")), digest_of(back))
point, blue, cls, kind, square, pair, function, memo, table = back
assert type(point) is Point and point == Point(1) and point.color is Color.RED
assert blue is Color.BLUE and cls is Point and type(kind) is Point.Kind and type(pair) is Pair
assert isinstance(square, Base) and square.area() == 9
assert function is helper and memo is cached
assert table == {{Color.RED: Point(2)}}
"""
    written = run(DEFINITIONS + VALUES + write, tmp_path / "value", "1")
    assert written.startswith("('Color', 'Pair', 'Point', 'Square', 'cached', 'helper')")
    # The other process defines them elsewhere in its source, among other things.
    moved = "\n\nunrelated = 1\n" + DEFINITIONS
    assert run(moved + VALUES + read, tmp_path / "value", "2") == written


def test_other_definitions_travel_with_the_value(tmp_path: Path) -> None:
    write = "del values[4]; print(pickle.write(values[:5], path), digest_of(values[:5]))"
    read = """
import sys
from pathlib import Path
from jupyterlab_pipelines.materializers import digest_of, materializer_named
point, blue, cls, kind, pair = values = materializer_named("pickle").read(Path(sys.argv[1]))
assert type(point) is cls and point.x == 1 and blue.name == "BLUE" and pair.b == 2
print(("Color", "Pair", "Point"), digest_of(values))
"""
    written = run(DEFINITIONS + VALUES + write, tmp_path / "value", "1")
    assert run(read, tmp_path / "value", "2") == written


def test_a_name_that_means_something_else_now_is_not_referred_to(tmp_path: Path) -> None:
    program = """
old = Point(1)
class Point: pass
with carried_definitions({"Point", "Color"}):
    print(pickle.write(old, path), type(pickle.read(path)) is Point)
"""
    assert run(DEFINITIONS + program, tmp_path / "value") == "('Color',) False\n"


def test_only_what_is_referred_to_is_told(tmp_path: Path) -> None:
    program = f"""
with carried_definitions({ALL}):
    print(materializer_of([1]).write([1], path), pickle.write([Pair(1, 2)], path))
    print(pickle.write(lambda: helper(1), path))
"""
    assert run(DEFINITIONS + program, tmp_path / "value") == "() ('Pair',)\n('helper',)\n"


def test_without_cloudpickle_what_plain_pickle_can_do_still_works(tmp_path: Path) -> None:
    program = """
sys.modules["cloudpickle"] = None
with carried_definitions({"Point", "Color"}):
    print(pickle.write([Point(1), {1: (2,)}], path), pickle.read(path) == [Point(1), {1: (2,)}])
    try:
        pickle.write([helper], path)
    except Exception as error:
        print(type(error).__name__, error)
"""
    out = run(DEFINITIONS + program, tmp_path / "value")
    assert out.startswith("('Color', 'Point') True\nNotCarriableError")
    assert "install cloudpickle" in out
