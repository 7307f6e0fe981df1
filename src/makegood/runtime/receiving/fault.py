"""What is kept of a failure with the delivery that failed: as JSON, and in a word."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from makegood.values.ids import WorkerId
from makegood.values.instants import Instant
from makegood.values.verdict import Failure

__all__ = ["Fault", "fault_of", "read_fault", "write_fault"]


class Fault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A failure of a receptor, and under which circumstances it failed."""

    failure: Failure
    definition: str
    """The fingerprint of the receptor as it was declared then."""
    worker: WorkerId
    at: Instant


_decode = msgspec.json.Decoder(Fault).decode


def write_fault(fault: Fault) -> bytes:
    """Return a fault as it is kept."""
    return msgspec.json.encode(fault)


def read_fault(error: bytes) -> Fault | None:
    """Return a fault that was kept, or None where there is none, or it is somebody else's."""
    if not error:
        return None
    try:
        return _decode(error)
    except msgspec.MsgspecError:
        return None


def fault_of(receptor: str, reason: str, failure: Failure) -> str:
    """Return what a fault has in common with others of its kind: 16 characters.

    It is a hash of who failed, why it was given up, the class of the error, and the function in
    which it was raised; neither the message nor a line counts, so that a thousand orders which
    fail for one reason are one kind.
    """
    place = failure.traceback.rpartition("\n")[2].rpartition(" in ")[2]
    parts = f"{receptor}\x1f{reason}\x1f{failure.type}\x1f{place}"
    return blake2b(parts.encode(), digest_size=8, person=b"makegood.fault").hexdigest()
