"""What text looks like: blanks, case, encoding, length, pattern."""

from __future__ import annotations

from jupyterlab_pipelines.quality.chance import exclusive_tail, hypergeometric_tail
from jupyterlab_pipelines.quality.drift import FEWEST, cumulated
from jupyterlab_pipelines.quality.rules.pair import Anomaly, Pair, percent

FIRST_OF_A_CASE = 0.03
"""The share of values in upper (or lower) case that matters where hardly any was."""
FEWEST_OF_A_SHAPE = 5
"""So many values of a pattern are no accident."""
MORE_OF_A_CASE = 0.1
"""The difference that matters where some were."""


def encoding_damage(pair: Pair) -> Anomaly | None:
    """Text was read in the wrong encoding, or its accents are lost."""
    before, after = pair.before.text, pair.after.text
    if not before or not after:
        return None
    more = _increase(pair, before.damaged, after.damaged, before_rows=before.seen, after_rows=after.seen)
    if more and after.damaged / after.seen - before.damaged / before.seen > 0.002:
        example = next(
            (value for value, _ in pair.after.top if isinstance(value, str) and _is_damaged(value)), None
        )
        told = f", e.g. {example!r}" if example else ""
        return pair.anomaly(
            "encoding_damage",
            f"{percent(after.damaged / after.seen)} of the values show a damaged encoding{told}.",
            reference=before.damaged / before.seen,
            current=after.damaged / after.seen,
            p_value=more,
            effect=(after.damaged / after.seen),
        )
    share = before.non_ascii / before.seen
    if share > 0.005 and not after.non_ascii:
        lost = exclusive_tail(before.non_ascii, before.seen, after.seen)
        if lost < pair.limit:
            return pair.anomaly(
                "encoding_damage",
                f"No letter outside ASCII is left; {percent(share)} of the reference's values had one.",
                reference=share,
                current=0.0,
                p_value=lost,
                effect=share,
            )
    return None


def _is_damaged(value: str) -> bool:
    return any(sign in value for sign in ("\ufffd", "Ã", "Â", "â€", "?"))


def whitespace(pair: Pair) -> Anomaly | None:
    """White space at the ends of values."""
    before, after = pair.before.text, pair.after.text
    if not before or not after:
        return None
    share = after.edge_spaces / pair.after.count
    difference = share - before.edge_spaces / pair.before.count
    p_value = _increase(
        pair,
        before.edge_spaces,
        after.edge_spaces,
        before_rows=pair.before.count,
        after_rows=pair.after.count,
    )
    # Where no value had any, a few are enough: nobody's data has them by nature.
    enough = 0.002 if not before.edge_spaces else 0.02
    if not p_value and not before.edge_spaces and after.edge_spaces >= 5 and pair.before.count >= 50:
        p_value = exclusive_tail(after.edge_spaces, pair.after.count, pair.before.count)
        if p_value > 0.04:
            return None
    if not p_value or difference < enough:
        return None
    example = next(
        (v for v, _ in pair.after.top if isinstance(v, str) and v != v.strip() and v.strip()), None
    )
    told = f", e.g. {example!r} {pair.after.counts[example]} times" if example else ""
    near = f" (nearest: {example.strip()!r})" if example and example.strip() in pair.before.counts else ""
    return pair.anomaly(
        "whitespace",
        f"{after.edge_spaces} values ({percent(share)}) begin or end with white space{told}{near}.",
        reference=before.edge_spaces / pair.before.count,
        current=share,
        p_value=p_value,
        effect=difference,
    )


def case_changed(pair: Pair) -> Anomaly | None:
    """Text that is not a category is in other upper and lower case."""
    before, after = pair.before.text, pair.after.text
    if (
        not before
        or not after
        or _has_known_words(pair)
        or not any("a" in shape for shape, _ in before.shapes)
    ):
        return None
    for name, was, now in (("upper", before.upper, after.upper), ("lower", before.lower, after.lower)):
        share_before, share_after = was / before.seen, now / after.seen
        p_value = _increase(pair, was, now, before_rows=before.seen, after_rows=after.seen)
        # Where some are by nature, more of them must be.
        enough = MORE_OF_A_CASE if share_before > 0.01 else FIRST_OF_A_CASE
        if p_value and share_after - share_before > enough and _same_lengths(pair):
            return pair.anomaly(
                "case_changed",
                f"{percent(share_after)} of the values are in {name} case, {percent(share_before)} in the reference.",
                reference=share_before,
                current=share_after,
                p_value=p_value,
                effect=share_after - share_before,
            )
    return None


def _has_known_words(pair: Pair) -> bool:
    """Whether all values are categories of the reference."""
    return (
        pair.before.is_complete
        and pair.after.is_complete
        and pair.after.counts.keys() <= pair.before.counts.keys()
    )


def _has_other_words(pair: Pair) -> bool:
    """Whether the common values do not begin like any of the reference's, so far as these are told."""
    before, after = pair.before.text, pair.after.text
    assert before and after
    beginnings = {shape[:1] for shape, _ in before.shapes}
    if after.shapes and after.shapes[0][0][:1] not in beginnings:
        return True
    known = [value for value in pair.before.counts if isinstance(value, str)]
    now = [value for value in pair.after.counts if isinstance(value, str)]
    if not pair.before.is_complete or not now:
        return False
    return sum(any(word.startswith(value) for word in known) for value in now) < 0.5 * len(now)


