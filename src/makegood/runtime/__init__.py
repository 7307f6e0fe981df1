"""MAKING IT HAPPEN: the only place with a clock, tasks and chance."""
