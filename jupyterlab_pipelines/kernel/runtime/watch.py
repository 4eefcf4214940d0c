"""What a step does to the namespace, seen from before its first to after its last cell."""

from __future__ import annotations

import contextlib
import functools
import itertools
import sys
import time
import types
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

from jupyterlab_pipelines import materializers
from jupyterlab_pipelines.artifact import AMBIENT, FILE, GROUP, HIDDEN, WITH, is_state
from jupyterlab_pipelines.environment import distributions_of
from jupyterlab_pipelines.kernel.runtime import doubts, hidden
from jupyterlab_pipelines.kernel.runtime.doubts import DoubtRecorder
from jupyterlab_pipelines.kernel.runtime.files import FileRecorder
from jupyterlab_pipelines.kernel.runtime.inputs import load_references, snapshots_of
from jupyterlab_pipelines.kernel.runtime.process import LocalModules, ProcessState
from jupyterlab_pipelines.kernel.runtime.variables import VariableRecorder
from jupyterlab_pipelines.materializers import Materializer, NotCarriableError
from jupyterlab_pipelines.pipeline import AS_READ
from jupyterlab_pipelines.store.artifacts import ArtifactStore

ABSENT = "absent"
UNCARRIABLE = "uncarriable"
UNKEPT = "unkept"
KEPT_ANYWAY_BYTES = 1 << 26
KEPT_ANYWAY_ITEMS = 100_000
"""Up to this size, a value is kept though no step reads it (yet)."""

SHELL_NAMES = frozenset({"In", "Out", "get_ipython", "exit", "quit", "open", "display"})
PROVED_BYTES = 1 << 20
"""Up to this size, a pickle that a later step wants is loaded once, to see that it can be."""


MOST_SEARCHED = 10_000
DEEPEST_SEARCHED = 4
"""How far a value is searched for the objects of inputs."""

CACHED = type(functools.lru_cache(lambda: None))

CHANGED = "It is not as its source says any more."
NOT_MADE_ANEW = "It cannot be made anew in another process."
MISSING = object()
NO_FILES: dict[str, Any] = {
    "read": {},
    "listed": {},
    "written": {},
    "appended": [],
    "databases": [],
    "sizes": {},
    "is_whole": False,
}


