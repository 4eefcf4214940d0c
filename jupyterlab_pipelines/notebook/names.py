"""The names of a code cell, statement by statement: bound, read, deleted, changed in place, imported.

`analyse` looks at one cell alone. Which statement of which cell a reader sees, and what a call of a function
that another cell defines does, is for those who know all cells: they find here what a definition reads, binds
and changes *when it is called* (`deferred`, `deferred_binds`, `deferred_mutates`, `mutated_parameters`), and
which functions a statement calls with what (`calls`).

The facts err on one side. Whatever a statement may read is in `reads` (or in `deferred`, for code that runs
when something is called later), whatever it may bind is in `binds` or `may_bind`, and what is in `binds` is
bound on every path on which the statement ends normally. Only `mutates` is a judgement: any call may change
any object, and those are named that very likely do.

How it works: `_Walk` walks the tree once, in the order in which Python executes it, with the names that
are certainly bound and certainly deleted at that point (`_Flow`) and with the scopes as Python makes them
(`_Scope`). A loop body is walked again only when a later round may meet fewer bound names than the first.
"""

from __future__ import annotations

import ast
import enum
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from jupyterlab_pipelines.notebook import ipython
from jupyterlab_pipelines.notebook.ipython import words


class StatementKind(enum.Enum):
    """How a statement travels to the steps that need it."""

    IMPORT = "import"
    """An import, or a `try` or `if` that does nothing but import: executed wherever it is needed."""
    DEFINITION = "definition"
    """A function, a class, a type alias or ``name = lambda``: executed wherever it is needed."""
    OTHER = "other"
    """Everything else: executed once, in its step."""


