"""``json``: scalars and containers of JSON, only where the way there and back is exact."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.materializers import canonical

SCALARS = frozenset({type(None), bool, int, float, str})
_NUMBERS = frozenset({int, float})
LARGEST_INT = 1 << 2048
"""Python may refuse to write longer ones as decimals (`sys.set_int_max_str_digits`)."""
DEEPEST = 200
"""Levels of nesting; the standard library's reader is recursive."""


class JsonMaterializer:
    name = "json"

    def accepts(self, value: object) -> bool:
        """Exactly JSON's types, and no container that occurs twice: JSON cannot say that."""
        seen: set[int] = set()
        level: list[object] = [value]
        for _ in range(DEEPEST):
            if not _are_exact_scalars(each for each in level if type(each) in _NUMBERS):
                return False
            containers = [each for each in level if type(each) not in SCALARS]
            if not containers:
                return True
            level = []
            for container in containers:
                if id(container) in seen:
                    return False
                seen.add(id(container))
                if type(container) is list:
                    level.extend(container)
                elif type(container) is dict:
                    if not all(type(key) is str for key in container):
                        return False
                    level.extend(container.values())
                else:
                    return False
        return False

    def digest(self, value: object) -> str:
        return canonical.digest(value)

    def write(self, value: object, path: Path) -> tuple[str, ...]:
        # "surrogatepass" also writes the lone surrogates that a str, but not UTF-8, may have.
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        return ()

    def read(self, path: Path) -> object:
        return json.loads(path.read_bytes().decode("utf-8", "surrogatepass"))


def _are_exact_scalars(values: Iterable[Any]) -> bool:
    """Whether JSON keeps every one of these scalars, given that they are of JSON's types."""
    for value in values:
        kind = type(value)
        if kind is int and not -LARGEST_INT < value < LARGEST_INT:
            return False
        # There are many NaNs, and `np.nan in values` asks for the very same one.
        if kind is float and value != value:
            return False
    return True


MATERIALIZER = JsonMaterializer()
