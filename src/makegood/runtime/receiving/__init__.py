"""Receiving messages: whose turn it is, calling receptors, and what comes of it."""
