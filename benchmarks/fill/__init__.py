"""How does a journal come to a million runs in minutes? They are copied from a few of the engine's.

The engine writes one run of each kind. Every other run is made from the rows of its kind, with an
id, a key, tokens and a time of its own. In the end the engine writes some of these runs again,
elsewhere, and whole rows are compared: what was filled in is what the engine writes.
"""
