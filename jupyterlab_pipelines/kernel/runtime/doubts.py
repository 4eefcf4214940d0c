"""What a step reads that nobody can compare later: the network, the clock, chance.

The network is seen while it is used: Python tells audit hooks of connections. That somebody asks for the time, or
makes a generator of random numbers without a seed, Python does not tell: it is read in the step's code, and in what
the code reaches of the notebook's definitions and the modules beside it, with each name resolved to what it stands
for. Draws from the global generators show in their states (see `watch`).

A doubt makes no step run. It is told, and the user may limit how long a result is reused.
"""

from __future__ import annotations

import ast
import contextlib
import datetime
import inspect
import random
import re
import socket
import sys
import textwrap
import types
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from jupyterlab_pipelines.kernel.runtime import hidden
from jupyterlab_pipelines.kernel.runtime.callers import Caller, asker
from jupyterlab_pipelines.kernel.runtime.commands import STARTS_PROCESS, command_of, programs_of

NETWORK, CLOCK, CHANCE = "network", "clock", "randomness"

LOOPBACK = re.compile(r"127\.|::1$|localhost$|0\.0\.0\.0$")
OWN_PROCESSES = frozenset({"distributed", "py4j", "pyspark", "ray", "multiprocess", "loky", "joblib"})
"""Packages that talk with processes of their own by way of the loopback."""

NETWORK_PROGRAMS = frozenset(
    {
        *(
            "curl",
            "wget",
            "aws",
            "gsutil",
            "gcloud",
            "az",
            "azcopy",
            "kubectl",
            "ssh",
            "scp",
            "sftp",
            "rsync",
        ),
        *(
            "psql",
            "mysql",
            "mongo",
            "mongosh",
            "redis-cli",
            "sqlcmd",
            "bq",
            "snowsql",
            "kaggle",
            "dvc",
            "rclone",
        ),
        *("huggingface-cli", "hf", "ftp", "lftp", "ping", "dig", "nslookup", "http", "https", "s3cmd", "mc"),
    }
)
ADDRESS = re.compile(
    r"(https?://\S+\.(csv|tsv|json|jsonl|ndjson|parquet|pq|feather|arrow|ipc|orc|avro|xlsx?|zip|gz|zst|h5|nc|zarr|db)"
    r"|(s3|s3a|s3n|gs|gcs|abfs|abfss|az|adl|wasbs?|hdfs|ftp|sftp|hf|oss|r2"
    r"|postgres(ql)?|mysql|mariadb|mssql|oracle|mongodb|redis|clickhouse|snowflake|bigquery|trino|databricks)"
    r"(\+\w+)*://)",
    re.IGNORECASE,
)
"""A text that names data elsewhere."""
DATABASE_DRIVERS = frozenset(
    {"psycopg2", "psycopg", "pyodbc", "oracledb", "cx_Oracle", "MySQLdb", "pymssql", "turbodbc", "ibm_db"}
)
"""They connect in native code."""

CLOCKS = frozenset(
    {"time.time", "time.time_ns", "time.clock_gettime", "time.clock_gettime_ns"}
    | {f"{package}.{name}" for package in ("arrow", "pendulum") for name in ("now", "utcnow", "today")}
)
CLOCKS_WITHOUT = {
    "time.localtime": 0,
    "time.gmtime": 0,
    "time.ctime": 0,
    "time.asctime": 0,
    "time.strftime": 1,
}
"""By function, how many arguments it has at most when it asks for the time."""
MOMENTS = frozenset({"now", "today"})
OF_A_MOMENT = frozenset({"Timestamp", "to_datetime", "datetime64", "DatetimeIndex", "Period"})
MEASURING = frozenset({"time", "time_ns", "now", "utcnow"})

