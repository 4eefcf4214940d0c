"""What goes over the wire: requests as checked records, errors as documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from tornado.web import HTTPError

from jupyterlab_pipelines.errors import NotFoundError, PipelinesError, UsageError
from jupyterlab_pipelines.run import Status
from jupyterlab_pipelines.server.tasks import KINDS


@dataclass(frozen=True, slots=True)
class PipelineRequest:
    """Body of ``POST pipelines``: which notebook, and what it says unsaved."""

    path: str
    content: dict[str, Any] | None = None
    parameters: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_body(cls, body: Any) -> PipelineRequest:
        body = _object(body, allowed={"path", "content", "parameters"})
        return cls(_path(body), _content(body), _parameters(body))


@dataclass(frozen=True, slots=True)
class SuggestionRequest:
    """Body of ``POST suggestions``: a notebook without steps, and what it says unsaved."""

    path: str
    content: dict[str, Any] | None = None

    @classmethod
    def from_body(cls, body: Any) -> SuggestionRequest:
        body = _object(body, allowed={"path", "content"})
        return cls(_path(body), _content(body))


@dataclass(frozen=True, slots=True)
class RunRequest:
    """Body of ``POST runs``."""

    path: str
    content: dict[str, Any] | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    steps: tuple[str, ...] = ()
    force: tuple[str, ...] = ()
    jobs: int | None = None
    kernel: str | None = None
    environment: str | None = None

    @classmethod
    def from_body(cls, body: Any) -> RunRequest:
        # A misspelt `steps` would run everything: what is not known is refused.
        allowed = {"path", "content", "parameters", "steps", "force", "jobs", "kernel", "environment"}
        body = _object(body, allowed=allowed)
        environment = body.get("environment")
        if environment is not None and not isinstance(environment, str):
            raise _bad("environment", "must be the name of an environment of the schema file")
        kernel = body.get("kernel")
        if kernel is not None and (not isinstance(kernel, str) or not kernel):
            raise _bad("kernel", "must be the name of a kernelspec")
        return cls(
            _path(body),
            _content(body),
            _parameters(body),
            _strings(body, "steps"),
            _strings(body, "force"),
            _count(body, "jobs"),
            kernel,
            environment,
        )


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """Body of ``POST sweeps``: a run for each set of parameters."""

    path: str
    parameter_sets: tuple[dict[str, Any], ...]
    content: dict[str, Any] | None = None
    parallel: int = 1
    jobs: int | None = None

    @classmethod
    def from_body(cls, body: Any) -> SweepRequest:
        body = _object(body, allowed={"path", "content", "parameter_sets", "parallel", "jobs"})
        sets = body.get("parameter_sets")
        if not isinstance(sets, list) or not all(isinstance(values, dict) for values in sets):
            raise _bad("parameter_sets", "must be a list of objects: name and value")
        return cls(
            _path(body), tuple(sets), _content(body), _count(body, "parallel") or 1, _count(body, "jobs")
        )


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """Body of ``POST tasks``: what is to be done, about which notebook, and how.

    Attributes
    ----------
    folder
        That is written or read, as the contents API calls it.
    arguments
        What else the kind of task takes; see `jupyterlab_pipelines.task_process`.
    """

    kind: str
    path: str
    content: dict[str, Any] | None = None
    folder: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_body(cls, body: Any) -> TaskRequest:
        body = _object(body, allowed={"kind", "path", "content", "folder", "arguments"})
        kind, folder, arguments = body.get("kind"), body.get("folder"), body.get("arguments")
        if kind not in KINDS:
            raise _bad("kind", f"must be one of {', '.join(KINDS)}")
        if kind in ("export", "import") and (not isinstance(folder, str) or not folder.strip("/ ")):
            raise _bad("folder", "must be the path of a folder, relative to the server's root directory")
        if arguments is not None and not isinstance(arguments, dict):
            raise _bad("arguments", "must be an object: name and value")
        if kind == "export" and not isinstance((arguments or {}).get("target"), str):
            raise _bad("arguments", "must say the `target` of the export")
        return cls(kind, _path(body), _content(body), folder, arguments or {})


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Query of ``GET runs``."""

    limit: int
    before: str | None = None
    words: str = ""
    status: tuple[str, ...] = ()
    tag: str | None = None
    sweep: str | None = None
    metric: str | None = None
    descending: bool = True

    @classmethod
    def from_query(cls, values: Mapping[str, list[str]]) -> HistoryQuery:
        """`values` are those of each name, as the URL has them."""
        last = {name: found[-1] for name, found in values.items() if found}
        statuses = tuple(status for text in values.get("status", []) for status in text.split(",") if status)
        if unknown := [status for status in statuses if status not in set(Status)]:
            raise _bad("status", f"must be of {', '.join(Status)}, not {unknown[0]!r}")
        order = last.get("order", "desc")
        if order not in ("asc", "desc"):
            raise _bad("order", f"must be `asc` or `desc`, not {order!r}")
        return cls(
            limit=parse_limit(last.get("limit", "50")),
            before=last.get("before"),
            words=last.get("words", ""),
            status=statuses,
            tag=last.get("tag"),
            sweep=last.get("sweep"),
            metric=last.get("metric"),
            descending=order == "desc",
        )


