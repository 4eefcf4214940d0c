"""Canonical hashing: fingerprints of code and environments, and cache keys.

Every hash begins with what it is a hash of. Values are encoded as canonical JSON, in which ``1``,
``1.0``, ``"1"`` and ``true`` differ.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from jupyterlab_pipelines.pipeline import Needs, Step

DIGEST_BYTES = 16


def fingerprint(label: str, value: Any) -> str:
    """Hash (hex) of a JSON value that is a `label`."""
    text = json.dumps([label, value], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.blake2b(text.encode("ascii"), digest_size=DIGEST_BYTES).hexdigest()


def code_fingerprint(code: tuple[tuple[str, ...], ...]) -> str:
    """Names a step's own code; what was learned while it ran is kept under it."""
    return fingerprint("step code", [list(cell) for cell in code])


def key_parts(
    step: Step,
    needs: Needs,
    *,
    parameters: Mapping[str, Any],
    inputs: Mapping[str, str],
    environment: Mapping[str, str],
) -> dict[str, Any]:
    """All that is known of a step before it runs, by name: what its cache key is made of.

    The step's name is no part of it: a renamed step is the same step.

    Parameters
    ----------
    parameters
        Value of each parameter that the step reads.
    inputs
        Digest of each input that is there.
    environment
        Interpreter and kernel.
    """
    definitions: dict[str, list[str]] = {}
    for definition in (*needs.setup_definitions, *needs.definitions, *needs.late_definitions):
        for name in sorted(definition.names) or ["*"]:
            definitions.setdefault(name, []).append(definition.normalised)
    return {
        "code": [list(cell) for cell in step.code],
        "definitions": definitions,
        "setup": list(needs.setup),
        "parameters": dict(parameters),
        "inputs": dict(inputs),
        "environment": dict(environment),
    }


def cache_key(parts: Mapping[str, Any]) -> str:
    return fingerprint("cache key", parts)
