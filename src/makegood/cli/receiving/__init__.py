"""Messages at the terminal: dead letters, what came of one beginning, and who is behind."""
