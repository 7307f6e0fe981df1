"""What could become of a workflow? Every single failure is imagined, and what it leaves is told."""
