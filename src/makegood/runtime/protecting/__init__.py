"""Protecting a service: how many calls at once, how many in a time, and none while it is down."""
