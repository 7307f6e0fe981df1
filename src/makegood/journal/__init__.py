"""WHAT IS REMEMBERED: facts, in order, per run, behind one Protocol (`protocol.Journal`).

The implementations are `memory`, `sqlite` and `postgres`; `address` opens one by its URL. Nothing
is imported here, so that a process pays only for the store that it uses.
"""
