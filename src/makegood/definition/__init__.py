"""WHAT is to happen: declaring steps and workflows, reading and checking them. Pure."""
