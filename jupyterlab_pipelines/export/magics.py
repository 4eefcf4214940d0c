"""IPython's syntax as plain Python, or a refusal that names the cell and the line.

Commands of the shell run by the package's own `shell`; what only shows something, or prepares a notebook
(``%matplotlib inline``, ``%load_ext autoreload``), is left out; what only IPython can do is refused.
"""

from __future__ import annotations

import ast
import re
import shlex
import string
from collections.abc import Collection
from dataclasses import dataclass, field

from jupyterlab_pipelines.errors import ExportError
from jupyterlab_pipelines.export.base import literal
from jupyterlab_pipelines.export.source import Edit, edited, indented, replacing
from jupyterlab_pipelines.notebook.ipython import (
    CellMagic,
    line_magic_effect,
    parse_expression,
    parse_python,
    split_cell_magics,
    words,
)
from jupyterlab_pipelines.pipeline import Cell

_CALLS = words("run_line_magic run_cell_magic system getoutput getsysoutput")
_LEFT_OUT = words(
    "aimport autoawait autocall automagic autoreload bookmark code_wrap colors conda config dhist doctest_mode "
    "gui hist history killbgscripts ldir lf lk ll load_ext ls lsmagic lx magic mamba man matplotlib micromamba "
    "more less notebook page pastebin pdb pdef pdoc pfile pinfo pinfo2 pip pprint precision psearch psource pwd "
    "pycat quickref rehashx reload_ext tb tensorboard unalias unload_ext uv watermark who whos xmode"
)
"""Line magics that only show something, or set up the notebook or its environment."""

_INSTALLS = re.compile(
    r"(sudo\s+)?(-?-?\w+=\S+\s+)*("
    r"((\{?\s*sys\.executable\s*\}?|\$sys\.executable|\"\{sys\.executable\}\"|python[\d.]*)\s+-m\s+)?(uv\s+)?pip[\d.]*\s+(un)?install"
    r"|(conda|mamba|micromamba)\s+(env\s+)?(install|update|remove|create)"
    r"|(apt|apt-get|yum|dnf|apk|brew)\s+([\w-]+\s+)*(install|update|upgrade|add|remove)"
    r")\b"
)
"""Commands that change what is installed: in a package, its requirements say that."""

_COMMANDS = words("cat cp mkdir mv rm rmdir")
_MEASURES = words("time prun memit lprun mprun")
_SHOWN_CELLS = words("html svg latex markdown javascript js HTML SVG")
_SHELL_CELLS = {"bash": "bash", "sh": "sh", "!": "", "!!": "", "sx": "", "system": ""}
_ALIKE_CELLS = words("capture debug memit prun step time")


