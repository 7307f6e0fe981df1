"""A user's module that cannot be imported."""

REMAINDER = 1 % 0