def parse_compared(run_ids: list[str], *, most: int = 50) -> list[str]:
    """Runs to compare, from the query string."""
    if not 1 <= len(run_ids) <= most:
        raise _bad("run", f"must be given once for each run, for 1 to {most} runs, not for {len(run_ids)}")
    return run_ids


@dataclass(frozen=True, slots=True)
class RunChange:
    """Body of ``PATCH runs/<id>``: what people add to a run; None leaves it as it is."""

    tags: list[str] | None = None
    comment: str | None = None

    @classmethod
    def from_body(cls, body: Any) -> RunChange:
        body = _object(body, allowed={"tags", "comment"})
        comment = body.get("comment")
        if comment is not None and not isinstance(comment, str):
            raise _bad("comment", "must be a string")
        tags = None if body.get("tags") is None else list(_strings(body, "tags"))
        if tags is None and comment is None:
            raise UsageError("bad_request", "Nothing to change: give `tags`, `comment` or both.")
        return cls(tags, comment)


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """Body of ``PUT schemas``: the file's new `text`, or the tables of a run that a person agrees to."""

    path: str
    text: str | None = None
    run_id: str | None = None
    tables: tuple[str, ...] = ()

    @classmethod
    def from_body(cls, body: Any) -> SchemaChange:
        body = _object(body, allowed={"path", "text", "run_id", "tables"})
        text, run_id = body.get("text"), body.get("run_id")
        for name, value in (("text", text), ("run_id", run_id)):
            if value is not None and not isinstance(value, str):
                raise _bad(name, "must be a string")
        if (text is None) == (run_id is None):
            raise UsageError("bad_request", "Give either `text`, or `run_id` and `tables` to agree to.")
        return cls(_path(body), text, run_id, _strings(body, "tables"))


@dataclass(frozen=True, slots=True)
class AnomalyName:
    """Which anomaly of a table: its kind, its column, and the expression where it is a check."""

    kind: str
    feature: str | None = None
    check: str | None = None

    @classmethod
    def from_body(cls, body: Any) -> AnomalyName:
        body = _object(body, allowed={"kind", "feature", "check"})
        for name in ("kind", "feature", "check"):
            value = body.get(name)
            if not isinstance(value, str) and (value is not None or name == "kind"):
                raise _bad(name, "must be a string")
        return cls(body["kind"], body.get("feature"), body.get("check"))


@dataclass(frozen=True, slots=True)
class SliceQuery:
    """Query of ``GET runs/<id>/tables/<table>/slices``."""

    truth: str | None = None
    prediction: str | None = None
    by: tuple[str, ...] = ()
    metric: str | None = None
    limit: int = 20

    @classmethod
    def from_query(cls, values: Mapping[str, list[str]]) -> SliceQuery:
        """`values` are those of each name, as the URL has them."""
        last = {name: found[-1] for name, found in values.items() if found}
        return cls(
            last.get("truth"),
            last.get("prediction"),
            tuple(values.get("by", ())),
            last.get("metric"),
            parse_limit(last.get("limit", "20")),
        )


