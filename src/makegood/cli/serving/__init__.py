"""`makegood http` and `makegood keys`: the door to an engine, and who has a key to it."""
