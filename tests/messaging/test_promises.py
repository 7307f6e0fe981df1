"""Is every numbered promise of a transport tested?"""

from __future__ import annotations

import re

from makegood import Transport
from tests.messaging import contract
from tests.messaging.contract import PROMISE


def test_every_promise_of_the_protocol_has_a_test_in_the_suite() -> None:
    text = (Transport.__doc__ or "").splitlines()
    promised = {int(found[1]) for line in text if (found := re.match(r" *(\d+)\. ", line))}
    tested = {
        number
        for name, test in vars(contract).items()
        if name.startswith("test_")
        if (number := getattr(test, PROMISE, None)) is not None
    }

    assert promised
    assert tested == promised
