"""Which rules look at one declaration: its policy, and what its functions are injected with."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from makegood.definition.lint.finding import Found
from makegood.definition.lint.ways import acts, is_past_undoing
from makegood.definition.plan import Kind
from makegood.definition.reading.fit import type_name
from makegood.errors import Declined, InvalidInput, MakegoodError
from makegood.values.injectable import IdempotencyKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood.definition.code import Injection
    from makegood.definition.lint.subject import Seen, Subject
    from makegood.definition.plan import Node
    from makegood.definition.recipe import Recipe

__all__ = [
    "TIMEOUT_USEFUL_MAX",
    "drops_doubt",
    "hands_key",
    "has_no_timeout",
    "is_kept",
    "outlives_key",
    "query_writes",
    "records_for_nobody",
    "rests_on_assumed_horizon",
    "retries_for_nothing",
    "undo_is_not_told_apart",
]

TIMEOUT_USEFUL_MAX = timedelta(hours=1)
"""The longest timeout of one attempt that still ends what hangs while somebody waits for it."""

_REFUSALS = (Declined, InvalidInput)
"""What the same request meets again, however often it is made."""

_DEFECTS = (AssertionError, AttributeError, ImportError, NameError, TypeError)
"""What a program raises that is wrong, and will be wrong at the next attempt."""

_ANYTHING = (Exception, MakegoodError)


def hands_key(recipe: Recipe) -> bool:
    """Say whether a step hands its key to another side, where its effect then is."""
    return recipe.node.kind is Kind.STEP and recipe.signature.injects(IdempotencyKey)


def is_kept(subject: Subject) -> Iterator[Found]:
    """Find a step that would silently stay behind a rollback.

    A handler of a lifecycle that is given nothing to act on acts on its record alone, and behind
    the pivot, or on the way to it, nothing is undone.
    """
    for seen, recipe in subject.declared:
        node = recipe.node
        if node.kind not in (Kind.STEP, Kind.LOCAL) or node.undo or node.pivot:
            continue
        if seen.handler is not None and (
            not acts(recipe) or is_past_undoing(subject.plan.machine, seen.handler)
        ):
            continue
        if node.irreversible is None:
            yield _of(
                seen,
                recipe,
                f"{seen.title} has no undo; give it undo=, or say why there is none with "
                'irreversible="…"',
            )


def has_no_timeout(subject: Subject) -> Iterator[Found]:
    """Find what may wait for a service as good as for ever."""
    for seen, recipe in subject.declared:
        timeout = recipe.node.timeout
        service = next((item for item in recipe.signature.injections if item.is_service), None)
        if service is None or (timeout is not None and timeout <= TIMEOUT_USEFUL_MAX):
            continue
        how = "without a timeout" if timeout is None else f"for {timeout}"
        yield _of(
            seen,
            recipe,
            f"`{seen.path}` waits {how} for its {type_name(service.wants)}; give it a timeout= of "
            f"at most {TIMEOUT_USEFUL_MAX}, and let the retries do the rest",
        )


def undo_is_not_told_apart(subject: Subject) -> Iterator[Found]:
    """Find an undo whose repetition the other side would take for another request.

    The step is told apart by its key, so the service does not know repetitions by themselves; an
    undo is repeated as well, and asks the same service without one. One that stores what it has
    done by a `Record` can tell by itself.
    """
    for seen, recipe in subject.declared:
        undo, node = recipe.undo, recipe.node
        if undo is None or node.undo is None or not hands_key(recipe):
            continue
        if any(item.wants is IdempotencyKey or item.is_record for item in undo.injections):
            continue
        asked = _services(recipe.signature.injections)
        shared = [item for item in undo.injections if item.is_service and item.wants in asked]
        if shared:
            yield _of(
                seen,
                recipe,
                f"the undo `{node.undo.function}` of `{seen.path}` may be repeated, but its "
                f"{type_name(shared[0].wants)} cannot tell; let it inject its IdempotencyKey too",
            )


def query_writes(subject: Subject) -> Iterator[Found]:
    """Find a query that has an effect: nothing would be undone, and it would be repeated."""
    acting = {
        function: seen.path
        for seen, recipe in subject.declared
        if recipe.node.kind in (Kind.STEP, Kind.LOCAL)
        for function in (recipe.body.function, recipe.undo and recipe.undo.function)
        if function is not None
    }
    for seen, recipe in subject.declared:
        if recipe.node.kind is not Kind.QUERY:
            continue
        if recipe.signature.injects(IdempotencyKey):
            yield _of(
                seen,
                recipe,
                f"the query `{seen.path}` injects an IdempotencyKey, which only an effect needs; "
                "declare it as step(…), or remove the key",
            )
        elif (step := acting.get(recipe.body.function)) is not None:
            yield _of(
                seen,
                recipe,
                f"the query `{seen.path}` is the function of the step `{step}` or of its undo; "
                "what only asks has no effect, so declare it as step(…) here too",
            )


def rests_on_assumed_horizon(subject: Subject) -> Iterator[Found]:
    """Find a step whose re-run in doubt rests on a horizon that nobody has looked up."""
    for seen, recipe in subject.declared:
        if not hands_key(recipe) or recipe.node.compensate or recipe.states_horizon:
            continue
        yield _of(
            seen,
            recipe,
            f"{seen.title} hands its IdempotencyKey to another side; give it "
            "compensate=, or say with key_valid_for= how long that side knows the key",
        )


def outlives_key(subject: Subject) -> Iterator[Found]:
    """Find a step whose retries may go on after the other side has forgotten the key."""
    for seen, recipe in subject.declared:
        # What a lifecycle calls has a limit of its own, which is none of its handler's.
        node = recipe.node if seen.handler is None else seen.node
        if node.kind is not Kind.STEP or node.key_valid_for is None or node.compensate:
            continue
        longest = node.timeout_total or _longest(node)
        if longest > node.key_valid_for:
            yield _of(
                seen,
                recipe,
                f"the attempts of `{seen.path}` may take {longest}, but its key is valid for "
                f"{node.key_valid_for}; lower the attempts, set timeout_total=, or give "
                "compensate=",
            )


def retries_for_nothing(subject: Subject) -> Iterator[Found]:
    """Find a retry on what the next attempt will meet again."""
    for seen, recipe in subject.declared:
        if recipe.node.retry.attempts == 1:
            continue
        for kind in recipe.body.retry_on:
            if issubclass(kind, _REFUSALS):
                why = "is a definite no"
            elif issubclass(kind, _DEFECTS):
                why = "is a mistake of the program"
            elif kind in _ANYTHING:
                why = "is everything, definite refusals and mistakes of the program included"
            else:
                continue
            yield _of(
                seen,
                recipe,
                f"`{seen.path}` is tried again on {type_name(kind)}, which {why}; name in "
                "Retry(on=…) what may be otherwise the next time",
            )


def drops_doubt(subject: Subject) -> Iterator[Found]:
    """Find an optional step whose effect may stay behind unseen, although it could be undone.

    A doubt never holds up a run that can do without the step: it ends as skipped, and what is
    skipped is not undone.
    """
    for seen, recipe in subject.declared:
        node = recipe.node
        if node.kind is Kind.STEP and node.optional and node.undo and not node.compensate:
            yield _of(
                seen,
                recipe,
                f"the optional step `{seen.path}` is skipped when it stays in doubt, and is then "
                "not undone; give it compensate=, which finds out what it left",
            )


def records_for_nobody(subject: Subject) -> Iterator[Found]:
    """Find a record that is stored durably, and that neither the undo nor the compensate reads."""
    for seen, recipe in subject.declared:
        remedies = [code for code in (recipe.undo, recipe.compensate) if code is not None]
        is_read = any(item.is_recorded for code in remedies for item in code.injections)
        if recipe.record is not None and not is_read:
            yield _of(
                seen,
                recipe,
                f"`{seen.path}` records what nobody reads; take it as `*, recorded: "
                f"{recipe.node.record} | None = injected` in its undo or its compensate, or do not "
                "record it",
            )


def _of(seen: Seen, recipe: Recipe, sentence: str) -> Found:
    return Found(sentence=sentence, place=recipe.place, path=seen.path, recipe=recipe)


def _services(injections: Sequence[Injection]) -> list[object]:
    return [item.wants for item in injections if item.is_service]


def _longest(node: Node) -> timedelta:
    """Return how long all attempts and the delays between them may take."""
    attempts = node.retry.attempts
    waited = sum((node.retry.pause_after(ended) for ended in range(1, attempts)), timedelta())
    return (node.timeout or timedelta()) * attempts + waited
