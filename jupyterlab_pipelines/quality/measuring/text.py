"""Columns of text: counted once by value, and then looked at value by value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.compute as pc

from jupyterlab_pipelines.quality.measuring.numbers import COMPLETE, TOP, Array, measure_numbers
from jupyterlab_pipelines.quality.statistics import Text

SAMPLE = 5_000
"""Of how many distinct values the form is looked at."""
LONGEST = 120
"""Longer values are cut where they are told."""

NUMBER = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"
DECIMAL_COMMA = (
    r"^\s*[-+]?\d+,\d+\s*$|^\s*[-+]?\d{1,3}([.\x{a0} ]\d{3})+,\d+\s*$|^\s*[-+]?\d{1,3}(\.\d{3}){2,}\s*$"
)
DECORATED = r"^\s*[-+(]?\s*(\p{Sc}|[A-Z]{1,3}|~|<|>|#)?\s*[-+]?\d[\d,.' ]*\s*(\p{Sc}|%|°?[A-Za-zµμ]{1,4}|/[A-Za-z]+)?\)?\s*$"
TIME = (
    r"^\s*\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([ T]\d{1,2}:\d{2}.*)?\s*$"
    r"|^\s*\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}([ T]\d{1,2}:\d{2}.*)?\s*$"
    r"|^\s*\d{1,2}[- ][A-Za-z]{3,9}\.?[- ,]+\d{2,4}.*$|^\s*[A-Za-z]{3,9}\.? \d{1,2},? \d{4}.*$"
)
# UTF-8 read as Latin-1 or Windows-1252, the sign for what cannot be shown, or a question mark
# inside a word.
DAMAGED = "\ufffd|[ÃÂ][\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|â€|[Ã][^ A-Za-z]|[A-Za-z]\\?[A-Za-z]"


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
    lengths = pc.utf8_length(values).to_numpy(zero_copy_only=False)
    trimmed = pc.utf8_length(pc.utf8_trim_whitespace(values)).to_numpy(zero_copy_only=False)
    order = np.argsort(lengths, kind="stable")
    every_length = np.repeat(lengths[order], counts[order])
    numbers = measure_numbers(every_length)
    assert numbers is not None
    sampled = len(values) > SAMPLE
    seen, weights, factor = values, counts, 1.0
    if sampled:
        chosen = np.linspace(0, len(values) - 1, SAMPLE).astype(np.int64)
        seen, weights = values.take(chosen), counts[chosen]
        factor = float(counts.sum() / weights.sum())

    def weigh(flags: Any) -> int:
        return round(float(weights[flags.to_numpy(zero_copy_only=False)].sum()) * factor)

    numeric = pc.match_substring_regex(seen, NUMBER)
    commas = pc.match_substring_regex(seen, DECIMAL_COMMA)
    decorated = pc.and_not(pc.and_not(pc.match_substring_regex(seen, DECORATED), numeric), commas)
    ascii_only = pc.string_is_ascii(seen)
    return Text(
        lengths=numbers,
        blank=int(counts[trimmed == 0].sum()),
        edge_spaces=int(counts[(trimmed != lengths) & (trimmed > 0)].sum()),
        numeric=weigh(numeric),
        decimal_commas=weigh(commas),
        decorated=weigh(decorated),
        times=weigh(pc.match_substring_regex(seen, TIME)),
        upper=weigh(pc.utf8_is_upper(seen)),
        lower=weigh(pc.utf8_is_lower(seen)),
        non_ascii=weigh(pc.invert(ascii_only)),
        damaged=weigh(pc.match_substring_regex(seen, DAMAGED)),
        shapes=_shapes(seen, weights, factor),
        sampled=sampled,
    )


def commonest(values: Any, counts: Array) -> tuple[tuple[Any, int], ...]:
    """The commonest of distinct Arrow `values`; equally common ones in order of the alphabet."""
    distinct = len(values)
    wanted = distinct if distinct <= COMPLETE else TOP
    if distinct > COMPLETE:
        border = np.partition(counts, distinct - wanted)[distinct - wanted]
        # All that are as common as the last: which of them are told must not hang on their order.
        kept = np.flatnonzero(counts >= max(2, border))[: wanted * 50]
        values, counts = values.take(kept), counts[kept]
    pairs = [(_short(value), count) for value, count in zip(values.to_pylist(), counts.tolist(), strict=True)]
    pairs.sort(key=lambda pair: (-pair[1], str(pair[0])))
    return tuple(pairs[:wanted])


def _short(value: Any) -> Any:
    return value if not isinstance(value, str) or len(value) <= LONGEST else value[: LONGEST - 1] + "…"


def _shapes(values: Any, weights: Array, factor: float) -> tuple[tuple[str, int], ...]:
    shapes = pc.replace_substring_regex(values, pattern=r"\p{L}+", replacement="a")
    shapes = pc.replace_substring_regex(shapes, pattern=r"\d+", replacement="9")
    totals: dict[str, int] = {}
    for shape, weight in zip(shapes.to_pylist(), weights.tolist(), strict=True):
        shape = shape[:40]
        totals[shape] = totals.get(shape, 0) + weight
    ranked = sorted(totals.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple((shape, round(total * factor)) for shape, total in ranked[:5])
