"""What a person asks for from a terminal, and how the answer is told."""
