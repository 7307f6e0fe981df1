"""A campaign's record: what it says, that it can be resumed, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.simulation.campaign import (
    Failure,
    Record,
    Refusal,
    Store,
    Survey,
    proceed,
    read_record,
    sources,
    verdict,
)
from tests.simulation.judging.reaching import REQUIRED

if TYPE_CHECKING:
    from pathlib import Path


class Players:
    """Plays seeds without playing them: what was seen follows from the seeds."""

    def __init__(self, *, failing: int | None = None, blocks_max: int = 100) -> None:
        self.played: list[range] = []
        self._failing = failing
        self._left = blocks_max

    def __call__(self, blocks: Iterable[range]) -> Iterator[Survey]:
        for seeds in blocks:
            if not self._left:
                raise InterruptedError
            self._left -= 1
            self.played.append(seeds)
            failed = self._failing is not None and self._failing in seeds
            assert self._failing is not None or not failed
            yield Survey(
                trace=sha256(str(seeds).encode()).hexdigest(),
                failed=int(failed),
                failures=(Failure(seed=self._failing or 0, violations=("one effect: twice",)),)
                if failed
                else (),
                reached=dict.fromkeys(REQUIRED, 1),
            )


def play_all(file: Path | None, players: Players, *, seeds: range = range(1_000)) -> Record:
    return proceed(seeds, chunk=400, file=file, tell=lambda _record: None, surveyed=players)


def test_a_campaign_plays_every_seed_once_and_seals_its_record(tmp_path: Path) -> None:
    players, file = Players(), tmp_path / "proof.json"
    record = play_all(file, players)

    assert [seed for seeds in players.played for seed in seeds] == list(range(1_000))
    assert [(chunk.first, chunk.count) for chunk in record.chunks] == [
        (0, 400),
        (400, 400),
        (800, 200),
    ]
    assert (record.is_done, record.sources, verdict(record)) == (True, sources(), [])
    assert read_record(file) == record


def test_an_interrupted_campaign_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    file = tmp_path / "proof.json"
    with pytest.raises(InterruptedError):
        play_all(file, Players(blocks_max=3))
    resumed = Players()

    assert play_all(file, resumed) == play_all(None, Players())
    assert resumed.played[0].start == 400


def test_a_finished_record_is_not_played_again(tmp_path: Path) -> None:
    players, file = Players(), tmp_path / "proof.json"
    record = play_all(file, Players())

    assert play_all(file, players) == record
    assert players.played == []


def test_an_unfinished_record_of_other_sources_is_not_gone_on_with(tmp_path: Path) -> None:
    file = tmp_path / "proof.json"
    with pytest.raises(InterruptedError):
        play_all(file, Players(blocks_max=3))
    with pytest.raises(Refusal, match="other seeds"):
        play_all(file, Players(), seeds=range(2_000))


def test_a_record_that_was_changed_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "proof.json"
    record = play_all(file, Players(failing=7))
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(record, failures=())))

    with pytest.raises(Refusal, match="changed"):
        play_all(file, Players())


def test_a_failing_seed_is_told_with_the_command_that_replays_it(tmp_path: Path) -> None:
    record = play_all(tmp_path / "proof.json", Players(failing=7))

    assert record.failed == 1
    (told,) = verdict(record)
    assert "seed 7: one effect: twice" in told
    assert "python -m tests.simulation --story 7" in told


def test_what_was_never_met_is_named() -> None:
    record = proceed(
        range(1),
        chunk=1,
        file=None,
        tell=lambda _record: None,
        surveyed=lambda _blocks: [Survey(trace="", failed=0, failures=(), reached={})],
    )

    assert verdict(record) == [f"never met: {name}" for name in REQUIRED]


def test_a_campaign_on_another_store_says_so_and_is_not_gone_on_with(tmp_path: Path) -> None:
    file = tmp_path / "proof.json"

    def proceeded(store: Store, players: Players) -> Record:
        return proceed(
            range(1_000),
            chunk=400,
            file=file,
            tell=lambda _record: None,
            store=store,
            surveyed=players,
        )

    with pytest.raises(InterruptedError):
        proceeded("postgres", Players(failing=7, blocks_max=3))
    with pytest.raises(Refusal, match="other stores"):
        proceeded("memory", Players())

    told = verdict(proceeded("postgres", Players(failing=7)))

    assert "python -m tests.simulation --store postgres --story 7" in told[0]
    assert "never met: commit: stalled" in told
