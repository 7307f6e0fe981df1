"""`python -m makegood.cli` is the same as `makegood`."""

from __future__ import annotations

import sys

from makegood.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
