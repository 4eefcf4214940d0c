"""Messages of a kernel → outputs of a notebook's cell, as nbformat has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

JSON_TYPE = re.compile(r"application/(.+\+)?json$")

SHOWING = frozenset({"stream", "display_data", "execute_result", "update_display_data", "clear_output"})
"""Kinds of messages that change what a cell shows."""


def valid_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """A display under types that nbformat knows to hold JSON.

    Altair says ``application/vnd.vegalite.v6.json`` where the notebook format wants ``…v6+json``.
    """
    return {
        f"{kind.removesuffix('.json')}+json"
        if isinstance(value, dict) and not JSON_TYPE.match(kind)
        else kind: value
        for kind, value in data.items()
    }


class Outputs:
    """Outputs of one cell, in order.

    Attributes
    ----------
    displays
        What was shown last under each `display_id`, and at which positions it stands.
    is_deaf
        Whether messages count at the moment.
    """

    def __init__(self) -> None:
        self.outputs: list[dict[str, Any]] = []
        self.displays: dict[str, dict[str, Any]] = {}
        self.is_deaf = False
        self._clears_next = False

    def add(self, kind: str, content: Mapping[str, Any]) -> None:
        """Take in one message of the kinds that show something; others are nothing to us."""
        if self.is_deaf:
            return
        if kind == "clear_output":
            self._clears_next = bool(content.get("wait"))
            if not self._clears_next:
                self._clear()
            return
        if kind not in SHOWING:
            return
        if kind != "update_display_data" and self._clears_next:
            self._clear()
        if kind == "stream":
            self._add_text(content["name"], content["text"])
            return
        shown = {"data": valid_data(content["data"]), "metadata": dict(content.get("metadata") or {})}
        display_id = (content.get("transient") or {}).get("display_id")
        if display_id is not None:
            entry = self.displays.setdefault(display_id, {"places": []})
            entry |= shown
            for place in entry["places"]:
                self.outputs[place] |= shown
            if kind != "update_display_data":
                entry["places"].append(len(self.outputs))
        if kind == "display_data":
            self.outputs.append({"output_type": kind, **shown})
        elif kind == "execute_result":
            self.outputs.append({"output_type": kind, "execution_count": content["execution_count"], **shown})

    def _clear(self) -> None:
        self.outputs.clear()
        for entry in self.displays.values():
            entry["places"] = []
        self._clears_next = False

    def _add_text(self, name: str, text: str) -> None:
        last = self.outputs[-1] if self.outputs else {}
        if last.get("output_type") == "stream" and last.get("name") == name:
            last["text"] += text
        elif text:
            self.outputs.append({"output_type": "stream", "name": name, "text": text})
