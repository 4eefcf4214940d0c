"""A random key of the store's own, so that a digest of a secret tells nobody outside what the secret is."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

SECRET_BYTES = 32


def read_secret(path: Path) -> bytes:
    """The key that lies there; made if there is none. Only its owner may read it.

    Where none can be made or read, the answer is another one each time: no digest is equal then, and steps run.
    """
    with suppress(OSError):
        return _read_or_make(path)
    return secrets.token_bytes(SECRET_BYTES)


def _read_or_make(path: Path) -> bytes:
    with suppress(FileNotFoundError):
        return path.read_bytes()[:SECRET_BYTES]
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(handle, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        # Whoever is first makes it, for all others too: a link never replaces a file.
        with suppress(FileExistsError):
            os.link(beside, path)
    except OSError:  # no links on this file system
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return path.read_bytes()[:SECRET_BYTES]
