"""Numbers: other units, signs, limits and roundings, stand-ins and outliers."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence

from jupyterlab_pipelines.quality.chance import (
    exclusive_tail,
    hypergeometric_tail,
    kolmogorov_tail,
    poisson_tail,
    tail_exponent,
)
from jupyterlab_pipelines.quality.drift import cumulated, independence, kolmogorov_smirnov
from jupyterlab_pipelines.quality.rules.keys import is_id
from jupyterlab_pipelines.quality.rules.pair import Anomaly, Pair, moment, number, percent
from jupyterlab_pipelines.quality.statistics import Column, Numbers, Value

CONVERSIONS = {
    1.609344: "miles and kilometres",
    0.3048: "feet and metres",
    2.54: "inches and centimetres",
    1.852: "nautical miles and kilometres",
    0.45359237: "pounds and kilograms",
    28.349523: "ounces and grams",
    3.785412: "gallons and litres",
    3.6: "metres a second and kilometres an hour",
    0.44704: "miles an hour and metres a second",
    4.184: "calories and joules",
    57.29578: "radians and degrees",
    60.0: "minutes and seconds",
    3600.0: "hours and seconds",
    24.0: "days and hours",
    1440.0: "days and minutes",
    86400.0: "days and seconds",
    1024.0: "bytes and kilobytes",
    12.0: "years and months",
    7.0: "weeks and days",
    365.25: "years and days",
    0.404686: "acres and hectares",
    10.7639: "square metres and square feet",
    1.33322: "hectopascals and millimetres of mercury",
    1.34102: "kilowatts and horsepower",
    6.894757: "pounds a square inch and kilopascals",
    33.8639: "inches of mercury and hectopascals",
    18.0156: "mg/dl and mmol/l of glucose",
    38.67: "mg/dl and mmol/l of cholesterol",
    88.42: "mg/dl and µmol/l of creatinine",
}
"""What one unit is in another, either way."""
TEMPERATURES = (
    (1.8, 32.0, "°C → °F"),
    (1 / 1.8, -32 / 1.8, "°F → °C"),
    (1.0, 273.15, "°C → K"),
    (1.0, -273.15, "K → °C"),
    (1 / 1.8, 459.67 / 1.8, "°F → K"),
)
HOTTEST = 10_000.0
"""Higher numbers are no temperatures."""
MONEY = re.compile(
    r"price|cost|amount|revenue|salary|wage|income|fare|fee|pay|total|sales|usd|eur|gbp|tip|charge|budget|value|"
    r"spend|balance|tax|profit|turnover|tariff|rent|premium|bill|expens|earn",
    re.I,
)
KNOWN_SENTINELS = frozenset(
    (
        *(sign * (10**digits - 1) for digits in range(2, 10) for sign in (1, -1)),
        *(-1, -88, -888, -9.99, -99.9, -999.9, 99.9, 999.9),
        *(-(2**15), 2**15 - 1, -(2**31), 2**31 - 1),
    )
)
"""99, 999, … and their opposites, and the ends of machine integers."""
ODD_MOMENTS = frozenset(
    (0, -2208988800, -2208902400, -62135596800, 253402214400, 253370764800, 4102444800, 4070908800)
)
"""1970-01-01, 1900-01-01 and -02, 0001-01-01, 9999-12-31 and -01-01, 2100-01-01, 2099-01-01."""
FEWEST_NEAR = 5
"""So many values just beyond the reference are no accident any more."""
SELDOM = 0.08
"""What chance explains more often than this is not told, whatever else speaks for it."""
SURE = 0.05
"""So much rarer than the limit are two values a fault where several would else be needed."""
DEAREST = 2.0
"""Money that is multiplied by less is in another of the great currencies, and not in feet."""
CHANGES_THE_PICTURE = 1.15
"""A factor nearer to 1 is no other unit."""


def infinite_values(pair: Pair) -> Anomaly | None:
    """Infinities, where there were none."""
    before, after = pair.before.numbers, pair.after.numbers
    count = after.infinities if after else 0
    if not before or not count or before.infinities:
        return None
    if exclusive_tail(count, pair.after.count, pair.before.count) > 0.3 and pair.before.count < 50:
        return None
    return pair.anomaly(
        "infinite_values",
        f"{count} values are infinite; none was in the reference.",
        reference=0,
        current=count,
        p_value=exclusive_tail(count, pair.after.count, pair.before.count),
        effect=count / pair.after.count,
    )


# -- all values multiplied ------------------------------------------------------------------------


def sign_flipped(pair: Pair) -> Anomaly | None:
    """The opposite sign, of all values or of a part."""
    numbers = _numbers(pair)
    if not numbers:
        return None
    before, after = numbers
    if pair.has_drifted and _fits(before, after, lambda value: -value, pair):
        return pair.anomaly(
            "sign_flipped",
            f"All values have the opposite sign: median {number(before.median)} → {number(after.median)}.",
            reference=before.median,
            current=after.median,
            p_value=pair.drift.p_value if pair.drift else None,
            effect=1.0,
        )
    return _flipped_in_part(pair, before, after) or _flipped_in_part(pair, before, after, negative=True)


def _flipped_in_part(
    pair: Pair, before: Numbers, after: Numbers, *, negative: bool = False
) -> Anomaly | None:
    """Values below zero where all were above; `negative`: the other way round."""
    positives = after.count - after.negatives - after.zeros
    wrong = positives if negative else after.negatives
    wrong_before = before.count - before.negatives - before.zeros if negative else before.negatives
    if wrong < 2 or wrong_before > 0.002 * before.count or before.count < 30:
        return None
    outermost = after.highest if negative else after.lowest
    shown = [abs(value) for value in outermost if (value > 0) == negative and value]
    side = 1 if negative else -1
    distinct = {*outermost, *(value for value, _ in pair.after.top if _lies_beyond(value, 0, side))}
    if not shown or len(distinct) < max(2, len(shown) // 3):
        # One value again and again stands for something else.
        return None
    typical = [abs(value) for value in before.grid[5:96] if value]
    if not typical:
        return None
    low, high = min(typical), max(typical)
    inside = sum(0.5 * low <= value <= 2 * high for value in shown)
    middle = sorted(abs(value) for value in before.grid)[50]
    far = sum(value >= 0.05 * middle for value in shown)
    p_value = hypergeometric_tail(wrong, after.count, wrong_before, before.count)
    # Few of them are no accident either where they lie as far beyond zero as the others before it.
    likely = p_value < pair.limit or (p_value < 0.05 and _gap_to_zero(before, negative) and wrong >= 5)
    if not likely and not wrong_before and p_value < SELDOM:
        # Two are enough where the reference shows that there can be none.
        p_value = _chance_of_no_wall(before, abs(outermost[0]), negative)
        likely = p_value < SURE * pair.limit and abs(outermost[0]) > 0.5 * abs(before.median)
    if not likely or min(inside, far) < 0.7 * len(shown):
        return None
    unsigned = kolmogorov_smirnov(sorted(abs(value) for value in after.grid), sorted(map(abs, before.grid)))
    if unsigned > 0.1 and kolmogorov_tail(unsigned, before.count, after.count) < 1e-3:
        # Without their signs they are others as well: they have spread beyond zero.
        return None
    share = wrong / after.count
    sign = "positive" if negative else "negative"
    return pair.anomaly(
        "sign_flipped",
        f"{wrong} values ({percent(share)}) are {sign}, e.g. {number(outermost[0])}; "
        f"{wrong_before or 'none'} was in the reference.",
        reference=wrong_before / before.count,
        current=share,
        p_value=p_value,
        effect=share,
    )


def _chance_of_no_wall(before: Numbers, reach: float, negative: bool) -> float:
    """P that no value of the reference lies within `reach` beyond zero, if nothing keeps them on their side.

    A tail that passes zero thins out before it. Half as far on this side of zero there are so many, twice as far so
    many more; as a normal distribution goes on, beyond there are the former times the square of their ratio.
    """
    grid = sorted(-value for value in before.grid) if negative else before.grid
    reach = min(reach, grid[50])
    near = cumulated(grid, reach / 2)
    far = cumulated(grid, reach) - near
    expected = before.count * near * min(1.0, near / far if far else 1.0) ** 2
    return math.exp(-min(expected, 600.0))


def _gap_to_zero(before: Numbers, negative: bool) -> bool:
    """Whether the values keep away from zero."""
    nearest = -before.max if negative else before.min
    return nearest > 0.02 * (before.max - before.min)


def unit_changed(pair: Pair) -> Anomaly | None:
    """All values are multiplied by one factor (or turned into another scale of temperature)."""
    numbers = _numbers(pair)
    drift = pair.drift
    if not numbers or not drift or drift.p_value >= pair.limit or pair.before.type == "time":
        return None
    before, after = numbers
    estimate = _factor(before, after)
    fitting = (one for one in _candidates(estimate, pair) if _is_other_unit(pair, before, after, one))
    if (factor := next(fitting, None)) is not None:
        return pair.anomaly(
            "unit_changed",
            f"All values are about {number(_nice(factor))} times the reference's: median {number(before.median)} → "
            f"{number(after.median)}{_unit(factor, pair)}.",
            reference=before.median,
            current=after.median,
            p_value=drift.p_value,
            effect=min(drift.distance, 1.0),
        )
    if pair.moves_on or max(abs(before.min), abs(before.max)) > HOTTEST:
        return None
    for slope, shift, name in TEMPERATURES:
        if drift.effect >= 1 and _fits(before, after, lambda v, a=slope, b=shift: a * v + b, pair):  # type: ignore[misc]
            return pair.anomaly(
                "unit_changed",
                f"The values fit the reference's in another unit ({name}): median {number(before.median)} → "
                f"{number(after.median)}.",
                reference=before.median,
                current=after.median,
                p_value=drift.p_value,
                effect=drift.distance,
            )
    return None


def _candidates(estimate: float | None, pair: Pair) -> list[float]:
    """The estimated factor, and known ones near it: where many values are equal it must be exact."""
    if estimate is None:
        return []
    powers = [10.0**power for power in range(-9, 10) if power]
    known = [*powers, *CONVERSIONS, *(1 / factor for factor in CONVERSIONS)]
    # The fewer values there are, the less is the estimate worth.
    unsure = max(0.1, 3 / math.sqrt(min(pair.before.count, pair.after.count)))
    near = [factor for factor in known if abs(math.log(estimate / factor)) < unsure]
    first, second = pair.before.top, pair.after.top
    if first and second and first[0][0] and isinstance(second[0][0], int | float):
        mode = second[0][0] / first[0][0]  # type: ignore[operator]
        near += [mode] if mode > 0 and abs(math.log(estimate / mode)) < 0.1 else []
    return [*near, estimate]


def _is_other_unit(pair: Pair, before: Numbers, after: Numbers, factor: float) -> bool:
    size = max(factor, 1 / factor)
    if size < CHANGES_THE_PICTURE and not (MONEY.search(pair.name) and size > 1.04):
        return False
    if not _fits(before, after, lambda value: value * factor, pair):
        return False
    if _is_power_of_ten(factor):
        return True
    if pair.before.type == pair.after.type == "int" and _are_codes(pair):
        # Counts of a few are in no unit, unless each is a whole number in the other one.
        return all(isinstance(v, int) and _is_whole(v * factor) for v in pair.before.counts)
    if min(before.min, after.min) >= 0 and max(before.max, after.max) <= 1:
        # Shares and probabilities stay between 0 and 1: larger ones are no other unit.
        return False
    if before.min < 0 < before.max and abs(before.median) < 0.1 * (before.grid[75] - before.grid[25]):
        # Values around zero that lie wider are noisier, unless the factor is just one that people use.
        estimate = _factor(before, after) or 1.0
        return _conversion(estimate) is not None or bool(MONEY.search(pair.name))
    return size >= 2.5 or _conversion(factor) is not None or bool(MONEY.search(pair.name))


def _is_whole(value: float) -> bool:
    return abs(value - round(value)) < 1e-6


def _factor(before: Numbers, after: Numbers) -> float | None:
    """The factor between the two distributions, if there is one."""
    ratios = sorted(
        b / a
        for a, b in zip(before.grid[3:98], after.grid[3:98], strict=True)
        if a and b and (a > 0) == (b > 0)
    )
    if len(ratios) < 20:
        return None
    factor = ratios[len(ratios) // 2]
    large = sorted(
        (abs(a), b / a) for a, b in zip(before.grid[3:98], after.grid[3:98], strict=True) if a and b
    )
    # The larger half tells more: small values are rounded.
    upper = sorted(ratio for _, ratio in large[len(large) // 2 :])
    if upper and upper[len(upper) // 2] > 0:
        factor = upper[len(upper) // 2]
    return factor if factor > 0 else None


def _fits(before: Numbers, after: Numbers, change: Callable[[float], float], pair: Pair) -> bool:
    """Whether `change` turns the reference into what is there now, and nothing simpler does."""
    grid = [change(value) for value in before.grid]
    # In four digits: a factor may be written with more or fewer.
    changed = sorted(float(f"{value:.4g}") for value in grid)
    distance = kolmogorov_smirnov(changed, [float(f"{value:.4g}") for value in after.grid])
    if after.decimals is not None:
        # Or rounded as the values are now.
        changed = sorted(round(value, after.decimals) for value in grid)
        distance = min(distance, kolmogorov_smirnov(changed, after.grid))
    unchanged = kolmogorov_smirnov(before.grid, after.grid)
    chance = kolmogorov_tail(distance, before.count, after.count)
    # Rounding after the change moves steps of whole numbers.
    return distance < 0.35 * unchanged and (chance > 1e-3 or distance < 0.06)


def _conversion(factor: float) -> str | None:
    """The units that are `factor` apart."""
    if _is_power_of_ten(factor):
        return "a power of ten"
    known = min(CONVERSIONS, key=lambda known: _distance(factor, known))
    return CONVERSIONS[known] if _distance(factor, known) < 0.03 else None


def _is_power_of_ten(factor: float) -> bool:
    power = math.log10(factor)
    return abs(power) > 0.9 and abs(power - round(power)) < 0.02


def _distance(factor: float, known: float) -> float:
    """How far a factor is from a known one, taken either way, as a logarithm."""
    return min(abs(math.log(factor / known)), abs(math.log(factor * known)))


def _unit(factor: float, pair: Pair) -> str:
    name = _conversion(factor)
    if MONEY.search(pair.name) and (name is None or max(factor, 1 / factor) < DEAREST):
        name = "another currency?"
    return f" ({name})" if name else ""


def _nice(factor: float) -> float:
    power = math.log10(factor)
    return 10.0 ** round(power) if abs(power - round(power)) < 0.02 else float(f"{factor:.3g}")


def unit_changed_in_part(pair: Pair) -> Anomaly | None:
    """A part of the values is multiplied by a power of ten."""
    numbers = _numbers(pair)
    if not numbers or pair.before.type == "time" or pair.moves_on:
        return None
    before, after = numbers
    if before.min < 0 or before.median <= 0 or after.min < 0:
        return None
    for part, share in ((_above(before, after), "large"), (_below(before, after), "small")):
        if len(part) < 3:
            continue
        ratios = sorted(math.log10(value / expected) for value, expected in part)
        middle = ratios[len(ratios) // 2]
        if abs(middle) < 0.8 or abs(middle - round(middle)) > 0.2:
            continue
        if ratios[-2] - ratios[1] > 0.45:
            # What is multiplied lies as its origin does.
            continue
        moved = (
            (1 - cumulated(after.grid, before.max)) if share == "large" else _share_below(after, before.min)
        )
        p_value = exclusive_tail(round(moved * after.count), after.count, before.count)
        if p_value >= pair.limit or not _is_mixture(before, after, 10.0 ** round(middle), moved):
            continue
        return pair.anomaly(
            "unit_changed",
            f"About {percent(max(moved, len(part) / after.count))} of the values are {number(10.0 ** round(middle))} "
            f"times what the reference had, e.g. {number(part[0][0])}; its largest was {number(before.max)}.",
            reference=before.median,
            current=part[0][0],
            p_value=p_value,
            effect=moved,
        )
    return None


def _is_mixture(before: Numbers, after: Numbers, factor: float, moved: float) -> bool:
    """Whether the values are the reference's, a part of them times `factor`, of which `moved` lie beyond."""
    border = before.max if factor > 1 else before.min
    scaled_below = cumulated(before.grid, border / factor)
    beyond = 1 - scaled_below if factor > 1 else scaled_below
    part = min(1.0, moved / max(beyond, 0.01))
    distance = max(
        abs(
            (1 - part) * cumulated(before.grid, value)
            + part * cumulated(before.grid, value / factor)
            - step / 100
        )
        for step, value in enumerate(after.grid)
    )
    return distance < 0.1 or kolmogorov_tail(distance, before.count, after.count) > 1e-3


