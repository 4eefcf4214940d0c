"""YAML that people keep: one value changed in a text, and everything else left as it is."""

from __future__ import annotations

import re
from typing import Any

_PLAIN = re.compile(r"\w[\w./ -]*")


def flow(value: Any) -> str:
    """A value on one line."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes all text that is more than words: PyYAML writes some that it cannot read (``:a``)."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text_node(dumper: yaml.SafeDumper, text: str) -> Any:
        style = None if _PLAIN.fullmatch(text) else "'"
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)

    Dumper.add_representer(str, text_node)
    text: str = yaml.dump(
        value, Dumper=Dumper, default_flow_style=True, width=1_000_000, sort_keys=False, allow_unicode=True
    )
    return text.removesuffix("\n").removesuffix("\n...")


def set_in(text: str, path: tuple[str, ...], value: Any) -> str:
    """`text` with `value` under the keys of `path`, each in the mapping under the one before; None removes it.

    Mappings that are not there are made. Comments, order and layout of everything else stay.
    """
    import yaml

    node = yaml.compose(text)
    outer: Any = None
    for depth, key in enumerate(path):
        if not isinstance(node, yaml.MappingNode):
            if value is None:
                return text
            return _replaced(text, node, _nested(path[depth:], value), outer)
        found = next((pair for pair in node.value if pair[0].value == key), None)
        if found is None:
            return text if value is None else _inserted(text, node, key, _nested(path[depth + 1 :], value))
        if depth == len(path) - 1 and value is None:
            return _removed(text, node, found)
        outer, node = found
    return _replaced(text, node, value, outer)


def _nested(path: tuple[str, ...], value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


def _end(node: Any) -> int:
    """Where a node's own text ends: of a block, where its last value does, before any comment."""
    import yaml

    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _replaced(text: str, node: Any, value: Any, key: Any) -> str:
    if node is None or node.start_mark.index == node.end_mark.index:
        # A key that has no value yet.
        at = key.end_mark.index + 1 if key is not None else len(text)
        return f"{text[:at]} {flow(value)}{text[at:]}"
    start = node.start_mark.index
    written = flow(value)
    if key is not None and key.end_mark.line != node.start_mark.line:
        # A block below its key becomes one line beside it.
        start, written = key.end_mark.index + 1, f" {written}"
    return text[:start] + written + text[_end(node) :]


def _inserted(text: str, mapping: Any, key: str, value: Any) -> str:
    entry = f"{flow(key)}: {flow(value)}"
    if mapping.flow_style:
        at = mapping.end_mark.index - 1
        before = text[:at].rstrip()
        return f"{before}{', ' if mapping.value else ''}{entry}{text[at:]}"
    end = _end(mapping)
    line_end = text.find("\n", end)
    at = len(text) if line_end < 0 else line_end
    indent = " " * mapping.value[0][0].start_mark.column
    return f"{text[:at]}\n{indent}{entry}{text[at:]}"


def _removed(text: str, mapping: Any, pair: Any) -> str:
    key, value = pair
    index = mapping.value.index(pair)
    if mapping.flow_style:
        if index + 1 < len(mapping.value):
            return text[: key.start_mark.index] + text[mapping.value[index + 1][0].start_mark.index :]
        start = _end(mapping.value[index - 1][1]) if index else key.start_mark.index
        return text[:start] + text[_end(value) :]
    if len(mapping.value) == 1:
        return text[: key.start_mark.index] + "{}" + text[_end(value) :]
    start = text.rfind("\n", 0, key.start_mark.index) + 1
    stop = text.find("\n", _end(value))
    return text[:start] + ("" if stop < 0 else text[stop + 1 :])