class Watch:
    """Watches one step.

    Parameters
    ----------
    spec
        ``inputs``: digest by name of what was loaded; ``absent``: names that stand for nothing; ``hidden``:
        references by name of hidden state to set now, empty for how it was when the kernel started;
        ``wanted``: names that later steps read; ``leaves``: names that the step may leave;
        ``setup_values``: names that setup made and the step reads; ``definitions``: the notebook's
        functions and classes, which travel as source; ``sources``: those and what is wanted as a value
        though the notebook defines it; ``held``: what the kernel has from earlier steps because it cannot be
        stored; ``rebound``: names of definitions that stand for several things; ``imports``: root modules that
        the step imports;
        ``code``: its statements, and those of setup and of the definitions that act on it;
        ``calls_seed``: whether any cell of the notebook calls what seeds a generator;
        ``seeds``, ``is_seeded``: whether the step, or any cell of the notebook, seeds a generator;
        ``reads_files``, ``writes_files``: whether the code looks as if it did; ``paths``: text in it that
        may be the path of a file;
        ``variables``: environment variables that its text hands to other processes; ``secret``: with which
        digests of variables are made, in hexadecimal;
        ``metrics``: names whose numbers are metrics; ``evaluator``: whether all numbers it leaves are.
    """

    def __init__(
        self,
        spec: Mapping[str, Any],
        namespace: dict[str, Any],
        store: Path,
        files: FileRecorder | None = None,
        local_modules: LocalModules | None = None,
        variables: VariableRecorder | None = None,
        doubts_seen: DoubtRecorder | None = None,
    ) -> None:
        self.spec = spec
        self.files = files
        self.variables = variables
        self.doubts_seen = doubts_seen
        self.namespace = namespace
        self.artifacts = ArtifactStore(store / "artifacts")
        for name in spec["absent"]:
            namespace.pop(name, None)
        set_state(store, spec["hidden"])
        self.before = {name: id(value) for name, value in namespace.items()}
        self.classes = frozenset(
            name
            for name in {*spec["inputs"]}.difference(spec["rebound"])
            if isinstance(namespace.get(name), type) and namespace[name].__module__ == "__main__"
        )
        with self._definitions():
            self.setup_digests = {
                name: self._digest(namespace[name]) for name in spec["setup_values"] if name in namespace
            }
        # An array can only be resized while nobody else refers to it.
        resizes = any("resize" in statement for statement in spec.get("code", ()))
        self.loaded = {
            name: (
                self._by_name(name)
                if resizes and type(namespace[name]).__module__ == "numpy"
                else _reference(namespace[name])
            )
            for name in (*spec["inputs"], *self.setup_digests)
            if name in namespace
        }
        self.snapshots = snapshots_of(spec["inputs"])
        self.texts: set[str] = set()
        self._known: dict[int, tuple[object, str]] = {}
        self.definition_digests = self._definition_digests(spec["sources"])
        self.unkept: dict[str, Any] = {}
        self.process_before = ProcessState(local_modules)
        self.local_modules = local_modules
        self.hidden_before = {state.name: state.read() for state in hidden.STATES}
        self.hidden_after = self.hidden_before
        if files is not None:
            self.texts = self._texts({*spec["inputs"], *spec["setup_values"]}).union(spec["paths"])
            files.expect(self.texts if spec["reads_files"] else (), writes=spec["writes_files"])
        if variables is not None:
            variables.expect(spec["variables"])

    def _by_name(self, name: str) -> Callable[[], Any]:
        """What a name stands for, as long as that is the object that it stands for now."""
        number = id(self.namespace[name])

        def find() -> Any:
            value = self.namespace.get(name)
            return value if id(value) == number else None

        return find

    def defined(self, name: str) -> None:
        """The step has just executed a definition of `name`: it is as its source says."""
        if name in self.spec["sources"]:
            self.definition_digests |= self._definition_digests([name])

    def finish(self) -> dict[str, Any]:
        """Store what the step leaves.

        Returns
        -------
        dict
            ``outputs``: a record for each name (see `Artifact`), with ``preview``; ``effects``: names
            that were bound or changed in place, groups that share objects; ``same``: by name, the input
            whose very object it stands for; ``inside``: see `_inside`; ``files``: see
            `FileRecorder.report`; ``variables``: see `VariableRecorder.report`;
            ``doubts``: see `doubts`; ``packages``;
            ``modules``: see `FileRecorder.places_of_modules`; ``metrics``; ``seconds`` that this took.
        """
        started = time.perf_counter()
        # Before packages are imported that storing needs, and that set up filters of warnings, or draw.
        self.hidden_after = {state.name: state.read() for state in hidden.STATES}
        places = {}
        if self.files is not None:
            self.files.look_for_modules(self.spec["imports"])
            places = self.files.places_of_modules(self.spec["imports"])
        files = NO_FILES if self.files is None else self.files.report(self._texts())
        after = self._definition_digests(self.definition_digests)
        redefined = {
            name for name, before in self.definition_digests.items() if after.get(name, before) != before
        }
        # A class that is wanted, but cannot travel as source, stays here: no copy would be the same to its objects.
        classes = self._own_classes()
        self.spec = {**self.spec, "definitions": sorted(classes.union(self.spec["definitions"]))}
        with self._definitions():
            changed = self._changed_in_place()
            bound = self._bound()
            values = self._to_store(bound, changed)
            # Executing their source again would not make them as they are, and no copy would be the same
            # class to its objects and subclasses. What refers to them does so by name, as before.
            redefined |= self._definitions_sharing_with(values)
            stay = redefined | classes.intersection(self.spec["wanted"])
            stay |= {name for name in values if name in self.spec["held"] and self._is_held(name)}
            values = {name: value for name, value in values.items() if name not in stay}
            groups = self._shared(values)
            outputs = self._store(values, groups)
            outputs |= {name: _unkept(name, value) for name, value in self.unkept.items()}
        changed |= redefined
        outputs |= {name: self._uncarriable(name, self.namespace.get(name), CHANGED) for name in stay}
        for name in self.spec["wanted"]:
            if name not in self.namespace and not is_state(name):
                outputs[name] = _nothing(name, ABSENT, "")
        for name in changed:
            if name not in self.namespace:
                outputs[name] = _nothing(name, ABSENT, "")
        for name in ProcessState(self.local_modules).changes(self.process_before):
            changed.add(name)
            outputs[name] = _nothing(name, UNCARRIABLE, NOT_MADE_ANEW)
        for name in self.spec["wanted"]:
            # Asked for by a later step, and found in this kernel by this one.
            if name.startswith(AMBIENT) and name not in outputs and not hidden.is_known(name):
                outputs[name] = _nothing(name, UNCARRIABLE, NOT_MADE_ANEW)
        for state in hidden.STATES:
            record = self._hidden_output(state)
            if record is not None:
                outputs[state.name] = record
                if record["kind"] == "hidden":
                    changed.add(state.name)
        for path, digest in files["written"].items():
            name = f"{FILE}{path}"
            outputs[name] = _nothing(name, "hidden", "") | {"digest": digest}
        return {
            "outputs": list(outputs.values()),
            "effects": {
                "binds": sorted(bound),
                "mutates": sorted(changed),
                "shared": [sorted(group) for group in groups],
            },
            "files": files,
            "variables": self._variables(),
            "doubts": self._doubts(),
            "packages": distributions_of(self.spec["imports"]),
            "modules": places,
            "paths": list(sys.path),
            "metrics": self._metrics(bound),
            "same": self._same(bound),
            "inside": self._inside(groups),
            "seconds": time.perf_counter() - started,
        }

    def _same(self, bound: Collection[str]) -> dict[str, str]:
        """Names that the step has bound to an input's object."""
        inputs: dict[int, str] = {}
        for name in self.spec["inputs"]:
            value = self.loaded[name]() if name in self.loaded else None
            if value is not None:
                inputs.setdefault(id(value), name)
        found = ((name, inputs.get(id(self.namespace[name]))) for name in sorted(bound))
        return {name: other for name, other in found if other is not None and other != name}

    def _inside(self, groups: Iterable[frozenset[str]]) -> list[list[Any]]:
        """Where values that the step leaves hold an input's object: ``[name, path, input]``."""
        inputs = {
            id(value): name
            for name in self.spec["inputs"]
            if name in self.loaded and (value := self.loaded[name]()) is not None
        }
        found: list[list[Any]] = []
        for name in sorted({name for group in groups for name in group}):
            if name in self.namespace and id(self.namespace[name]) not in inputs:
                found += [
                    [name, path, inputs[number]] for path, number in _paths(self.namespace[name], inputs)
                ]
        return found

    # -- what happened --------------------------------------------------------------------------

    def _variables(self) -> dict[str, Any]:
        if self.variables is None:
            return {}
        return self.variables.report(self.spec["imports"], bytes.fromhex(self.spec["secret"]))

    def _doubts(self) -> dict[str, str]:
        """What the step read that nobody can compare later: by kind, what it was."""
        found: dict[str, str] = {}
        if self.doubts_seen is not None:
            if self.doubts_seen.seen is not None:
                found[doubts.NETWORK] = self.doubts_seen.seen
            if self.doubts_seen.asks_clock:
                found[doubts.CLOCK] = "date"
        if self.spec.get("reads_files"):
            address = doubts.address_in(self.texts)
            if address is not None:
                found.setdefault(doubts.NETWORK, address)
        modules = () if self.local_modules is None else self.local_modules.names
        in_code = doubts.doubts_in_code(
            self.spec.get("code", ()), self.namespace, modules=modules, left=self.spec["wanted"]
        )
        found = in_code | found
        for state in hidden.generators():
            if self._was_drawn_by_chance(state):
                found.setdefault(doubts.CHANCE, state.name.removeprefix(HIDDEN))
        return dict(sorted(found.items()))

    def _was_drawn_by_chance(self, state: hidden.HiddenState) -> bool:
        """Whether the step drew from a global generator that nobody has seeded."""
        states = self.hidden_before if self.doubts_seen is None else self.doubts_seen.generators
        before, after = states[state.name], self.hidden_after[state.name]
        if (
            before == after
            or self.spec.get("calls_seed", True)
            or self.spec["hidden"].get(state.name)
            or hidden.is_repeatable(state.name)
        ):
            return False
        if before is None:
            # Packages draw, too, when they are imported.
            code = "\n".join(self.spec.get("code", ()))
            return not hidden.untouched(state.name, after) and doubts.DRAWING.search(code) is not None
        return True

    def _changed_in_place(self) -> set[str]:
        """Inputs and setup values that are not what they were."""
        changed = set()
        for name, before in {**self.spec["inputs"], **self.setup_digests}.items():
            if name not in self.namespace:
                changed.add(name)
                continue
            value = self.loaded[name]()
            if value is None:  # what is gone by now nobody else can see, changed or not
                continue
            digest = before.partition(WITH)[0]
            snapshot = self.snapshots.get(name)
            if snapshot is not None and snapshot.proves(value):
                self._known[id(value)] = (value, digest)
            elif self._final_digest(value, name) != digest:
                changed.add(name)
        return changed

    def _texts(self, names: Collection[str] | None = None) -> set[str]:
        """Texts and paths among the variables: of files that they may name."""
        values = [self.namespace.get(name) for name in (self.namespace if names is None else names)]
        return {
            str(value) for value in values if isinstance(value, (str, PurePath)) and len(str(value)) < 1000
        }

    def _definition_digests(self, names: Iterable[str]) -> dict[str, str]:
        """Digests of the notebook's functions and classes with all that they hold: defaults, attributes."""
        found = {name: self.namespace.get(name) for name in names}
        with materializers.carried_definitions(frozenset()):
            digests = {name: self._digest(value) for name, value in found.items() if _is_definition(value)}
        remembered = {
            name: str(value.cache_info()) for name, value in found.items() if isinstance(value, CACHED)
        }
        return digests | remembered

    def _own_classes(self) -> set[str]:
        """Names of the classes that the notebook defines in this kernel, once each."""
        return {
            name
            for name in {*self.spec["sources"]}.difference(self.spec["rebound"])
            if isinstance(value := self.namespace.get(name), type)
            and (value.__module__, value.__qualname__) == ("__main__", name)
        }

    def _is_held(self, name: str) -> bool:
        """Whether a name still stands for the changed definition that an earlier step in this kernel left."""
        value = self.namespace.get(name)
        return self.before.get(name) == id(value) and (_is_definition(value) or isinstance(value, CACHED))

    def _bound(self) -> set[str]:
        """Names that are new, or stand for another object than before."""
        return {
            name
            for name, value in self.namespace.items()
            if (
                self.before.get(name) != id(value)
                or (name in self.loaded and self.loaded[name]() is not value)
            )
            and not _is_shells(name)
        }

    def _to_store(self, bound: set[str], changed: set[str]) -> dict[str, Any]:
        """Values that later steps may read, and those that are cheap to keep for whoever asks later."""
        own = set(self.spec["definitions"])
        passed_on = set(self.spec["leaves"]) & self.spec["inputs"].keys()
        wanted = {*self.spec["wanted"], *changed, *passed_on}
        chosen: dict[str, Any] = {}
        for name in sorted(bound | wanted):
            if name not in self.namespace:
                continue
            value = self.namespace[name]
            if name in wanted:
                chosen[name] = value
            elif (
                name.startswith("_")
                or isinstance(value, types.ModuleType)
                or (name in own and isinstance(value, type | types.FunctionType))
            ):
                continue
            elif _size(value) <= KEPT_ANYWAY_BYTES and not _is_long(value):
                chosen[name] = value
            else:
                self.unkept[name] = value
        return chosen

    def _shared(self, values: Mapping[str, Any]) -> list[frozenset[str]]:
        """Groups of names that share objects, of which one at least is stored."""
        candidates = dict(values)
        leaves = set(self.spec["leaves"]) | values.keys()
        for name, reference in self.loaded.items():
            value = reference()
            if value is not None:
                candidates[AS_READ + name if name in leaves else name] = value
        return [group for group in materializers.shared_groups(candidates) if group & values.keys()]

    def _definitions_sharing_with(self, values: Mapping[str, Any]) -> set[str]:
        """Functions and classes with objects of their own that are in `values`: `S.EMPTY is s.value`."""
        owners: dict[int, set[str]] = {}
        for name in self.spec["definitions"]:
            for own in materializers.own_objects(self.namespace.get(name)):
                owners.setdefault(id(own), set()).add(name)
        if not owners:
            return set()
        reached = (
            thing
            for name, value in values.items()
            if name not in self.spec["definitions"]
            for thing in materializers.mutable_objects(value)
        )
        return {name for thing in reached for name in owners.get(id(thing), ())}

    # -- storing --------------------------------------------------------------------------------

    def _store(self, values: Mapping[str, Any], groups: list[frozenset[str]]) -> dict[str, dict[str, Any]]:
        records: dict[str, dict[str, Any]] = {}
        for group in groups:
            members = {name: values[name] for name in sorted(group & values.keys())}
            if len(members) == 1:
                continue
            if len({id(value) for value in members.values()}) == 1:
                records |= self._store_aliases(members)
            else:
                records |= self._store_group(members)
        for name, value in values.items():
            if name not in records:
                records[name] = self._store_one(name, value)
        return records

    def _store_one(self, name: str, value: Any) -> dict[str, Any]:
        """The record of one value: stored, or told why it cannot be."""
        materializer = materializers.materializer_of(value)
        referred: list[str] = []
        try:
            with self._definitions({name}):
                digest = self._digest_once(value, materializer)
                size = self.artifacts.add(
                    digest, lambda path: referred.extend(materializer.write(value, path))
                )
            if materializer.name == "pickle" and size <= PROVED_BYTES and name in self.spec["wanted"]:
                materializer.read(self.artifacts.path(digest))
        except NotCarriableError as error:
            return self._uncarriable(name, value, _obstacle_in(name, error))
        except OSError:
            raise
        except Exception as error:  # a `__reduce__` or `__setstate__` of the user's may raise anything
            return self._uncarriable(name, value, f"{type(error).__name__}: {error}.")
        record = _record(name, value, digest, materializer.name, size)
        return record | {"stored": digest, "definitions": self._referred(digest, referred)}

    def _store_aliases(self, members: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Several names for one object: one file, and one object again when it is loaded."""
        first, value = next(iter(members.items()))
        record = self._store_one(first, value)
        if record["kind"] == UNCARRIABLE:
            return {name: record | {"name": name} for name in members}
        names = "=".join(members)
        together = f"{record['digest']}{WITH}{names}"
        return {name: record | {"name": name, "digest": together, "member": names} for name in members}

    def _store_group(self, members: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        referred: list[str] = []
        try:
            with self._definitions(members):
                digest = materializers.group_digest(members)
                size = self.artifacts.add(
                    digest, lambda path: referred.extend(materializers.write_group(members, path))
                )
        except OSError:
            raise
        except Exception:  # one of them cannot be stored: each for itself, then
            return {name: self._store_one(name, value) for name, value in members.items()}
        definitions = self._referred(digest, referred)
        return {
            name: _record(name, value, f"{self._final_digest(value)}{WITH}{digest}", GROUP, size)
            | {"stored": digest, "member": name, "definitions": definitions}
            for name, value in members.items()
        }

    def _referred(self, digest: str, referred: list[str]) -> list[str]:
        """Definitions that the stored file refers to; kept beside it, for when it is there already."""
        note = f"{digest[:-1]}.definitions"
        if referred:
            self.artifacts.add(note, lambda path: path.write_text("\n".join(sorted(set(referred)))))
            return sorted(set(referred))
        noted = self.artifacts.read_bytes(note)
        return [] if noted is None else noted.decode().split("\n")

    def _uncarriable(self, name: str, value: Any, why: str) -> dict[str, Any]:
        return _nothing(name, UNCARRIABLE, why) | {"type": materializers.describe(value)[0]}

    def _hidden_output(self, state: hidden.HiddenState) -> dict[str, Any] | None:
        """The record of process state that the step changed, None if it did not."""
        before, after = self.hidden_before[state.name], self.hidden_after[state.name]
        if after == before:
            if state.name not in self.spec["wanted"]:
                return None
            return _nothing(state.name, ABSENT, "") if after is None else self._store_one(state.name, after)
        if after is None:
            return _nothing(state.name, ABSENT, "") | {"kind": "hidden"}
        if (
            state.name.startswith(HIDDEN)
            and not self.spec["is_seeded"]
            and not hidden.is_repeatable(state.name)
        ):
            return None  # nobody could repeat these draws, under Run All neither
        if before is None and not self.spec["seeds"] and hidden.untouched(state.name, after):
            return None
        record = self._store_one(state.name, after)
        return None if record["kind"] == UNCARRIABLE else record | {"kind": "hidden"}

    def _metrics(self, bound: set[str]) -> dict[str, Any]:
        names = set(self.spec["metrics"])
        if self.spec["evaluator"]:
            names |= bound
        return {
            name: number
            for name in sorted(names)
            if name in self.namespace and (number := _number(self.namespace[name])) is not None
        }

    def _digest_once(self, value: object, materializer: Materializer) -> str:
        """The digest of a value after the step's last cell, when nothing changes any more."""
        if id(value) not in self._known:
            self._known[id(value)] = (value, materializer.digest(value))
        return self._known[id(value)][1]

    def _final_digest(self, value: object, name: str = "") -> str:
        with self._definitions({name}):
            return _or_identity(value, lambda: self._digest_once(value, materializers.materializer_of(value)))

    def _digest(self, value: object) -> str:
        return _or_identity(value, lambda: materializers.digest_of(value))

    def _definitions(self, without: Collection[str] = ()) -> Any:
        """Within it, values refer by name to the definitions, and to classes that came as values.

        `without`: names whose own values are looked at.
        """
        named = self.classes.union(self.spec["definitions"])
        return materializers.carried_definitions(named.difference(without), self.spec["rebound"])


def set_state(store: Path, references: Mapping[str, str], *, ambient_only: bool = False) -> None:
    """Bring the process into the state that earlier steps left; without a reference, that of its start."""
    stored = {name: said for name, said in references.items() if said}
    values = dict.fromkeys(references) | load_references(store, stored)
    hidden.restore(values, ambient_only=ambient_only)


def _reference(value: Any) -> Callable[[], Any]:
    """The value, as long as the notebook keeps it if it is large: a frame that a step drops must not stay.

    A small one is kept. When a step has changed it and then dropped it, another step may have a name for it.
    """
    if _size(value) > KEPT_ANYWAY_BYTES:
        with contextlib.suppress(TypeError):
            return weakref.ref(value)
    return lambda: value


def _paths(value: Any, wanted: Collection[int]) -> Iterator[tuple[list[list[Any]], int]]:
    """Paths through attributes, keys and positions that lead from a value to one of the `wanted` objects."""
    todo: list[tuple[Any, list[list[Any]]]] = [(value, [])]
    seen = {id(value)}
    while todo and len(seen) < MOST_SEARCHED:
        holder, path = todo.pop(0)
        parts: Iterable[tuple[str, Any, Any]] = ()
        if isinstance(holder, dict):
            parts = (("item", key, each) for key, each in list(holder.items()) if isinstance(key, str | int))
        elif isinstance(holder, list):
            parts = (("item", position, each) for position, each in enumerate(holder))
        elif type(holder).__module__ == "__main__" and hasattr(holder, "__dict__"):
            parts = (("attribute", key, each) for key, each in list(vars(holder).items()))
        for kind, key, each in parts:
            step = [*path, [kind, key]]
            if id(each) in wanted:
                yield step, id(each)
            elif id(each) not in seen and len(step) < DEEPEST_SEARCHED:
                seen.add(id(each))
                todo.append((each, step))


def _is_definition(value: Any) -> bool:
    """A function or class of the notebook, or what a decorator made of one."""
    if isinstance(value, type | types.FunctionType):
        return value.__module__ == "__main__"
    return type(value).__module__ in ("__main__", "functools")


def _or_identity(value: object, digest: Callable[[], str]) -> str:
    """The digest; what has none is told by its identity: rebound is changed."""
    try:
        return digest()
    except Exception:
        return f"object {id(value)}"


def _obstacle_in(name: str, error: NotCarriableError) -> str:
    """Why the value of `name` cannot be stored, with the whole way to the obstacle in it."""
    path = error.details.get("path")
    return error.message.replace(f"`{path}`", f"`{name}{path}`", 1) if path else error.message


def _record(name: str, value: Any, digest: str, materializer: str, size: int) -> dict[str, Any]:
    type_name, summary = materializers.describe(value)
    return {
        "name": name,
        "digest": digest,
        "type": type_name,
        "materializer": materializer,
        "size_bytes": size,
        "stored": digest,
        "member": None,
        "summary": summary,
        "definitions": [],
        "kind": "value",
        "preview": materializers.preview(value),
    }


def _nothing(name: str, kind: str, why: str) -> dict[str, Any]:
    return {
        "name": name,
        "digest": kind,
        "type": "",
        "materializer": "",
        "size_bytes": 0,
        "stored": "",
        "member": None,
        "summary": why,
        "definitions": [],
        "kind": kind,
        "preview": None,
    }


def _unkept(name: str, value: Any) -> dict[str, Any]:
    """The record of a large value that no step reads: how it would be stored."""
    type_name, summary = materializers.describe(value)
    return _nothing(name, UNKEPT, f"{summary}, not stored: no step reads it".lstrip(", ")) | {
        "type": type_name,
        "materializer": materializers.materializer_of(value).name,
        "size_bytes": _size(value),
    }


def _is_shells(name: str) -> bool:
    """IPython's own bookkeeping: `_`, `__`, `_3`, `_i3`, `In`, `Out`, …"""
    if name in SHELL_NAMES or name.startswith("__"):
        return True
    rest = name.lstrip("_")
    return name.startswith("_") and (
        not rest or rest.lstrip("i").isdigit() or rest in ("i", "ii", "iii", "ih", "oh", "dh")
    )


def _number(value: Any) -> float | int | None:
    """A plain or numpy number, as JSON can say it."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        number: float | int = value
    elif getattr(value, "shape", None) == () and hasattr(value, "item"):
        number = value.item()
        if isinstance(number, bool) or not isinstance(number, int | float):
            return None
    else:
        return None
    return number if number == number and abs(number) != float("inf") else None


def _size(value: Any) -> int:
    """A guess at the size in bytes, cheap for tables and arrays."""
    for name in ("nbytes", "estimated_size", "memory_usage"):
        size: Any = getattr(value, name, None)
        try:
            if name == "memory_usage" and callable(size):
                size = size()
                size = size.sum() if hasattr(size, "sum") else size
            elif callable(size):
                size = size()
            if isinstance(size, int) or hasattr(size, "__int__"):
                return int(size)
        except Exception:  # somebody's own attribute of that name
            continue
    guess: int = sys.getsizeof(value, 0)
    if isinstance(value, list | dict | set | tuple):
        some = list(itertools.islice(value, 100))
        guess += sum(sys.getsizeof(item, 0) for item in some) * len(value) // max(1, len(some))
    return guess


def _is_long(value: Any) -> bool:
    """Whether a container has so many items that it may be of any size."""
    return isinstance(value, list | dict | set | tuple) and len(value) > KEPT_ANYWAY_ITEMS
