"""Writing files beside a notebook: whole, or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from jupyterlab_pipelines.errors import UsageError


def write_whole(path: Path, data: bytes) -> None:
    """Write the file so that it is never there in part.

    Raises
    ------
    UsageError
        It cannot be written.
    """
    aside = path.with_name(f".{secrets.token_hex(4)}.part")
    try:
        aside.write_bytes(data)
        os.replace(aside, path)
    except OSError as error:
        raise UsageError(
            "bad_output", f"The output {path} cannot be written: {error.strerror}.", output=str(path)
        ) from None
    finally:
        aside.unlink(missing_ok=True)
