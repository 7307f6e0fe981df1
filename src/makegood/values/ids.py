"""What identifies things, and how an idempotency key is made. Nothing here draws a number."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Literal, NewType
from uuid import UUID

from makegood.errors import InvalidInput
from makegood.values.instants import as_datetime
from makegood.values.limits import KEY_BYTES_MAX

if TYPE_CHECKING:
    from makegood.values.instants import Instant

__all__ = [
    "Direction",
    "RunId",
    "WorkerId",
    "child_key",
    "child_run",
    "completion_token",
    "effect_key",
    "message_id",
    "parse_engine",
    "parse_message_key",
    "parse_run_id",
    "parse_run_key",
    "parse_subject",
    "receipt_key",
    "run_of_token",
    "slot_key",
    "slot_run",
]

RunId = NewType("RunId", str)
"""A run's id: a version 7 UUID, so ids sort by the time of their start."""

WorkerId = NewType("WorkerId", str)
"""A worker's id: drawn at random at every boot, never a host name or a process id."""

Direction = Literal["do", "undo"]
"""Which way an effect goes."""


def effect_key(workflow: str, run: str, path: str, direction: Direction, *, generation: int) -> str:
    """Return the idempotency key of one effect: 36 characters, like a UUID.

    It is a hash of the workflow's name, the caller's run key (or else the run's id), the node's
    path, the direction and the generation, and of nothing else: every attempt, every restart,
    every worker and a restored backup give the same key. Only a recorded proof that nothing
    happened, or that it was undone to be done again, raises the generation, and with it the key.
    """
    parts = (workflow, run, path, direction, str(generation))
    digest = blake2b("\x1f".join(parts).encode(), digest_size=16, person=b"makegood.effect")
    return _as_key(digest.digest())


def receipt_key(receptor: str, tenant: str, source: str, message: str) -> str:
    """Return the idempotency key of what a receptor does about a message: 36 characters.

    It is a hash of the receptor's whole name and of what names the message, and of nothing else:
    every attempt, every worker and every time that a person sends it again give the same key.
    """
    parts = (receptor, tenant, source, message)
    digest = blake2b("\x1f".join(parts).encode(), digest_size=16, person=b"makegood.receive")
    return _as_key(digest.digest())


def _as_key(digest: bytes) -> str:
    """Return a hash as a version 5 UUID (RFC 9562), as `UUID` writes it, in half of its time."""
    whole = bytearray(digest)
    whole[6] = whole[6] & 0x0F | 0x50
    whole[8] = whole[8] & 0x3F | 0x80
    text = whole.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def message_id(key: str, number: int) -> str:
    """Return the id of a message that comes of an effect: the effect's key, and which it is of it.

    So an effect that is done once more, because nobody recorded it, sends the same messages.
    """
    return f"{key}.{number}"


def child_key(workflow: str, run: str, path: str, *, generation: int, number: int) -> str:
    """Return the key of the child run that a node calls: the key of the node's own effect.

    `number` counts the children of one node, from 1. A node calls another one only after the one
    before has come to nothing, and each is a run of its own.
    """
    place = path if number == 1 else f"{path}~{number}"
    return effect_key(workflow, run, place, "do", generation=generation)


def child_run(key: str, now: Instant) -> RunId:
    """Return the id of the child run with this key, begun now: a version 7 UUID (RFC 9562).

    Nothing is drawn, so that a turn which is decided anew at the same time calls the same run.
    """
    return _run_at(now, f"{key}\x1f{now}", b"makegood.child")


def slot_key(schedule: str, slot: Instant) -> str:
    """Return by what the slot of a schedule is known: the key of its run, the id of its message."""
    return f"{schedule}@{as_datetime(slot).isoformat()}"


def slot_run(key: str, slot: Instant) -> RunId:
    """Return the id of the run that a schedule starts for a slot: a version 7 UUID (RFC 9562).

    It follows from the slot alone, so that whoever takes it starts the same run.
    """
    return _run_at(slot, key, b"makegood.slot")


def _run_at(moment: Instant, name: str, person: bytes) -> RunId:
    digest = blake2b(name.encode(), digest_size=10, person=person).digest()
    chance = int.from_bytes(digest) & ((1 << 74) - 1)
    milliseconds = (moment // 1_000) & ((1 << 48) - 1)
    high, low = chance >> 62, chance & ((1 << 62) - 1)
    whole = milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low
    return RunId(str(UUID(int=whole)))


def completion_token(run: str, key: str, number: int) -> str:
    """Return the token by which somebody outside says how a step ended: 65 characters.

    It is made of the run's id, by which the run is found, and a hash of the step's idempotency key
    and of how many answers were taken before. So nothing has to be stored before a body may hand
    it out, and every attempt that the other side takes for one request gives the same token. It
    says nothing about the key. Whoever has one, and knows how the workflow is built, could make
    that of another step of the same run, but of no other run.
    """
    parts = (run, key, str(number))
    digest = blake2b("\x1f".join(parts).encode(), digest_size=16, person=b"makegood.token")
    return f"{UUID(run).hex}.{digest.hexdigest()}"


def run_of_token(token: str) -> RunId:
    """Return the run that a token is for; `InvalidInput` for what is none."""
    run, dot, rest = token.partition(".")
    try:
        if dot and len(run) == len(rest) == _TOKEN_PART:
            return RunId(str(UUID(run)))
    except ValueError:
        pass
    message = f"{token[:80]!r} is no token; take the one that the step was given, as a whole"
    raise InvalidInput(message)


_TOKEN_PART = 32
"""How many characters each half of a token has."""


def parse_run_id(text: str) -> RunId:
    """Return a run id in its one spelling; anything that is not a UUID is `InvalidInput`."""
    try:
        return RunId(str(UUID(text)))
    except ValueError:
        message = f"{text!r} is not a run id; a run id looks like 0192f0c4-…"
        raise InvalidInput(message) from None


def parse_run_key(key: str) -> str:
    """Return a key that a caller may give to a run; a blank, long or unprintable one is refused."""
    return _parse_name("key", key, remedy="give each order its own key, or none at all")


def parse_subject(subject: str) -> str:
    """Return whom a run is about, as a caller names them; what is no key is no subject either."""
    return _parse_name("subject", subject, remedy="name whom the run is about, or nobody at all")


def parse_message_key(key: str) -> str:
    """Return the key of a message, which is as that of a run."""
    return _parse_name("key of a message", key, remedy="name what the message is about")


def parse_engine(name: str) -> str:
    """Return what people call an engine; `*` stands for every one, and is none's own."""
    if name == "*":
        message = "no engine is named '*', which stands for all of them; give it another name"
        raise InvalidInput(message)
    return _parse_name("engine's name", name, remedy="give it a name, or leave it out")


def _parse_name(what: str, name: str, *, remedy: str) -> str:
    if not name or not name.strip():
        message = f"the {what} is empty; {remedy}"
        raise InvalidInput(message)
    if not name.isprintable():
        message = f"the {what} {name!r} has characters that cannot be printed; remove them"
        raise InvalidInput(message)
    size = len(name.encode())
    if size > KEY_BYTES_MAX:
        message = f"the {what} {name[:40]!r}… has {size} bytes; at most {KEY_BYTES_MAX} are allowed"
        raise InvalidInput(message)
    return name
