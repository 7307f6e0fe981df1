"""What every journal promises: one suite, run by the tests of each implementation.

The number at a test is that of the promise in `Journal`'s docstring. An implementation's test
module imports everything from here and brings a fixture `world`.
"""

# Its tests are all that these modules give, and whoever runs the suite wants every one of them.
# ruff: noqa: F403

from __future__ import annotations

from tests.journal.beside.periods import *
from tests.journal.beside.schedules import *
from tests.journal.contract.adopting import *
from tests.journal.contract.appending import *
from tests.journal.contract.claims import *
from tests.journal.contract.delivering import *
from tests.journal.contract.halting import *
from tests.journal.contract.keeping import *
from tests.journal.contract.keys import *
from tests.journal.contract.leasing import *
from tests.journal.contract.letters import *
from tests.journal.contract.local_steps import *
from tests.journal.contract.posting import *
from tests.journal.contract.reading import *
from tests.journal.contract.stages import *
from tests.journal.contract.statements import *
