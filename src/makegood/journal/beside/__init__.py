"""What a journal keeps beside runs and messages."""
