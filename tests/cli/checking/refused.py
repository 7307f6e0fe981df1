"""A user's module whose strict workflow cannot be declared."""

from makegood import workflow
from tests.cli.checking.linted import held


@workflow(strict=True)
def order(sku: str) -> None:
    held(sku)
