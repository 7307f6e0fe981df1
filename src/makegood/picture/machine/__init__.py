"""What a lifecycle looks like: its statuses, who is called in each, and where that leads."""