def _above(before: Numbers, after: Numbers) -> list[tuple[float, float]]:
    """Values beyond the reference's largest, each with the one that it was made of if all were scaled."""
    share = 1 - cumulated(after.grid, before.max)
    if share * 100 < 3 or share > 0.7:
        return []
    # Quantiles next to the border lie between the part and the rest.
    share -= 0.01
    return [
        (_quantile(after.grid, 1 - share + share * point), expected)
        for point in _POINTS
        if (expected := _quantile(before.grid, point)) > 0
    ]


def _below(before: Numbers, after: Numbers) -> list[tuple[float, float]]:
    share = _share_below(after, before.min) if before.min > 0 else 0.0
    if share * 100 < 3 or share > 0.7:
        return []
    share -= 0.01
    return [
        (value, expected)
        for point in _POINTS
        if (expected := _quantile(before.grid, point)) > 0
        and (value := _quantile(after.grid, share * point)) > 0
    ]


_POINTS = tuple(step / 10 for step in range(1, 10))


def _quantile(grid: Sequence[float], share: float) -> float:
    position = min(max(share, 0.0), 1.0) * (len(grid) - 1)
    left = min(int(position), len(grid) - 2)
    return grid[left] + (grid[left + 1] - grid[left]) * (position - left)


# -- single values --------------------------------------------------------------------------------