ALWAYS_CHANCE = frozenset(
    {"os.urandom", "posix.urandom", "nt.urandom", "uuid.uuid1", "uuid.uuid4", "random.SystemRandom"}
)
SEEDED_BY_ARGUMENT = frozenset(
    {
        *("default_rng", "RandomState", "Random", "SeedSequence", "PCG64", "PCG64DXSM", "MT19937", "Philox"),
        *("SFC64", "seed"),
    }
)
QUERY = re.compile(r"\b(select|from|insert|create)\b", re.IGNORECASE)
CLOCK_IN_QUERY = re.compile(
    r"\b((now|today|getdate|sysdate|localtimestamp)\s*\(\)|current_(date|time|timestamp)\b)", re.IGNORECASE
)
CHANCE_IN_QUERY = re.compile(r"\b(random|rand|uuid|gen_random_uuid)\s*\(\)", re.IGNORECASE)

DRAWING = re.compile(r"rand|sampl|shuffl|permut|choice|split|fit|boot|noise|Fold", re.IGNORECASE)
"""Words of which there is one in most code that draws from a global generator."""
SUSPECT = re.compile(
    r"time|now|today|date|random|rng|uuid|secret|seed|Generator|PCG64|MT19937|Philox|SFC64|connect|\brand\b|select",
    re.IGNORECASE,
)
"""Words of which there is one in all code that raises a doubt, so that most code need not be read."""

Source = tuple[str, Mapping[str, Any]]
"""Code, and the namespace that its names belong to."""


