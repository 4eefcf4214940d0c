"""IPython's syntax in a code cell: magics, shell commands and help, told as Python.

A cell that Python parses as it stands never meets IPython here. Only otherwise is IPython's own input
transformer imported and asked, in a way that keeps the line numbers of the cell. What the transformer leaves,
calls like ``get_ipython().run_line_magic('time', 'x = f()')``, is explained by `line_magic_effect` and
`cell_magic_effect`: which code such a call executes, which names it reads and binds.
"""

from __future__ import annotations

import ast
import itertools
import re
import string
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast


def words(text: str) -> frozenset[str]:
    """The words of a text, for tables of names."""
    return frozenset(text.split())


_FLAGS = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT

# Cell magics whose body is Python that runs in the notebook's namespace, statement by statement.
TRANSPARENT_CELL_MAGICS = frozenset({"capture", "debug", "memit", "prun", "step", "time"})

# Cell magics whose body is text, or Python for another process: no name of the notebook is in it.
_FOREIGN_CELL_MAGICS = words(
    "HTML SVG bash cmd file html javascript js latex markdown perl pypy python python2 python3 ruby script "
    "sh svg writefile"
)
_SHOWN_CELL_MAGICS = words("html svg javascript js latex markdown")
_SHELL_MAGICS = frozenset({"!", "!!", "sx", "system"})

# Line magics that leave the namespace alone. All that are not known here are taken to do anything.
_HARMLESS_LINE_MAGICS = words(
    "aimport alias alias_magic autoawait autocall automagic autoreload bookmark cat cd code_wrap colors "
    "conda config cp dhist dirs doctest_mode env gui hist history killbgscripts ldir lf lk ll load load_ext "
    "loadpy logoff logon logstart logstate logstop ls lsmagic lx magic mamba man matplotlib micromamba "
    "mkdir more mv notebook page pastebin pdb pip popd pprint precision psearch pushd pwd pycat quickref "
    "rehashx reload_ext rm rmdir save set_env tb tensorboard unalias unload_ext uv watermark xmode"
)
_FILE_LINE_MAGICS = words("cat cp ldir less lf lk ll ls lx man mkdir more mv rm rmdir save")
_HELP_MAGICS = frozenset({"pdef", "pdoc", "pfile", "pinfo", "pinfo2", "psource"})

# Line magics that execute the rest of their line, with their options in `getopt`'s notation.
_CODE_LINE_MAGICS = {
    "time": "",
    "timeit": "n:r:tcp:qov:",
    "prun": "D:l:rs:T:q",
    "memit": "r:t:i:co",
    "lprun": "rsf:m:D:T:u:z",
    "mprun": "rf:T:c",
}

# A cell of one such line needs no percent sign (IPython calls this automagic).
_AUTOMAGICS = (
    _HARMLESS_LINE_MAGICS | _HELP_MAGICS | set(_CODE_LINE_MAGICS) | {"run", "store", "who", "whos"}
) - {"magic"}


@dataclass(frozen=True, slots=True)
class CellMagic:
    """``%%name line`` at the head of a cell, and the text below it; `lineno` is 1-based in the cell."""

    name: str
    line: str
    body: str
    lineno: int

    def as_call(self, body: str) -> str:
        """The Python that IPython runs for it."""
        return f"get_ipython().run_cell_magic({self.name!r}, {self.line!r}, {body!r})"


@dataclass(frozen=True, slots=True)
class MagicEffect:
    """What a magic does to the notebook's namespace.

    Parameters
    ----------
    code
        Python that it executes there.
    in_function
        The code runs as the body of a function: what it binds is not the notebook's.
    text
        Text in which IPython replaces ``{expression}`` and ``$name`` by their values.
    reads, binds, may_bind
        Names that it reads, binds, and binds under some circumstances.
    opaque
        It may read and bind anything.
    runs_programs
        It may read and write any file.
    """

    code: str = ""
    in_function: bool = False
    text: str = ""
    reads: tuple[str, ...] = ()
    binds: tuple[str, ...] = ()
    may_bind: tuple[str, ...] = ()
    opaque: bool = False
    runs_programs: bool = False


