"""Commands by which the outside tells runs what they wait for."""
