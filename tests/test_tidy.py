"""The rules of how the code reads that a program can check; each failure says what to do."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from tests.source import PACKAGE, Module, modules, modules_of

MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
LINE_CHARACTERS_MAX = 100
FOLDER_MODULES_MAX = 14
POSITIONAL_PARAMETERS_MAX = 5
TEST_NAME_WORDS_MIN = 3

SHAPELESS_NAMES = frozenset(
    {
        "base", "common", "data", "handler", "helper", "helpers", "impl", "info", "manager",
        "misc", "processor", "util", "utils",
    }
)  # fmt: skip

UNFINISHED = re.compile(
    r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError|(?i:\bfor now\b|not implemented|\bstub\b)"
)

SPEAKS_OF_UNFINISHED = {
    "tests/test_tidy.py": "it says what is looked for",
    "tests/typing/rejects.py": "its functions are only read by type checkers, never called",
}

CATCHES_EVERYTHING = {
    "cli/worker/working.py": "a user's function makes the engine, and fails in any way it likes",
    "cli/workflows.py": "a user's module is imported here, and fails in any way it likes",
    "exploring/examples.py": "a user's class checks its own values here, and refuses as it likes",
    "http/application.py": "whatever a route raises is answered as a problem",
    "http/gate.py": "keys may be kept anywhere, and what fails there lets nobody in",
    "journal/application/local.py": "a user's local step ends here",
    "journal/postgres/steps/driving.py": "a user's local body ends here, or in its waiter",
    "journal/sqlite/batch.py": "what ends a local step's body ends in the one who waits for it",
    "payments/payment.py": "an adapter is somebody else's code, and its defect leaves a doubt",
    "runtime/asking/post.py": "a user's type is made here of what a person gives",
    "runtime/calling/arriving.py": "a user's result is read and written here",
    "runtime/calling/children.py": "a user's value is read and written here for a child",
    "runtime/calling/evaluate.py": "a user's pure function ends here",
    "runtime/calling/failing.py": "the message of a user's exception is made by the user's code",
    "runtime/calling/perform.py": "a user's step, undo or compensate ends here",
    "runtime/projecting/folding.py": "a user's fold ends here, and what says to which row it goes",
    "runtime/receiving/lane.py": "a user's class reads a message here, and upcasts it",
    "testing/simulation/wire.py": "what is done at the other end is carried back to who asked",
    "runtime/scheduler.py": "what a user's schedule makes for a slot ends here",
    "runtime/turning/standing.py": "a user's function says when a timer is due",
    "runtime/telemetry.py": "an observer is called here, and never changes an outcome",
    "runtime/moving/fitting.py": "a user's types read what is recorded, and may raise anything",
}

CLOCKS_AND_CHANCE = re.compile(
    r"^(time\.\w+|random\.\w+|secrets\.\w+|uuid\.uuid\d|uuid_utils\.\w+|os\.urandom"
    r"|datetime\.(datetime\.)?(now|utcnow|today)|date\.today"
    r"|asyncio\.(sleep|wait_for|create_task))$"
)

TELLS_TIME_OR_DRAWS = {
    "cli/serving/keyring.py": "a key that is made at a terminal begins now",
    "http/keys.py": "a key is made of chance and of nothing else",
    "journal/application/local.py": "a local step that takes too long is interrupted in real time",
    "journal/postgres/connection.py": "a server out of reach is tried again in real time",
    "journal/postgres/posting.py": "a post has no token before it comes to the store",
    "journal/sqlite/leading.py": "the lock's file tells people since when it is held",
    "journal/sqlite/opening.py": "another process's migration is waited for in real time",
    "journal/sqlite/reading.py": "a query that takes too long is interrupted in real time",
    "runtime/clock.py": "the one place with a clock and chance; everything else is handed them",
    "testing/simulation/ids.py": "it draws from a seeded generator that it is handed",
    "testing/simulation/loop.py": "it draws from a seeded generator that it is handed",
    "testing/simulation/simulation.py": "its generators are seeded, and its time is virtual",
    "testing/servers.py": "a real server is waited for in real time",
    "testing/running.py": "a body that waits for something real is given real time",
}

PATCHING = re.compile(r"^(unittest\.mock|mock|pytest_mock)(\.|$)")
PATCHING_FIXTURES = frozenset({"monkeypatch", "mocker"})
REAL_TIME = re.compile(
    r"^(time\.(sleep|time|monotonic|perf_counter)(_ns)?|(asyncio|anyio)\.sleep"
    r"|datetime\.(now|utcnow|today))$"
)
ON_VIRTUAL_TIME = ("tests/simulation/", "tests/testing/simulation/")
"""Where the event loop itself is simulated: to sleep there is to turn its clock."""


def test_no_module_is_longer_than_can_be_read_at_once() -> None:
    found = [
        f"{module.path} has {lines} lines; split it by what it answers"
        for module in modules()
        if (lines := len(module.text.splitlines())) > MODULE_LINES_MAX
    ]
    assert_none(found)


def test_no_function_is_longer_than_a_screen() -> None:
    found = [
        f"{module.path}:{function.lineno} `{function.name}` has {lines} lines; name its parts"
        for module in modules()
        for function in module.functions()
        if (lines := length(function)) > FUNCTION_LINES_MAX
    ]
    assert_none(found)


def test_no_line_is_longer_than_the_page_is_wide() -> None:
    found = [
        f"{module.path}:{number} has {len(line)} characters; break the line"
        for module in modules()
        for number, line in enumerate(module.text.splitlines(), start=1)
        if len(line) > LINE_CHARACTERS_MAX
    ]
    assert_none(found)


def test_no_folder_has_more_modules_than_can_be_told_apart() -> None:
    sizes = Counter(
        PurePosixPath(module.path).parent.as_posix()
        for module in modules()
        if not module.path.endswith("/__init__.py")
    )
    found = [
        f"{folder} has {size} modules; give some of them a folder of their own"
        for folder, size in sizes.items()
        if size > FOLDER_MODULES_MAX
    ]
    assert_none(found)


def test_options_are_given_by_name() -> None:
    found = [
        f"{module.path}:{function.lineno} `{function.name}` takes {count} parameters by position; "
        "make the options keyword-only"
        for module in modules()
        for function in module.functions()
        if (count := positional_parameters(function)) > POSITIONAL_PARAMETERS_MAX
    ]
    assert_none(found)


def test_every_module_is_named_for_what_it_holds() -> None:
    found = [
        f"{module.path} is named `{name}`; name it after the noun that it is about"
        for module in modules()
        for name in PurePosixPath(module.path).with_suffix("").parts
        if SHAPELESS_NAMES.intersection(name.split("_"))
    ]
    assert_none(found)


def test_every_module_says_what_it_answers() -> None:
    found = [
        f"{module.path} has no docstring; say what question it answers"
        for module in modules()
        if module.text.strip() and not ast.get_docstring(module.tree)
    ]
    assert_none(found)


def test_nothing_is_left_unfinished() -> None:
    found = [
        f"{module.path}:{number} says `{match.group()}`; finish it or delete it"
        for module in modules()
        if module.path not in SPEAKS_OF_UNFINISHED
        for number, line in enumerate(module.text.splitlines(), start=1)
        if (match := UNFINISHED.search(line))
    ]
    assert_none(found)


def test_every_exception_is_caught_only_where_a_users_function_ends() -> None:
    found = [
        Finding(module, handler.lineno, "catches every exception; name those that are expected")
        for module in modules_of("src")
        for handler in ast.walk(module.tree)
        if isinstance(handler, ast.ExceptHandler)
        if catches_everything(handler)
        if not raises_again(handler)
    ]
    assert_none(unexcused(found, CATCHES_EVERYTHING))


def test_time_and_chance_come_in_as_parameters() -> None:
    found = [
        Finding(module, line, f"uses `{name}`; take what it gives as a parameter")
        for module in modules_of("src")
        for line, name in [*module.looked_up(), *module.imports()]
        if CLOCKS_AND_CHANCE.match(name)
    ]
    assert_none(unexcused(found, TELLS_TIME_OR_DRAWS))


def test_nothing_is_patched_in_a_test() -> None:
    found = [
        f"{module.path}:{line} imports `{name}`; what needs patching needs a parameter"
        for module in modules_of("tests")
        for line, name in module.imports()
        if PATCHING.match(name)
    ] + [
        f"{module.path}:{function.lineno} `{function.name}` asks for `{parameter.arg}`; "
        "what needs patching needs a parameter"
        for module in modules_of("tests")
        for function in module.functions()
        for parameter in function.args.args
        if parameter.arg in PATCHING_FIXTURES
    ]
    assert_none(found)


def test_no_test_sleeps_or_reads_the_real_clock() -> None:
    found = [
        f"{module.path}:{line} uses `{name}`; wait for the condition, or turn a clock by hand"
        for module in modules_of("tests")
        if not (is_marked_real(module) or str(module.path).startswith(ON_VIRTUAL_TIME))
        for line, name in module.looked_up()
        if REAL_TIME.match(name)
    ]
    assert_none(found)


def test_the_name_of_a_test_is_a_sentence() -> None:
    found = [
        f"{module.path}:{function.lineno} `{function.name}` is no sentence; say what is true"
        for module in modules_of("tests")
        for function in module.functions()
        if function.name.startswith("test_")
        if len(function.name.removeprefix("test_").split("_")) < TEST_NAME_WORDS_MIN
    ]
    assert_none(found)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a shipped module that needs a reason."""

    module: Module
    line: int
    text: str