def split_cell_magics(source: str) -> tuple[tuple[CellMagic, ...], str | None]:
    """The cell magics at the head of a cell, outermost first, and the Python below them.

    The Python has as many lines as the cell; it is None where the innermost magic takes the rest for itself.
    """
    magics: list[CellMagic] = []
    lines = source.split("\n")
    while True:
        head = next((number for number, line in enumerate(lines) if line.strip()), None)
        if head is None or not lines[head].lstrip().startswith("%%"):
            return tuple(magics), "\n".join(lines)
        name, _, line = lines[head].strip()[2:].partition(" ")
        body = "\n".join(lines[head + 1 :])
        if name.endswith("?"):  # ``%%time?`` shows help
            return tuple(magics), "\n".join(lines)
        magics.append(CellMagic(name, line.strip(), body, head + 1))
        if name not in TRANSPARENT_CELL_MAGICS:
            return tuple(magics), None
        lines[head] = ""


def parse_cell(text: str) -> tuple[ast.Module, str]:
    """The syntax tree of Python with IPython's syntax in it, and the plain Python that it is the tree of.

    Line numbers are those of `text`.

    Raises
    ------
    SyntaxError
        Neither Python nor IPython understands it.
    """
    try:
        return parse_python(text), text
    except SyntaxError as error:
        if not _may_be_ipython(text):
            raise located(error, text) from None
        python = _transform(text)
    try:
        return parse_python(python), python
    except SyntaxError as error:
        python = _automagic(text)
        if not python:
            raise located(error, text) from None
    return parse_python(python), python


def parse_expression(text: str) -> ast.expr | None:
    """The syntax tree of an expression, None when it is none."""
    try:
        module = parse_python(f"({text}\n)")
    except SyntaxError:
        return None
    only = module.body[0] if len(module.body) == 1 else None
    return only.value if isinstance(only, ast.Expr) else None


def interpolated(text: str) -> Iterator[str]:
    """The Python expressions in ``{…}`` and after ``$`` that IPython may replace in a command."""
    try:
        fields = list(string.Formatter().parse(text))
    except ValueError:  # unbalanced braces: IPython leaves such a command as it is
        return
    for literal, field, format_spec, _ in fields:
        for match in re.finditer(r"\$(\$?)([A-Za-z_]\w*)", literal):
            if not match[1]:
                yield match[2]
        if field:
            yield field
            if format_spec:  # a slice, as in {xs[1:3]}, looks like a format to string.Formatter
                yield f"{field}:{format_spec}"


def line_magic_effect(name: str, line: str) -> MagicEffect:
    """What ``%name line`` does."""
    if name in _CODE_LINE_MAGICS:
        options, code = _options(line, _CODE_LINE_MAGICS[name])
        return MagicEffect(
            code=code,
            in_function=name == "timeit",
            reads=tuple(value.partition(".")[0] for option, value in options if option == "f"),
            binds=tuple(value for option, value in options if option == "v"),
        )
    if name in _HELP_MAGICS:
        return MagicEffect(reads=(line.strip().partition(".")[0],))
    if name in _HARMLESS_LINE_MAGICS or name in _SHELL_MAGICS:
        return MagicEffect(text=line, runs_programs=name in _SHELL_MAGICS or name in _FILE_LINE_MAGICS)
    given = line.split()
    if name == "store" and given:
        names = tuple(word for word in given[1:] if word.isidentifier())
        if given[0] == "-r":
            return MagicEffect(may_bind=names, opaque=not names)
        if given[0] in ("-d", "-z"):
            return MagicEffect()
        return MagicEffect(reads=tuple(word for word in given if word.isidentifier()))
    if name == "store":
        return MagicEffect()
    if name == "macro":
        _, rest = _options(line, "rq")
        return MagicEffect(binds=tuple(rest.split()[:1]))
    target, _, query = line.partition("<<")
    if query:  # ``%sql rows << SELECT …``
        return MagicEffect(text=query, binds=tuple(target.split()[-1:]), opaque=True)
    return MagicEffect(text=line, opaque=True)


def cell_magic_effect(name: str, line: str, body: str) -> MagicEffect:
    """What ``%%name line`` does with the text below it."""
    if name == "capture":
        output = tuple(word for word in line.split() if not word.startswith("-"))[:1]
        return MagicEffect(code=body, binds=output)
    if name == "timeit":
        _, setup = _options(line, _CODE_LINE_MAGICS["timeit"])
        return MagicEffect(code=f"{setup}\n{body}", in_function=True)
    if name in TRANSPARENT_CELL_MAGICS:
        return MagicEffect(code=body)
    if name in _SHELL_MAGICS:
        return MagicEffect(text=f"{line}\n{body}", runs_programs=True)
    if name in _FOREIGN_CELL_MAGICS:
        is_shown = name.lower() in _SHOWN_CELL_MAGICS
        return MagicEffect(text=line, binds=_script_outputs(line), runs_programs=not is_shown)
    return MagicEffect(text=line, opaque=True)


