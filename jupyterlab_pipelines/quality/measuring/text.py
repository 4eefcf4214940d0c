"""Columns of text: counted once by value, and then looked at value by value."""

from __future__ import annotations

import re
import string
from typing import Any

import numpy as np
import pyarrow.compute as pc

from jupyterlab_pipelines.quality.measuring.arrays import as_arrow, as_numpy
from jupyterlab_pipelines.quality.measuring.numbers import COMPLETE, TOP, Array, counted, measure_numbers
from jupyterlab_pipelines.quality.statistics import Text

SAMPLE = 2_000
"""Of how many distinct values the form is looked at."""
LONGEST = 120
"""Longer values are cut where they are told."""

DIGIT = re.compile(r"\d").search
DIGITS, LETTERS = re.compile(r"\d+"), re.compile(r"[^\W\d_]+")
NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*").fullmatch
DECIMAL_COMMA = re.compile(
    r"\s*[-+]?(\d+,\d+|\d{1,3}([.\xa0 ']\d{3})+,\d+|\d{1,3}(\.\d{3}){2,})\s*"
).fullmatch
THOUSANDS = re.compile(r"\s*[-+]?\d{1,3}(,\d{3})+(\.\d+)?\s*").fullmatch
DECORATED = re.compile(
    # A sign or a currency before, a unit behind; commas between thousands.
    r"\s*[-+(]?\s*([$€£¥₹]|[A-Z]{1,3}\$?|[~<>#])?\s*[-+]?\d[\d,.' ]*\s*([$€£¥₹%]|°?[A-Za-zµμ]{1,5}|/[A-Za-z]+)?\)?\s*"
).fullmatch
TIME = re.compile(
    r"\s*(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([ T]\d{1,2}:\d{2}.*)?"
    r"|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}([ T]\d{1,2}:\d{2}.*)?"
    r"|([A-Za-z]{3,9},? )?\d{1,2}[- ][A-Za-z]{3,9}\.?[- ,]+\d{2,4}.*|[A-Za-z]{3,9}\.? \d{1,2},? \d{4}.*)\s*"
).fullmatch
# UTF-8 read as Latin-1 or Windows-1252, or the sign for what cannot be shown.
DAMAGED = re.compile(
    "\ufffd|[ÃÂ][\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|â€|Ã[^A-Za-z ]|[A-Za-z]\\?[a-z](?![\\w.%-]*=)"
).search
OUTLINE = str.maketrans(
    dict.fromkeys("123456789", "0")
    | {sign: "a" for sign in string.ascii_lowercase if sign != "e"}
    | {sign: "A" for sign in string.ascii_uppercase if sign not in "ET"}
)
"""Digits and letters of a kind made equal, but for those that some of the expressions ask for."""
# A letter that could not be written; but not the question of an address, /search?page=2.
QUESTIONED = re.compile(r"[A-Za-z]\?[a-z](?![\w.%-]*=)").search


def measure_text(values: Any, counts: Array) -> Text | None:
    """What strings look like.

    Parameters
    ----------
    values
        The distinct strings, an Arrow array without nulls.
    counts
        How often each occurs.
    """
    if len(values) == 0:
        return None
    lengths = as_numpy(pc.utf8_length(values))
    trimmed = as_numpy(pc.utf8_length(pc.utf8_trim_whitespace(values)))
    of_length = np.bincount(lengths, weights=counts).astype(np.int64)
    known = np.flatnonzero(of_length)
    numbers = measure_numbers(counted(known, of_length[known]))
    assert numbers is not None
    seen, weights = values, counts
    if len(values) > SAMPLE:
        chosen = np.linspace(0, len(values) - 1, SAMPLE).astype(np.int64)
        seen, weights = values.take(as_arrow(chosen)), counts[chosen]
    return Text(
        lengths=numbers,
        blank=int(counts[trimmed == 0].sum()),
        edge_spaces=int(counts[(trimmed != lengths) & (trimmed > 0)].sum()),
        **_forms(seen.to_pylist(), weights.tolist()),
    )


def _forms(words: list[str], weights: list[int]) -> dict[str, Any]:
    """How many rows have a word of each form."""
    counts: dict[str, Any] = dict.fromkeys(
        ("numeric", "decimal_commas", "decorated", "times", "upper", "lower", "non_ascii", "damaged"), 0
    )
    # Words of one outline have one form: each outline is looked at once.
    outlines: dict[str, int] = {}
    for word, weight in zip(words, weights, strict=True):
        if not word.isascii():
            counts["non_ascii"] += weight
            if DAMAGED(word):
                counts["damaged"] += weight
        outline = word.translate(OUTLINE)
        outlines[outline] = outlines.get(outline, 0) + weight
    shapes: dict[str, int] = {}
    ambiguous, is_thousands = 0, False
    for word, weight in outlines.items():
        form = _form(word) if DIGIT(word) else None
        if form == "thousands":
            ambiguous += weight
            is_thousands |= "." in word or word.count(",") > 1
        elif form:
            counts[form] += weight
        if word.isupper():
            counts["upper"] += weight
        elif word.islower():
            counts["lower"] += weight
        if "?" in word and word.isascii() and QUESTIONED(word):
            counts["damaged"] += weight
        shape = shape_of(word)
        shapes[shape] = shapes.get(shape, 0) + weight
    # "1,234" is a thousand and more, or one and a bit: the others tell which.
    counts["decimal_commas" if counts["decimal_commas"] and not is_thousands else "decorated"] += ambiguous
    ranked = sorted(shapes.items(), key=lambda pair: (-pair[1], pair[0]))
    return {**counts, "shapes": tuple(ranked[:5]), "seen": sum(weights)}


def _form(word: str) -> str | None:
    """What a word with digits is."""
    if NUMBER(word):
        return "numeric"
    if THOUSANDS(word):
        return "thousands"
    if DECIMAL_COMMA(word):
        return "decimal_commas"
    if TIME(word):
        return "times"
    return "decorated" if DECORATED(word) else None


def shape_of(word: str) -> str:
    """The pattern of a text: runs of digits as ``9``, of letters as ``a``."""
    return DIGITS.sub("9", LETTERS.sub("a", word[:60]))[:40]


def commonest(values: Any, counts: Array) -> tuple[tuple[Any, int], ...]:
    """The commonest of distinct Arrow `values`; equally common ones in order of the alphabet."""
    distinct = len(values)
    wanted = distinct if distinct <= COMPLETE else TOP
    if distinct > COMPLETE:
        border = np.partition(counts, distinct - wanted)[distinct - wanted]
        # All that are as common as the last: which of them are told must not hang on their order.
        kept = np.flatnonzero(counts >= max(2, border))[: wanted * 50]
        values, counts = values.take(as_arrow(kept)), counts[kept]
    pairs = [(_short(value), count) for value, count in zip(values.to_pylist(), counts.tolist(), strict=True)]
    pairs.sort(key=lambda pair: (-pair[1], str(pair[0])))
    return tuple(pairs[:wanted])


def _short(value: Any) -> Any:
    return value if not isinstance(value, str) or len(value) <= LONGEST else value[: LONGEST - 1] + "…"
