"""How fast is makegood, and how near to what the disk allows? Run `python -m benchmarks --help`."""