def required(name: str, value: str | None) -> str:
    """A query argument that must be there."""
    if not value:
        raise _bad(name, "must be said")
    return value


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Query of ``GET runs/<id>/steps/<step>/log``: which part of a log.

    Attributes
    ----------
    start
        The byte from which on it is wanted.
    last_bytes
        At most so much of it, the end; None for all.
    """

    start: int = 0
    last_bytes: int | None = None

    @classmethod
    def from_query(cls, start: str | None, last_bytes: str | None) -> LogQuery:
        return cls(
            parse_number("start", start or "0"),
            None if last_bytes is None else parse_number("last_bytes", last_bytes),
        )


def parse_number(name: str, text: str) -> int:
    """How many bytes or characters, from the query string."""
    if not (text.isascii() and text.isdigit()):
        raise _bad(name, f"must be a whole number, not {text!r}")
    return int(text)


def parse_limit(text: str, *, most: int = 1000) -> int:
    """How many runs a list may have, from the query string."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        raise _bad("limit", f"must be a whole number from 1 to {most}, not {text!r}")
    return int(text)


def error_answer(error: BaseException | None, status: int) -> tuple[int, dict[str, Any]]:
    """HTTP status and document for `error`; `status` is what Tornado would answer.

    ``message`` and ``reason`` stand at the top as in the errors of Jupyter's own REST, so that any
    Jupyter client can show them. An error that nobody foresaw tells nothing about itself here: it
    is in the server's log.
    """
    if isinstance(error, NotFoundError):
        status, document = 404, error.to_document()
    elif isinstance(error, UsageError):
        status, document = 400, error.to_document()
    elif isinstance(error, PipelinesError):
        status, document = 500, error.to_document()
    else:
        phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Unknown HTTP error"
        message = _http_message(error) if isinstance(error, HTTPError) else None
        if message is None and status >= 500:
            message = "The server met an error of its own; its log has the details."
        code = phrase.lower().replace(" ", "_")
        document = {"error": {"code": code, "message": message or phrase, "details": {}}}
    return status, document | {"message": document["error"]["message"], "reason": None}


def _http_message(error: HTTPError) -> str | None:
    if not error.log_message:
        return error.reason
    return error.log_message % error.args if error.args else error.log_message


def _bad(name: str, problem: str) -> UsageError:
    return UsageError("bad_request", f"`{name}` {problem}.", field=name)


def _object(body: Any, *, allowed: set[str]) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise UsageError("bad_request", "The body of the request must be a JSON object.")
    if unknown := sorted(set(body) - allowed):
        raise _bad(unknown[0], f"is not known here; known are {', '.join(sorted(allowed))}")
    return body


def _path(body: dict[str, Any]) -> str:
    path = body.get("path")
    if not isinstance(path, str) or not path:
        raise _bad("path", "must be the path of a notebook, relative to the server's root directory")
    return path


def _content(body: dict[str, Any]) -> dict[str, Any] | None:
    content = body.get("content")
    if content is None:
        return None
    cells = content.get("cells") if isinstance(content, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise _bad("content", "must be a notebook (nbformat 4): an object with a list of `cells`")
    return content  # type: ignore[no-any-return]


def _parameters(body: dict[str, Any]) -> dict[str, Any]:
    parameters = body.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise _bad("parameters", "must be an object: name and value")
    return parameters


def _count(body: dict[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise _bad(name, f"must be a whole number above 0, not {value!r}")
    return value


def _strings(body: dict[str, Any], name: str) -> tuple[str, ...]:
    values = body.get(name)
    if values is None:
        return ()
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise _bad(name, "must be a list of strings")
    return tuple(values)
