"""Receptors: functions that receive a message and return messages or calls."""