def sentinel_values(pair: Pair) -> Anomaly | None:
    """One value again and again that stands for what is missing."""
    numbers = _numbers(pair)
    if not numbers or pair.after.distinct == 1:
        return None
    before, after = numbers
    width = before.max - before.min
    for value, count in _repeated(pair.after):
        if isinstance(value, str | bool) or value is None or count < 2:
            continue
        negative = value < 0 <= before.min and after.negatives == count and pair.before.type != "time"
        outside = negative or value < before.min - 0.05 * width or value > before.max + 0.05 * width
        known = _is_sentinel(value) if pair.before.type != "time" else value in ODD_MOMENTS
        zero = value == 0 and pair.before.type != "time" and not before.zeros and before.count >= 30
        if not outside and (_are_codes(pair) or not (known or zero)):
            continue
        then = pair.before.counts.get(value, 0)
        if not then and not outside and not zero:
            then = _most_untold(pair)
        p_value = _spike(pair, count, then, looks=10 if known else 100)
        if outside and known and _is_far(before, value):
            # Far beyond all others, equal, and of that form: nobody needs a dozen of them.
            sure = negative or (abs(value) > 100 and _beyond(before, after, value, count) < 0.01)
            p_value = min(
                p_value,
                exclusive_tail(count, pair.after.count, pair.before.count) * pair.limit * (3 if sure else 20),
            )
        if outside:
            p_value = min(p_value, _beyond(before, after, value, count))
        if p_value >= pair.limit or count / pair.after.count - then / pair.before.count < 0.002:
            continue
        if not outside and then > (0.1 if known else 0.02) * count / pair.after.count * pair.before.count:
            continue
        if not known and (
            pair.before.top and pair.before.top[0][1] / pair.before.count > 0.7 * count / pair.after.count
        ):
            # The reference has so common a value as well; this one has moved.
            continue
        if not (known or zero) and not _stands_alone(pair, before, value, count):
            continue
        told = moment(value) if pair.before.type == "time" else number(value)
        return pair.anomaly(
            "sentinel_values",
            f"{told} stands {count} times ({percent(count / pair.after.count)}), "
            f"{then or 'never'} in the reference: a stand-in for a missing value?",
            reference=then / pair.before.count,
            current=value,
            p_value=p_value,
            effect=count / pair.after.count,
        )
    return None


