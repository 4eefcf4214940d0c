"""What every rule gets and gives: a pair of columns, an anomaly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jupyterlab_pipelines.quality.drift import Drift, compare
from jupyterlab_pipelines.quality.kinds import BY_NAME
from jupyterlab_pipelines.quality.statistics import Column


@dataclass(frozen=True)
class Anomaly:
    """One difference from what is expected.

    `reference` and `current` are the numbers or values that differ; `p_value` is the chance of such a
    difference without a cause (None where chance has no part in it); `effect` tells how large it is,
    as a share of the rows or a distance from 0 to 1 where the kind allows. `feature` is None for the
    whole table. `pinned`: it breaks what a person has agreed to.
    """

    feature: str | None
    kind: str
    description: str
    reference: Any = None
    current: Any = None
    p_value: float | None = None
    effect: float | None = None
    pinned: bool = False

    @property
    def severity(self) -> str:
        """How grave it is: what breaks a pinned schema is an error."""
        return "error" if self.pinned else BY_NAME[self.kind].severity

    def to_document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "feature": self.feature,
            "kind": self.kind,
            "severity": self.severity,
            "description": self.description,
            "reference": self.reference,
            "current": self.current,
            "p_value": self.p_value,
            "effect": self.effect,
            "pinned": self.pinned,
        }


@dataclass(frozen=True)
class Pair:
    """One column, before and after; what chance explains less often than `limit` is significant.

    `goes_on`: the table begins in time where the reference ended.
    """

    name: str
    before: Column
    after: Column
    limit: float
    goes_on: bool = False

    @cached_property
    def drift(self) -> Drift | None:
        """How far the two lie apart."""
        return compare(self.before, self.after, goes_on=self.goes_on)

    @cached_property
    def has_drifted(self) -> bool:
        """Whether they lie apart by more than chance explains, and by enough to matter."""
        return self.drift is not None and self.drift.p_value < self.limit and self.drift.effect >= 1

    @cached_property
    def moves_on(self) -> bool:
        """Whether the column is one that grows with the table: times in order, running numbers."""
        before, after = self.before.numbers, self.after.numbers
        if not before or not after:
            return False
        rising = ("increasing", "nondecreasing")
        ordered = before.order in rising and after.order in rising
        falling = ("decreasing", "nonincreasing")
        return ordered or (before.order in falling and after.order in falling)

    def anomaly(
        self,
        kind: str,
        description: str,
        *,
        reference: Any = None,
        current: Any = None,
        p_value: float | None = None,
        effect: float | None = None,
    ) -> Anomaly:
        """An anomaly of this column."""
        return Anomaly(self.name, kind, description, reference, current, p_value, effect)


# -- words ----------------------------------------------------------------------------------------


def percent(share: float) -> str:
    """A share in words: ``3.2 %``, ``0.04 %``."""
    value = 100 * share
    if value == 0 or value >= 10:
        return f"{value:.0f} %"
    return f"{value:.1f} %" if value >= 0.95 else f"{value:.2g} %"


def number(value: float) -> str:
    """A number in few digits: ``12``, ``3.142``, ``1.2e+09``."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if float(value).is_integer() and abs(value) < 1e12:
        return str(int(value))
    text = f"{value:.4g}"
    # Up to a thousand millions people read digits more easily than powers of ten.
    return f"{float(text):.0f}" if "e+" in text and abs(value) < 1e9 else text


def shown(value: Any) -> str:
    """A value as it is told in a sentence."""
    return (
        repr(value)
        if isinstance(value, str)
        else number(value)
        if isinstance(value, int | float) and not isinstance(value, bool)
        else str(value)
    )


def moment(seconds: float) -> str:
    """A time in ISO 8601, as coarse as it is."""
    from datetime import UTC, datetime, timedelta

    try:
        time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return number(seconds)
    text = time.strftime("%Y-%m-%d %H:%M:%S")
    return text.removesuffix(" 00:00:00")


def span(seconds: float) -> str:
    """A length of time: ``36 hours``, ``12 days``."""
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 2 * size:
            return f"{number(round(seconds / size, 1))} {unit}s"
    return f"{number(seconds)} s"
