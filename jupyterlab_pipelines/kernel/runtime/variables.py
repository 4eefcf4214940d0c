"""Which environment variables a step reads, seen by `os.environ` itself.

The object stays the same one; only its class is exchanged for one that tells who reads what. What native code
asks the operating system, and what other processes inherit, is not seen; a shell command's ``$NAME`` is, by
the text of the step.
"""

from __future__ import annotations

import copyreg
import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from types import CodeType, FrameType
from typing import Any

from jupyterlab_pipelines.kernel.runtime.callers import Caller, asker, kind_of
from jupyterlab_pipelines.variables import (
    ALL,
    OF_THE_PLACE,
    OF_THE_SESSION,
    counts_among_all,
    variable_digest,
)

BEGINNING = re.compile(r"[A-Za-z][A-Za-z0-9]*_\w*")
NOBODY = (Caller.PYTHON, Caller.MACHINERY)
"""Who asks for other ends than the step's."""
READ_AHEAD = "_pipelines_read_ahead"
"""The module in which a fork server has noted what packages read when it imported them."""


class VariableRecorder:
    """Notes what one step reads of `os.environ`.

    Parameters
    ----------
    started_with
        The variables with which the kernel started: what differs from them was set by steps, and travels
        as process state does.
    told
        Called with the value of what the step itself reads: it may be the path of data.
    """

    def __init__(
        self, started_with: dict[str, str], told: Callable[[str], None] = lambda value: None
    ) -> None:
        self.started_with = started_with
        self._told = told
        self.seen: dict[str, str | None] = {}
        # Beginnings of names, of which all were looked at: whether by the step.
        self.seen_all: dict[str, bool] = {}
        self.set: set[str] = set()

    def read(self, name: Any) -> None:
        """Somebody asks for a variable."""
        name = os.fsdecode(name) if isinstance(name, (str, bytes)) else None
        if name is None or name in self.seen or name in self.set or _goes_through_all(sys._getframe(2)):
            return
        who, frame = asker()
        if who in NOBODY:
            return
        is_of_session = OF_THE_SESSION.fullmatch(name) is not None
        if who is Caller.LIBRARY and (is_of_session or OF_THE_PLACE.fullmatch(name)):
            return
        if is_of_session and (frame is None or name not in _constants(frame.f_code)):
            return
        self._note(name)
        if who is Caller.STEP:
            self._told(values().get(name, ""))

    def read_all(self) -> None:
        """Somebody goes through all variables."""
        if self.seen_all.get(""):
            return
        who, frame = asker()
        if who is Caller.STEP:
            self._note_all("", by_step=True)
        elif who is Caller.LIBRARY:
            for beginning in _beginnings(frame):
                self._note_all(beginning, by_step=False)

    def keep_all(self) -> None:
        """The step leaves `os.environ` itself as one of its values."""
        self._note_all("", by_step=True)

    def _note_all(self, beginning: str, *, by_step: bool) -> None:
        if self.seen_all.get(beginning, False) == by_step and beginning in self.seen_all:
            return
        self.seen_all[beginning] = by_step
        for name in values().keys() - self.set:
            if name.startswith(beginning) and counts_among_all(name, by_step=by_step):
                self._note(name)

    def write(self, name: Any) -> None:
        """Somebody sets or removes a variable: from now on it is the step's own."""
        if isinstance(name, (str, bytes)):
            self.set.add(os.fsdecode(name))

    def expect(self, names: Iterable[str]) -> None:
        """Variables that the step's text hands to other processes."""
        for name in names:
            if name not in self.set and not OF_THE_SESSION.fullmatch(name):
                self._note(name)

    def _note(self, name: str) -> None:
        value = values().get(name)
        if value == self.started_with.get(name):
            self.seen.setdefault(name, value)

    def report(self, imports: Collection[str], secret: bytes) -> dict[str, str | bool | None]:
        """What a trace keeps, see `jupyterlab_pipelines.variables`; `imports`: root modules of the step."""
        seen = dict(self.seen)
        for name in _read_ahead(imports):
            if name not in self.set and name not in seen:
                seen[name] = self.started_with.get(name)
        told: dict[str, str | bool | None] = {
            name: None if value is None else variable_digest(name, value, secret)
            for name, value in sorted(seen.items())
        }
        return told | {f"{beginning}{ALL}": by_step for beginning, by_step in self.seen_all.items()}


