"""How a run's facts become a story."""
