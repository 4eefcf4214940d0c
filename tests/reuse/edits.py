"""Random notebooks, and what people do to them and to what lies beside them between two runs."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.reuse.model import (
    FILE_READERS,
    FOLDER_READERS,
    OPTIONAL_READERS,
    SETUP,
    Definition,
    Module,
    Step,
    Term,
    World,
)

FILES = ("data/a.txt", "data/b.txt", "one.txt", "two.txt")
ABSENT = ("extra.txt", "data/extra/x.txt", "later.txt")
NAMES = ("load", "clean", "fit", "score", "report", "merge", "split", "tune", "plot", "check")


def new_world(random: Random) -> World:
    """A notebook of two to six steps."""
    world = World(
        parameters={"alpha": random.randrange(9), "beta": random.randrange(9)},
        files={path: str(random.randrange(100)) for path in FILES},
        modules={
            "mine": Module("mine", random.randrange(9), imports="deeper"),
            "deeper": Module("deeper", random.randrange(9)),
        },
    )
    for _ in range(random.randrange(1, 4)):
        _define(world, SETUP, random)
    for _ in range(random.randrange(2, 7)):
        _add_step(world, len(world.steps), random)
    return world


def _define(world: World, home: int, random: Random) -> None:
    number = world.new_id()
    if random.random() < 0.4:
        world.definitions.append(Definition(f"K{number}", home, random.randrange(9)))
        return
    terms = [_term(world, home, random) for _ in range(random.randrange(3))]
    letter = random.choice("ffCgd")
    world.definitions.append(Definition(f"{letter}{number}", home, random.randrange(9), terms))


def _add_step(world: World, position: int, random: Random) -> Step:
    taken = {step.name for step in world.steps}
    name = random.choice([name for name in NAMES if name not in taken] or [f"step{world.serial}"])
    step = Step(world.new_id(), name, [])
    world.steps.insert(position, step)
    step.terms = [_term(world, step.id, random) for _ in range(random.randrange(1, 4))]
    step.has_two_cells = random.random() < 0.5
    step.writes = random.random() < 0.2
    for _ in range(random.choice((0, 0, 1, 2))):
        _define(world, step.id, random)
    return step


def _term(world: World, home: int, random: Random) -> Term:
    """Something that can be read in the cells of `home`."""
    ids = [step.id for step in world.steps]
    before = ids[: ids.index(home)] if home in ids else []
    homes = {SETUP, *before}
    functions = [each.name for each in world.definitions if each.home in homes and each.terms is not None]
    constants = [each.name for each in world.definitions if each.home in homes and each.terms is None]
    written = [step.file for step in world.steps if step.id in before and step.writes]
    kinds = ["number", "parameter", "file", "folder", "optional", "module"]
    kinds += ["variable"] * 4 if before else []
    kinds += ["function"] * 3 if functions else []
    kinds += ["constant"] * 2 if constants else []
    match random.choice(kinds):
        case "parameter":
            return Term("parameter", random.choice(sorted(world.parameters)))
        case "file":
            return Term("file", random.choice([*FILES, *written * 3]), random.choice(list(FILE_READERS)))
        case "folder":
            return Term("folder", "data", random.choice(list(FOLDER_READERS)))
        case "optional":
            return Term("optional", random.choice(ABSENT), random.choice(list(OPTIONAL_READERS)))
        case "module":
            return Term("module", random.choice(sorted(world.modules)), str(random.randrange(9)))
        case "variable":
            return Term("variable", f"v{random.choice(before)}")
        case "function":
            return Term("function", random.choice(functions), str(random.randrange(9)))
        case "constant":
            return Term("constant", random.choice(constants))
    return Term("number", random.randrange(1, 20), random.choice(("", "sum")))


# -- edits: each changes the world, and says what was done; None if there is nothing to do it to -----


def restyle(world: World, random: Random) -> str | None:
    keys = ["setup"]
    keys += [f"{step.id}.{n}" for step in world.steps for n, _ in enumerate(world.sources(step))]
    key = random.choice(keys)
    world.style[key] = random.randrange(1, 6)
    return f"cell {key} written another way"


def insert_remark(world: World, random: Random) -> str | None:
    text = random.choice(("#! only a comment", "Some prose."))
    world.extra_cells.append((random.randrange(len(world.steps) + 3), text))
    return "a cell without code inserted"


def insert_step(world: World, random: Random) -> str | None:
    step = _add_step(world, random.randrange(len(world.steps) + 1), random)
    return f"step {step.name} inserted"


def rename_step(world: World, random: Random) -> str | None:
    step = random.choice(world.steps)
    before = step.name
    step.name = random.choice([name for name in NAMES if name not in {s.name for s in world.steps}])
    return f"step {before} renamed {step.name}"


def swap_names(world: World, random: Random) -> str | None:
    if len(world.steps) < 2:
        return None
    first, second = random.sample(world.steps, 2)
    first.name, second.name = second.name, first.name
    return f"steps {first.name} and {second.name} have each other's name"


def move_step(world: World, random: Random) -> str | None:
    positions = [
        position
        for position in range(len(world.steps) - 1)
        if world.steps[position].id not in world.homes(world.steps[position + 1])
    ]
    if not positions:
        return None
    position = random.choice(positions)
    moved = world.steps.pop(position)
    world.steps.insert(position + 1, moved)
    return f"step {moved.name} moved down"


def remove_step(world: World, random: Random) -> str | None:
    needed = {home for step in world.steps for home in world.homes(step)}
    free = [step for step in world.steps if step.id not in needed]
    if len(world.steps) < 3 or not free:
        return None
    step = random.choice(free)
    world.steps.remove(step)
    world.definitions = [each for each in world.definitions if each.home != step.id]
    return f"step {step.name} removed"


def edit_definition(world: World, random: Random) -> str | None:
    if not world.definitions:
        return None
    definition = random.choice(world.definitions)
    definition.number += random.choice((1, 2))
    return f"{definition.name} changed"


def edit_function(world: World, random: Random) -> str | None:
    functions = [each for each in world.definitions if each.terms is not None]
    if not functions:
        return None
    function = random.choice(functions)
    assert function.terms is not None
    # Only what was there before it: so no two functions call each other.
    older = world.copy()
    older.definitions = older.definitions[: world.definitions.index(function)]
    function.terms.append(_term(older, function.home, random))
    return f"{function.name} reads more"


def edit_step(world: World, random: Random) -> str | None:
    step = random.choice(world.steps)
    if len(step.terms) > 1 and random.random() < 0.5:
        step.terms.pop(random.randrange(len(step.terms)))
    else:
        step.terms.append(_term(world, step.id, random))
    return f"step {step.name} edited"


def edit_in_vain(world: World, random: Random) -> str | None:
    """The code of a step changes, what it leaves does not."""
    step = random.choice(world.steps)
    step.terms += [Term("number", 3, "sum"), Term("number", -3)]
    return f"step {step.name} edited, and leaves the same"


def change_parameter(world: World, random: Random) -> str | None:
    name = random.choice(sorted(world.parameters))
    if random.random() < 0.5:
        world.parameters[name] = random.randrange(5)
        return f"default of {name} changed"
    if name in world.given:
        del world.given[name]
        return f"{name} not given"
    world.given[name] = random.randrange(5)
    return f"{name} given"


def change_file(world: World, random: Random) -> str | None:
    path = random.choice([path for path in FILES if path in world.files])
    world.files[path] = str(random.randrange(100))
    return f"{path} changed"


def add_file(world: World, random: Random) -> str | None:
    path = random.choice((*ABSENT, f"data/new{world.new_id()}.txt", f"data/note{world.new_id()}.md"))
    world.files[path] = str(random.randrange(100))
    return f"{path} written"


def remove_file(world: World, random: Random) -> str | None:
    free = [path for path in world.files if path not in FILES]
    if not free:
        return None
    path = random.choice(free)
    del world.files[path]
    return f"{path} removed"


def edit_module(world: World, random: Random) -> str | None:
    module = world.modules[random.choice(sorted(world.modules))]
    what = random.choice(("number", "number", "remark", "unused"))
    setattr(module, what, getattr(module, what) + 1)
    return f"{module.name}.{what} changed"


def nothing(world: World, random: Random) -> str | None:
    return "nothing"


Edit = Callable[[World, Random], str | None]
EDITS: tuple[Edit, ...] = (
    *(restyle, insert_remark, insert_step, rename_step, swap_names, move_step, remove_step),
    *(edit_definition, edit_definition, edit_function, edit_step, edit_in_vain),
    *(change_parameter, change_parameter, change_file, change_file, add_file, add_file, remove_file),
    *(edit_module, edit_module, nothing),
)
