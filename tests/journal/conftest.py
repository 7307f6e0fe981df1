import pytest

# The suite is a module of tests that others import: its asserts explain themselves as theirs do.
pytest.register_assert_rewrite("tests.journal.contract", "tests.journal.records")
