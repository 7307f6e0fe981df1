"""What a run looks like along its time, with its waits cut."""