class DoubtRecorder:
    """Notes whether the step talks with something over the network.

    Attributes
    ----------
    seen
        With what first; None if it was nothing.
    asks_clock
        Whether a command that it starts asks for the time.
    generators
        States of the global random generators before the first cell, setup included.
    """

    def __init__(self) -> None:
        self.generators = {state.name: state.read() for state in hidden.generators()}
        self.seen: str | None = None
        self.asks_clock = False

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """The audit hook."""
        if self.seen is not None or not (event.startswith(("socket.", "urllib.")) or event in STARTS_PROCESS):
            return
        with contextlib.suppress(Exception):
            if event in STARTS_PROCESS:
                self._start_process(event, arguments)
            elif event == "socket.connect":
                self._connect(*arguments)
            elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
                self._ask(arguments[1] if event == "socket.sendto" else arguments[0])
            elif event == "urllib.Request" and not str(arguments[0]).startswith(("file:", "data:")):
                self._note(str(arguments[0]))

    def _connect(self, connection: Any, address: Any) -> None:
        if connection.family == getattr(socket, "AF_UNIX", None):
            self._note(str(address), is_near=True)
        else:
            self._ask(address)

    def _ask(self, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else address
        host = host.decode() if isinstance(host, bytes) else host
        if isinstance(host, str) and host:
            self._note(host, is_near=bool(LOOPBACK.match(host)))

    def _note(self, what: str, *, is_near: bool = False) -> None:
        who, frame = asker(through_python=True)
        if who is Caller.MACHINERY:
            return
        if is_near:
            package = "" if frame is None else frame.f_globals.get("__name__", "").partition(".")[0]
            if package in OWN_PROCESSES or _goes_through("multiprocessing", frame):
                return
        self.seen = public(what)

    def _start_process(self, event: str, arguments: tuple[Any, ...]) -> None:
        for program, *words in programs_of(command_of(event, arguments)):
            if program in NETWORK_PROGRAMS or (program == "git" and {"clone", "fetch", "pull"} & set(words)):
                self.seen = program
            elif program == "date":
                self.asks_clock = True


def _goes_through(package: str, asking: types.FrameType | None) -> bool:
    """Whether who asks does so by way of a package."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and frame is not asking:
        if frame.f_globals.get("__name__", "").partition(".")[0] == package:
            return True
        frame = frame.f_back
    return False


def doubts_in_code(
    sources: Iterable[str],
    namespace: Mapping[str, Any],
    *,
    modules: Collection[str],
    left: Collection[str] = (),
) -> dict[str, str]:
    """What code asks of the clock and of chance, and which data elsewhere it names: by kind, the words of it.

    Parameters
    ----------
    sources
        The step's statements and the definitions that it reaches.
    modules
        Names of the modules beside the notebook that the step has imported.
    left
        Names that later steps read.
    """
    sources = list(sources)
    if not modules and not any(SUSPECT.search(source) for source in sources):
        return {}
    return _Reading(modules, left).read("\n".join(sources), namespace)


class _Reading:
    """Reads some code, then what that reaches in modules beside the notebook."""

    def __init__(self, modules: Collection[str], left: Collection[str]) -> None:
        self.modules = modules
        self.left = left
        self.found: dict[str, str] = {}
        self.todo: list[Source] = []
        self.reached: set[int] = set()

    def read(self, source: str, namespace: Mapping[str, Any]) -> dict[str, str]:
        self.todo.append((source, namespace))
        for name in self.modules:
            module = sys.modules.get(name)
            if module is not None:
                with contextlib.suppress(OSError, TypeError, SyntaxError):
                    self.todo.append((_executed_at_import(inspect.getsource(module)), vars(module)))
        while self.todo:
            code, names = self.todo.pop()
            with contextlib.suppress(SyntaxError, ValueError, RecursionError):
                self._read_tree(ast.parse(code), names)
        return self.found

    def _read_tree(self, tree: ast.Module, namespace: Mapping[str, Any]) -> None:
        names = {**namespace, **_imported(tree)}
        stamps: list[ast.expr] = []
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                self._read_call(node, _resolve(node.func, names))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                self._read_text(node.value)
            elif isinstance(node, ast.Attribute | ast.Name):
                self._read_name(node, _resolve(node, names), stamps)
        if stamps and not _only_measures(tree, stamps, self.left):
            self.found.setdefault(CLOCK, ast.unparse(stamps[0]))

    def _read_name(self, node: ast.expr, thing: Any, stamps: list[ast.expr]) -> None:
        name = _name_of(thing)
        if _is_clock(thing, name):
            if name.rpartition(".")[2] in MEASURING:
                stamps.append(node)
            else:
                self.found.setdefault(CLOCK, ast.unparse(node))
        elif name in ALWAYS_CHANCE or name.startswith("secrets."):
            self.found.setdefault(CHANCE, ast.unparse(node))
        else:
            self._reach(thing)

    def _read_call(self, node: ast.Call, thing: Any) -> None:
        name = _name_of(thing)
        last = name.rpartition(".")[2]
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        first = given[0].value if given and isinstance(given[0], ast.Constant) else MISSING
        if (name in CLOCKS_WITHOUT and len(given) <= CLOCKS_WITHOUT[name]) or (
            last in OF_A_MOMENT and isinstance(first, str) and first in MOMENTS
        ):
            self.found.setdefault(CLOCK, ast.unparse(node))
        is_generator = last in SEEDED_BY_ARGUMENT and name.startswith(("numpy.random", "random.", "torch."))
        if is_generator and (not given or (first is None and len(given) == 1)):
            self.found.setdefault(CHANCE, ast.unparse(node))
        if last == "connect" and name.partition(".")[0] in DATABASE_DRIVERS:
            self.found.setdefault(NETWORK, ast.unparse(node.func))

    def _read_text(self, text: str) -> None:
        if QUERY.search(text):
            for kind, words in ((CLOCK, CLOCK_IN_QUERY), (CHANCE, CHANCE_IN_QUERY)):
                found = words.search(text)
                if found:
                    self.found.setdefault(kind, found.group())

    def _reach(self, thing: Any) -> None:
        """A function, a class or an object of a module beside the notebook: its code is the step's, too."""
        if thing is MISSING or isinstance(thing, types.ModuleType):
            return
        with contextlib.suppress(Exception):  # whatever somebody's object does when it is looked at
            if not isinstance(thing, type | types.FunctionType):
                thing = inspect.unwrap(thing) if hasattr(thing, "__wrapped__") else type(thing)
            thing = inspect.unwrap(thing)
            if thing.__module__ in self.modules and id(thing) not in self.reached:
                self.reached.add(id(thing))
                source = textwrap.dedent(inspect.getsource(thing))
                self.todo.append((source, vars(sys.modules[thing.__module__])))


MISSING = object()
FUNCTIONS = frozenset(
    {"function", "builtin_function_or_method", "method", "cython_function_or_method", "classmethod"}
)
"""Names of the types that functions have, those of compiled code included."""


def _resolve(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """What a dotted name stands for, as far as modules and classes say it without running any code."""
    if isinstance(node, ast.Name):
        return names.get(node.id, MISSING)
    if isinstance(node, ast.Attribute):
        owner = _resolve(node.value, names)
        if isinstance(owner, types.ModuleType):
            return vars(owner).get(node.attr, MISSING)
        if isinstance(owner, type):
            with contextlib.suppress(Exception):
                return getattr(owner, node.attr)
    return MISSING


def _name_of(thing: Any) -> str:
    """Where a function or class is from, with its name; of a class's own method, the class's name before it."""
    if not isinstance(thing, type) and type(thing).__name__ not in FUNCTIONS:
        return ""
    owner = getattr(thing, "__self__", None)
    name = str(getattr(thing, "__name__", ""))
    if isinstance(owner, type):
        return f"{owner.__module__}.{owner.__qualname__}.{name}"
    if isinstance(owner, types.ModuleType):
        return f"{owner.__name__}.{name}"
    if isinstance(owner, random.SystemRandom):
        return f"secrets.{name}"
    if owner is not None:
        # `random.seed`, `numpy.random.seed`: methods of a generator.
        return f"{type(owner).__module__.removesuffix('.mtrand')}.{name}"
    return f"{getattr(thing, '__module__', '')}.{name}"


def _is_clock(thing: Any, name: str) -> bool:
    owner = getattr(thing, "__self__", None) if thing is not MISSING else None
    if isinstance(owner, type) and name.endswith((".now", ".today", ".utcnow")):
        return issubclass(owner, datetime.date)
    return name in CLOCKS or (name.partition(".")[0] + "." + name.rpartition(".")[2]) in CLOCKS


def _imported(tree: ast.Module) -> dict[str, Any]:
    """What import statements in functions bind, of modules that are there."""
    found: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.name if alias.asname else alias.name.partition(".")[0]
                found[alias.asname or name] = sys.modules.get(name, MISSING)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            module = sys.modules.get(node.module)
            for alias in node.names:
                found[alias.asname or alias.name] = getattr(module, alias.name, MISSING)
    return {name: thing for name, thing in found.items() if thing is not MISSING}


def _executed_at_import(source: str) -> str:
    """A module without the bodies of its functions."""

    class WithoutFunctions(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
            return ast.copy_location(ast.Pass(), node)

        def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
            return ast.copy_location(ast.Pass(), node)

    return ast.unparse(WithoutFunctions().visit(ast.parse(source)))


def _only_measures(tree: ast.Module, stamps: list[ast.expr], left: Collection[str]) -> bool:
    """Whether the time is asked for only to subtract one moment from another: how long something took."""
    parents = {id(child): node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    moments: set[int] = set()
    names: set[str] = set()
    for stamp in stamps:
        call = parents.get(id(stamp))
        if not isinstance(call, ast.Call) or call.func is not stamp:
            return False
        moments.add(id(call))
        holder = parents.get(id(call))
        if (
            isinstance(holder, ast.Assign)
            and len(holder.targets) == 1
            and isinstance(holder.targets[0], ast.Name)
        ):
            names.add(holder.targets[0].id)
    loads = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
    if names.intersection(left) or not names <= {node.id for node in loads}:
        return False
    reads = {id(node) for node in loads if node.id in names}
    for node in ast.walk(tree):
        if id(node) in moments or id(node) in reads:
            holder = parents.get(id(node))
            if isinstance(holder, ast.BinOp) and isinstance(holder.op, ast.Sub):
                if not {id(holder.left), id(holder.right)} <= moments | reads:
                    return False
            elif not (id(node) in moments and isinstance(holder, ast.Assign)):
                return False
    return True


def address_in(texts: Iterable[str]) -> str | None:
    """The first of some texts that names data elsewhere."""
    return next((public(text) for text in sorted(texts) if ADDRESS.match(text)), None)


def public(address: str) -> str:
    """An address without what may be secret in it: only whom it is of."""
    said = re.match(r"(\w[\w+.-]*://)(?:[^/@]*@)?([^/?#]*)", address)
    return address if said is None else "".join(said.groups())
