"""Why a step may give something else when it is executed again: guesses from its code and from what was seen.

A guess is worth making where the syntax shows it: a call of `time.time`, of `default_rng()` without a seed, a set
that is gone through. What the runtime saw while the step ran (``doubts`` in its trace) comes first.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyterlab_pipelines.notebook.names import analyse

MESSAGES = {
    "randomness": "it draws random numbers without a seed: give the generator one, e.g. `random_state=0`",
    "clock": "it reads the clock",
    "network": "it reads the network",
    "environment": "it reads environment variables",
    "identity": "it makes names that are new each time: of processes, of temporary files, unique ids",
    "address": "it uses addresses in memory: `id()`, `hash()`, or a text with `at 0x…`",
    "folder": "it asks for the absolute path of its folder, which is another one in the scratch place",
    "order": "it goes through a set, or a folder, whose order is left to chance",
    "threads": "it computes in parallel: what is ready first, and rounding, are left to chance",
    "unseen": "it reads a file that nobody saw it read, and that is not in the scratch place",
    "pickle": "it leaves objects that only pickle can store: two pickles of equal objects may differ",
    "unknown": "its code does not show why: perhaps a hidden input, which cannot be seen, is another one",
}

RANDOM_MODULES = ("random", "np.random", "numpy.random", "torch", "tf.random", "jax.random")
DRAWS = frozenset(
    {
        *(
            "random",
            "randint",
            "randrange",
            "uniform",
            "gauss",
            "normal",
            "choice",
            "choices",
            "shuffle",
            "rand",
        ),
        *("randn", "permutation", "random_sample", "integers", "standard_normal", "getrandbits", "randperm"),
        *("betavariate", "expovariate", "normalvariate", "triangular", "binomial", "poisson", "exponential"),
    }
)
GENERATORS = frozenset({"default_rng", "RandomState", "Random", "SeedSequence", "Generator"})
SEEDABLE = re.compile(
    r"(RandomForest|ExtraTrees|GradientBoosting|DecisionTree|Bagging|AdaBoost|MLP|SGD)\w+|\w*(KMeans|KFold|Split)"
    r"|train_test_split|make_(classification|regression|blobs|moons|circles)|IsolationForest|TSNE|UMAP|sample|shuffle"
)
"""What draws random numbers unless it is given a seed or a generator."""

SEEDS = frozenset({"seed", "manual_seed", "set_seed", "set_random_seed", "seed_everything"})
SEED_ARGUMENTS = frozenset({"random_state", "seed", "rng", "key"})
CLOCK = frozenset(
    {
        *(
            "time.time",
            "time.time_ns",
            "time.perf_counter",
            "time.monotonic",
            "time.process_time",
            "time.strftime",
        ),
        *("time.localtime", "time.ctime", "perf_counter", "monotonic", "timeit.timeit"),
    }
)
CLOCK_METHODS = frozenset({"now", "today", "utcnow"})
NETWORK = (
    "requests",
    "urllib",
    "httpx",
    "aiohttp",
    "socket",
    "boto3",
    "http",
    "ftplib",
    "yfinance",
    "openml",
)
FETCHES = ("fetch_", "load_dataset", "download")
IDENTITY = frozenset(
    {
        *("uuid.uuid1", "uuid.uuid4", "uuid1", "uuid4", "os.getpid", "getpid", "os.urandom", "urandom"),
        *("tempfile.mkdtemp", "tempfile.mkstemp", "mkdtemp", "mkstemp"),
    }
)
ADDRESSES = frozenset({"id", "hash"})
FOLDERS = frozenset({"os.getcwd", "getcwd", "Path.cwd", "os.path.abspath", "abspath"})
PARALLEL = frozenset(
    {"ThreadPoolExecutor", "ProcessPoolExecutor", "as_completed", "Pool", "Parallel", "imap_unordered"}
)


@dataclass(frozen=True, slots=True)
class Cause:
    """One guess: its kind, and a sentence for people."""

    kind: str
    message: str

    @classmethod
    def of(cls, kind: str) -> Cause:
        return cls(kind, MESSAGES[kind])

    def to_json(self) -> dict[str, str]:
        return {"kind": self.kind, "message": self.message}


def likely_causes(
    sources: Sequence[str], trace: Mapping[str, Any], differ: Iterable[str], *, real: bool
) -> tuple[Cause, ...]:
    """What may be behind it, the most likely first.

    Parameters
    ----------
    sources
        The code of the step, and of all that it reaches.
    trace
        What it was seen to read.
    differ
        What differs, by name: the state of a random generator tells of itself.
    real
        Whether values differ; if only what is shown does, and nothing explains it, nothing is said.
    """
    kinds = [kind for kind in trace.get("doubts", ()) if kind in MESSAGES]
    if any("random" in name for name in differ):
        kinds.append("randomness")
    kinds += _kinds_in([*_calls(sources)])
    kinds += ["order"] if _goes_through_sets(sources) else []
    # Those that the step was seen to read are as they were; a library may look at others.
    kinds += ["environment"] if any("environ" in source for source in sources) else []
    kinds = kinds or (["unknown"] if real else [])
    return tuple(Cause.of(kind) for kind in dict.fromkeys(kinds))


def _trees(sources: Iterable[str]) -> Iterator[ast.AST]:
    for source in sources:
        try:
            statements = analyse(source).statements
        except SyntaxError:
            continue
        for statement in statements:
            try:
                yield ast.parse(statement.source)
            except (SyntaxError, ValueError):
                continue


def _calls(sources: Iterable[str]) -> Iterator[ast.Call]:
    for tree in _trees(sources):
        yield from (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _kinds_in(calls: Sequence[ast.Call]) -> Iterator[str]:
    is_seeded = any(_dotted(call.func).rpartition(".")[2] in SEEDS for call in calls)
    for call in calls:
        name = _dotted(call.func)
        module, _, last = name.rpartition(".")
        given = {keyword.arg for keyword in call.keywords}
        is_given_seed = bool(given & SEED_ARGUMENTS) or (last in GENERATORS and bool(call.args))
        draws = (last in DRAWS and module in RANDOM_MODULES) or SEEDABLE.fullmatch(last)
        if not is_given_seed and (last in GENERATORS or (draws and not is_seeded)):
            yield "randomness"
        if name in CLOCK or (last in CLOCK_METHODS and module):
            yield "clock"
        if name.partition(".")[0] in NETWORK or last.startswith(FETCHES) or _reads_url(call):
            yield "network"
        if name in IDENTITY or module == "secrets":
            yield "identity"
        if name in ADDRESSES:
            yield "address"
        if name in FOLDERS or last in ("resolve", "absolute"):
            yield "folder"
        if last in PARALLEL or "n_jobs" in given:
            yield "threads"
        if last in ("listdir", "glob", "iglob", "rglob", "iterdir", "scandir"):
            yield "order"


def _reads_url(call: ast.Call) -> bool:
    return any(
        isinstance(argument, ast.Constant)
        and isinstance(argument.value, str)
        and argument.value.startswith(("http://", "https://", "s3://", "gs://", "ftp://"))
        for argument in call.args
    )


def _goes_through_sets(sources: Iterable[str]) -> bool:
    """Whether a list is made of a set, or a loop goes through one, as far as one expression shows it."""
    for tree in _trees(sources):
        for node in ast.walk(tree):
            through = None
            if isinstance(node, ast.For | ast.comprehension):
                through = node.iter
            elif (
                isinstance(node, ast.Call)
                and _dotted(node.func) in ("list", "tuple", "enumerate")
                and node.args
            ):
                through = node.args[0]
            if isinstance(through, ast.Set | ast.SetComp) or (
                isinstance(through, ast.Call) and _dotted(through.func) in ("set", "frozenset")
            ):
                return True
    return False


def _dotted(node: ast.expr) -> str:
    """``np.random.rand`` of such an expression; what is no name is left out at the front."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        names.append(node.id)
    return ".".join(reversed(names))