def _repeated(column: Column) -> Iterable[tuple[Value, int]]:
    """The commonest values, and the ends where they occur more than once without being among these."""
    yield from column.top
    numbers = column.numbers
    assert numbers
    for outermost in (numbers.lowest, numbers.highest):
        count = sum(value == outermost[0] for value in outermost)
        if count > 1 and outermost[0] not in column.counts:
            yield outermost[0], count


def _is_far(before: Numbers, value: float) -> bool:
    """Whether `value` lies a width of the reference outside, or below zero where nothing did."""
    width = before.max - before.min
    return value < before.min - width or value > before.max + width or (value < 0 <= before.min)


def _stands_alone(pair: Pair, before: Numbers, value: float, count: int) -> bool:
    """Whether nearly all that lies beyond the reference on this side is `value`."""
    after = pair.after.numbers
    assert after
    if count < 5:
        return False
    beyond = 1 - cumulated(after.grid, before.max) if value > before.max else _share_below(after, before.min)
    return count >= 0.7 * beyond * pair.after.count and count >= 0.01 * pair.after.count


def value_spike(pair: Pair) -> Anomaly | None:
    """One value has become far more frequent in a column of many."""
    if pair.before.type not in ("int", "float", "time", "duration") or not _numbers(pair) or _are_codes(pair):
        return None
    if pair.before.is_complete or not pair.after.top:
        return None
    value, count, then = max(
        (
            (value, count, pair.before.counts.get(value, 0) or _most_untold(pair))
            for value, count in pair.after.top
        ),
        key=lambda spike: spike[1] / pair.after.count - spike[2] / pair.before.count,
    )
    share, share_before = count / pair.after.count, then / pair.before.count
    least = min(max(0.05, 4 * share_before), max(0.02, 10 * share_before))
    usual, usual_count = pair.before.top[0] if pair.before.top else (None, 0)
    if usual_count / pair.before.count > 0.7 * share and usual not in pair.after.counts:
        # The reference has so common a value as well; it has moved.
        return None
    if share < least or isinstance(value, str) or value is None:
        return None
    p_value = _spike(pair, count, then)
    if p_value >= pair.limit:
        return None
    told = moment(value) if pair.before.type == "time" else number(value)
    return pair.anomaly(
        "value_spike",
        f"{told} stands {count} times ({percent(share)}), at most {percent(share_before)} in the reference: "
        "stuck, or filled in?",
        reference=share_before,
        current=value,
        p_value=p_value,
        effect=share - share_before,
    )


