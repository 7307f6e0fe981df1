"""Transports: how messages get from one process to others. Each is imported by its own module."""