def tell_of_variables(recorder: Any) -> dict[str, str]:
    """From now on, tell the recorder that `recorder()` gives who reads variables; the variables as they are."""
    for environ in (os.environ, getattr(os, "environb", None)):
        # Not if somebody has put another object in its place.
        if type(environ) is os._Environ:
            environ.__class__ = _telling(os._Environ, recorder)
    return dict(values())


def _telling(base: Any, recorder: Any) -> type:
    def __getitem__(self: Any, key: Any) -> Any:
        recorder().read(key)
        return base.__getitem__(self, key)

    def __setitem__(self: Any, key: Any, value: Any) -> None:
        base.__setitem__(self, key, value)
        recorder().write(key)

    def __delitem__(self: Any, key: Any) -> None:
        recorder().read(key)
        base.__delitem__(self, key)
        recorder().write(key)

    def __iter__(self: Any) -> Iterator[Any]:
        recorder().read_all()
        return base.__iter__(self)  # type: ignore[no-any-return]

    def __len__(self: Any) -> int:
        recorder().read_all()
        return base.__len__(self)  # type: ignore[no-any-return]

    def __repr__(self: Any) -> str:
        recorder().read_all()
        return base.__repr__(self)  # type: ignore[no-any-return]

    def __reduce_ex__(self: Any, protocol: Any) -> Any:
        # Who stores it stores all values; what is loaded again tells nobody.
        recorder().keep_all()
        return copyreg.__newobj__, (base,), self.__dict__  # type: ignore[attr-defined]

    ways = (__reduce_ex__, __getitem__, __setitem__, __delitem__, __iter__, __len__, __repr__)
    body: dict[str, Any] = {way.__name__: way for way in ways}
    return type(base.__name__, (base,), body | {"__module__": base.__module__, "__doc__": base.__doc__})


def values() -> dict[str, str]:
    """The variables, without asking `os.environ`, which would tell."""
    environ: Any = os.environ
    if not isinstance(environ, os._Environ):  # somebody has put another object in its place
        return dict(environ)
    name_of, value_of = environ.decodekey, environ.decodevalue
    return {name_of(name): value_of(value) for name, value in environ._data.items()}  # type: ignore[attr-defined]


def _constants(code: CodeType) -> set[Any]:
    """Texts that stand in some code."""
    return {each for each in code.co_consts if isinstance(each, str)}


def _goes_through_all(frame: FrameType) -> bool:
    """Whether a value is asked for by ``items()`` or ``values()``, which have been told of as a whole."""
    return frame.f_code.co_name == "__iter__" and "_collections_abc" in frame.f_code.co_filename


def _beginnings(frame: FrameType | None) -> set[str]:
    """With what the variables begin that a library looks for; with the empty text if it does not say."""
    if frame is None:
        return {""}
    codes = [frame.f_code]
    for code in codes:
        codes += [each for each in code.co_consts if isinstance(each, CodeType)]
    if not any("startswith" in code.co_names for code in codes):
        return {""}
    texts = {text for code in codes for text in _constants(code)}
    texts.update(value for value in frame.f_locals.values() if isinstance(value, str))
    return {text for text in texts if BEGINNING.fullmatch(text)} or {""}


def _read_ahead(imports: Collection[str]) -> Iterator[str]:
    """Variables that packages read when the fork server imported them for `imports`."""
    noted: Any = sys.modules.get(READ_AHEAD)
    if noted is None or not set(noted.roots).intersection(imports):
        return
    for name, places in noted.variables:
        kinds = (kind_of(place) for place in places)
        who = next((kind for kind in kinds if kind is not Caller.HANDS_ON), Caller.MACHINERY)
        if who is Caller.LIBRARY and not OF_THE_PLACE.fullmatch(name) and not OF_THE_SESSION.fullmatch(name):
            yield name
