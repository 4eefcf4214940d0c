"""Notebooks as people write them to teach: long, in one namespace, names used again and again.

Text with a line ``# %%`` before each code cell and ``# %% Title`` before each section.
"""

from __future__ import annotations

import ast
from random import Random

from tests.fixtures.notebooks import Notebook, cell, markdown, notebook

FRAMES = """
# %%
import numpy as np
import pandas as pd

pd.set_option("display.max_rows", 8)
rng = np.random.default_rng(7)

# %% Looking at the orders
orders = pd.DataFrame(
    {
        "day": pd.date_range("2024-01-29", periods=12, freq="D"),
        "shop": pd.Categorical(list("abcabcabcabc")),
        "price": rng.integers(5, 60, 12).astype(float),
        "pieces": rng.integers(1, 5, 12),
    }
)
orders.head()

# %%
orders.loc[[2, 7], "price"] = np.nan
orders.isna().sum()

# %%
orders.dtypes

# %% Cleaning
orders["price"] = orders["price"].fillna(orders["price"].median())
orders["paid"] = orders.eval("price * pieces")
orders.describe().round(2)

# %%
cheap = orders[orders.price < 20]
cheap = cheap.assign(label="cheap")
cheap

# %%
limit = 30
orders.query("price > @limit")

# %% Grouping
by_shop = orders.groupby("shop", observed=True)
by_shop["paid"].agg(["sum", "mean"]).round(2)

# %%
for name, group in by_shop:
    print(name, len(group), group.paid.max())

# %%
def share(column):
    return column / column.sum()


orders["share"] = by_shop["paid"].transform(share)
orders.groupby("shop", observed=True)["share"].sum()

# %%
by_shop.obj is orders, by_shop.ngroups

# %% Reshaping
wide = orders.pivot_table(index="day", columns="shop", values="paid", observed=True)
wide.resample("W").sum()

# %%
wide.columns = wide.columns.astype(str)
wide.reset_index(inplace=True)
long = wide.melt("day").dropna()
long.head(3)

# %%
shops = pd.DataFrame({"shop": list("abd"), "city": ["Oslo", "Rome", "Lima"]})
orders.merge(shops, how="left").city.value_counts(dropna=False)

# %%
with pd.option_context("display.precision", 1):
    print(orders.tail(3))

# %%
orders.to_csv("orders.csv", index=False)

# %%
again = pd.read_csv("orders.csv", parse_dates=["day"])
again.equals(orders), again.paid.sum() == orders.paid.sum()
"""

LANGUAGE = """
# %% Functions are values
def compose(*functions):
    def composed(x):
        for function in functions:
            x = function(x)
        return x

    return composed


add = lambda n: lambda x: x + n
compose(add(1), str)(41)

# %%
adders = [add(n) for n in range(3)]
[f(10) for f in adders]

# %%
def counter():
    count = 0

    def step(by=1):
        nonlocal count
        count += by
        return count

    return step


tick = counter()
tick(), tick(5)

# %%
tick()

# %% Decorators
import functools

calls = []


def noted(function):
    @functools.wraps(function)
    def wrapper(*args):
        calls.append((function.__name__, args))
        return function(*args)

    return wrapper


@noted
def area(width, height=1):
    "Width times height."
    return width * height


area(3, 4), area.__doc__

# %%
area(5)
calls

# %%
@functools.lru_cache(maxsize=None)
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


fib(30)

# %% Classes
from dataclasses import dataclass, field
from enum import Enum


class Color(Enum):
    RED = 1
    BLUE = 2


@dataclass(order=True)
class Card:
    rank: int
    color: Color = field(default=Color.RED, compare=False)


class Deck:
    made = 0

    def __init__(self, cards):
        type(self).made += 1
        self.cards = list(cards)

    def __len__(self):
        return len(self.cards)

    def __getitem__(self, place):
        return self.cards[place]

    def __iter__(self):
        yield from self.cards


deck = Deck(Card(rank) for rank in (7, 3, 9))
len(deck), deck[1], max(deck)

# %%
deck.cards.sort()
deck.cards[0].color = Color.BLUE
list(deck)

# %%
low = deck[0]
low.rank += 1
low is deck.cards[0], deck[0].color is Color.BLUE, Deck.made

# %%
other = Deck(deck)
other.cards.pop()
print(len(deck), len(other), Deck.made)

# %% Iterators
def countdown(n):
    while n:
        yield n
        n -= 1


list(countdown(4)), sum(x * x for x in countdown(3))

# %%
numbers = countdown(5)
print(next(numbers), next(numbers))
print(list(numbers), list(numbers))

# %% Errors
class TooLow(ValueError):
    pass


def checked(x):
    if x < 0:
        raise TooLow(x)
    return x


# %%
try:
    checked(-1)
except TooLow as error:
    caught = error
print(repr(caught), isinstance(caught, ValueError))

# %%
x = 10
{x: y for x, y in zip("ab", range(2))}, x

# %%
first, *rest = "spam"
first, rest, (n := len(rest)), n
"""