_PARSING = threading.Lock()
"""In CPython 3.11, threads that make syntax trees at the same time trip over one counter (SystemError)."""


def parse_python(text: str) -> ast.Module:
    """The syntax tree of Python that may await at the top level; any thread may ask.

    Raises
    ------
    SyntaxError
        It is no Python.
    """
    try:
        with _PARSING, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "invalid escape sequence" belongs to the run, not to reading
            return cast(ast.Module, compile(text, "<cell>", "exec", _FLAGS, dont_inherit=True))
    except ValueError as error:  # null characters, in older Pythons
        raise SyntaxError(str(error), ("<cell>", 1, 1, text.partition("\n")[0])) from None
    except (MemoryError, RecursionError):
        raise SyntaxError("too deeply nested", ("<cell>", 1, 1, text.partition("\n")[0])) from None


def located(error: SyntaxError, text: str) -> SyntaxError:
    """The error, with the line as the user wrote it."""
    lines = text.split("\n")
    lineno = min(error.lineno or 1, len(lines))
    return type(error)(error.msg, ("<cell>", lineno, error.offset, lines[lineno - 1]))


def _may_be_ipython(text: str) -> bool:
    """Whether IPython may understand what Python does not; spares its import while somebody types."""
    lines = text.split("\n")
    first = next((line for line in lines if line.strip()), "")
    return (
        first[:1].isspace()
        or first.partition(" ")[0] in _AUTOMAGICS
        or any(character in text for character in "%!?")
        or any(line.lstrip().startswith((",", ";", "/", ">>>", "In [")) for line in lines)
    )


def _transform(text: str) -> str:
    from IPython.core.inputtransformer2 import TRANSFORM_LOOP_LIMIT, TransformerManager

    # IPython's transformers have no types.
    manager: Any = TransformerManager()  # type: ignore[no-untyped-call,unused-ignore]
    lines = [line + "\n" for line in text.split("\n")]
    for cleanup in manager.cleanup_transforms:
        cleaned = cleanup(lines)
        lines = ["\n"] * (len(lines) - len(cleaned)) + cleaned
    for _ in range(TRANSFORM_LOOP_LIMIT):
        try:
            changed, transformed = manager.do_one_token_transform(lines)
        except SyntaxError:
            break
        if not changed:
            break
        lines = _padded(lines, transformed)
    return "".join(lines)


def _padded(before: list[str], after: list[str]) -> list[str]:
    """`after`, with blank lines where a command of several lines became one."""
    missing = len(before) - len(after)
    if missing <= 0:
        return after
    place = next(
        (i for i, (old, new) in enumerate(zip(before, after, strict=False)) if old != new), len(after)
    )
    return after[: place + 1] + ["\n"] * missing + after[place + 1 :]


def _automagic(text: str) -> str:
    """``pip install x`` alone in a cell is ``%pip install x``; empty when it is nothing like it."""
    if len(text.strip().split("\n")) != 1:
        return ""
    name, _, rest = text.strip().partition(" ")
    if name not in _AUTOMAGICS:
        return ""
    blank = text[: text.index(name)].count("\n") * "\n"
    return f"{blank}get_ipython().run_line_magic({name!r}, {rest!r})"


def _options(line: str, spec: str) -> tuple[list[tuple[str, str]], str]:
    """The options at the head of a line (`spec` as for `getopt`), and the rest of it."""
    options: list[tuple[str, str]] = []
    rest = line.strip()
    while re.match(r"--?[A-Za-z]", rest):
        word, _, rest = rest.partition(" ")
        rest = rest.strip()
        value = word[2:]
        if not word.startswith("--") and word[1] + ":" in spec and not value:
            value, _, rest = rest.partition(" ")
            rest = rest.strip()
        options.append((word[1], value))
        if word == "--":
            break
    return options, rest


def _script_outputs(line: str) -> tuple[str, ...]:
    """The names in ``%%bash --out x --err y --proc z``."""
    given = line.replace("=", " ").split()
    return tuple(
        name
        for option, name in itertools.pairwise(given)
        if option in ("--out", "--err", "--proc") and name.isidentifier()
    )


def is_quiet(source: str) -> bool:
    """Whether a cell ends in a semicolon, so that its last expression is not shown."""
    for line in reversed(source.splitlines()):
        code = line.split("#")[0].rstrip()
        if code:
            return code.endswith(";")
    return False
