"""Steps that are completed from outside, by the token that they were given."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import (
    CompletionToken,
    Declined,
    Engine,
    IdempotencyKey,
    InvalidInput,
    Later,
    NotAwaited,
    OutcomeUnknown,
    PayloadTooLarge,
    Retry,
    Transaction,
    Unavailable,
    UnknownRun,
    UnknownToken,
    Writes,
    WritesRefused,
    each,
    injected,
    later,
    query,
    step,
    workflow,
)
from makegood.decision.facts import ControlAnswer
from tests.runtime.outside import Gate, Outside
from tests.runtime.world import until

if TYPE_CHECKING:
    from makegood import Run
    from tests.runtime.world import World

HOUR = timedelta(hours=1)
SOON = Retry(attempts=3, delay=timedelta(seconds=1), jitter=False)
AT_ONCE = timedelta(0)


class Desk:
    """Somebody outside: takes requests, each with the token to answer it by."""

    def __init__(self) -> None:
        self.tokens: list[CompletionToken] = []
        self.gate: Gate | None = None

    async def ask(self, token: CompletionToken) -> None:
        self.tokens.append(token)
        if self.gate is not None:
            await self.gate.pass_through()


async def ask_desk(
    question: str, *, desk: Desk = injected, token: CompletionToken = injected
) -> int:
    await desk.ask(token)
    later(within=HOUR)


async def take_back(
    answer: int, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> None:
    await outside.do(f"take back {answer}", key)


async def tell(answer: int, *, outside: Outside = injected, key: IdempotencyKey = injected) -> str:
    return await outside.do(f"tell {answer}", key)


asked = step(ask_desk, undo=take_back, retry=SOON)
told = step(tell, irreversible="it is said")


@workflow
def inquire(question: str) -> str:
    return told(asked(question))


@workflow
def inquire_often(questions: list[str]) -> list[int]:
    return each(questions, asked)


async def begun(world: World, desk: Desk, **options: object) -> tuple[Engine, Run[str]]:
    """Return an engine, and a run of it that waits for the desk."""
    engine = await world.engine(inquire, services={Desk: desk, Outside: world.outside}, **options)
    run = await engine.start(inquire("why"))
    await until_waiting(world, engine, run)
    return engine, run


async def until_waiting(world: World, engine: Engine, run: Run[str]) -> None:
    while (await run.describe()).status != "waiting":
        await world.finish(engine, run.describe())


async def until_asked_again(world: World, engine: Engine, run: Run[str], desk: Desk) -> None:
    while len(desk.tokens) < 2:
        await world.finish(engine, engine.run(run.id).describe())
        world.clock.turn_to_next()


async def test_what_is_said_from_outside_is_the_result_of_the_step(stored: World) -> None:
    desk = Desk()
    engine, run = await begun(stored, desk)

    said = await stored.finish(engine, engine.complete(desk.tokens[0], 42))

    assert said is ControlAnswer.ACCEPTED
    assert await stored.finish(engine, run.result()) == "tell 42 done"


async def test_a_run_that_waits_for_somebody_outside_is_held_by_nobody(world: World) -> None:
    desk = Desk()
    engine, run = await begun(world, desk)

    await until(lambda: engine.active == 0)

    (node, _) = (await run.describe()).nodes
    assert (node.state, node.token) == ("awaiting", desk.tokens[0])
    assert f"to be completed with {desk.tokens[0]}" in str(await run.describe())


async def test_the_same_answer_may_come_twice_and_another_one_is_refused(world: World) -> None:
    desk = Desk()
    engine, run = await begun(world, desk)
    token = desk.tokens[0]
    await world.finish(engine, engine.complete(token, 42))
    await world.finish(engine, run.result())

    again = await world.finish(engine, engine.complete(token, 42))
    with pytest.raises(NotAwaited) as refused:
        await world.finish(engine, engine.complete(token, 43))

    assert again is ControlAnswer.SAID_BEFORE
    assert refused.value.state == "done"
    assert str(refused.value) == (
        f"`ask_desk` of run {run.id} was completed with this token before, and otherwise; "
        "what was said first stands, so undo or cancel the run if it was wrong"
    )


async def test_a_definite_no_fails_the_step_and_the_run_goes_back(world: World) -> None:
    desk = Desk()
    engine, run = await begun(world, desk)

    await world.finish(engine, engine.fail(desk.tokens[0], Declined("closed")))
    outcome = await world.finish(engine, run.outcome())

    assert (outcome.status, str(outcome.failure)) == ("failed", "Declined: closed")


async def test_a_failure_that_is_worth_it_is_tried_again_with_a_token_of_its_own(
    world: World,
) -> None:
    desk = Desk()
    engine, run = await begun(world, desk)

    await world.finish(engine, engine.fail(desk.tokens[0], Unavailable("busy")))
    await until_asked_again(world, engine, run, desk)
    await until_waiting(world, engine, run)
    late = await world.finish(engine, engine.fail(desk.tokens[0], Unavailable("busy")))
    await world.finish(engine, engine.complete(desk.tokens[1], 7))

    assert late is ControlAnswer.SAID_BEFORE
    assert await world.finish(engine, run.result()) == "tell 7 done"


async def test_nobody_who_answers_leaves_doubt_and_the_same_token_is_good_still(
    world: World,
) -> None:
    desk = Desk()
    engine, run = await begun(world, desk)

    await until_asked_again(world, engine, run, desk)
    await until_waiting(world, engine, run)

    assert desk.tokens[0] == desk.tokens[1]
    await world.finish(engine, engine.complete(desk.tokens[0], 7))
    assert await world.finish(engine, run.result()) == "tell 7 done"


async def test_an_answer_that_overtakes_the_body_is_not_lost(world: World) -> None:
    desk = Desk()
    desk.gate = Gate()
    engine = await world.engine(inquire, services={Desk: desk, Outside: world.outside})
    run = await engine.start(inquire("why"))
    await desk.gate.reached.wait()

    early = await engine.complete(desk.tokens[0], 42, wait=AT_ONCE)
    desk.gate.open()

    assert early is None
    assert await world.finish(engine, run.result()) == "tell 42 done"


async def test_an_answer_may_come_while_no_worker_lives(world: World) -> None:
    desk = Desk()
    first, run = await begun(world, desk)
    await world.kill(first)
    client = await world.engine(work=False)

    said = await client.complete(desk.tokens[0], 42, wait=AT_ONCE)
    second = await world.engine(inquire, services={Desk: desk, Outside: world.outside})

    assert said is None
    assert await world.finish(second, second.run(run.id).result()) == "tell 42 done"
    assert len(desk.tokens) == 1


async def test_a_worker_that_dies_before_it_is_recorded_runs_the_body_again_under_the_same_token(
    world: World,
) -> None:
    desk = Desk()
    desk.gate = Gate()
    first = await world.engine(inquire, services={Desk: desk, Outside: world.outside})
    run = await first.start(inquire("why"))
    await desk.gate.reached.wait()
    await world.kill(first)
    desk.gate = None
    second = await world.engine(inquire, services={Desk: desk, Outside: world.outside})
    await until_asked_again(world, second, run, desk)

    assert desk.tokens[0] == desk.tokens[1]
    await world.finish(second, second.complete(desk.tokens[0], 1))
    assert await world.finish(second, second.run(run.id).result()) == "tell 1 done"


async def test_each_of_many_answers_completes_its_own_round(world: World) -> None:
    desk = Desk()
    engine = await world.engine(inquire_often, services={Desk: desk, Outside: world.outside})
    run = await engine.start(inquire_often(["a", "b", "c"]))
    while len(desk.tokens) < 3 or (await run.describe()).status != "waiting":
        await world.finish(engine, run.describe())

    for number, token in reversed([*enumerate(desk.tokens)]):
        await engine.complete(token, number, wait=AT_ONCE)

    assert await world.finish(engine, run.result()) == [0, 1, 2]


async def test_a_cancelled_run_waits_for_the_answer_and_takes_it_back(world: World) -> None:
    desk = Desk()
    engine, run = await begun(world, desk)
    await world.finish(engine, run.cancel())

    await world.finish(engine, engine.complete(desk.tokens[0], 42))
    outcome = await world.finish(engine, run.outcome())

    assert (outcome.status, outcome.undone) == ("cancelled", ["ask_desk"])
    assert world.outside.happened == ["take back 42"]


async def test_what_is_no_result_of_the_step_is_refused_before_it_is_written(world: World) -> None:
    desk = Desk()
    engine, _run = await begun(world, desk)

    with pytest.raises(InvalidInput, match="the result given is none of `ask_desk`"):
        await engine.complete(desk.tokens[0], "many")
    with pytest.raises(PayloadTooLarge, match="store it elsewhere"):
        await engine.complete(desk.tokens[0], "x" * 1_000_001)
    with pytest.raises(InvalidInput, match="the actor has 201 characters"):
        await engine.complete(desk.tokens[0], 1, actor="x" * 201)


async def test_what_a_client_cannot_know_the_worker_refuses(world: World) -> None:
    desk = Desk()
    engine, _run = await begun(world, desk)
    client = await world.engine(work=False)

    with pytest.raises(InvalidInput, match="it is not of its type"):
        await world.finish(engine, client.complete(desk.tokens[0], "many"))


@pytest.mark.parametrize("token", ["", "x", "0" * 65, f"{'0' * 32}.", f"{'g' * 32}.{'0' * 32}"])
async def test_what_is_no_token_is_refused(token: str, world: World) -> None:
    engine = await world.engine(inquire, services={Desk: Desk(), Outside: world.outside})

    with pytest.raises(InvalidInput, match="is no token; take the one that the step was given"):
        await engine.complete(token, 1)


async def test_a_token_that_nobody_was_given_is_unknown(world: World) -> None:
    desk = Desk()
    engine, run = await begun(world, desk)

    wrong = f"{desk.tokens[0][:33]}{'0' * 32}"
    with pytest.raises(UnknownToken) as refused:
        await engine.complete(wrong, 1)
    assert str(refused.value) == (
        f"no step of run {run.id} has the token {wrong!r}; take the one that `describe()` of the "
        "run shows of the step"
    )
    with pytest.raises(UnknownRun):
        await engine.complete(f"{'0' * 32}.{'0' * 32}", 1)


async def test_a_step_that_does_not_wait_says_where_it_stands(world: World) -> None:
    desk = Desk()
    engine, run = await begun(world, desk)
    await world.finish(engine, run.cancel())
    await world.finish(engine, engine.fail(desk.tokens[0], Declined("closed")))
    await world.finish(engine, run.outcome())
    (node, _) = (await run.describe()).nodes
    assert node.token is None
    token = desk.tokens[0][:33] + _digest_of(engine, run, number=1)

    with pytest.raises(NotAwaited) as refused:
        await world.finish(engine, engine.complete(token, 42))

    assert refused.value.state == "gave up"
    assert "waits for nobody outside: its state is `gave up`" in str(refused.value)


def _digest_of(_engine: Engine, run: Run[str], *, number: int) -> str:
    from makegood.values.ids import completion_token, effect_key  # noqa: PLC0415

    key = effect_key("inquire", run.id, "ask_desk", "do", generation=0)
    return completion_token(run.id, key, number).partition(".")[2]


# Who may say later, and how ---------------------------------------------------------------------


async def look_later() -> int:
    later(within=HOUR)


async def keep_later(*, transaction: Transaction = injected) -> int:
    later(within=HOUR)


async def write_later(*, writes: Writes = injected) -> int:
    writes.execute("INSERT INTO nowhere VALUES (1)")
    later(within=HOUR)


@pytest.mark.parametrize("duration", [timedelta(0), timedelta(days=367)])
def test_a_duration_out_of_bounds_leaves_doubt_because_the_other_side_was_asked(
    duration: timedelta,
) -> None:
    with pytest.raises(OutcomeUnknown, match="is out of bounds"):
        later(within=duration)


async def test_a_body_that_is_called_by_a_test_raises_what_says_later() -> None:
    desk = Desk()

    with pytest.raises(Later) as said:
        await ask_desk("why", desk=desk, token=CompletionToken("t"))

    assert (said.value.within, desk.tokens) == (HOUR, ["t"])


async def give() -> int:
    return 1


async def give_back(_given: int) -> None:
    later(within=HOUR)


@workflow
def look() -> int:
    return query(look_later)()


@workflow
def keep() -> int:
    return step(keep_later, irreversible="a test")()


@workflow
def write() -> int:
    return step(write_later, irreversible="a test")()


@workflow
def undo_later() -> str:
    return told.named("last")(step(give, name="first", undo=give_back)())


@pytest.mark.parametrize(
    ("whole", "why"),
    [
        (look, "the do of `look_later` calls later(…), which only a step's body may"),
        (keep, "`keep_later` calls later(…), which no local step may"),
    ],
)
async def test_what_has_no_effect_outside_cannot_be_completed_from_there(
    whole: object, why: str, world: World
) -> None:
    engine = await world.engine(whole)  # type: ignore[arg-type] # one of the workflows above
    run = await engine.start(whole())  # type: ignore[operator] # as above

    outcome = await world.finish(engine, run.outcome())

    assert (outcome.status, str(outcome.error)) == ("failed", why)


async def test_an_undo_that_says_later_is_in_doubt(world: World) -> None:
    world.outside.planned["tell 1"] = [Declined("no")]
    engine = await world.engine(undo_later)
    run = await engine.start(undo_later())

    outcome = await world.finish(engine, run.outcome())

    assert (outcome.status, outcome.left) == ("parked", ["first"])


async def test_statements_that_are_refused_with_it_are_an_effect_that_is_not_on_record(
    world: World,
) -> None:
    engine = await world.engine(write)
    run = await engine.start(write())

    outcome = await world.finish(engine, run.outcome())

    assert (outcome.status, outcome.reason) == ("parked", "unrecorded effect")
    assert isinstance(outcome.error, WritesRefused)
