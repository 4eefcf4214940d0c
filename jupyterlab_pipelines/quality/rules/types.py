"""Types that changed, and numbers and times that arrive as text."""

from __future__ import annotations

from jupyterlab_pipelines.quality.chance import exclusive_tail
from jupyterlab_pipelines.quality.rules.pair import Anomaly, Pair, percent
from jupyterlab_pipelines.quality.statistics import Column

NEARLY_ALL = 0.9
FEWEST_WORDS = 2
"""So many words among numbers are told also where the reference might have missed them."""


def type_changed(pair: Pair) -> Anomaly | None:
    """The column holds another type of values.

    Whole numbers become floats as soon as one is missing, and 0 and 1 are booleans to some: neither
    is a change.
    """
    before, after = pair.before, pair.after
    if "null" in (before.type, after.type) or not before.count or not after.count:
        return None
    if before.times and after.times and bool(before.times.zone) != bool(after.times.zone):
        was, now = before.times.zone or "none", after.times.zone or "none"
        return _told(pair, "type_changed", f"The times' zone is {now}, {was} in the reference.")
    if _family(before.type) == _family(after.type) or _are_both_booleans(pair):
        return None
    if after.type == "object":
        told = ", ".join(f"{count} {name}" for name, count in list(after.python_types.items())[:4])
        return _told(
            pair, "mixed_types", f"Values of several types ({told}) where the reference had {before.type}."
        )
    if after.type == "string" and after.text:
        words = after.text.seen - after.text.numeric
        few = exclusive_tail(words, after.count, before.count) > (0.05 if words < FEWEST_WORDS else 0.3)
        if before.type in ("int", "float") and words and few:
            # Where types are found out from the values, as in CSV, a few words make a column text.
            return None
        if before.type == "int" and _have_zeros_before(pair):
            return None
        return _became_text(pair)
    lost = ""
    if _happens_to_be_numbers(pair):
        return None
    was_text = before.text if after.type in ("int", "float") else None
    if was_text and was_text.numeric > NEARLY_ALL * was_text.seen:
        lost = ": leading zeros are lost" if _zeros_before(pair.before) else ": text that was all numbers"
    return _told(pair, "type_changed", f"The type is {after.type}, {before.type} in the reference{lost}.")


def _happens_to_be_numbers(pair: Pair) -> bool:
    """Whether a column of text, mostly numbers, has no other word this time; CSV then makes numbers of it."""
    text = pair.before.text
    if not text or pair.after.type not in ("int", "float"):
        return False
    share = text.numeric / text.seen
    if share == 1:
        # Or none with a zero before it.
        share -= _zeros_before(pair.before) / pair.before.count
    return bool(0 < share < 1 and share**pair.after.count > pair.limit)


def _have_zeros_before(pair: Pair) -> bool:
    """Whether all are whole numbers, and text because of zeros before a few, which the reference may have missed.

    Where types are found out from the values, as in CSV, such zeros make text of a column of codes.
    """
    after = pair.after
    if not after.is_complete or not after.text or after.text.numeric < after.text.seen:
        return False
    zeros = _zeros_before(after)
    return bool(zeros) and exclusive_tail(zeros, after.count, pair.before.count) > 0.05


def _zeros_before(column: Column) -> int:
    """How many of the values that are told begin with a zero."""
    return sum(
        count for value, count in column.top if isinstance(value, str) and len(value) > 1 and value[0] == "0"
    )


def _became_text(pair: Pair) -> Anomaly:
    before, after = pair.before, pair.after
    text = after.text
    assert text is not None
    count = text.seen
    if before.type in ("int", "float", "duration", "bool"):
        numbers = text.numeric + text.decimal_commas + text.decorated
        if text.decimal_commas > text.decorated and numbers >= 0.5 * count and before.type != "bool":
            example = _example(pair, ",")
            return _told(
                pair,
                "decimal_comma",
                f"{percent(text.decimal_commas / count)} of the values are text with a decimal comma{example}.",
            )
        if numbers >= (NEARLY_ALL if text.decorated > 0.5 * count else 0.999) * count:
            sign = _example(pair, "") if text.decorated else ""
            return _told(
                pair, "numbers_as_text", f"Numbers arrive as text{sign}; the reference had {before.type}."
            )
        if numbers >= 0.2 * count:
            words = _words(pair)
            return _told(
                pair,
                "mixed_types",
                f"{percent(1 - numbers / count)} of the values are no numbers{words}; the reference had "
                f"{before.type} alone.",
            )
    if before.type == "time" and text.times + text.numeric >= 0.5 * count:
        example = _example(pair, "")
        return _told(pair, "times_as_text", f"Times arrive as text{example}; the reference had times.")
    return _told(
        pair, "type_changed", f"The type is string, {before.type} in the reference{_example(pair, '')}."
    )


def fractions_appeared(pair: Pair) -> Anomaly | None:
    """Whole numbers have become fractions, and nothing else explains it."""
    before, after = pair.before.numbers, pair.after.numbers
    if not before or not after or pair.before.type not in ("int", "float") or pair.after.type != "float":
        return None
    if min(before.count, after.count) < 20 or before.decimals is None or before.decimals > 0:
        return None
    if after.decimals is not None and after.decimals <= 0:
        return None
    if pair.after.is_complete:
        fractions = sum(
            count for value, count in pair.after.top if isinstance(value, float) and _is_fraction(value)
        )
    else:
        # Quantiles lie between values, so the outermost values speak for all.
        outermost = after.lowest + after.highest
        share = sum(_is_fraction(value) for value in outermost) / len(outermost)
        fractions = round(share * after.count) if share >= 0.5 else 0
    if exclusive_tail(fractions, after.count, before.count) >= pair.limit:
        return None
    return _told(pair, "type_changed", "Whole numbers in the reference, fractions now.")


def _is_fraction(value: float) -> bool:
    # Noise in the last digit is none.
    return abs(value - round(value)) > 1e-6


def _told(pair: Pair, kind: str, description: str) -> Anomaly:
    return pair.anomaly(
        kind,
        description,
        reference=_name(pair.before.type, pair.before.dtype),
        current=_name(pair.after.type, pair.after.dtype),
        effect=1.0,
    )


def _name(kind: str, dtype: str) -> str:
    return kind if kind == dtype else f"{kind} ({dtype})"


def _family(kind: str) -> str:
    return "number" if kind in ("int", "float") else kind


def _are_both_booleans(pair: Pair) -> bool:
    for first, second in ((pair.before, pair.after), (pair.after, pair.before)):
        if first.type == "bool" and second.type in ("int", "float") and set(second.counts) <= {0, 1}:
            return bool(second.is_complete)
    return False


def _example(pair: Pair, sign: str) -> str:
    for value, _ in pair.after.top:
        if isinstance(value, str) and sign in value:
            return f", e.g. {value!r}"
    return ""


def _words(pair: Pair) -> str:
    words = []
    for value, count in pair.after.top:
        if isinstance(value, str):
            try:
                float(value)
            except ValueError:
                words.append(f"{value!r} {count} times")
    return f" ({', '.join(words[:3])})" if words else ""