@dataclass
class Translation:
    """A cell as plain Python, line by line where it stood, and what the translation needs.

    Attributes
    ----------
    names, read
        Names that the notebook binds, and that it reads.
    helpers
        Functions of the package's modules that it calls: `shell`, `shell_lines`.
    left_out
        What was dropped, for people.
    """

    cell: Cell
    names: Collection[str]
    read: Collection[str] = ()
    helpers: set[str] = field(default_factory=set)
    left_out: list[str] = field(default_factory=list)

    def refuse(self, line: int, what: str) -> ExportError:
        return refused(self.cell, line, what)

    def call(self, helper: str) -> str:
        """How the code calls one of the package's own functions."""
        self.helpers.add(helper)
        return helper if helper not in self.names else f"_{helper}"

    # -- cell magics ----------------------------------------------------------------------------

    def body(self) -> str | None:
        """The Python below the cell's magics; None if a magic takes it all, and `taken` tells of it."""
        magics, python = split_cell_magics(_lines(self.cell.source))
        for magic in magics:
            if magic.name not in _ALIKE_CELLS:
                continue
            kept = {word for word in magic.line.split() if not word.startswith("-")}
            if magic.name == "capture" and kept & set(self.read):
                raise self.refuse(magic.lineno, f"`%%capture {magic.line}` keeps what IPython shows")
        return python

    def taken(self) -> str:
        """Python that does what the innermost cell magic does with the text below it."""
        magics, _ = split_cell_magics(_lines(self.cell.source))
        return self._taken(magics[-1])

    def _taken(self, magic: CellMagic) -> str:
        if magic.name in _SHOWN_CELLS:
            self.left_out.append(f"cell {self.cell.index + 1}: `%%{magic.name}` only shows something")
            return ""
        if magic.name in _SHELL_CELLS and installs(magic.body):
            self._leave_out(f"%%{magic.name} {_lines(magic.body).strip()}")
            return ""
        if magic.name in _SHELL_CELLS and not _options_of(magic.line):
            program = _SHELL_CELLS[magic.name]
            if program:
                return f"{self.call('shell')}({_text(magic.body)}, program={literal(program)})"
            return f"{self.call('shell')}({self.interpolated(f'{magic.line}{chr(10)}{magic.body}'.strip())})"
        if magic.name in ("writefile", "file"):
            options = magic.line.split()
            append = "-a" in options or "--append" in options
            paths = [word for word in options if not word.startswith("-")]
            if len(paths) == 1:
                text = magic.body if magic.body.endswith("\n") else f"{magic.body}\n"
                arguments = f"{self.interpolated(paths[0])}, {_text(text)}{', append=True' if append else ''}"
                return f"{self.call('write_file')}({arguments})"
        if magic.name == "timeit":
            self.left_out.append(f"cell {self.cell.index + 1}: `%%timeit` only measures")
            return ""
        raise self.refuse(magic.lineno, f"`%%{magic.name}` needs IPython")

    # -- in a statement --------------------------------------------------------------------------

    def statement(self, source: str, line: int) -> str | None:
        """The statement without IPython; None if nothing of it is left."""
        if "get_ipython" not in source:
            return source
        tree = parse_python(source)
        edits: list[Edit] = []
        for node in ast.walk(tree):
            if isinstance(node, ast.Expr) and (call := _ipython_call(node.value)):
                text = self._as_statement(*call, line=line + node.lineno - 1)
                if text is None and node is tree.body[0] and len(tree.body) == 1:
                    return None
                edits.append(replacing(node, text or "pass"))
        done = {edit.start for edit in edits}
        for node in ast.walk(tree):
            call = _ipython_call(node)
            if isinstance(node, ast.Call) and call and (node.lineno, node.col_offset) not in done:
                edits.append(replacing(node, self._as_expression(*call, line=line + node.lineno - 1)))
        result = edited(source, edits)
        if "get_ipython" in result and _names_ipython(result):
            raise self.refuse(line, "`get_ipython()` needs IPython")
        return result

    def _as_statement(self, function: str, arguments: list[str], line: int) -> str | None:
        if function != "run_line_magic":
            if installs(arguments[0] if arguments else ""):
                self._leave_out(f"!{arguments[0].strip()}")
                return None
            return self._as_expression(function, arguments, line)
        name, text = [*arguments, "", ""][:2]
        if name in ("sx", "system", "!") and installs(text):
            self._leave_out(f"!{text.strip()}")
            return None
        if name in _MEASURES:
            code = line_magic_effect(name, text).code.strip()
            return code or None
        if name in _LEFT_OUT or (name in ("env", "set_env") and "=" not in text and len(text.split()) < 2):
            self._leave_out(f"%{f'{name} {text}'.strip()}")
            return None
        if name == "timeit":
            self.left_out.append(f"cell {self.cell.index + 1}: `%timeit` only measures")
            return None
        if name in ("env", "set_env"):
            variable, _, value = text.replace("=", " ", 1).strip().partition(" ")
            return f"{self.call('set_variable')}({literal(variable)}, {self.interpolated(value.strip())})"
        if name == "cd" and text and not text.startswith("-"):
            return f"{self.call('change_folder')}({self.interpolated(text.strip())})"
        if name in _COMMANDS:
            return f"{self.call('shell')}({self.interpolated(f'{name} {text}')})"
        if name in ("sx", "system", "!"):
            return f"{self.call('shell')}({self.interpolated(text)})"
        raise self.refuse(line, f"`%{name}` needs IPython")

    def _as_expression(self, function: str, arguments: list[str], line: int) -> str:
        text = arguments[0] if arguments else ""
        if function == "system":
            return f"{self.call('shell')}({self.interpolated(text)})"
        if function in ("getoutput", "getsysoutput"):
            return f"{self.call('shell_lines')}({self.interpolated(text)})"
        name = arguments[0] if arguments else "?"
        if function == "run_line_magic" and name in ("sx", "system") and len(arguments) > 1:
            return f"{self.call('shell_lines')}({self.interpolated(arguments[1])})"
        if function == "run_line_magic" and name == "pwd":
            return f"{self.call('current_folder')}()"
        if function == "run_line_magic" and name == "time" and len(arguments) > 1:
            return f"({arguments[1]})"
        raise self.refuse(line, f"`%{name}` needs IPython")

    def _leave_out(self, text: str) -> None:
        first, _, rest = text.partition("\n")
        self.left_out.append(f"cell {self.cell.index + 1}: `{first}{' …' if rest else ''}`")

    # -- text with names in it -------------------------------------------------------------------

    def interpolated(self, text: str) -> str:
        """Python for text in which IPython replaces ``{expression}`` and ``$name``."""
        parts: list[tuple[bool, str]] = []
        try:
            fields = list(string.Formatter().parse(text))
        except ValueError:
            return _text(text)
        for plain, expression, spec, conversion in fields:
            position = 0
            for match in re.finditer(r"\$(\$?)([A-Za-z_]\w*)", plain):
                parts.append((False, plain[position : match.start()]))
                if match[1]:
                    parts.append((False, f"${match[2]}"))
                elif match[2] in self.names:
                    parts.append((True, match[2]))
                else:
                    parts.append((False, match[0]))
                position = match.end()
            parts.append((False, plain[position:]))
            if expression is not None:
                whole = expression + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
                tree = parse_expression(f"{expression}:{spec}" if spec else expression)
                tree = tree or parse_expression(expression)
                read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} if tree else set()
                if tree is not None and not conversion and read & set(self.names):
                    parts.append((True, ast.unparse(tree)))
                else:
                    parts.append((False, f"{{{whole}}}"))
        merged: list[tuple[bool, str]] = []
        for is_code, part in parts:
            if not is_code and not part:
                continue
            if merged and not is_code and not merged[-1][0]:
                merged[-1] = (False, merged[-1][1] + part)
            else:
                merged.append((is_code, part))
        if len(merged) > 1 and not any(set(part) & set("\"'\\\n{}") for _, part in merged):
            return 'f"' + "".join(f"{{{part}}}" if is_code else part for is_code, part in merged) + '"'
        said = [f"str({part})" if is_code else _text(part) for is_code, part in merged]
        return " + ".join(said) or '""'


