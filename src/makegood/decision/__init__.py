"""WHAT NEXT: facts in, facts and commands out. Pure: no I/O, no clock, no chance of its own."""