def _same_lengths(pair: Pair) -> bool:
    """Whether it can be the same text: its lengths have not changed."""
    before, after = pair.before.text, pair.after.text
    assert before and after
    return all(
        abs(cumulated(before.lengths.grid, point) - cumulated(after.lengths.grid, point)) < 0.15
        for point in before.lengths.quantiles
    )


def truncated_text(pair: Pair) -> Anomaly | None:
    """Text is cut at a length, where many values now end."""
    before, after = pair.before.text, pair.after.text
    if not before or not after or _has_known_words(pair) or _has_other_words(pair) or _lost_signs(pair):
        return None
    if min(pair.before.count, pair.after.count) < FEWEST:
        return None
    limit = after.lengths.max
    beyond = 1 - cumulated(before.lengths.grid, limit)
    if before.lengths.max <= limit or beyond < 0.03 or limit < 1:
        return None
    p_value = exclusive_tail(round(beyond * pair.before.count), pair.before.count, pair.after.count)
    now = 1 - cumulated(after.lengths.grid, limit - 0.5)
    then = 1 - cumulated(before.lengths.grid, limit - 0.5) - beyond
    if p_value >= pair.limit or now - max(then, 0.0) < 0.5 * beyond:
        return None
    return pair.anomaly(
        "truncated_text",
        f"No value is longer than {int(limit)} letters and {percent(now)} are just so long; "
        f"{percent(beyond)} of the reference's were longer, up to {int(before.lengths.max)}.",
        reference=before.lengths.max,
        current=limit,
        p_value=p_value,
        effect=beyond,
    )


def format_changed(pair: Pair) -> Anomaly | None:
    """Text follows a pattern that the reference did not know."""
    before, after = pair.before.text, pair.after.text
    if pair.before.type == pair.after.type == "time":
        return _other_dates(pair)
    if not before or not after or not before.shapes:
        return None
    if signs := _lost_signs(pair):
        return pair.anomaly(
            "format_changed",
            f"{' and '.join(map(repr, signs))} stood in all of the reference's values, and in none of these.",
            reference=before.shapes[0][0],
            current=after.shapes[0][0],
            effect=1.0,
        )
    if found := _other_length(pair):
        return found
    known = dict(before.shapes)
    covered = sum(known.values()) / before.seen
    if covered < 0.9:
        # The reference has no pattern of its own.
        return None
    new = [(shape, count) for shape, count in after.shapes if shape not in known]
    count = sum(count for _, count in new)
    share = count / after.seen
    others = round((1 - covered) * before.seen)
    p_value = hypergeometric_tail(count, after.seen, others, before.seen)
    if not others and count >= FEWEST_OF_A_SHAPE and min(known.values()) >= FEWEST_OF_A_SHAPE:
        # All follow a pattern that people have made: what does not is no rare case of it.
        p_value *= 20 * pair.limit
    if share - (1 - covered) < 0.02 or p_value >= pair.limit:
        return None
    usual = before.shapes[0][0]
    return pair.anomaly(
        "format_changed",
        f"{percent(share)} of the values follow another pattern: {new[0][0]!r} instead of {usual!r} "
        "(a: letters, 9: digits).",
        reference=usual,
        current=new[0][0],
        p_value=p_value,
        effect=share,
    )


def _lost_signs(pair: Pair) -> list[str]:
    """Signs such as hyphens that all common patterns of the reference have, and none of those now."""
    before, after = pair.before.text, pair.after.text
    assert before and after
    if not before.shapes or not after.shapes or min(before.seen, after.seen) < 20:
        return []
    always = set.intersection(*(set(shape) for shape, _ in before.shapes)) - {"a", "9", " "}
    return sorted(always.difference(*(shape for shape, _ in after.shapes)))


def _other_length(pair: Pair) -> Anomaly | None:
    """Codes that were all of one length and are not any more, such as those that have lost their zeros."""
    before, after = pair.before.text, pair.after.text
    assert before and after
    length = before.lengths.min
    if length != before.lengths.max or length < 2 or (pair.before.is_unique and after.lengths.min >= length):
        # Numbers that run on get longer.
        return None
    histogram = after.lengths.histogram
    edges = zip(histogram.edges, histogram.edges[1:], histogram.counts, strict=False)
    others = sum(count for low, high, count in edges if not low < length < high)
    share = others / pair.after.count
    p_value = exclusive_tail(others, pair.after.count, pair.before.count)
    if share < 0.005 or p_value >= pair.limit:
        return None
    return pair.anomaly(
        "format_changed",
        f"{percent(share)} of the values have not the {int(length)} letters that all of the reference's have; they "
        f"have {int(after.lengths.min)} to {int(after.lengths.max)}.",
        reference=length,
        current=after.lengths.min if after.lengths.min != length else after.lengths.max,
        p_value=p_value,
        effect=share,
    )


def _other_dates(pair: Pair) -> Anomaly | None:
    """Dates in a text file that are written in another way."""
    was, now = (dtype.partition(" written ")[2] for dtype in (pair.before.dtype, pair.after.dtype))
    if was == now:
        return None
    return pair.anomaly(
        "format_changed",
        f"The times are written {now or 'in ISO 8601'}; in the reference {was or 'in ISO 8601'}.",
        reference=was or "ISO 8601",
        current=now or "ISO 8601",
        effect=1.0,
    )


def _increase(pair: Pair, before: int, after: int, *, before_rows: int, after_rows: int) -> float | None:
    """The p-value of an increase in count, if it is significant."""
    if after <= 0:
        return None
    p_value = hypergeometric_tail(after, after_rows, before, before_rows)
    return p_value if p_value < pair.limit else None