def installs(command: str) -> bool:
    """Whether a command of the shell does nothing but change what is installed."""
    lines = re.sub(r"\\\n", " ", _lines(command))
    parts = [part.strip() for part in re.split(r"&&|\|\||;|\n", lines)]
    said = [part for part in parts if part and not part.startswith("#")]
    return bool(said) and all(_INSTALLS.match(part) for part in said)


def refused(cell: Cell, line: int, what: str) -> ExportError:
    """The error for code of a cell that cannot be exported."""
    return ExportError(
        "not_exportable",
        f"Cell {cell.index + 1}, line {line}: {what}, which an exported pipeline does not have. "
        "Write it in plain Python, or tag the cell `skip`.",
        cell_index=cell.index,
        cell_id=cell.id,
        line=line,
        step=cell.step,
    )


def guarded(source: str) -> str:
    """A cell that may raise: what follows it is executed all the same."""
    return f"try:\n{indented(source)}\nexcept Exception:\n    traceback.print_exc()"


def _lines(source: str) -> str:
    return source.replace("\r\n", "\n").replace("\r", "\n")


def _ipython_call(node: ast.AST) -> tuple[str, list[str]] | None:
    """The method of ``get_ipython()`` and the texts that it is called with."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    owner = node.func.value
    if not (
        isinstance(owner, ast.Call) and isinstance(owner.func, ast.Name) and owner.func.id == "get_ipython"
    ):
        return None
    texts = [
        each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)
    ]
    return (node.func.attr, texts) if node.func.attr in _CALLS and len(texts) == len(node.args) else None


def _names_ipython(source: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == "get_ipython" for n in ast.walk(parse_python(source)))


def _options_of(line: str) -> list[str]:
    try:
        return [word for word in shlex.split(line) if word.startswith("-")]
    except ValueError:
        return [line]


def _text(text: str) -> str:
    """A string literal, in triple quotes where that reads better and says the same."""
    if "\n" in text:
        said = f'"""{text}"""'
        try:
            if "\\" not in text and ast.literal_eval(said) == text:
                return said
        except SyntaxError:
            pass
    return literal(text)
