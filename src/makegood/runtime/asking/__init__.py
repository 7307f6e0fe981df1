"""How a run is asked from outside: what is left for it, what is read of it, how it answers."""
