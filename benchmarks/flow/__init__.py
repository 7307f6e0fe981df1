"""What does the flow cost? A round beside a plain step, and a turn by the size of its plan."""
