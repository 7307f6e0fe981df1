"""How many workflows a second? Of the engine, and of what stands beside it in the same run."""
