"""Errors that a person meets.

::

    PipelinesError              has a code, a message and details; becomes an error document
    ├── UsageError              wrong use, or a notebook that is no pipeline: nothing ran (exit 2)
    │   ├── NotebookError       the notebook cannot be read as a pipeline
    │   ├── ParameterError      a parameter that the notebook lacks, or a value that is none
    │   ├── KernelError         no such kernel, or one that does not speak Python
    │   ├── StoreError          the store cannot be opened or written
    │   ├── ExportError         the notebook cannot be exported as it is, or not to that target
    │   └── NotFoundError       no such run, step or artifact
    └── StepError               a step failed: a result of the run, recorded with it (exit 1)

Every message names the thing, says what is wrong with it, and what to do.
"""

from __future__ import annotations

from typing import Any


class PipelinesError(Exception):
    """An error with a stable code for programs and a message for people.

    Parameters
    ----------
    code
        A stable snake_case word, e.g. ``syntax_error``.
    message
        Names the thing, what is wrong, what to try.
    details
        JSON values that locate the error: ``cell_index`` (0-based position in the notebook),
        ``cell_id``, ``line`` (1-based in the cell), ``step``, ``steps``, …
    """

    exit_code = 1

    def __init__(self, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details

    def to_document(self) -> dict[str, Any]:
        """The error document of the command line and of REST."""
        return {"error": {"code": self.code, "message": self.message, "details": self.details}}


class UsageError(PipelinesError):
    exit_code = 2


class NotebookError(UsageError):
    pass


class ParameterError(UsageError):
    pass


class KernelError(UsageError):
    pass


class StoreError(UsageError):
    pass


class NotFoundError(UsageError):
    pass


class ExportError(UsageError):
    pass


class StepError(PipelinesError):
    pass
