"""One thing about processors that numpy does not know.

numpy sorts with AVX-512 where it can. On AMD's Zen 4 the instruction that this needs most (compress to
memory) takes a hundred cycles, and a sort takes six times as long as with AVX2.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_ZEN_3_AND_4 = "25"
"""The family, as Linux tells it; Zen 3 has no AVX-512."""


def prefer_fast_sort(cpuinfo: Path = Path("/proc/cpuinfo")) -> None:
    """Have numpy sort with AVX2 on Zen 4, for this process and those it starts.

    Does nothing once numpy is imported, as it decides then, or where the user has decided.
    """
    if "numpy" in sys.modules or "NPY_DISABLE_CPU_FEATURES" in os.environ or not _is_zen_4(cpuinfo):
        return
    try:
        major, minor = (int(part) for part in version("numpy").split(".")[:2])
    except (PackageNotFoundError, ValueError):
        return
    # numpy 2.4 groups the features as the compilers do.
    names = (
        "X86_V4 AVX512_ICL"
        if (major, minor) >= (2, 4)
        else "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL"
    )
    os.environ["NPY_DISABLE_CPU_FEATURES"] = names


def _is_zen_4(cpuinfo: Path) -> bool:
    try:
        with cpuinfo.open() as lines:
            facts = {
                key.strip(): value.strip()
                for key, _, value in (line.partition(":") for line in _first(lines))
            }
    except OSError:
        return False
    return (
        facts.get("vendor_id") == "AuthenticAMD"
        and facts.get("cpu family") == _ZEN_3_AND_4
        and "avx512f" in facts.get("flags", "").split()
    )


def _first(lines: object) -> list[str]:
    """The lines about the first processor."""
    found: list[str] = []
    for line in lines:  # type: ignore[attr-defined]
        if not line.strip():
            break
        found.append(line)
    return found
