"""What does a backlog cost those who work on it? The time of a claim, and memory."""
