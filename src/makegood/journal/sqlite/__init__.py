"""The journal in one SQLite file: one writer thread, one commit for all that waits.

`journal` holds the Protocol's methods; the other modules hold one concern each. Nothing is
imported here.
"""
