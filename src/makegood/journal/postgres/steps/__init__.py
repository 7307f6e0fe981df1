"""How a step's own SQL is carried out with its append: one question a module."""
