"""What every journal promises of messages: one suite, run by the tests of each implementation.

The number at a test is that of the promise in `KeepsMessages`' docstring.
"""

# Its tests are all that these modules give, and whoever runs the suite wants every one of them.
# ruff: noqa: F403

from __future__ import annotations

from tests.journal.contract.lanes.finishing import *
from tests.journal.contract.lanes.listening import *
from tests.journal.contract.lanes.models import *
from tests.journal.contract.lanes.operating import *
from tests.journal.contract.lanes.storing import *
from tests.journal.contract.lanes.taking import *
