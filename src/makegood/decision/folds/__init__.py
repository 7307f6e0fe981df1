"""How each fact changes the state: one small function per fact, by what the facts are about."""
