"""What can be seen of runs while they happen, and what they carry along to be seen by."""
