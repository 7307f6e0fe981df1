"""Very many worlds: played in chunks that can be resumed, and put on a sealed record.

The record says which seeds were played with which sources, what was met, and which rules were
broken by which seeds. It goes on only with the very sources that it began with.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from tests.simulation.ablation import NOTHING
from tests.simulation.judging.reaching import missing
from tests.simulation.keeping import IN_MEMORY
from tests.simulation.postgres.keeping import IN_POSTGRES
from tests.simulation.world import play

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.simulation.ablation import Ablation
    from tests.simulation.keeping import Keep

__all__ = [
    "KEEPS",
    "Chunk",
    "Failure",
    "Record",
    "Refusal",
    "Store",
    "Survey",
    "proceed",
    "read_record",
    "replay",
    "seeds_of",
    "sources",
    "survey",
    "verdict",
]

ROOT = Path(__file__).parents[2]
FAILURES_KEPT_MAX = 20
"""How many failing seeds are kept with what they broke; all are counted."""
VIOLATIONS_KEPT_MAX = 3
"""How many broken rules are kept of each."""
BLOCK_SEEDS_MAX = 250
"""How many seeds a process plays before it hands in what it has seen."""


Store = Literal["memory", "postgres"]
KEEPS: dict[Store, Keep] = {"memory": IN_MEMORY, "postgres": IN_POSTGRES}
"""The stores that worlds are played on."""


class Refusal(Exception):
    """A record cannot be gone on with; the message says why, and what to do."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A seed whose world broke a rule."""

    seed: int
    violations: tuple[str, ...]


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of some seeds that follow each other."""

    first: int
    count: int
    trace: str
    """A digest of the traces of all of them."""
    failed: int
    """How many broke a rule."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign, as far as it has come."""

    first: int
    count: int
    """How many seeds it is to play."""
    commit: str
    sources: str
    """A digest of the product and of the simulation."""
    store: Store | msgspec.UnsetType = msgspec.UNSET
    """What the worlds are played on; one that does not say so is of worlds in memory."""
    chunks: tuple[Chunk, ...] = ()
    failures: tuple[Failure, ...] = ()
    reached: dict[str, int] = {}
    missing: tuple[str, ...] = ()
    """What must be met and was not, in all that was played so far."""
    seal: str = ""
    """A digest of everything above."""

    @property
    def keep(self) -> Keep:
        """What the worlds are played on."""
        return KEEPS["memory" if self.store is msgspec.UNSET else self.store]

    @property
    def played(self) -> int:
        """How many seeds were played."""
        return sum(chunk.count for chunk in self.chunks)

    @property
    def failed(self) -> int:
        """How many of them broke a rule."""
        return sum(chunk.failed for chunk in self.chunks)

    @property
    def is_done(self) -> bool:
        """Whether all seeds were played."""
        return self.played == self.count


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What one process has seen of the seeds that it played."""

    trace: str
    failed: int
    failures: tuple[Failure, ...]
    reached: dict[str, int]


def survey(seeds: range, *, ablation: Ablation = NOTHING, store: Store = "memory") -> Survey:
    """Play these seeds, one after the other."""
    traces = sha256()
    failed = 0
    failures: list[Failure] = []
    reached: Counter[str] = Counter()
    for seed in seeds:
        played = play(seed, ablation, keep=KEEPS[store])
        traces.update(played.trace.encode())
        reached.update(played.reached)
        if played.violations:
            failed += 1
            failures.append(Failure(seed=seed, violations=played.violations[:VIOLATIONS_KEPT_MAX]))
    return Survey(
        trace=traces.hexdigest(),
        failed=failed,
        failures=tuple(failures[:FAILURES_KEPT_MAX]),
        reached=dict(reached),
    )


def proceed(
    seeds: range,
    *,
    chunk: int,
    file: Path | None,
    tell: Callable[[Record], None],
    store: Store = "memory",
    surveyed: Callable[[Iterable[range]], Iterable[Survey]] | None = None,
) -> Record:
    """Play what is not played yet, and keep and tell the record after each chunk.

    `surveyed` plays blocks of seeds, perhaps several at once, and returns what was seen of each,
    in their order. Raises `Refusal` when the file holds an unfinished record of something else.
    """
    if surveyed is None:
        surveyed = partial(map, partial(survey, store=store))
    record = _begun(seeds, file, store)
    while not record.is_done:
        first = record.first + record.played
        count = min(chunk, record.first + record.count - first)
        blocks = list(_blocks(range(first, first + count)))
        record = _with(record, first, count, list(surveyed(blocks)))
        if file is not None:
            file.write_bytes(_written(record))
        tell(record)
    return record


def verdict(record: Record) -> list[str]:
    """Return everything that keeps a campaign from having shown what it was to show."""
    found = [
        f"seed {failure.seed}: {violation}\n    replay it: {replay(failure.seed, record.keep.name)}"
        for failure in record.failures
        for violation in failure.violations
    ]
    return found + [f"never met: {name}" for name in record.missing]


def replay(seed: int, store: str = "memory") -> str:
    """Return the command that tells the story of a seed."""
    where = "" if store == "memory" else f" --store {store}"
    return f"python -m tests.simulation{where} --story {seed}"


def seeds_of(text: str) -> range:
    """Read `A:B`, from A up to B - 1, or `A:B:C`, which counts by C."""
    return range(*(int(part) for part in text.split(":")))


def read_record(file: Path) -> Record:
    """Return the record in a file; raise `Refusal` when it is not as it was sealed."""
    try:
        record = msgspec.json.decode(file.read_bytes(), type=Record)
    except msgspec.MsgspecError as error:
        message = f"{file} holds no record of a campaign: {error}; delete it to begin anew"
        raise Refusal(message) from error
    if record.seal != _sealed(record).seal:
        message = f"{file} was changed after it was sealed; delete it to begin anew"
        raise Refusal(message)
    return record


def sources(root: Path = ROOT) -> str:
    """Return a digest of the product and of the simulation."""
    digest = sha256()
    for folder in ("src/makegood", "tests/simulation"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in {".py", ".sql"} and not path.name.startswith("test_"):
                digest.update(f"{path.relative_to(root).as_posix()}\n".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


# Inside ---------------------------------------------------------------------------------------


def _begun(seeds: range, file: Path | None, store: Store) -> Record:
    """Return the record to go on with."""
    fresh = Record(
        first=seeds.start,
        count=len(seeds),
        commit=_commit(),
        sources=sources(),
        store=msgspec.UNSET if store == "memory" else store,
    )
    if file is None or not file.exists():
        return fresh
    record = read_record(file)
    is_same = (record.first, record.count) == (fresh.first, fresh.count)
    if is_same and (record.sources, record.store) == (fresh.sources, fresh.store):
        return record
    if record.is_done:
        # It has said what it had to say, of other seeds or sources.
        return fresh
    what = "seeds" if not is_same else "sources" if record.store == fresh.store else "stores"
    message = f"{file} is unfinished, and of other {what}; finish it with them, or delete it"
    raise Refusal(message)


def _blocks(seeds: range) -> Iterator[range]:
    for first in range(seeds.start, seeds.stop, BLOCK_SEEDS_MAX):
        yield range(first, min(first + BLOCK_SEEDS_MAX, seeds.stop))


def _with(record: Record, first: int, count: int, surveys: list[Survey]) -> Record:
    traces = sha256("".join(each.trace for each in surveys).encode())
    failed = sum(each.failed for each in surveys)
    done = Chunk(first=first, count=count, trace=traces.hexdigest(), failed=failed)
    reached = Counter(record.reached)
    for each in surveys:
        reached.update(each.reached)
    failures = [*record.failures, *(failure for each in surveys for failure in each.failures)]
    return _sealed(
        msgspec.structs.replace(
            record,
            chunks=(*record.chunks, done),
            failures=tuple(failures[:FAILURES_KEPT_MAX]),
            reached=dict(sorted(reached.items())),
            missing=tuple(missing(reached, record.keep.required)),
        )
    )


def _sealed(record: Record) -> Record:
    unsealed = msgspec.structs.replace(record, seal="")
    seal = sha256(msgspec.json.encode(unsealed)).hexdigest()
    return msgspec.structs.replace(record, seal=seal)


def _written(record: Record) -> bytes:
    return msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"


def _commit() -> str:
    """Return the commit that is checked out, or `unknown` where there is none."""
    try:
        told = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607 - whichever git there is
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return told.stdout.strip()
