"""What becomes slower when a journal is full of finished runs? An empty one stands beside it."""
