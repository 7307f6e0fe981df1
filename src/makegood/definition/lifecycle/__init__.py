"""Lifecycles: a record, its statuses, and what may happen in each, lowered to a plan."""