def unexcused(found: Iterable[Finding], excuses: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each finding without an excuse, and each excuse without a finding."""
    idle = dict(excuses)
    for finding in found:
        path = finding.module.path.removeprefix(PACKAGE)
        idle.pop(path, None)
        if path not in excuses:
            yield f"{finding.module.path}:{finding.line} {finding.text}"
    for path in idle:
        yield f"{path} is excused for nothing; delete its line"


def assert_none(found: Iterable[str]) -> None:
    """Fail with one sentence a line for everything that was found."""
    listing = "\n".join(found)
    assert not listing, f"\n{listing}"


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how many lines a function has, its decorators and docstring included."""
    first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
    return (function.end_lineno or first) - first + 1


def positional_parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how many parameters may be given by position, `self` and `cls` not counted."""
    names = [parameter.arg for parameter in (*function.args.posonlyargs, *function.args.args)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def catches_everything(handler: ast.ExceptHandler) -> bool:
    """Say whether a handler takes exceptions that nobody named."""
    if handler.type is None:
        return True
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(ast.unparse(kind) in {"Exception", "BaseException"} for kind in caught)


def raises_again(handler: ast.ExceptHandler) -> bool:
    """Say whether a handler ends by raising what it caught: it cleans up and decides nothing."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def is_marked_real(module: Module) -> bool:
    """Say whether a module's tests wait for real things, with a deadline."""
    return any(name == "pytest.mark.real" for _, name in module.looked_up())