class FileUse(enum.Flag):
    """What a statement very likely does to files, by the names of what it calls."""

    NONE = 0
    READ = enum.auto()
    WRITE = enum.auto()
    UNPICKLE = enum.auto()
    """It may make objects of any class of the notebook."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function by its plain name.

    An argument is told by the names whose object, or a part of it, is handed over; it is empty where the
    argument is a new object. In a function those are names of the notebook or the function's own parameters.
    """

    function: str
    arguments: tuple[frozenset[str], ...]
    keywords: tuple[tuple[str, frozenset[str]], ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement at the top level of a cell. Every name is one of the notebook's namespace.

    Parameters
    ----------
    kind
        How it travels.
    source
        Python that executes it again; the user's own text where that is plain Python.
    line, end_line
        Where it stands in the cell, 1-based, decorators included.
    binds, may_bind
        Names that are certainly, or on some path only, bound once it has ended normally.
    deletes, may_delete
        Names that are certainly, or on some path only, unbound by it. They need not be in `reads`, though a
        name must be there to be deleted.
    reads
        Names that may be read while it executes, before it has bound them itself. What a function reads that
        may be called meanwhile is included.
    mentions
        The part of `reads` and `deferred` that stands in text only: in a shell command, a query, ``"x" in
        globals()``. It is no error when nobody defines such a name.
    deferred
        Names that functions made here read when they are called, now or later.
    mutates
        The part of `reads` whose object is very likely changed in place. The name of a module may be among
        them (``np.append(xs, 1)``): who knows what is an import leaves it out.
    deferred_binds, deferred_mutates
        Names that functions made here bind or delete, and whose object they change in place, when they are
        called.
    aliases
        Pairs ``(name, other)``: `name` may share its object, or a part of it, with `other` afterwards.
    parameters
        Of a definition: the names of its parameters, by position first.
    mutated_parameters
        Of a definition: the parameters whose object it changes in place, by name and by position.
    calls
        Calls of functions by plain name, also those that a definition makes when it is called itself.
    imports, star_imports
        Root names of the modules imported anywhere in it; modules of ``from module import *``.
    opaque
        It may read and bind anything: ``exec``, ``globals()``, ``%run``, an unknown magic.
    deferred_opaque
        A function made here may, when it is called.
    files, deferred_files
        What it does to files, and what functions made here do when they are called.
    paths
        Text in it that may be the path of a file.
    printed
        Names printed on their own: ``print(name)``, or ``name`` as the last line of the cell.
    """

    kind: StatementKind
    source: str
    line: int
    end_line: int
    binds: frozenset[str] = frozenset()
    may_bind: frozenset[str] = frozenset()
    deletes: frozenset[str] = frozenset()
    may_delete: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    mentions: frozenset[str] = frozenset()
    deferred: frozenset[str] = frozenset()
    mutates: frozenset[str] = frozenset()
    deferred_binds: frozenset[str] = frozenset()
    deferred_mutates: frozenset[str] = frozenset()
    aliases: frozenset[tuple[str, str]] = frozenset()
    parameters: tuple[str, ...] = ()
    mutated_parameters: frozenset[int | str] = frozenset()
    calls: tuple[Call, ...] = ()
    imports: frozenset[str] = frozenset()
    star_imports: frozenset[str] = frozenset()
    opaque: bool = False
    deferred_opaque: bool = False
    files: FileUse = FileUse.NONE
    deferred_files: FileUse = FileUse.NONE
    paths: frozenset[str] = frozenset()
    printed: tuple[str, ...] = ()

    @property
    def normalised(self) -> str:
        """The statement without comments, line numbers and formatting: equal for equal code."""
        return _normalised(self.source)


@dataclass(frozen=True, slots=True)
class CellCode:
    """The statements of a code cell.

    Parameters
    ----------
    statements
        In the order of execution. A cell magic is a statement of its own, after those of its body:
        ``%%capture out`` binds `out` when they are done.
    is_python
        False where the text of the cell is for something else: ``%%bash``, ``%%html``, an unknown cell magic.
    magics
        The magics in the order in which they stand, without percent signs; ``!`` for a shell command.
    """

    statements: tuple[Statement, ...]
    is_python: bool
    magics: tuple[str, ...]


@lru_cache(maxsize=4096)
def analyse(source: str, lazy_annotations: bool = False) -> CellCode:
    """The facts about one code cell.

    Parameters
    ----------
    lazy_annotations
        Whether a cell above it says ``from __future__ import annotations``: IPython keeps that.

    Raises
    ------
    SyntaxError
        The cell is neither Python nor IPython; `lineno` counts the cell's own lines.
    """
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    cell_magics, body = ipython.split_cell_magics(source)
    magics = [magic.name for magic in cell_magics]
    statements: list[Statement] = []
    if body is not None:
        tree, python = ipython.parse_cell(body)
        text = _Text(python)
        lazy = lazy_annotations or _annotations_are_lazy(tree)
        for node in tree.body:
            statements.append(_statement(node, text, lazy, magics, last=node is tree.body[-1]))
    for magic in reversed(cell_magics):
        if magic.name != "step":  # it names the step, and does nothing in one
            statements.append(_magic_statement(magic, takes_body=body is None and magic is cell_magics[-1]))
    is_python = body is not None or cell_magics[-1].name == "timeit"
    return CellCode(tuple(statements), is_python, tuple(magics))


def _statement(
    node: ast.stmt, text: _Text, lazy_annotations: bool, magics: list[str], last: bool
) -> Statement:
    kind = _kind(node)
    walk = _Walk(text.has_walrus, lazy_annotations, defining=kind is StatementKind.DEFINITION)
    try:
        walk.top_level(node)
    except SyntaxError as error:
        raise ipython.located(error, text.python) from None
    except RecursionError:  # thousands of terms: too deep to follow, and not worth it
        walk.opaque = True
    magics.extend(walk.magics)
    first = min([node, *getattr(node, "decorator_list", ())], key=lambda part: part.lineno)
    end_line = node.end_lineno or node.lineno
    return walk.facts(node, kind, text.segment(first, node), first.lineno, end_line, _printed(node, last))


def _magic_statement(magic: ipython.CellMagic, takes_body: bool) -> Statement:
    source = magic.as_call(magic.body if takes_body else "")
    node = ipython.parse_cell(source)[0].body[0]
    walk = _Walk(walrus=True, lazy_annotations=False, defining=False)
    walk.top_level(node)
    end_line = magic.lineno + magic.body.count("\n") + 1 if takes_body and magic.body else magic.lineno
    return walk.facts(node, StatementKind.OTHER, source, magic.lineno, end_line, ())


class _Text:
    """The Python text of a cell, from which statements are cut out."""

    def __init__(self, python: str) -> None:
        self.python = python
        self._lines = python.split("\n")
        self._ascii = python.isascii()
        self.has_walrus = ":=" in python

    def segment(self, first: ast.stmt | ast.expr, last: ast.stmt) -> str:
        # the "@" of a decorator stands before its expression; nothing else does
        start = 0 if first is not last else first.col_offset
        end_line = last.end_lineno or last.lineno
        lines = self._lines[first.lineno - 1 : end_line]
        lines[-1] = self._cut(lines[-1], None, last.end_col_offset)
        lines[0] = self._cut(lines[0], start, None)
        return "\n".join(lines)

    def _cut(self, line: str, start: int | None, end: int | None) -> str:
        if self._ascii:
            return line[start:end]
        return line.encode()[start:end].decode()  # the columns of a tree count bytes


@lru_cache(maxsize=16384)
def _normalised(source: str) -> str:
    try:
        return ast.unparse(ipython.parse_cell(source)[0])
    except (RecursionError, ValueError):  # too deep, or an f-string that older Pythons cannot write down
        return source


def makes_annotations_lazy(source: str) -> bool:
    """Whether a cell, and every cell below it, evaluates annotations only when they are asked for."""
    if "__future__" not in source:
        return False
    try:
        return _annotations_are_lazy(ipython.parse_cell(ipython.split_cell_magics(source)[1] or "")[0])
    except SyntaxError:
        return False


def _annotations_are_lazy(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "__future__"
        and any(alias.name == "annotations" for alias in node.names)
        for node in tree.body
    )


def _kind(node: ast.stmt) -> StatementKind:
    if _only_imports(node):
        return StatementKind.IMPORT
    if (
        isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        or type(node).__name__ == "TypeAlias"
    ):
        return StatementKind.DEFINITION
    if _named_lambda(node) or _makes_type_variable(node):
        return StatementKind.DEFINITION
    return StatementKind.OTHER


def _only_imports(node: ast.stmt) -> bool:
    """``import x``, and ``try: import x`` with nothing but imports, constants and `pass` in the other
    branches."""
    if isinstance(node, ast.Import):
        return True
    if isinstance(node, ast.ImportFrom):
        return node.names[0].name != "*"
    if not isinstance(node, (ast.Try, ast.If)):
        return False
    blocks = [node.body, node.orelse]
    if isinstance(node, ast.Try):
        blocks += [node.finalbody, *(handler.body for handler in node.handlers)]
    return _only_imports(node.body[0]) and all(
        _only_imports(inner)
        or isinstance(inner, ast.Pass)
        or (isinstance(inner, ast.Assign) and isinstance(inner.value, ast.Constant))
        for block in blocks
        for inner in block
    )


def _makes_type_variable(node: ast.AST) -> bool:
    """``T = TypeVar("T")``"""
    return (
        isinstance(node, ast.Assign)
        and all(isinstance(target, ast.Name) for target in node.targets)
        and isinstance(node.value, ast.Call)
        and _last_name(node.value) in ("TypeVar", "ParamSpec", "TypeVarTuple", "NewType")
    )


def _named_lambda(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign):
        plain = all(isinstance(target, ast.Name) for target in node.targets)
        return plain and isinstance(node.value, ast.Lambda)
    return (
        isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(node.value, ast.Lambda)
    )


def _printed(node: ast.stmt, last: bool) -> tuple[str, ...]:
    if not isinstance(node, ast.Expr):
        return ()
    value = node.value
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "print":
        return tuple(argument.id for argument in value.args if isinstance(argument, ast.Name))
    return (value.id,) if last and isinstance(value, ast.Name) else ()


# ------------------------------------------------------------------------------------------------------------
# What is known about calls

_MUTATING_METHODS = words(
    # containers
    "add append appendleft clear difference_update discard extend extendleft insert intersection_update "
    "move_to_end pop popitem popleft remove reverse rotate setdefault sort symmetric_difference_update "
    "update __setitem__ __delitem__ __setattr__ __delattr__ __iadd__ "
    # arrays and estimators
    "fill put resize partition itemset setflags fit partial_fit fit_transform fit_predict fit_resample "
    # training loops
    "backward step zero_grad load_state_dict train_on_batch "
    # figures
    "add_trace add_traces add_subplot update_layout update_traces "
    # random generators and iterators
    "normal uniform integers choice random standard_normal permutation permuted shuffle randint randrange "
    "gauss poisson binomial exponential seed send throw __next__"
)

# Functions and methods of modules that change their first argument in place, by the last part of their name.
_MUTATING_FUNCTIONS = words(
    "shuffle heappush heappop heapify heapreplace heappushpop insort insort_left insort_right setattr "
    "delattr next anext copyto fill_diagonal put place putmask put_along_axis setitem delitem iadd isub "
    "imul ior iand"
)

# Methods that hand out a new object: what is done to that is not done to the receiver.
_FRESH_METHODS = frozenset({"copy", "deepcopy", "__copy__", "__deepcopy__", "clone", "tolist", "to_numpy"})

# Functions whose result holds the very objects of their arguments.
_PASSING_FUNCTIONS = frozenset(
    {"enumerate", "zip", "reversed", "sorted", "iter", "list", "tuple", "next", "filter"}
)

# Functions and methods that change files or folders, and those that only look at them, by their names.
_WRITING_FUNCTIONS = words(
    "to_csv to_parquet to_excel to_json to_pickle to_feather to_hdf to_sql to_stata to_orc to_zarr to_file "
    "to_netcdf write write_text write_bytes writelines write_csv write_parquet write_json write_ipc write_excel "
    "write_image write_html write_table write_feather write_dataset write_to_dataset write_deltalake write_ndjson "
    "write_avro sink_parquet sink_csv sink_ipc sink_ndjson savefig save savez "
    "savez_compressed savetxt save_model save_pretrained dump tofile imsave imwrite mkdir makedirs mkdtemp "
    "mkstemp TemporaryDirectory NamedTemporaryFile remove unlink rename renames rmdir removedirs rmtree move "
    "touch symlink symlink_to hardlink_to link chmod utime truncate copyfile copytree copy2 extract "
    "extractall make_archive unpack_archive urlretrieve system popen Popen check_call check_output "
    "create_subprocess_exec create_subprocess_shell getoutput connect ZipFile TarFile memmap open_file "
    "File HDFStore SqliteDict FileHandler RotatingFileHandler COPY"
)
_READING_FUNCTIONS = words(
    "open load loadtxt genfromtxt fromfile imread imopen exists lexists isfile isdir listdir scandir walk "
    "glob iglob rglob iterdir stat lstat getsize getmtime read_text read_bytes readlink is_file is_dir chdir "
    "ParquetFile ParquetDataset dataset memory_map open_dataset from_file loads_file getline"
)
_READING_PREFIXES = ("read_", "scan_")
_FILE_MODULES = frozenset({"os", "shutil", "subprocess"})
"""Modules of whose functions more common names, such as `copy`, `replace` and `run`, are meant as well."""
_FILE_FUNCTIONS = frozenset({"copy", "replace", "run", "call"})
_UNPICKLING_MODULES = frozenset({"pickle", "joblib", "cloudpickle", "dill", "torch", "shelve"})
_LONGEST_PATH = 1000

# Decorators that do not call what they decorate while it is being defined.
_QUIET_DECORATORS = words(
    "abstractmethod asynccontextmanager attr attrs cache cached_property classmethod contextlib "
    "contextmanager dataclass dataclasses delayed enum final functools jit lru_cache njit nb numba overload "
    "override partial pytest property ray singledispatch staticmethod task torch total_ordering typing wraps"
)

# Context managers that do not swallow exceptions.
_HONEST_CONTEXTS = words(
    "GradientTape NamedTemporaryFile Pool ProcessPoolExecutor TarFile TemporaryDirectory ThreadPoolExecutor "
    "ZipFile catch_warnings closing errstate inference_mode no_grad open option_context "
    "progress_bar rc_context start_run urlopen"
)

_SHELL_ATTRIBUTES = frozenset({"__class__", "__module__", "config", "getoutput", "kernel", "magic", "system"})
_NAMESPACE_ATTRIBUTES = frozenset(
    {"user_ns", "user_global_ns", "f_globals", "f_locals", "f_back", "__globals__"}
)

_TABLE_IN_QUERY = re.compile(r"\b(?:from|join)\s+([A-Za-z_]\w*)", re.IGNORECASE)
_LOCAL_IN_QUERY = re.compile(r"@([A-Za-z_]\w*)")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")


# ------------------------------------------------------------------------------------------------------------
# Scopes and paths


class _Scope:
    """A function, lambda, comprehension or class; the module itself is None."""

    __slots__ = ("globals", "is_class", "is_comprehension", "names", "parent", "private")

    def __init__(
        self,
        parent: _Scope | None,
        names: set[str],
        declared_global: Collection[str] = (),
        *,
        is_class: bool = False,
        is_comprehension: bool = False,
        private: str | None = None,
    ) -> None:
        self.parent = parent
        self.names = names
        self.globals = declared_global
        self.is_class = is_class
        self.is_comprehension = is_comprehension
        self.private = private


# A name of the notebook is a string; a name of an inner scope is told with that scope.
_Variable = str | tuple[str, _Scope]


class _Flow:
    """What is certain at one point of the execution: names bound, names deleted; whether the point is
    reached."""

    __slots__ = ("bound", "gone", "live")

    def __init__(self, bound: set[_Variable], gone: set[_Variable], live: bool = True) -> None:
        self.bound = bound
        self.gone = gone
        self.live = live

    def copy(self) -> _Flow:
        return _Flow(set(self.bound), set(self.gone), self.live)

    def weakened(self, stored: set[_Variable], deleted: set[_Variable]) -> _Flow:
        """What is still certain when some part of a block with these bindings and deletions has been
        executed."""
        return _Flow(self.bound - deleted, self.gone - stored, self.live)

    def then(self, after: _Flow, stored: set[_Variable], deleted: set[_Variable]) -> _Flow:
        """What is certain when the block that leads to `after` has been executed to its end."""
        weak = self.weakened(stored, deleted)
        return _Flow(weak.bound | after.bound, weak.gone | after.gone, self.live and after.live)


def _merged(flows: Iterable[_Flow]) -> _Flow:
    """What is certain where several paths meet."""
    live = [flow for flow in flows if flow.live]
    if not live:
        return _Flow(set(), set(), live=False)
    return _Flow(
        set.intersection(*(flow.bound for flow in live)),
        set.intersection(*(flow.gone for flow in live)),
    )


class _Loop:
    """The ways out of the loop body that is being walked."""

    __slots__ = ("breaks", "continues")

    def __init__(self) -> None:
        self.breaks: list[_Flow] = []
        self.continues: list[_Flow] = []


_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def _bindings(nodes: Iterable[ast.AST]) -> tuple[set[str], set[str], set[str]]:
    """The names that a block makes its own, and those that it declares global and nonlocal."""
    names: set[str] = set()
    declared_global: set[str] = set()
    declared_nonlocal: set[str] = set()
    stack = list(nodes)
    while stack:
        node = stack.pop()
        match node:
            case ast.Name():
                if type(node.ctx) is not ast.Load:
                    names.add(node.id)
                continue
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                names.add(node.name)
                stack += [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
                continue
            case ast.ClassDef():
                names.add(node.name)
                stack += [*node.decorator_list, *node.bases, *node.keywords]
                continue
            case ast.Lambda():
                stack += [*node.args.defaults, *filter(None, node.args.kw_defaults)]
                continue
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                inner = ast.walk(node)
                names.update(part.target.id for part in inner if isinstance(part, ast.NamedExpr))
                continue
            case ast.Import() | ast.ImportFrom():
                names.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
                continue
            case ast.Global():
                declared_global.update(node.names)
                continue
            case ast.Nonlocal():
                declared_nonlocal.update(node.names)
                continue
            case ast.ExceptHandler() | ast.MatchAs() | ast.MatchStar():
                if node.name:
                    names.add(node.name)
            case ast.MatchMapping():
                if node.rest:
                    names.add(node.rest)
        stack.extend(ast.iter_child_nodes(node))
    return names - declared_global - declared_nonlocal, declared_global, declared_nonlocal


class _Walk:
    """One statement, walked in the order of its execution. Collects what `facts` makes a `Statement` of."""

    def __init__(self, walrus: bool, lazy_annotations: bool, defining: bool) -> None:
        self._walrus = walrus
        self._lazy_annotations = lazy_annotations
        self._defining = defining  # functions made here are not called before the statement has ended
        self._scope: _Scope | None = None
        self._top_scope: _Scope | None = None  # of the function that the statement defines
        self._flow = _Flow(set(), set())
        self._loops: list[_Loop] = []
        self._in_function = False  # and not in the body of a class or of the module
        self._deferring = False  # in code that runs when something is called
        self._called_now = False  # … which may be while the statement executes
        self._mentioning = False  # in names that stand in text

        self.magics: list[str] = []
        self.opaque = False
        self._opaque_later = False
        self._files = self._files_later = FileUse.NONE
        self._paths: set[str] = set()
        self._reads: set[str] = set()
        self._late_reads: set[str] = (
            set()
        )  # by functions that may be called at any later point of the statement
        self._deferred: set[str] = set()
        self._mentioned: set[str] = set()
        self._mentioned_later: set[str] = set()
        self._stored: set[_Variable] = set()
        self._deleted: set[_Variable] = set()
        self._late_stored: set[str] = set()
        self._late_deleted: set[str] = set()
        self._deferred_binds: set[str] = set()
        self._mutated: set[_Variable] = set()
        self._mutated_later: set[_Variable] = set()
        self._shares: dict[_Variable, set[_Variable]] = {}
        self._calls: list[tuple[str, list[set[_Variable]], list[tuple[str, set[_Variable]]]]] = []
        self._parameters: tuple[str, ...] = ()
        self._positional = 0
        self._imports: set[str] = set()
        self._star_imports: set[str] = set()

    # ----- the result

    def top_level(self, node: ast.stmt) -> None:
        if _named_lambda(node):
            assert isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Lambda)
            if isinstance(node, ast.AnnAssign):
                self._annotation(node.annotation)
            self._lambda(node.value, called_now=False)
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                self.visit(target)
        else:
            self.visit(node)

    def facts(
        self,
        node: ast.stmt,
        kind: StatementKind,
        source: str,
        line: int,
        end_line: int,
        printed: tuple[str, ...],
    ) -> Statement:
        binds = _global(self._flow.bound) - self._late_deleted if self._flow.live else set()
        deletes = _global(self._flow.gone) - self._late_stored if self._flow.live else set()
        deleted = _global(self._deleted)
        said = self._reads | (self._late_reads & deleted)
        reads = said | self._mentioned
        deferred = self._deferred | self._mentioned_later
        changed_later = self._sharing(self._mutated_later)
        mutated = {name for name in self._parameters if (name, self._top_scope) in changed_later}
        positions = {
            place for place, name in enumerate(self._parameters[: self._positional]) if name in mutated
        }
        return Statement(
            kind=kind,
            source=source,
            line=line,
            end_line=end_line,
            binds=frozenset(binds),
            may_bind=frozenset(_global(self._stored) - binds - deletes),
            deletes=frozenset(deletes),
            may_delete=frozenset(deleted - deletes - binds),
            reads=frozenset(reads),
            mentions=frozenset((self._mentioned | self._mentioned_later) - said - self._deferred),
            deferred=frozenset(deferred),
            mutates=frozenset(_global(self._sharing(self._mutated)) & reads),
            deferred_binds=frozenset(self._deferred_binds),
            deferred_mutates=frozenset(_global(changed_later) & deferred),
            aliases=frozenset(self._aliases()),
            parameters=self._parameters,
            mutated_parameters=frozenset(mutated | positions),
            calls=tuple(
                Call(
                    name,
                    tuple(self._known(roots) for roots in arguments),
                    tuple((keyword, self._known(roots)) for keyword, roots in keywords),
                )
                for name, arguments, keywords in self._calls
            ),
            imports=frozenset(self._imports),
            star_imports=frozenset(self._star_imports),
            opaque=self.opaque,
            deferred_opaque=self._opaque_later,
            files=self._files,
            deferred_files=self._files_later,
            paths=frozenset(self._paths),
            printed=printed,
        )

    def _sharing(self, variables: set[_Variable]) -> set[_Variable]:
        """`variables` and all that they may share an object with."""
        found: set[_Variable] = set()
        todo = list(variables)
        while todo:
            variable = todo.pop()
            if variable not in found:
                found.add(variable)
                todo.extend(self._shares.get(variable, ()))
        return found

    def _aliases(self) -> Iterator[tuple[str, str]]:
        for variable in self._shares:
            if isinstance(variable, str):
                for other in _global(self._sharing({variable})) - {variable}:
                    yield variable, other

    def _known(self, roots: set[_Variable]) -> frozenset[str]:
        """The names of the notebook, and the parameters, that a caller may be told of."""
        return frozenset(
            root if isinstance(root, str) else root[0]
            for root in (self._sharing(roots) if roots else ())
            if isinstance(root, str) or (root[1] is self._top_scope and root[0] in self._parameters)
        )

    # ----- names

    def _variable(self, name: str, scope: _Scope | None) -> _Variable:
        """What `name` means in `scope`."""
        if scope is None:
            return name
        if scope.private and name.startswith("__") and not name.endswith("__"):
            name = f"_{scope.private.lstrip('_')}{name}" if scope.private.strip("_") else name
        if name in scope.names:
            return name, scope
        if name in scope.globals:
            return name
        outer = scope.parent
        while outer is not None:
            if outer.is_class:
                if name == "__class__":  # the cell that super() uses
                    return name, outer
            elif name in outer.names:
                return name, outer
            elif name in outer.globals:
                return name
            outer = outer.parent
        return name

    def _load(self, name: str) -> None:
        scope = self._scope
        variable = self._variable(name, scope)
        if isinstance(variable, str):
            self._read(variable)
        elif variable[1] is scope and scope.is_class and variable not in self._flow.bound:
            self._read(variable[0])  # a class body looks into the module for what it has not bound yet

    def _read(self, name: str) -> None:
        flow = self._flow
        if not flow.live or name == "__debug__":  # a constant
            return
        if self._deferring:
            (self._mentioned_later if self._mentioning else self._deferred).add(name)
            if not self._called_now:
                return
            self._late_reads.add(name)
        if name not in flow.bound:
            (self._mentioned if self._mentioning else self._reads).add(name)

    def _mention(self, name: str) -> None:
        before, self._mentioning = self._mentioning, True
        self._load(name)
        self._mentioning = before

    def _store(self, name: str) -> None:
        self._bind(self._variable(name, self._scope))

    def _bind(self, variable: _Variable) -> None:
        flow = self._flow
        if not flow.live:
            return
        if isinstance(variable, str):
            if self._deferring:
                self._deferred_binds.add(variable)
                if not self._called_now:
                    return
                self._late_stored.add(variable)
        elif not variable[1].is_class:
            return
        self._stored.add(variable)
        flow.bound.add(variable)
        flow.gone.discard(variable)

    def _unbind(self, variable: _Variable) -> None:
        flow = self._flow
        if not flow.live:
            return
        if isinstance(variable, str):
            if self._deferring:
                self._deferred_binds.add(variable)
                if not self._called_now:
                    return
                self._late_deleted.add(variable)
        elif not variable[1].is_class:
            return
        self._deleted.add(variable)
        flow.bound.discard(variable)
        flow.gone.add(variable)

    # ----- objects

    def _roots(self, node: ast.expr | None, *, through_calls: bool = True) -> set[_Variable]:
        """The variables whose object, or a part of it, an expression gives."""
        match node:
            case ast.Name():
                return {self._variable(node.id, self._scope)}
            case ast.Subscript() if not through_calls and _selects(node.slice):
                return set()  # a selection of rows or columns is a new table
            case ast.Attribute() | ast.Subscript() | ast.Starred() | ast.Await():
                return self._roots(node.value, through_calls=through_calls)
            case ast.NamedExpr():
                return self._roots(node.value, through_calls=through_calls) | {
                    self._variable(node.target.id, self._outside_comprehensions())
                }
            case ast.IfExp():
                parts = [node.body, node.orelse]
            case ast.BoolOp():
                parts = node.values
            case ast.List() | ast.Tuple() | ast.Set():
                parts = node.elts
            case ast.Dict():
                parts = node.values
            case ast.Call(func=ast.Name(id=name)) if name in _PASSING_FUNCTIONS:
                parts = node.args
            case ast.Call(func=ast.Attribute() as function) if (
                through_calls and function.attr not in _FRESH_METHODS
            ):
                return self._roots(function.value)
            case _:
                return set()
        return set().union(*(self._roots(part, through_calls=through_calls) for part in parts))

    def _mutate(self, node: ast.expr) -> None:
        if self._flow.live:
            roots = self._roots(node)
            if self._deferring:
                self._mutated_later |= roots
            if not self._deferring or self._called_now:
                self._mutated |= roots

    def _share(self, target: ast.expr, roots: set[_Variable], scope: _Scope | None) -> None:
        """Whatever `target` binds may be, or be part of, what `roots` are."""
        if roots:
            for part in ast.walk(target):
                if isinstance(part, ast.Name) and type(part.ctx) is ast.Store:
                    self._shares.setdefault(self._variable(part.id, scope), set()).update(roots)

    def _share_value(self, target: ast.expr, value: ast.expr) -> None:
        if (
            isinstance(target, (ast.Tuple, ast.List))
            and isinstance(value, (ast.Tuple, ast.List))
            and len(target.elts) == len(value.elts)
            and not any(isinstance(part, ast.Starred) for part in (*target.elts, *value.elts))
        ):
            for inner_target, inner_value in zip(target.elts, value.elts, strict=True):
                self._share_value(inner_target, inner_value)
        else:
            self._share(target, self._roots(value, through_calls=False), self._scope)

    # ----- the walk

    def visit(self, node: ast.AST) -> None:
        kind = type(node)
        visitor = _VISITORS.get(kind)
        if visitor is None:
            visitor = _VISITORS[kind] = getattr(_Walk, f"_{kind.__name__}", _Walk._children)
        visitor(self, node)

    def _children(self, node: ast.AST) -> None:
        for field in node._fields:
            value = getattr(node, field, None)
            if isinstance(value, list):
                for item in value:
                    if isinstance(item, ast.AST):
                        self.visit(item)
            elif isinstance(value, ast.AST):
                self.visit(value)

    def _nothing(self, node: ast.AST) -> None:
        pass

    _Load = _Store = _Del = _Pass = _Global = _Nonlocal = _nothing

    def _Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self._paths.update([node.value] if _may_be_path(node.value) else _words_of(node.value))

    def _visit_all(self, nodes: Iterable[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)

    def _recorded(self, walk: Callable[[], None]) -> tuple[set[_Variable], set[_Variable]]:
        """What `walk` binds and deletes on any path."""
        before = self._stored, self._deleted
        stored: set[_Variable] = set()
        deleted: set[_Variable] = set()
        self._stored, self._deleted = stored, deleted
        walk()
        self._stored, self._deleted = before
        self._stored |= stored
        self._deleted |= deleted
        return stored, deleted

    def _use_files(self, use: FileUse) -> None:
        if self._deferring:
            self._files_later |= use
        if not self._deferring or self._called_now:
            self._files |= use

    def _touch_anything(self) -> None:
        self._opaque_later |= self._deferring
        self.opaque |= not self._deferring or self._called_now

    # names and what they are part of

    def _Name(self, node: ast.Name) -> None:
        context = type(node.ctx)
        if context is ast.Load:
            self._load(node.id)
        elif context is ast.Store:
            self._store(node.id)
        else:
            self._unbind(self._variable(node.id, self._scope))

    def _Attribute(self, node: ast.Attribute) -> None:
        if _is_shell(node.value):
            self._read("get_ipython")
            if node.attr not in _SHELL_ATTRIBUTES:
                self._touch_anything()
            return
        self.visit(node.value)
        if node.attr in _NAMESPACE_ATTRIBUTES:
            self._touch_anything()
        if type(node.ctx) is not ast.Load:
            self._mutate(node.value)

    def _Subscript(self, node: ast.Subscript) -> None:
        context = type(node.ctx)
        if (
            self._is_namespace(node.value)
            and isinstance(node.slice, ast.Constant)
            and isinstance(node.slice.value, str)
        ):
            name = node.slice.value
            self._read("globals")
            if context is ast.Load:
                self._read(name)
            elif context is ast.Store:
                self._bind(name)
            else:
                self._unbind(name)
            return
        if isinstance(node.slice, ast.Constant) and node.slice.value == "__main__":
            self._touch_anything()  # sys.modules["__main__"]
        self.visit(node.value)
        self.visit(node.slice)
        if context is not ast.Load:
            self._mutate(node.value)

    def _is_namespace(self, node: ast.expr) -> bool:
        """Whether it is ``globals()``, or what is the same at the top level."""
        return (
            isinstance(node, ast.Call)
            and not node.args
            and not node.keywords
            and isinstance(node.func, ast.Name)
            and (
                node.func.id == "globals"
                or (node.func.id in ("locals", "vars", "dir") and self._scope is None)
            )
        )

    # expressions

    def _BinOp(self, node: ast.BinOp) -> None:
        self.visit(node.left)
        self.visit(node.right)

    def _IfExp(self, node: ast.IfExp) -> None:
        if not self._walrus:
            self._children(node)
            return
        self.visit(node.test)
        self._branches([lambda: self.visit(node.body), lambda: self.visit(node.orelse)])

    def _BoolOp(self, node: ast.BoolOp) -> None:
        self.visit(node.values[0])
        for value in node.values[1:]:
            self._maybe(value)

    def _Compare(self, node: ast.Compare) -> None:
        if (
            isinstance(node.ops[0], (ast.In, ast.NotIn))
            and isinstance(node.left, ast.Constant)
            and isinstance(node.left.value, str)
            and self._is_namespace(node.comparators[0])
        ):
            self._mention(node.left.value)
            return
        self.visit(node.left)
        self.visit(node.comparators[0])
        for value in node.comparators[1:]:
            self._maybe(value)

    def _maybe(self, node: ast.AST) -> None:
        """Walk what may not be executed."""
        if not self._walrus:
            self.visit(node)
            return
        before = self._flow.copy()
        self.visit(node)
        self._flow = _merged([before, self._flow])

    def _NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        scope = self._outside_comprehensions()
        self._share(node.target, self._roots(node.value, through_calls=False), scope)
        self._bind(self._variable(node.target.id, scope))

    def _outside_comprehensions(self) -> _Scope | None:
        scope = self._scope
        while scope is not None and scope.is_comprehension:
            scope = scope.parent
        return scope

    def _Yield(self, node: ast.Yield | ast.YieldFrom) -> None:
        self._only_in_function(node, "'yield' outside function")
        self._children(node)

    _YieldFrom = _Yield

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        first = node.generators[0]
        self.visit(first.iter)
        roots = self._roots(first.iter)
        targets = {
            part.id
            for generator in node.generators
            for part in ast.walk(generator.target)
            if isinstance(part, ast.Name) and type(part.ctx) is ast.Store
        }
        before = self._scope, self._deferring, self._called_now
        private = self._scope.private if self._scope else None
        self._scope = _Scope(self._scope, targets, is_comprehension=True, private=private)
        if isinstance(node, ast.GeneratorExp) and not self._deferring:
            self._deferring = self._called_now = True
        entry = self._flow.copy()
        for generator in node.generators:
            if generator is not first:
                self.visit(generator.iter)
                roots = self._roots(generator.iter)
            self._share(generator.target, roots, self._scope)
            self.visit(generator.target)
            self._visit_all(generator.ifs)
        self._visit_all([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])
        self._flow = _merged([entry, self._flow])
        self._scope, self._deferring, self._called_now = before

    _ListComp = _SetComp = _DictComp = _GeneratorExp = _comprehension

    # calls

    def _Call(self, node: ast.Call) -> None:
        function = node.func
        if isinstance(function, ast.Name):
            if self._variable(function.id, self._scope) == function.id and self._special_call(
                function.id, node
            ):
                return
            self.visit(function)
            self._called(node, function.id)
        elif isinstance(function, ast.Attribute):
            if _is_shell(function.value) and self._shell_call(function.attr, node):
                return
            self.visit(function)
            self._called(node, function.attr)
        else:
            self.visit(function)
            self._arguments(node)

    def _arguments(self, node: ast.Call) -> None:
        for argument in node.args:
            self.visit(argument)
        for keyword in node.keywords:
            self.visit(keyword.value)

    def _called(self, node: ast.Call, name: str) -> None:
        """A call of a function or method of this name."""
        self._arguments(node)
        self._use_files(_file_use(node, name))
        method = node.func if isinstance(node.func, ast.Attribute) else None
        if method is not None:
            if name in _MUTATING_METHODS or (
                name.endswith("_") and not name.startswith("_")
            ):  # torch: x.add_(1)
                self._mutate(method.value)
            if name in ("train", "eval") and not node.args and not node.keywords:  # torch
                self._mutate(method.value)
            self._names_in_queries(name, node)
            if name == "import_module":
                self._imported_dynamically(node)
        self._names_in_formulas(node)
        if method is None and isinstance(self._variable(name, self._scope), str):
            self._calls.append(
                (
                    name,
                    [self._roots(argument) for argument in node.args],
                    [(keyword.arg, self._roots(keyword.value)) for keyword in node.keywords if keyword.arg],
                )
            )
        if name in _MUTATING_FUNCTIONS and node.args:
            self._mutate(node.args[0])
        if name in ("map", "pipe") and node.args and isinstance(node.args[0], ast.Name):
            # map(f, xs) and df.pipe(f) call f themselves
            receiver = [method.value] if method is not None else []
            called, *handed_over = node.args
            roots = [self._roots(part) for part in (*receiver, *handed_over)]
            if isinstance(called, ast.Name):
                self._calls.append((called.id, roots, []))
        for keyword in node.keywords:
            if keyword.arg == "out":
                self._mutate(keyword.value)
            elif keyword.arg == "inplace" and not _is_false(keyword.value):
                changed = method.value if method is not None else node.args[0] if node.args else None
                if changed is not None:
                    self._mutate(changed)

    def _special_call(self, name: str, node: ast.Call) -> bool:
        """Calls of builtins that see the namespace; True when there is nothing more to say about the call."""
        match name, node.args:
            case (("exec" | "eval"), [ast.Constant(value=str(code))]) if (
                self._scope is None and not node.keywords
            ):
                self._read(name)
                self._execute(code)
                return True
            case (("exec" | "eval"), [_]):
                self._touch_anything()
            case (("exec" | "eval"), [_, namespace, *_]):
                self._mutate(namespace)
            case (("globals" | "locals" | "vars" | "dir"), []) if self._is_namespace(node):
                self._touch_anything()
            case "get_ipython", []:
                self._touch_anything()  # it may go anywhere from here
            case (("str" | "repr" | "type"), [argument]) if _is_shell(argument):
                self._read("get_ipython")
                return True
            case "__import__", _:
                self._imported_dynamically(node)
        return False

    def _imported_dynamically(self, node: ast.Call) -> None:
        match node.args:
            case [ast.Constant(value=str(module)), *_] if not module.startswith("."):
                self._import(module)

    def _names_in_queries(self, name: str, node: ast.Call) -> None:
        """pandas' ``@name``, ``pd.eval``, numexpr, and the tables that DuckDB finds among the variables."""
        if name not in ("query", "eval", "evaluate", "sql", "execute"):
            return
        for text in _strings([*node.args, *(keyword.value for keyword in node.keywords)]):
            for found in _LOCAL_IN_QUERY.findall(text) + _TABLE_IN_QUERY.findall(text):
                self._mention(found)
            if name in ("eval", "evaluate"):
                for found in _IDENTIFIER.findall(text):
                    self._mention(found)

    def _names_in_formulas(self, node: ast.Call) -> None:
        """``"y ~ scaled(x)"``: patsy and formulaic look up names where the function was called from."""
        for text in _strings([*node.args, *(keyword.value for keyword in node.keywords)]):
            if "~" in text and "~/" not in text:
                for found in _IDENTIFIER.findall(text):
                    self._mention(found)

    def _shell_call(self, method: str, node: ast.Call) -> bool:
        """What is left of IPython's syntax; True when it is understood."""
        texts = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
        if len(texts) != len(node.args) or not all(isinstance(text, str) for text in texts) or node.keywords:
            return False
        match method, texts:
            case (("run_line_magic" | "magic"), [str(name), *rest]):
                name, _, line = " ".join([name, *map(str, rest)]).lstrip("%").partition(" ")
                self.magics.append(name)
                self._magic(ipython.line_magic_effect(name, line.strip()))
            case "run_cell_magic", [str(name), str(line), str(body)]:
                self._magic(ipython.cell_magic_effect(name, line, body))
            case (("system" | "getoutput"), [str(command)]):
                self.magics.append("!")
                self._magic(ipython.MagicEffect(text=command, runs_programs=True))
            case "show_usage", _:
                pass
            case _:
                return False
        return True

    def _magic(self, effect: ipython.MagicEffect) -> None:
        if effect.opaque:
            self._touch_anything()
        if effect.runs_programs:
            self._use_files(FileUse.READ | FileUse.WRITE)
            self._paths.update(_words_of(effect.text))
        if effect.code.strip():
            self._execute(effect.code, in_function=effect.in_function)
        for text in ipython.interpolated(effect.text):
            expression = ipython.parse_expression(text)
            if expression is not None:
                before, self._mentioning = self._mentioning, True
                self.visit(expression)
                self._mentioning = before
        for name in effect.reads:
            if name.isidentifier():
                self._mention(name)
        for name in effect.binds:
            if name.isidentifier():
                self._bind(name)
        if effect.may_bind:
            before_flow = self._flow.copy()
            for name in effect.may_bind:
                self._bind(name)
            self._flow = _merged([before_flow, self._flow])

    def _execute(self, code: str, *, in_function: bool = False) -> None:
        """Walk code that stands in a string."""
        before = self._walrus, self._loops
        self._walrus, self._loops = True, []
        try:
            tree, _ = ipython.parse_cell(code.strip())
            if in_function:
                self._body(tree.body, (), called_now=True)
            else:
                self._visit_all(tree.body)
        except SyntaxError:  # it fails when it is executed, if it is
            self._touch_anything()
        self._walrus, self._loops = before

    # functions and classes

    def _FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._visit_all(node.decorator_list)
        self._defaults(node.args)
        before = self._enter_type_parameters(node)
        for annotation in (*(argument.annotation for argument in _arguments_of(node.args)), node.returns):
            self._annotation(annotation)
        called_now = not self._defining or not all(map(_is_quiet, node.decorator_list))
        self._body(node.body, _arguments_of(node.args), called_now, node)
        self._scope = before
        self._store(node.name)

    _AsyncFunctionDef = _FunctionDef

    def _Lambda(self, node: ast.Lambda) -> None:
        self._lambda(node, called_now=True)

    def _lambda(self, node: ast.Lambda, called_now: bool) -> None:
        self._defaults(node.args)
        self._body([node.body], _arguments_of(node.args), called_now, node)

    def _defaults(self, arguments: ast.arguments) -> None:
        self._visit_all(arguments.defaults)
        self._visit_all(arguments.kw_defaults)

    def _body(
        self,
        body: Iterable[ast.AST],
        arguments: Iterable[ast.arg],
        called_now: bool,
        node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | None = None,
    ) -> None:
        """Walk the body of a function, which runs when it is called."""
        if not self._flow.live:
            return
        parameters = [argument.arg for argument in arguments]
        names, declared_global, _ = _bindings(body)
        private = self._scope.private if self._scope else None
        scope = _Scope(self._scope, names.union(parameters), declared_global, private=private)
        _mangle(scope)
        if self._defining and self._top_scope is None and self._scope is None and node is not None:
            self._top_scope = scope
            self._parameters = tuple(parameters)
            self._positional = len(node.args.posonlyargs) + len(node.args.args)
        before = self._scope, self._flow, self._loops, self._in_function, self._deferring, self._called_now
        if not self._deferring:
            self._deferring, self._called_now = True, called_now
        self._flow, self._loops, self._in_function = self._flow.copy(), [], True
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not node.decorator_list:
            own = self._variable(node.name, self._scope)
            if isinstance(own, str):  # nobody can call it before its name is bound
                self._flow.bound.add(own)
        self._scope = scope
        self._visit_all(body)
        self._scope, self._flow, self._loops, self._in_function, self._deferring, self._called_now = before

    def _ClassDef(self, node: ast.ClassDef) -> None:
        self._visit_all(node.decorator_list)
        before = self._enter_type_parameters(node)
        self._visit_all(node.bases)
        self._visit_all(node.keywords)
        names, declared_global, _ = _bindings(node.body)
        scope = _Scope(
            self._scope,
            names | {"__module__", "__qualname__"},
            declared_global,
            is_class=True,
            private=node.name,
        )
        _mangle(scope)
        outside = self._loops, self._in_function, self._defining
        self._loops, self._in_function = [], False
        self._defining &= all(map(_is_quiet, node.decorator_list)) and not _uses_own_functions(node)
        self._scope = scope
        self._flow.bound |= {("__module__", scope), ("__qualname__", scope)}
        self._visit_all(node.body)
        self._loops, self._in_function, self._defining = outside
        self._scope = before
        self._store(node.name)

    def _enter_type_parameters(self, node: ast.AST) -> _Scope | None:
        """Enter the scope of ``[T]``, if there is one, and return the scope outside it."""
        before = self._scope
        parameters = getattr(node, "type_params", [])
        if parameters:
            private = before.private if before else None
            self._scope = _Scope(before, {parameter.name for parameter in parameters}, private=private)
            for parameter in parameters:
                self._lazily(getattr(parameter, "bound", None))
                self._lazily(getattr(parameter, "default_value", None))
        return before

    def _TypeAlias(self, node: ast.AST) -> None:
        before = self._enter_type_parameters(node)
        self._lazily(getattr(node, "value", None))
        self._scope = before
        self.visit(getattr(node, "name"))  # noqa: B009 - the type is known to newer Pythons only

    def _annotation(self, node: ast.expr | None) -> None:
        if self._lazy_annotations:
            self._lazily(node)
        elif node is not None:
            self.visit(node)
        for text in [] if node is None else _strings(ast.walk(node)):
            # ``"Node"``: read when somebody asks for the types, as dataclasses and pydantic may do.
            self._lazily(ipython.parse_expression(text), mentioning=True)

    def _lazily(self, node: ast.expr | None, *, mentioning: bool = False) -> None:
        """Walk what is evaluated only when somebody asks for it."""
        before, self._mentioning = self._mentioning, self._mentioning or mentioning
        if node is not None:
            self._body([node], (), called_now=False)
        self._mentioning = before

    # simple statements

    def _Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self._share_value(target, node.value)
            self.visit(target)

    def _AugAssign(self, node: ast.AugAssign) -> None:
        target = node.target
        if isinstance(target, ast.Name):
            self._load(target.id)
            self.visit(node.value)
            self._mutate(target)
            self._store(target.id)
        else:
            self.visit(node.value)
            self.visit(target)

    def _AnnAssign(self, node: ast.AnnAssign) -> None:
        if not self._in_function:
            self._annotation(node.annotation)
        if node.value is not None:
            self.visit(node.value)
            self._share_value(node.target, node.value)
        if node.value is not None or not isinstance(node.target, ast.Name):
            self.visit(node.target)

    def _Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._import(alias.name)
            self._store(alias.asname or alias.name.partition(".")[0])

    def _ImportFrom(self, node: ast.ImportFrom) -> None:
        if not node.level and node.module:
            self._import(node.module)
        for alias in node.names:
            if alias.name == "*":
                self._star_imports.add("." * node.level + (node.module or ""))
            else:
                self._store(alias.asname or alias.name)

    def _import(self, module: str) -> None:
        root = module.partition(".")[0]
        if root == "__main__":
            self._touch_anything()
        elif root != "__future__":
            self._imports.add(root)

    def _Return(self, node: ast.Return) -> None:
        self._only_in_function(node, "'return' outside function")
        if node.value is not None:
            self.visit(node.value)
        self._flow.live = False

    def _only_in_function(self, node: ast.stmt | ast.expr, message: str) -> None:
        if not self._in_function:
            raise SyntaxError(message, ("<cell>", node.lineno, node.col_offset + 1, None))

    def _Raise(self, node: ast.Raise) -> None:
        self._children(node)
        self._flow.live = False

    def _Assert(self, node: ast.Assert) -> None:
        before = self._flow.copy()  # python -O leaves it out
        self.visit(node.test)
        after = self._flow.copy()
        if node.msg is not None:
            self.visit(node.msg)
        self._flow = _merged([before, after])

    def _Break(self, node: ast.Break) -> None:
        self._leave_round(node, "'break' outside loop").breaks.append(self._flow.copy())
        self._flow.live = False

    def _Continue(self, node: ast.Continue) -> None:
        self._leave_round(node, "'continue' not properly in loop").continues.append(self._flow.copy())
        self._flow.live = False

    def _leave_round(self, node: ast.stmt, message: str) -> _Loop:
        if not self._loops:
            raise SyntaxError(message, ("<cell>", node.lineno, node.col_offset + 1, None))
        return self._loops[-1]

    # compound statements

    def _branches(self, walks: Iterable[Callable[[], None]]) -> None:
        """Walk alternatives that start from the same point."""
        entry = self._flow
        ends = []
        for walk in walks:
            self._flow = entry.copy()
            walk()
            ends.append(self._flow)
        self._flow = _merged(ends)

    def _If(self, node: ast.If) -> None:
        self.visit(node.test)
        entry = self._flow.copy()
        self._flow.live &= not _is_false(node.test)
        self._visit_all(node.body)
        then = self._flow
        self._flow = entry
        self._flow.live &= not _is_true(node.test)
        self._visit_all(node.orelse)
        self._flow = _merged([then, self._flow])

    def _For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        self._share(node.target, self._roots(node.iter), self._scope)
        self._loop(lambda: None, lambda: self.visit(node.target), node)

    _AsyncFor = _For

    def _While(self, node: ast.While) -> None:
        self._loop(lambda: self.visit(node.test), lambda: None, node)

    def _loop(
        self,
        test: Callable[[], None],
        start_round: Callable[[], None],
        node: ast.For | ast.AsyncFor | ast.While,
    ) -> None:
        loop = _Loop()
        test()
        head = self._flow.copy()
        while True:
            self._loops.append(loop)
            self._flow = head.copy()
            start_round()
            self._visit_all(node.body)
            self._loops.pop()
            self._flow = _merged([self._flow, *loop.continues])
            test()
            again = _merged([head, self._flow])
            if not head.live or (again.bound == head.bound and again.gone == head.gone):
                break
            head = again  # a later round may find less; what is certain only shrinks, so this ends
        self._flow = head.copy()
        if isinstance(node, ast.While) and _is_true(node.test):
            self._flow.live = False
        self._visit_all(node.orelse)
        self._flow = _merged([self._flow, *loop.breaks])

    def _Try(self, node: ast.Try) -> None:
        entry = self._flow.copy()
        escapes = self._escapes()

        def protected() -> None:
            stored, deleted = self._recorded(lambda: self._visit_all(node.body))
            raised = entry.weakened(stored, deleted)
            self._visit_all(node.orelse)
            ends = [self._flow]
            for handler in node.handlers:
                self._flow = raised.copy()
                self._handler(handler)
                ends.append(self._flow)
            self._flow = _merged(ends)

        stored, deleted = self._recorded(protected)
        if not node.finalbody:
            return
        after, escaped = self._flow, self._escapes()
        self._flow = entry.weakened(stored, deleted)
        stored, deleted = self._recorded(lambda: self._visit_all(node.finalbody))
        final = self._flow
        self._flow = after.then(final, stored, deleted)
        self._rewrite_escapes(escapes, escaped, lambda flow: flow.then(final, stored, deleted))

    _TryStar = _Try

    def _handler(self, node: ast.ExceptHandler) -> None:
        if node.type is not None:
            self.visit(node.type)
        if node.name is None:
            self._visit_all(node.body)
            return
        variable = self._variable(node.name, self._scope)
        escapes = self._escapes()
        self._bind(variable)
        self._visit_all(node.body)
        live = self._flow.live
        self._flow.live = True  # however the handler ends, its name is unbound
        self._unbind(variable)
        self._flow.live = live
        self._rewrite_escapes(
            escapes,
            self._escapes(),
            lambda flow: _Flow(flow.bound - {variable}, flow.gone | ({variable} & self._deleted)),
        )

    def _escapes(self) -> tuple[int, int]:
        """How many ways lead out of the innermost loop's body so far."""
        return (len(self._loops[-1].breaks), len(self._loops[-1].continues)) if self._loops else (0, 0)

    def _rewrite_escapes(
        self, since: tuple[int, int], until: tuple[int, int], rewrite: Callable[[_Flow], _Flow]
    ) -> None:
        """`break` and `continue` pass what is executed at the end of a `try`."""
        if self._loops:
            loop = self._loops[-1]
            for flows, start, end in zip((loop.breaks, loop.continues), since, until, strict=True):
                flows[start:end] = map(rewrite, flows[start:end])

    def _With(self, node: ast.With | ast.AsyncWith) -> None:
        self._with(node.items, node.body)

    _AsyncWith = _With

    def _with(self, items: list[ast.withitem], body: list[ast.stmt]) -> None:
        if not items:
            self._visit_all(body)
            return
        item, *inner = items
        self.visit(item.context_expr)
        if item.optional_vars is not None:
            self._share(item.optional_vars, self._roots(item.context_expr), self._scope)
            self.visit(item.optional_vars)
        entry = self._flow.copy()
        stored, deleted = self._recorded(lambda: self._with(inner, body))
        if _last_name(item.context_expr) not in _HONEST_CONTEXTS:
            self._flow = _merged([self._flow, entry.weakened(stored, deleted)])

    def _Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        roots = self._roots(node.subject)
        entry = self._flow
        ends = []
        for case in node.cases:
            self._flow = entry.copy()
            self.visit(case.pattern)
            self._captures(case.pattern, roots)
            if case.guard is not None:
                self.visit(case.guard)
            self._visit_all(case.body)
            ends.append(self._flow)
            if case.guard is None and _always_matches(case.pattern):
                break
        else:
            ends.append(entry)
        self._flow = _merged(ends)

    def _captures(self, pattern: ast.pattern, roots: set[_Variable]) -> None:
        for part in ast.walk(pattern):
            name = part.rest if isinstance(part, ast.MatchMapping) else getattr(part, "name", None)
            if isinstance(name, str):
                self._store(name)
                if roots:
                    self._shares.setdefault(self._variable(name, self._scope), set()).update(roots)


_VISITORS: dict[type[ast.AST], Callable[[_Walk, ast.AST], None]] = {}


def _global(variables: Iterable[_Variable]) -> set[str]:
    return {variable for variable in variables if isinstance(variable, str)}


def _mangle(scope: _Scope) -> None:
    """Private names of a class (``__x``) are told as Python stores them (``_Class__x``)."""
    if scope.private and scope.private.strip("_"):
        prefix = f"_{scope.private.lstrip('_')}"

        def mangled(names: Iterable[str]) -> set[str]:
            return {
                prefix + name if name.startswith("__") and not name.endswith("__") else name for name in names
            }

        scope.names, scope.globals = mangled(scope.names), mangled(scope.globals)


def _arguments_of(arguments: ast.arguments) -> list[ast.arg]:
    """All parameters, by position first."""
    starred = [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *starred]


def _is_shell(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "get_ipython"
        and not node.args
    )


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and bool(node.value)


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not node.value


def _selects(index: ast.expr) -> bool:
    """Whether it is a mask or a list of columns: ``df[df.x > 0]``, ``df[["x", "y"]]``."""
    return isinstance(index, (ast.Compare, ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.List, ast.Call))


def _last_name(node: ast.expr) -> str:
    """The last part of the name of what is called: ``open`` in ``gzip.open(path)``."""
    function = node.func if isinstance(node, ast.Call) else node
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _file_use(node: ast.Call, name: str) -> FileUse:
    """What a call of a function or method of this name very likely does to files."""
    module = ""
    if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
        module = node.func.value.id
    if name == "open":
        modes = [*node.args[:2], *(keyword.value for keyword in node.keywords if keyword.arg == "mode")]
        said = [
            mode.value for mode in modes if isinstance(mode, ast.Constant) and isinstance(mode.value, str)
        ]
        # `open(path)` and `path.open()` read; a mode that is not said here may be any.
        is_read = all(not set(mode) <= set("rwxabt+U") or set(mode) <= set("rbtU") for mode in said)
        only_path = len(node.args) <= 1 and len(modes) == len(node.args)
        return FileUse.READ if is_read and (said or only_path) else FileUse.READ | FileUse.WRITE
    use = FileUse.NONE
    if name in _WRITING_FUNCTIONS or (module in _FILE_MODULES and name in _FILE_FUNCTIONS):
        use |= FileUse.READ | FileUse.WRITE
    if name in _READING_FUNCTIONS or name.startswith(_READING_PREFIXES):
        use |= FileUse.READ
    if name == "read_pickle" or (name in ("load", "loads", "open") and module in _UNPICKLING_MODULES):
        use |= FileUse.UNPICKLE
    return use


def _may_be_path(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_PATH and "\n" not in text


def _words_of(text: str) -> Iterator[str]:
    """Words of a command or a query that may be paths."""
    for word in re.split(r"[\s'\"=(),;<>|&]+", text[: _LONGEST_PATH * 10]):
        if "." in word or "/" in word:
            yield word


def _uses_own_functions(node: ast.ClassDef) -> bool:
    """Whether the body of a class does something with its functions, which may call them: `size = measured(get)`."""
    todo: list[ast.AST] = list(node.body)
    own, used = set(), set()
    while todo:
        part = todo.pop()
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            own.add(part.name)
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
            used.add(part.id)
        elif not isinstance(part, ast.Lambda) and not (isinstance(part, ast.Call) and _is_quiet(part.func)):
            todo.extend(ast.iter_child_nodes(part))
    return not own.isdisjoint(used)


def _is_quiet(decorator: ast.expr) -> bool:
    function: ast.expr = decorator
    while not isinstance(function, ast.Name):
        if isinstance(function, ast.Call):
            function = function.func
        elif isinstance(function, ast.Attribute):
            if function.attr in ("setter", "getter", "deleter"):  # of a property
                return True
            function = function.value
        else:
            return False
    return function.id in _QUIET_DECORATORS


def _always_matches(pattern: ast.pattern) -> bool:
    if isinstance(pattern, ast.MatchAs):
        return pattern.pattern is None or _always_matches(pattern.pattern)
    return isinstance(pattern, ast.MatchOr) and any(map(_always_matches, pattern.patterns))


def _strings(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """All text in string literals, also in parts of f-strings."""
    for node in nodes:
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str):
                yield node.value
        elif isinstance(node, (ast.JoinedStr, ast.BinOp)):
            yield from _strings(part for part in ast.walk(node) if isinstance(part, ast.Constant))
