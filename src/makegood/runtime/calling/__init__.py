"""Calling users' functions: which, with what, for how long, and what their end means."""
