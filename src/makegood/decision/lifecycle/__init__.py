"""Lifecycles: where a record stands, and what next."""
