"""How likely it is that chance alone made a difference: the tests that anomalies and drift rest on.

Everything from the standard library, exact where that is cheap. Probabilities are one-sided unless
said otherwise. Sources: W. H. Press et al., *Numerical Recipes* (incomplete gamma function); M. A.
Stephens, *Journal of the Royal Statistical Society B* 32 (1970), 115–122 (Kolmogorov's distribution
for finite samples); S. Holm, *Scandinavian Journal of Statistics* 6 (1979), 65–70; I. J. Good,
*Biometrika* 40 (1953), 237–264 (unseen species); B. M. Hill, *Annals of Statistics* 3 (1975),
1163–1174 (tails).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

TINY = 1e-300


def hypergeometric_tail(hits: int, drawn: int, other_hits: int, other_drawn: int) -> float:
    """P of at least `hits` in `drawn`, when the hits of both samples are dealt out by chance.

    Fisher's exact test, one-sided.
    """
    total_hits = hits + other_hits
    if hits <= 0 or drawn <= 0:
        return 1.0
    if other_drawn <= 0:
        return 1.0
    total = drawn + other_drawn

    def logarithm(count: int) -> float:
        return (
            _log_choose(drawn, count)
            + _log_choose(other_drawn, total_hits - count)
            - _log_choose(total, total_hits)
        )

    expected = total_hits * drawn / total
    if hits <= expected:
        # At least what is expected is never rare; an exact number is of no use to anybody.
        return 1.0 if hits < expected - 1 else 0.5
    term = math.exp(max(logarithm(hits), -700.0))
    probability, count = term, hits
    last = min(drawn, total_hits)
    while count < last and term > 1e-12 * probability:
        # The next term from this one.
        term *= (drawn - count) * (total_hits - count)
        count += 1
        term /= count * (other_drawn - total_hits + count)
        probability += term
    return min(1.0, max(probability, TINY))


def _log_choose(total: int, count: int) -> float:
    if count < 0 or count > total:
        return -math.inf
    return math.lgamma(total + 1) - math.lgamma(count + 1) - math.lgamma(total - count + 1)


def binomial_tail(hits: int, drawn: int, share: float) -> float:
    """P of at least `hits` in `drawn` independent trials that succeed with probability `share`."""
    if hits <= 0:
        return 1.0
    if share <= 0:
        return 0.0
    if share >= 1:
        return 1.0
    if hits <= drawn * share:
        return 1.0 if hits < drawn * share - 1 else 0.5
    term = math.exp(_log_choose(drawn, hits) + hits * math.log(share) + (drawn - hits) * math.log1p(-share))
    probability, count = term, hits
    while count < drawn and term > 1e-12 * probability:
        term *= (drawn - count) / (count + 1) * share / (1 - share)
        count += 1
        probability += term
    return min(1.0, max(probability, TINY))


def poisson_tail(hits: int, expected: float) -> float:
    """P of at least `hits` where `expected` are expected."""
    if hits <= 0:
        return 1.0
    if expected <= 0:
        return 0.0
    return 1.0 - gamma_tail(hits, expected) if hits < expected else _lower_gamma(hits, expected)


def chi_square_tail(statistic: float, freedom: int) -> float:
    """P that a chi-square variable with so many degrees of freedom is at least `statistic`."""
    if freedom <= 0 or statistic <= 0:
        return 1.0
    return max(gamma_tail(freedom / 2, statistic / 2), TINY)


def gamma_tail(shape: float, x: float) -> float:
    """The regularised upper incomplete gamma function Q(shape, x)."""
    if x <= 0:
        return 1.0
    if x < shape + 1:
        return 1.0 - _lower_gamma(shape, x)
    # Lentz's method for the continued fraction.
    b = x + 1 - shape
    c = 1 / 1e-300
    d = 1 / b
    fraction = d
    for index in range(1, 500):
        a = -index * (index - shape)
        b += 2
        d = 1 / (_away_from_zero(a * d + b))
        c = _away_from_zero(b + a / c)
        fraction *= d * c
        if abs(d * c - 1) < 1e-13:
            break
    return math.exp(max(-x + shape * math.log(x) - math.lgamma(shape), -740.0)) * fraction


def _lower_gamma(shape: float, x: float) -> float:
    """P(shape, x), the complement, by its series."""
    term = total = 1 / shape
    denominator = shape
    while abs(term) > abs(total) * 1e-15:
        denominator += 1
        term *= x / denominator
        total += term
    return min(1.0, total * math.exp(max(-x + shape * math.log(x) - math.lgamma(shape), -740.0)))


def _away_from_zero(value: float) -> float:
    return value if abs(value) > 1e-300 else 1e-300


def kolmogorov_tail(distance: float, first: int, second: int) -> float:
    """P that the distribution functions of two samples of one population are `distance` apart.

    Two-sided; Stephens' approximation, good from four values on, and too large where values repeat.
    """
    if first <= 0 or second <= 0 or distance <= 0:
        return 1.0
    root = math.sqrt(first * second / (first + second))
    scaled = (root + 0.12 + 0.11 / root) * distance
    if scaled < 0.2:
        return 1.0
    total, sign = 0.0, 1.0
    for index in range(1, 101):
        term = math.exp(-2 * (index * scaled) ** 2)
        total += sign * term
        if term < 1e-12 * abs(total):
            break
        sign = -sign
    return min(1.0, max(2 * total, TINY))


def normal_tail(deviation: float) -> float:
    """P that a standard normal variable exceeds `deviation`."""
    return max(0.5 * math.erfc(deviation / math.sqrt(2)), TINY)


def student_tail(deviation: float, freedom: int) -> float:
    """The chance that a variable of Student's t distribution is larger than `deviation`, which is not negative.

    For whole degrees of freedom the tail is a finite sum; Abramowitz and Stegun, *Handbook of Mathematical
    Functions*, 26.7.3 and 26.7.4.
    """
    angle = math.atan2(deviation, math.sqrt(freedom))
    sine, square = math.sin(angle), math.cos(angle) ** 2
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    total = 0.0
    for step in range(freedom // 2):
        total += term
        term *= square * (2 * step + (2 if odd else 1)) / (2 * step + (3 if odd else 2))
    inside = 2 / math.pi * (angle + sine * total) if odd else sine * total
    return max(0.0, (1 - inside) / 2)


def exclusive_tail(hits: int, drawn: int, other_drawn: int) -> float:
    """P that `hits` equal things all lie in the sample of `drawn`, none in the other."""
    if hits <= 0:
        return 1.0
    return (drawn / (drawn + other_drawn)) ** hits if drawn + other_drawn else 1.0


def holm(probabilities: Sequence[float], tests: int | None = None) -> list[float]:
    """`probabilities` adjusted for looking at many columns (Holm); `tests` are the columns looked at."""
    tests = max(tests or 0, len(probabilities))
    adjusted = [1.0] * len(probabilities)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(probabilities)), key=lambda i: probabilities[i])):
        largest = max(largest, min(1.0, probabilities[index] * (tests - rank)))
        adjusted[index] = largest
    return adjusted


def tail_exponent(beyond: Sequence[float], border: float) -> float:
    """Hill's estimate: how slowly a tail thins out, from the values `beyond` a `border` above zero.

    0 for a tail that ends, about 0.1 to 0.3 for a normal one, 1 and more where even the mean is unsure.
    """
    if border <= 0 or not beyond:
        return 0.0
    return sum(math.log(max(value / border, 1.0)) for value in beyond) / len(beyond)