MODEL = """
# %% The data
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

np.random.seed(3)
size = 40
x = np.linspace(0, 10, size)
X = np.column_stack((np.ones(size), x, (x - 5) ** 2))
beta = np.array([5.0, 0.5, -0.02])

# %%
y = X @ beta + np.random.normal(scale=0.3, size=size)
y[:3].round(4)

# %% By hand
def least_squares(X, y):
    found, *_ = np.linalg.lstsq(X, y, rcond=None)
    return found


found = least_squares(X, y)
found.round(3)

# %%
residuals = y - X @ found
print("R2", round(1 - residuals.var() / y.var(), 4))

# %% By scikit-learn
model = LinearRegression(fit_intercept=False)
model.fit(X, y)

# %%
np.allclose(model.coef_, found)

# %%
frame = pd.DataFrame(X[:, 1:], columns=["x", "square"]).assign(y=y)
frame.corr().round(3)

# %% Bootstrap
draws = []
for _ in range(20):
    rows = np.random.randint(size, size=size)
    draws.append(least_squares(X[rows], y[rows]))
draws = np.array(draws)
draws.std(axis=0).round(3)

# %%
low, high = np.percentile(draws, [5, 95], axis=0)
pd.DataFrame({"low": low, "found": found, "high": high}).round(2)

# %% A wrong model
y[0] = 100
model.fit(X[:, :2], y)
model.coef_.round(2)

# %%
print(np.random.rand().__round__(6), X.shape, beta)
"""

TUTORIALS = {"frames": FRAMES, "language": LANGUAGE, "model": MODEL}


def sections(text: str) -> list[tuple[str, list[str]]]:
    """Title and code cells of each section; what comes before the first title has none."""
    found: list[tuple[str, list[str]]] = []
    for part in text.split("\n# %%")[1:]:
        title, _, source = part.partition("\n")
        if title.strip() or not found:
            found.append((title.strip(), []))
        found[-1][1].append(source.strip("\n"))
    return found


def each_cell(text: str) -> Notebook:
    """Every cell a step."""
    cells = [source for _, sources in sections(text) for source in sources]
    return notebook(*(cell(source, step=f"s{number}") for number, source in enumerate(cells)))


def by_title(text: str) -> Notebook:
    """Every section a step; untitled cells at the top are setup."""
    cells = []
    for number, (title, sources) in enumerate(sections(text)):
        cells += [markdown(f"## {title}")] if title else []
        cells += [cell(source, step=f"s{number}" if title else None) for source in sources]
    return notebook(*cells)


def at_random(text: str, seed: int) -> Notebook:
    """Three to six steps, cut anywhere; imports and definitions at the top are setup."""
    random = Random(seed)
    cells = [source for _, sources in sections(text) for source in sources]
    start = (
        1 if all(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.parse(cells[0]).body) else 0
    )
    places = range(start + 1, len(cells))
    cuts = sorted(random.sample(places, random.randint(2, 5)))
    steps = [None if n < start else f"s{sum(cut <= n for cut in cuts)}" for n in range(len(cells))]
    return notebook(*(cell(source, step=step) for source, step in zip(cells, steps, strict=True)))
