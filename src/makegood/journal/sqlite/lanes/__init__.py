"""What is kept of messages in the file: rows, and the statements by which they change."""
