"""What is kept of messages on the server: rows, and the functions by which they change."""
