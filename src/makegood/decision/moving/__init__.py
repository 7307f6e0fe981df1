"""How a run comes from one plan to another."""
