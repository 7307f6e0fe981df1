"""Read models: editions, what they are given, and rows that are written with their marks.

The number at a test is that of the promise in `KeepsModels`' docstring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from makegood.journal.beside.models import (
    EditionState,
    Folded,
    NewEdition,
    RowKey,
    RowSource,
    RowWrite,
    Verdict,
)
from makegood.journal.messages import Dead, Done, Finished, Outcome
from makegood.values.instants import Instant
from tests.journal.contract.lanes.post import (
    ORDERED,
    message,
    order,
    publish,
    stored,
    subscribe,
    take,
)
from tests.journal.promises import promise_of_models
from tests.journal.records import AFTER_EVERY_LEASE, ALICE, BOB

if TYPE_CHECKING:
    from makegood.journal.beside.models import Edition
    from makegood.journal.messages import Handling, Held, KeepsMessages
    from makegood.values.ids import WorkerId
    from tests.journal.records import World

SUMMARY = "summary"
MODEL = f"model:{SUMMARY}@1"
NOW = Instant(10)
ONE, TWO = RowKey("", "one"), RowKey("", "two")


async def begin(post: KeepsMessages, *, fingerprint: str = "v1", anew: bool = False) -> Edition:
    new = NewEdition(
        model=SUMMARY, fingerprint=fingerprint, types=(ORDERED,), actor="ann", because="new"
    )
    return await post.models.begin(new, anew=anew, now=NOW)


async def filled(post: KeepsMessages, *, limit: int = 99, **chosen: Any) -> Edition:
    """Begin an edition and give it all that there is."""
    edition = await begin(post, **chosen)
    while await post.models.fill(edition.model, edition.number, limit=limit, now=NOW):
        pass
    (found,) = [
        each for each in await post.models.editions(SUMMARY) if each.number == edition.number
    ]
    return found


async def held_of(
    post: KeepsMessages, edition: Edition, worker: WorkerId = ALICE, **other: Any
) -> tuple[Held, ...]:
    return await take(post, worker, room={edition.recipient: 99}, **other)


def finished(held: Held, *handled: Handling, worker: WorkerId = ALICE) -> Finished:
    outcome = Outcome(handled=handled or tuple(Done(each.seq) for each in held.due))
    return Finished(id=held.id, worker=worker, epoch=held.epoch, at=NOW, outcome=outcome)


def row(at: RowKey, body: bytes | None, *, seq: int = 1, revision: int = 0) -> RowWrite:
    return RowWrite(at=at, body=body, seq=seq, revision=revision)


async def fold(
    post: KeepsMessages,
    edition: Edition,
    *held: Held,
    rows: tuple[RowWrite, ...] = (),
    sources: tuple[RowSource, ...] = (),
) -> Verdict:
    return await post.models.fold(
        Folded(
            recipient=edition.recipient,
            finished=tuple(finished(each) for each in held),
            rows=rows,
            sources=sources,
        )
    )


async def fold_all(post: KeepsMessages, edition: Edition) -> None:
    """Fold all that is due, each lane into a row of its key that says how much it was."""
    for each in await held_of(post, edition):
        at = RowKey("", each.id.lane)
        there = await post.models.rows(edition.recipient, [at])
        revision = there[0].revision if there else 0
        written = row(at, b"%d" % len(each.due), seq=each.due[-1].seq, revision=revision)
        assert await fold(post, edition, each, rows=(written,)) is Verdict.WRITTEN


@promise_of_models(1)
async def test_a_new_edition_is_given_what_was_stored_before_and_what_comes(world: World) -> None:
    post = (await world.open()).messages
    await publish(post, message("one", id="a"), message("two", id="b"))
    await publish(post, message("one", id="other", type="OrderShipped"))

    edition = await filled(post)
    await publish(post, message("one", id="c"))
    held = await held_of(post, edition)

    assert edition.recipient == MODEL
    assert sorted([each.message.id for each in lane.due] for lane in held) == [["a", "c"], ["b"]]


@promise_of_models(1)
async def test_an_edition_is_begun_once_for_a_fingerprint(world: World) -> None:
    post = (await world.open()).messages

    first = await begin(post)
    again = await begin(post)
    otherwise = await begin(post, fingerprint="v2")
    anew = await begin(post, anew=True)

    assert first == again
    assert [first.number, otherwise.number, anew.number] == [1, 2, 3]
    assert (first.actor, first.because, first.begun_at) == ("ann", "new", NOW)
    assert await post.models.editions("another") == ()


@promise_of_models(2)
async def test_it_is_filled_in_parts_and_nothing_is_given_twice(world: World) -> None:
    post = (await world.open()).messages
    await publish(post, *(message("one", id=f"{n}") for n in range(7)))
    edition = await begin(post)
    await publish(post, message("one", id="late"))

    parts = [await post.models.fill(SUMMARY, 1, limit=3, now=NOW) for _ in range(4)]
    (after,) = await post.models.editions()
    (held,) = await held_of(post, edition)

    assert parts == [True, True, False, False]
    assert (edition.state, after.state) == (EditionState.FILLING, EditionState.CATCHING_UP)
    assert [each.message.id for each in held.due] == ["0", "1", "2", "3", "4", "5", "6", "late"]


@promise_of_models(2)
async def test_what_is_not_before_its_time_waits_and_what_was_erased_is_left_out(
    world: World,
) -> None:
    post = (await world.open()).messages
    await publish(post, message("one", id="erased", subject="anna"))
    await publish(post, message("one", id="later", not_before=Instant(500)))
    await post.erase(subject="anna", limit=9, now=NOW)

    edition = await filled(post)
    early = await held_of(post, edition)
    (held,) = await held_of(post, edition, now=500)

    assert early == ()
    assert [each.message.id for each in held.due] == ["later"]


@promise_of_models(3)
async def test_rows_and_marks_are_written_together(world: World) -> None:
    post = (await world.open()).messages
    edition = await filled(post)
    await publish(post, message("one"), message("two"))
    held = await held_of(post, edition)

    verdict = await fold(post, edition, *held, rows=(row(ONE, b"1", seq=7), row(TWO, None)))

    assert verdict is Verdict.WRITTEN
    rows = sorted(await post.models.rows(MODEL, [ONE, TWO]), key=lambda each: each.at)
    assert [(each.at, each.body, each.seq, each.revision) for each in rows] == [
        (ONE, b"1", 7, 1),
        (TWO, None, 1, 1),
    ]
    assert await held_of(post, edition, now=AFTER_EVERY_LEASE) == ()


@promise_of_models(3)
async def test_a_row_that_somebody_has_written_meanwhile_leaves_everything_unwritten(
    world: World,
) -> None:
    post = (await world.open()).messages
    edition = await filled(post)
    await publish(post, message("one"), message("two"))
    first, second = await held_of(post, edition)
    await fold(post, edition, first, rows=(row(ONE, b"1"),))

    stale = await fold(post, edition, second, rows=(row(TWO, b"1"), row(ONE, b"2")))
    older = await fold(post, edition, second, rows=(row(ONE, b"2", revision=7),))
    kept = await post.models.rows(MODEL, [ONE, TWO])
    fresh = await fold(post, edition, second, rows=(row(ONE, b"2", revision=1),))

    assert (stale, older, fresh) == (Verdict.STALE, Verdict.STALE, Verdict.WRITTEN)
    assert [(each.at, each.body) for each in kept] == [(ONE, b"1")]
    (now,) = await post.models.rows(MODEL, [ONE])
    assert (now.body, now.revision) == (b"2", 2)


@promise_of_models(3)
async def test_whoever_does_not_hold_a_lane_writes_nothing(world: World) -> None:
    post = (await world.open()).messages
    edition = await filled(post)
    await publish(post, message("one"), message("two"))
    first, second = await held_of(post, edition)
    folded = Folded(
        recipient=edition.recipient,
        finished=(finished(first), finished(second, worker=BOB)),
        rows=(row(ONE, b"1"),),
    )

    assert await post.models.fold(folded) is Verdict.FENCED
    assert await post.models.rows(MODEL, [ONE]) == ()
    assert await fold(post, edition, first, second) is Verdict.WRITTEN
    assert await fold(post, edition, first) is Verdict.FENCED


@promise_of_models(4)
async def test_pages_of_rows_are_sorted_and_each_tenant_has_its_own(world: World) -> None:
    post = (await world.open()).messages
    edition = await filled(post)
    keys = [RowKey("", f"row-{n}") for n in (3, 1, 2, 4)]
    others = [RowKey("acme", "row-1")]
    await fold(post, edition, rows=tuple(row(each, b"1") for each in [*keys, *others]))
    await fold(post, edition, rows=(row(keys[2], None, revision=1),))

    first = await post.models.page(MODEL, limit=2)
    second = await post.models.page(MODEL, after=first.next, limit=2)
    of_tenant = await post.models.page(MODEL, tenant="acme", limit=9)

    assert [each.at.key for each in first.rows] == ["row-1", "row-3"]
    assert ([each.at.key for each in second.rows], second.next) == (["row-4"], None)
    assert [each.at for each in of_tenant.rows] == others


@promise_of_models(5)
async def test_what_was_folded_is_given_again_in_its_order(world: World) -> None:
    post = (await world.open()).messages
    edition = await filled(post)
    await publish(post, *(message("one" if n % 2 else "two", id=f"{n}") for n in range(6)))
    await fold_all(post, edition)
    await publish(post, message("one", id="unfolded"))
    await publish(post, message("one", id="elsewhere", tenant="acme"))

    history = post.models.history
    everything = await history(MODEL, key=None, after=0, limit=4)
    rest = await history(MODEL, key=None, after=everything[-1].seq, limit=4)
    of_key = await history(MODEL, key=ONE, after=0, limit=9)

    assert [each.message.id for each in (*everything, *rest)] == ["0", "1", "2", "3", "4", "5"]
    assert [each.message.id for each in of_key] == ["1", "3", "5"]


@promise_of_models(6)
async def test_an_edition_serves_once_it_has_caught_up(world: World) -> None:
    post = (await world.open()).messages
    await publish(post, message("one"), message("two"))
    edition = await begin(post)
    promote = post.models.promote

    assert await promote(SUMMARY, 1) is False
    await post.models.fill(SUMMARY, 1, limit=9, now=NOW)
    assert await promote(SUMMARY, 1) is False
    await fold_all(post, edition)
    await publish(post, message("one"))

    assert await promote(SUMMARY, 1) is True
    assert await promote(SUMMARY, 1) is True
    (now,) = await post.models.editions()
    assert now.state is EditionState.SERVING


@promise_of_models(6)
async def test_a_key_that_waits_for_a_person_does_not_keep_an_edition_from_serving(
    world: World,
) -> None:
    post = (await world.open()).messages
    await publish(post, message("one"), message("one"), message("two"))
    edition = await filled(post)
    for held in await held_of(post, edition):
        given_up = Dead(seq=held.due[0].seq, reason="failed", blocks=True)
        handled = (given_up,) if held.id.lane == "one" else ()
        await post.models.fold(
            Folded(recipient=MODEL, finished=(finished(held, *handled),), rows=())
        )

    assert await post.models.promote(SUMMARY, 1) is True


@promise_of_models(6)
async def test_the_one_that_serves_retires_those_before_it_of_the_same_kind(world: World) -> None:
    post = (await world.open()).messages
    for chosen in ({}, {"fingerprint": "v2"}, {"anew": True}):
        edition = await filled(post, **chosen)
        await post.models.promote(SUMMARY, edition.number)

    assert [each.state for each in await post.models.editions(SUMMARY)] == [
        EditionState.RETIRED,
        EditionState.SERVING,
        EditionState.SERVING,
    ]


@promise_of_models(7)
async def test_what_is_retired_is_given_nothing_more_and_is_cleared_away(world: World) -> None:
    post = (await world.open()).messages
    edition = await filled(post)
    await publish(post, *(message(f"{n}") for n in range(5)))
    await fold_all(post, edition)
    await publish(post, message("due"))

    retired = await post.models.retire(SUMMARY, 1, order())
    again = await post.models.retire(SUMMARY, 1, order())
    (told,) = await post.models.editions()
    await publish(post, message("after"))
    due = await held_of(post, edition)
    while await post.models.clear(limit=3):
        pass

    assert (retired, again) == (True, False)
    assert (told.state, told.actor, told.because) == (EditionState.RETIRED, "ann", "repaired")
    assert [each.id.lane for each in due] == ["due"]
    assert await post.models.editions() == ()
    assert (await post.models.page(MODEL, limit=9)).rows == ()
    assert await post.lanes(MODEL, limit=9) == ()
    assert await post.models.history(MODEL, key=None, after=0, limit=9) == ()
    assert await fold(post, edition, *due) is Verdict.FENCED


@promise_of_models(8)
async def test_when_an_edition_was_served_last_is_remembered(world: World) -> None:
    post = (await world.open()).messages
    edition = await begin(post)
    await begin(post, fingerprint="v2")

    await post.models.seen([edition], now=Instant(700))

    assert [each.seen_at for each in await post.models.editions()] == [700, NOW]


@promise_of_models(9)
async def test_no_message_is_pruned_that_a_read_model_was_made_of(world: World) -> None:
    post = (await world.open()).messages
    await publish(post, message("one", id="unheard"))
    await publish(post, message("one", id="other", type="OrderShipped"))
    edition = await filled(post)
    await fold_all(post, edition)
    late = Instant(9_000)

    await post.prune(before=late, dead_before=late, limit=9)
    kept = await stored(post)
    await post.models.retire(SUMMARY, 1, order())
    await post.models.clear(limit=99)
    await post.prune(before=late, dead_before=late, limit=9)

    assert kept == ["unheard"]
    assert await stored(post) == []


@promise_of_models(10)
async def test_what_is_erased_empties_the_rows_of_its_key(world: World) -> None:
    post = (await world.open()).messages
    edition = await filled(post)
    await subscribe(post, "another", to=["Nothing"])
    await publish(post, message("one", subject="anna"), message("two", subject="bert"))
    await fold_all(post, edition)

    await post.erase(subject="anna", limit=9, now=NOW)

    rows = {each.at: each for each in await post.models.rows(MODEL, [ONE, TWO])}
    assert (rows[ONE].body, rows[TWO].body) == (None, b"1")
    assert (rows[ONE].is_torn, rows[TWO].is_torn) == (True, False)
    stale = await fold(post, edition, rows=(row(ONE, b"again", revision=1),))
    assert stale is Verdict.STALE
    assert [
        each.message.key for each in await post.models.history(MODEL, key=None, after=0, limit=9)
    ] == ["two"]


@promise_of_models(10)
async def test_what_is_erased_empties_the_row_of_another_key_that_it_went_to(world: World) -> None:
    post = (await world.open()).messages
    first = await filled(post)
    second = await filled(post, anew=True)
    await publish(
        post,
        message("one", subject="anna", tenant="a"),
        message("two", subject="bert", tenant="a"),
        message("one", subject="bert", tenant="b"),
    )
    row_a, row_b, other = RowKey("a", "sum"), RowKey("b", "sum"), RowKey("a", "other")
    for edition in (first, second):
        held = await held_of(post, edition)
        sources = tuple(RowSource(seq=each.due[0].seq, key="sum") for each in held)
        rows = (row(row_a, b"2", seq=9), row(row_b, b"2", seq=9), row(other, b"9", seq=9))
        assert await fold(post, edition, *held, rows=rows, sources=sources)

    await post.erase(subject="anna", limit=9, now=NOW)

    for edition in (first, second):
        found = {
            each.at: each
            for each in await post.models.rows(edition.recipient, [row_a, row_b, other])
        }
        assert (found[row_a].body, found[row_a].is_torn) == (None, True)
        assert (found[row_b].body, found[other].body) == (b"2", b"9")


@promise_of_models(10)
async def test_a_torn_row_is_found_until_it_is_written(world: World) -> None:
    post = (await world.open()).messages
    edition = await filled(post)
    await publish(post, message("one", subject="anna"), message("two", subject="anna"))
    await fold_all(post, edition)
    assert await post.models.torn([MODEL], limit=9) == ()
    await post.erase(subject="anna", limit=9, now=NOW)

    torn = await post.models.torn([MODEL, "model:another@1"], limit=9)
    assert [(each.recipient, each.row.at, each.row.body) for each in torn] == [
        (MODEL, ONE, None),
        (MODEL, TWO, None),
    ]
    assert [each.row.at for each in await post.models.torn([MODEL], limit=1)] == [ONE]
    assert await post.models.torn(["model:another@1"], limit=9) == ()
    late = row(ONE, b"late", revision=torn[0].row.revision - 1)
    assert await fold(post, edition, rows=(late,)) is Verdict.STALE
    mended = row(ONE, None, revision=torn[0].row.revision)
    assert await fold(post, edition, rows=(mended,)) is Verdict.WRITTEN
    assert [each.row.at for each in await post.models.torn([MODEL], limit=9)] == [TWO]


@promise_of_models(10)
async def test_where_messages_went_is_forgotten_with_their_edition(world: World) -> None:
    post = (await world.open()).messages
    edition = await filled(post)
    await publish(post, *(message(f"{each}") for each in range(5)))
    held = await held_of(post, edition)
    sources = tuple(RowSource(seq=each.due[0].seq, key="sum") for each in held)
    await fold(post, edition, *held, rows=(row(RowKey("", "sum"), b"5"),), sources=sources)
    await post.models.retire(SUMMARY, edition.number, order())
    while await post.models.clear(limit=2):
        pass
    assert await post.models.editions() == ()
    again = await filled(post)
    assert again.recipient == MODEL
    await fold_all(post, again)
    await post.erase(key="1", limit=9, now=NOW)
    assert [each.row.at.key for each in await post.models.torn([MODEL], limit=9)] == ["1"]
