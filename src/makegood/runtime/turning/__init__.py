"""One turn of a run: take what waits, decide, append, perform."""
