"""The journal in PostgreSQL: one round trip and one commit for all that waits, and many workers.

`journal` holds the Protocol's methods; the other modules hold one concern each. Nothing is
imported here.
"""