def _are_codes(pair: Pair) -> bool:
    """Whether there are so few values that each is a category."""
    return bool(pair.before.is_complete and (pair.before.distinct or 0) <= 12)


def _most_untold(pair: Pair) -> int:
    """How often a value may occur in the reference without being told."""
    before = pair.before
    if before.is_complete:
        return 0
    if len(before.top) >= 20:
        return before.top[-1][1]
    return max(1, before.count // 1000)


def _spike(pair: Pair, count: int, then: int, looks: int = 100) -> float:
    """P that any of so many values is so much more common by chance."""
    looks = max(1, min(pair.before.distinct or 1, looks))
    return min(1.0, looks * hypergeometric_tail(count, pair.after.count, then, pair.before.count))


def _is_sentinel(value: float) -> bool:
    return value in KNOWN_SENTINELS


def out_of_range(pair: Pair) -> Anomaly | None:
    """Values that lie beyond all that the reference's tails let expect."""
    numbers = _numbers(pair)
    if not numbers or pair.moves_on:
        return None
    before, after = numbers
    if before.count < 20 or _are_running(pair) or is_id(pair):
        return None
    findings = [
        (p_value, count, value, side)
        for side, values in ((1, after.highest), (-1, after.lowest))
        if (found := _farthest(before, after, values, side))
        for p_value, count, value in [found]
    ]
    if not findings:
        return None
    p_value, count, value, side = min(findings)
    border = before.max if side > 0 else before.min
    width = before.max - before.min
    if _are_codes(pair) and abs(value - border) < 10 * width:
        # Of few values a rare one more says nothing about a tail.
        beyond = max(count, _at_least_beyond(pair, border, side))
        p_value = max(p_value, exclusive_tail(beyond, pair.after.count, pair.before.count))
    if abs(value - border) < 3 * width:
        # Near as it is, it must be more than one or two, unless the tail ends well before it.
        independent = (
            round(_at_least_beyond(pair, border, side) * independence(after)) if pair.goes_on else count
        )
        if min(count, independent) >= FEWEST_NEAR:
            alone = exclusive_tail(count, pair.after.count, pair.before.count)
            p_value = max(p_value, alone * pair.limit * 20)
        elif pair.goes_on or abs(value - border) < width or count < 2:
            return None
        else:
            seldom = exclusive_tail(count, pair.after.count, pair.before.count) < SELDOM
            p_value = p_value / SURE if seldom else 1.0
    if p_value >= pair.limit:
        return None
    portion = 1 - cumulated(after.grid, before.max) if side > 0 else _share_below(after, before.min)
    share = max(portion, count / after.count)
    far = abs(value - border) > 2 * width and share < 0.05
    if pair.before.type == "time" and not far:
        # Time goes on; what is too old is told by other rules.
        return None
    if not far and pair.has_drifted and pair.drift and share < 0.6 * pair.drift.distance:
        # The whole column has moved, and its end with it.
        return None
    other = _share_below(after, before.min) if side > 0 else 1 - cumulated(after.grid, before.max)
    if pair.has_drifted and (share > 0.5 or min(share, other) > 0.02):
        # Most have moved, or the column has become wider on both sides.
        return None
    kind = "outliers" if far else "out_of_range"
    told = moment if pair.before.type == "time" else number
    how_many = f"About {percent(share)} of the values" if share >= 0.02 else f"{count} values"
    return pair.anomaly(
        kind,
        f"{how_many} lie beyond the reference's {'largest' if side > 0 else 'smallest'}, {told(border)}, "
        f"up to {told(value)}.",
        reference=border,
        current=value,
        p_value=p_value,
        effect=share,
    )


def _at_least_beyond(pair: Pair, border: float, side: int) -> int:
    """How many values lie beyond `border`, so far as values and bins that are told show it."""
    numbers = pair.after.numbers
    assert numbers
    told = sum(count for value, count in pair.after.top if _lies_beyond(value, border, side))
    edges = numbers.histogram.edges
    bins = zip(edges[:-1] if side > 0 else edges[1:], numbers.histogram.counts, strict=True)
    # Noise in the last digit of a value at the border must not count.
    least = 1e-9 * max(abs(border), numbers.max - numbers.min)
    return max(told, sum(count for edge, count in bins if side * (edge - border) > least))


def _lies_beyond(value: object, border: float, side: int) -> bool:
    return isinstance(value, int | float) and side * (value - border) > 0


def _share_below(numbers: Numbers, point: float) -> float:
    return bisect_left(numbers.grid, point) / len(numbers.grid)


def _farthest(
    before: Numbers, after: Numbers, values: Sequence[float], side: int
) -> tuple[float, int, float] | None:
    """The least likely of "so many values so far out": p-value, how many, the outermost."""
    border = before.max if side > 0 else before.min
    beyond = [value for value in values if side * (value - border) > 0]
    width = before.max - before.min
    if not beyond or side * (beyond[0] - border) <= 0.1 * width:
        return None
    best = 1.0
    for position, value in enumerate(beyond, 1):
        best = min(best, len(values) * _beyond(before, after, value, position))
    return best, len(beyond), beyond[0]


def _beyond(before: Numbers, after: Numbers, value: float, count: int) -> float:
    """P of `count` values as far out as `value`, by a power law fitted to the reference's tail.

    Hill's estimate from the outermost values and from the outermost tenth, the slower one, and one
    standard error slower: a heavy tail may do what a light one never does. A larger table looks further down the
    tail than the reference did, so the estimate is trusted less.
    """
    side = 1 if value > before.median else -1
    outermost = before.highest if side > 0 else before.lowest
    tail = [side * (one - before.median) for one in outermost]
    tenth = [side * (one - before.median) for one in (before.grid[90:] if side > 0 else before.grid[10::-1])]
    errors = 1 + math.log10(max(1.0, after.count / before.count))
    exponents, border = [], tail[-1]
    if border > 0:
        exponents.append(tail_exponent(tail[:-1], border) * (1 + errors / math.sqrt(len(tail))))
    if tenth[0] > 0:
        exponents.append(
            tail_exponent(tenth[1:], tenth[0]) * (1 + errors / math.sqrt(max(1.0, before.count / 10)))
        )
    distance = side * (value - before.median)
    if border <= 0:
        # The tail has no width: all of it stands at the median. The nearest quantile that does not.
        border = next(
            (one for one in (side * (q - before.median) for q in before.grid[::-side]) if one > 0), 0.0
        )
        if border <= 0:
            return exclusive_tail(count, after.count, before.count)
    exponent = max([*exponents, 0.08])
    share = min(1.0, len(tail) / before.count) * (distance / border) ** (-1 / exponent)
    return poisson_tail(count, max(after.count * share, 1e-30))


def _are_running(pair: Pair) -> bool:
    """Whether whole numbers are dense keys, which go on beyond the reference's largest."""
    before, after = pair.before, pair.after
    if before.type == "time":
        # Times go on; what lies outside both periods is told by other rules.
        return bool(after.numbers and before.numbers and after.numbers.median > before.numbers.max)
    return bool(
        before.type == "int"
        and before.is_unique
        and before.count > 20
        and before.numbers
        and (after.distinct or 0) > 0.9 * after.count
    )


# -- limits and roundings -------------------------------------------------------------------------


def clipped_values(pair: Pair) -> Anomaly | None:
    """Values are cut at a limit, and many stand there now."""
    numbers = _numbers(pair)
    if not numbers or _are_codes(pair) or pair.after.distinct == 1:
        return None
    before, after = numbers
    for limit, beyond, side in (
        (after.max, 1 - cumulated(before.grid, after.max), "above"),
        (after.min, _share_below(before, after.min), "below"),
    ):
        if beyond < 0.01:
            continue
        p_value = exclusive_tail(round(beyond * before.count), before.count, after.count)
        there = pair.after.counts.get(limit, 0) / after.count
        then = pair.before.counts.get(limit, 0) / before.count
        if p_value < pair.limit and there - then > 0.5 * beyond and there > 2 * then:
            told = moment if pair.before.type == "time" else number
            return pair.anomaly(
                "clipped_values",
                f"No value lies {side} {told(limit)}, where {percent(there)} of them stand; "
                f"{percent(beyond)} of the reference's lay beyond.",
                reference=before.max if side == "above" else before.min,
                current=limit,
                p_value=p_value,
                effect=beyond,
            )
    return None


def truncated_range(pair: Pair) -> Anomaly | None:
    """Values beyond a limit are gone, and the others are as they were."""
    numbers = _numbers(pair)
    if not numbers or _are_codes(pair) or pair.moves_on or pair.before.type == "time" or is_id(pair):
        return None
    if pair.goes_on and not pair.has_drifted:
        # What wanders from hour to hour may stay away from its limits for a while.
        return None
    before, after = numbers
    low, high = _share_below(before, after.min), 1 - cumulated(before.grid, after.max)
    beyond = max(low, high)
    if beyond < 0.03 or min(low, high) > 0.02:
        return None
    # A quantile may be one per cent off.
    p_value = exclusive_tail(round((beyond - 0.01) * before.count), before.count, after.count)
    if p_value >= (pair.limit if pair.has_drifted else pair.limit * SURE):
        return None
    kept = [_quantile(before.grid, low + (1 - low - high) * step / 100) for step in range(101)]
    distance = kolmogorov_smirnov(kept, after.grid)
    if distance > 0.06 and kolmogorov_tail(distance, before.count, after.count) < 1e-3:
        return None
    moved = [value + after.median - before.median for value in before.grid]
    narrower = (after.grid[75] - after.grid[25]) / (before.grid[75] - before.grid[25] or 1.0)
    squeezed = [after.median + (value - before.median) * narrower for value in before.grid]
    if min(kolmogorov_smirnov(changed, after.grid) for changed in (moved, squeezed)) < distance:
        return None
    width = before.max - before.min
    if (after.max - before.max if low > high else before.min - after.min) > 0.1 * width:
        # The other end moved on as well.
        return None
    limit = after.min if low > high else after.max
    return pair.anomaly(
        "truncated_range",
        f"No value lies {'below' if low > high else 'above'} {number(limit)}; {percent(beyond)} of the reference's "
        "did. The others are as they were.",
        reference=before.min if low > high else before.max,
        current=limit,
        p_value=p_value,
        effect=beyond,
    )


def precision_lost(pair: Pair) -> Anomaly | None:
    """Values are rounded more coarsely."""
    before, after = pair.before, pair.after
    if before.times and after.times and before.type == after.type == "time":
        return _coarser_times(pair)
    numbers = _numbers(pair)
    if not numbers or min(before.count, after.count) < 20 or unit_changed(pair):
        # Half dollars in cents are multiples of ten, and as precise as before.
        return None
    fine = 10 if numbers[0].decimals is None else numbers[0].decimals
    coarse = 10 if numbers[1].decimals is None else numbers[1].decimals
    if coarse >= fine or not before.distinct or not after.distinct or before.distinct < 10:
        return None
    expected = before.distinct * min(1.0, after.count / before.count)
    if after.distinct > 0.7 * expected and not (before.type == "float" and after.type == "int"):
        return None
    if fine == 10 and coarse > 6:
        return None
    p_value = None
    if before.is_complete:
        # The chance that none of the finer values came.
        finer = sum(count for value, count in before.top if _is_finer(value, coarse))
        p_value = (1 - finer / before.count) ** after.count
        if p_value >= pair.limit:
            return None
    words = f"{coarse} digits after the point" if coarse > 0 else f"multiples of {number(10.0**-coarse)}"
    was = "more than nine" if fine == 10 else f"{fine}" if fine > 0 else f"multiples of {number(10.0**-fine)}"
    return pair.anomaly(
        "precision_lost",
        f"The values are rounded to {words} ({was} in the reference); {after.distinct} distinct values, "
        f"{before.distinct} in the reference.",
        reference=numbers[0].decimals,
        current=numbers[1].decimals,
        p_value=p_value,
        effect=1 - min(1.0, after.distinct / expected),
    )


def _is_finer(value: object, decimals: int) -> bool:
    """Whether `value` needs more than so many digits after the point."""
    if not isinstance(value, int | float):
        return False
    steps = value * 10.0**decimals
    return abs(steps - round(steps)) > 1e-6


def _coarser_times(pair: Pair) -> Anomaly | None:
    order = ("subsecond", "second", "minute", "hour", "day")
    before, after = pair.before.times, pair.after.times
    assert before and after
    if (
        order.index(after.resolution) <= order.index(before.resolution)
        or min(pair.before.count, pair.after.count) < 20
    ):
        return None
    return pair.anomaly(
        "precision_lost",
        f"The times fall on whole {after.resolution}s; they had {before.resolution}s in the reference.",
        reference=before.resolution,
        current=after.resolution,
        effect=1.0,
    )


def _numbers(pair: Pair) -> tuple[Numbers, Numbers] | None:
    """The numbers of both sides, where both are of the same kind and there is something to compare."""
    before, after = pair.before, pair.after
    both = {before.type, after.type}
    if not (both <= {"int", "float"} or both == {"time"} or both == {"duration"}):
        return None
    if not before.numbers or not after.numbers or before.count < 8 or after.count < 8:
        return None
    return before.numbers, after.numbers
