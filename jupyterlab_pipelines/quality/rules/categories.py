"""Values that are new, values that are gone, and how often each occurs."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection

from jupyterlab_pipelines.quality.chance import binomial_tail, exclusive_tail, hypergeometric_tail
from jupyterlab_pipelines.quality.rules.keys import is_id
from jupyterlab_pipelines.quality.rules.numbers import KNOWN_SENTINELS
from jupyterlab_pipelines.quality.rules.pair import Anomaly, Pair, moment, number, percent, shown
from jupyterlab_pipelines.quality.statistics import Column, Value

FEWEST_VARIANTS = 3
"""So many values that are known ones but for a blank, the case or a letter are a fault."""
FEWEST_OF_FEW = 2
"""So many where the reference has few values, and each of them several times."""
UNHEARD_OF = 0.05
"""How many rare values are expected to have been missed where there are no rare ones."""
STAND_INS = frozenset(
    (
        *(
            "unknown",
            "unk",
            "unkn",
            "n/a",
            "n.a.",
            "na",
            "#n/a",
            "<na>",
            "none",
            "null",
            "(null)",
            "<null>",
            "nil",
        ),
        *(
            "nan",
            "nat",
            "missing",
            "undefined",
            "undef",
            "unspecified",
            "not specified",
            "unavailable",
            "not available",
        ),
        *(
            "not_available",
            "not known",
            "not set",
            "no value",
            "tbd",
            "todo",
            "test",
            "dummy",
            "default",
            "placeholder",
        ),
        *(
            "xxx",
            "?",
            "??",
            "???",
            "-",
            "--",
            "---",
            ".",
            "*",
            "#",
            "-1",
            "-9",
            "-99",
            "-999",
            "-9999",
            "0",
            "9999",
        ),
        *("99999", "999999"),
    )
)
"""Words that stand for a value that is missing."""
DAMAGE = re.compile("\ufffd|[ÃÂ][\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|â€|Ã")

_MESSAGES = {
    "whitespace": "have white space that the reference has not",
    "case_changed": "are in other upper or lower case",
    "misspelled_values": "look like known values misspelled",
    "truncated_text": "are known values cut off",
    "encoding_damage": "are known values in a damaged encoding",
    "sentinel_values": "stand for missing values",
    "unexpected_values": "never occurred in the reference",
}
_VARIANTS = ("whitespace", "case_changed", "misspelled_values", "truncated_text", "encoding_damage")


def unseen_values(pair: Pair) -> Anomaly | None:
    """Values that the reference did not have, more of them than its own rare values let expect.

    How many values a fresh sample brings that an earlier one lacked can be read from how many the
    earlier one had just once (Good and Turing). Beside that, one new value so common that it cannot
    have been missed is enough.
    """
    before, after = pair.before, pair.after
    if before.type != after.type or before.type not in ("string", "int", "bool") or not before.count:
        return None
    if before.type == "int" and not _is_code(pair):
        return None
    unseen = {value: count for value, count in after.top if value not in before.counts}
    if not before.is_complete:
        # Only what is common now and would be among the common ones then is known to be new.
        border = before.top[-1][1] if before.top else 1
        unseen = {
            value: count
            for value, count in unseen.items()
            if hypergeometric_tail(count, after.count, border, before.count) < pair.limit / 20
        }
    if not unseen:
        return None
    if before.type == "int":
        if _are_opposites(unseen, before.counts):
            # Another rule tells of signs.
            return None
        named: dict[Value, tuple[str, object]] = {
            value: ("sentinel_values" if _is_stand_in(value, pair) else "unexpected_values", None)
            for value in unseen
        }
    else:
        named = {value: variant_of(str(value), before.counts) for value in unseen}
    total = sum(unseen.values())
    weights: Counter[str] = Counter()
    for value, count in unseen.items():
        weights[named[value][0]] += count
    kind = max(_MESSAGES, key=lambda name: weights[name])
    p_value = _chance(pair, unseen)
    variants = sum(weights[name] for name in _VARIANTS)
    likely = exclusive_tail(variants, after.count, before.count)
    if variants >= FEWEST_OF_FEW and _is_vocabulary(before):
        p_value = min(p_value, likely * pair.limit * 5)
    elif variants >= FEWEST_VARIANTS and before.singletons <= 0.05 * before.count:
        # Nobody's new category is an old one with a blank.
        p_value = min(p_value, likely * pair.limit * 20)
    if weights["sentinel_values"] >= FEWEST_VARIANTS and kind == "sentinel_values":
        likely = exclusive_tail(weights["sentinel_values"], after.count, before.count)
        p_value = min(p_value, likely * pair.limit * 20)
    if p_value >= pair.limit:
        return None
    return pair.anomaly(
        kind,
        f"{total} values ({percent(total / after.count)}) {_MESSAGES[kind]}: {_told(unseen, named)}.",
        reference=[value for value, _ in before.top[:10]],
        current=list(unseen)[:10],
        p_value=p_value,
        effect=total / after.count,
    )


def _are_opposites(unseen: Collection[Value], known: Collection[Value]) -> bool:
    """Whether several codes are those of the reference with the other sign."""
    return len(unseen) > 1 and all(isinstance(value, int) and -value in known for value in unseen)


def _is_stand_in(value: Value, pair: Pair) -> bool:
    """Whether a whole number that is new among codes stands for a missing value."""
    assert isinstance(value, int)
    codes = sorted(code for code in pair.before.counts if isinstance(code, int))
    if value == 0:
        # Codes that are counted from 0 and no longer from 1 lose their last one.
        return codes[0] > 0 and codes[-1] in pair.after.counts
    width = codes[-1] - codes[0]
    return value == -1 or (value in KNOWN_SENTINELS and not codes[0] - width <= value <= codes[-1] + width)


def _is_vocabulary(before: Column) -> bool:
    """Whether there are few values, and hardly a rare one that may have been missed."""
    return before.is_complete and (before.distinct or 0) <= 50 and min(before.counts.values(), default=0) >= 3


def _is_code(pair: Pair) -> bool:
    """Whether whole numbers are codes: few of them, each common."""
    before = pair.before
    return bool(
        before.is_complete
        and before.distinct
        and before.distinct <= 12
        and before.count >= 20 * before.distinct
        and min(before.counts.values()) >= 5
        and pair.after.is_complete
        and (pair.after.distinct or 0) <= 30
    )


def _chance(pair: Pair, unseen: dict[Value, int]) -> float:
    before, after = pair.before, pair.after
    growth = after.count / before.count
    # A value that occurs once in both tables together is in this one as likely as its share of the rows; those
    # of the reference are told by how many it has once (Good and Toulmin's first term), and one for luck.
    new = len(unseen)
    by_number = binomial_tail(new, new + before.singletons + 1, growth / (1 + growth))
    # How many values may have been missed that are as common as this one: about as many as the reference
    # has of such a size, and hardly any where it has none.
    largest = max(unseen.values())
    size = 2 * largest + 5
    rare = sum(count <= size for count in before.counts.values())
    untold = 0 if before.is_complete else (before.distinct or 0) - len(before.counts)
    as_common = 2 * (rare + untold) / size + UNHEARD_OF
    by_size = min(1.0, as_common * exclusive_tail(largest, after.count, before.count))
    return min(by_number, by_size)


def _told(unseen: dict[Value, int], named: dict[Value, tuple[str, object]]) -> str:
    parts = []
    for value, count in list(unseen.items())[:3]:
        nearest = named[value][1]
        near = f" (nearest: {shown(nearest)})" if nearest is not None else ""
        parts.append(f"{shown(value)} {count} times{near}")
    more = len(unseen) - 3
    return ", ".join(parts) + (f" and {more} more" if more > 0 else "")


def variant_of(value: str, known: Collection[object]) -> tuple[str, object]:
    """What kind of fault made `value`, and the known value that it was made of (None: none is near)."""
    words = {str(word): word for word in known}
    if (
        squeezed(value) in (forms := {squeezed(word): word for word in words})
        and value != forms[squeezed(value)]
    ):
        return "whitespace", words[forms[squeezed(value)]]
    if value.casefold() in (forms := {word.casefold(): word for word in words}):
        return "case_changed", words[forms[value.casefold()]]
    if squeezed(value).casefold() in (forms := {squeezed(word).casefold(): word for word in words}):
        return "whitespace", words[forms[squeezed(value).casefold()]]
    if (repaired := _repaired(value)) in words:
        return "encoding_damage", words[repaired]
    if value.strip().casefold() in STAND_INS:
        return "sentinel_values", None
    if not value.isascii() or "?" in value:
        plain = {_asciified(word): word for word in words}
        pattern = re.compile("".join("." if sign in "?\ufffd" else re.escape(sign) for sign in value))
        for word in words:
            if not word.isascii() and pattern.fullmatch(word):
                return "encoding_damage", words[word]
        if DAMAGE.search(value):
            return "encoding_damage", None
    else:
        plain = {_asciified(word): word for word in words if not word.isascii()}
        if value in plain:
            return "encoding_damage", words[plain[value]]
    if not value.isdigit() and len(value) >= 3:
        longer = [word for word in words if word.startswith(value) and len(word) > len(value)]
        if len(longer) == 1:
            return "truncated_text", words[longer[0]]
    nearest = _nearest(value, words)
    return ("misspelled_values", words[nearest]) if nearest is not None else ("unexpected_values", None)


def squeezed(value: str) -> str:
    """Without white space at the ends and with single blanks inside."""
    return " ".join(value.replace("\u200b", "").replace("\ufeff", "").split())


def _repaired(value: str) -> str | None:
    for encoding in ("cp1252", "latin-1"):
        try:
            return value.encode(encoding).decode("utf-8")
        except (UnicodeEncodeError, UnicodeDecodeError):
            continue
    return None


def _asciified(value: str) -> str:
    return unicodedata.normalize("NFKD", value).encode("ascii", "ignore").decode()


def _nearest(value: str, words: Collection[str]) -> str | None:
    """The known word that is one slip away, or two where the word is long."""
    folded = value.casefold()
    if len(folded) < 3 or sum(sign.isalpha() for sign in folded) < 0.8 * len(folded):
        return None
    best: tuple[int, str] | None = None
    for word in words:
        allowed = 1 if len(word) < 8 else 2
        if abs(len(word) - len(folded)) > allowed or len(word) < 4:
            continue
        if re.sub(r"\D", "", word) != re.sub(r"\D", "", folded):
            # item_1 is no slip of item_2.
            continue
        distance = edit_distance(folded, word.casefold(), allowed)
        if distance <= allowed and (best is None or distance < best[0]):
            best = (distance, word)
    return best[1] if best else None


def edit_distance(first: str, second: str, most: int) -> int:
    """Letters to put in, take out, change or exchange with the next; `most + 1` if there are more."""
    if abs(len(first) - len(second)) > most:
        return most + 1
    older: list[int] = []
    previous = list(range(len(second) + 1))
    for row, left in enumerate(first, 1):
        current = [row]
        for column, right in enumerate(second, 1):
            cost = min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (left != right))
            if older and row > 1 and column > 1 and left == second[column - 2] and first[row - 2] == right:
                cost = min(cost, older[column - 2] + 1)
            current.append(cost)
        if min(current) > most:
            return most + 1
        older, previous = previous, current
    return previous[-1]


def constant_column(pair: Pair) -> Anomaly | None:
    """One value throughout."""
    before, after = pair.before, pair.after
    if after.distinct != 1 or (before.distinct or 0) < 2 or after.count < 5 or not after.top:
        return None
    value = after.top[0][0]
    share = before.counts.get(value, 0 if before.is_complete else 1) / before.count
    largest = max(share, max((count for _, count in before.top), default=1) / before.count)
    # The chance that so many values are all equal, whichever it is.
    p_value = largest ** (after.count - 1)
    if p_value >= pair.limit:
        return None
    if before.numbers and value is not None and not isinstance(value, str):
        told = f"{before.distinct} values from {number(before.numbers.min)} to {number(before.numbers.max)}"
    else:
        told = f"{before.distinct} values"
    return pair.anomaly(
        "constant_column",
        f"All {after.count} values are {shown(value)}; the reference had {told}.",
        reference=before.distinct,
        current=1,
        p_value=p_value,
        effect=1 - share,
    )


def missing_category(pair: Pair) -> Anomaly | None:
    """A common value is gone."""
    before, after = pair.before, pair.after
    if before.type != after.type or before.type not in ("string", "bool", "int") or not after.is_complete:
        return None
    if before.type == "int" and not _is_code(pair):
        return None
    gone = {value: count for value, count in before.top if value not in after.counts}
    if not gone:
        return None
    largest = max(gone.values())
    share = largest / before.count
    p_value = min(1.0, (before.distinct or 1) * exclusive_tail(largest, before.count, after.count))
    if share < 0.01 or p_value >= pair.limit:
        return None
    total = sum(gone.values()) / before.count
    names = ", ".join(
        f"{shown(value)} ({percent(count / before.count)})" for value, count in list(gone.items())[:3]
    )
    return pair.anomaly(
        "missing_category",
        f"Values that occurred in the reference are gone: {names}.",
        reference=list(gone)[:10],
        current=None,
        p_value=p_value,
        effect=total,
    )


def drift(pair: Pair) -> Anomaly | None:
    """The values are distributed differently, and no other rule knows why.

    Times and running numbers that go on where the reference ended are no drift.
    """
    before, after = pair.before, pair.after
    found = pair.drift
    if found is None or not pair.has_drifted or pair.moves_on or _goes_on(pair) or is_id(pair):
        return None
    if found.measure == "total_variation":
        changes = sorted(
            {*before.counts, *after.counts},
            key=lambda value: (
                -abs(after.counts.get(value, 0) / after.count - before.counts.get(value, 0) / before.count)
            ),
        )[:2]
        told = "; ".join(
            f"{shown(value)} {percent(before.counts.get(value, 0) / before.count)} → "
            f"{percent(after.counts.get(value, 0) / after.count)}"
            for value in changes
        )
        description = f"{percent(found.distance)} of the values are distributed differently: {told}."
        reference: object = {str(value): before.counts.get(value, 0) / before.count for value in changes}
        current: object = {str(value): after.counts.get(value, 0) / after.count for value in changes}
    else:
        told_value = moment if before.type == "time" else number
        first = before.numbers or (before.text and before.text.lengths) or before.lengths
        second = after.numbers or (after.text and after.text.lengths) or after.lengths
        assert first and second
        what = "" if before.numbers else "length: "
        description = (
            f"Distributed differently (Kolmogorov–Smirnov {found.distance:.2f}): {what}median "
            f"{told_value(first.median)} → {told_value(second.median)}, middle half "
            f"{told_value(first.grid[25])} to {told_value(first.grid[75])} → "
            f"{told_value(second.grid[25])} to {told_value(second.grid[75])}."
        )
        reference = {"median": first.median, "mean": first.mean, "std": first.std}
        current = {"median": second.median, "mean": second.mean, "std": second.std}
    return pair.anomaly(
        "distribution_drift",
        description,
        reference=reference,
        current=current,
        p_value=found.p_value,
        effect=found.distance,
    )


def _goes_on(pair: Pair) -> bool:
    """Whether the values are names of things: keys, or times that another period brings."""
    before, after = pair.before, pair.after
    if before.numbers and after.numbers and before.type == "time":
        span = before.numbers.max - before.numbers.min
        ends = abs(before.numbers.min - after.numbers.min), abs(before.numbers.max - after.numbers.max)
        return max(ends) > 0.05 * span
    return bool(
        before.type == "int"
        and before.is_unique
        and after.numbers
        and before.numbers
        and before.count > 20
        and (after.distinct or 0) > 0.9 * after.count
        and before.count > 0.5 * (before.numbers.max - before.numbers.min + 1)
    )
