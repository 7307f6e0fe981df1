"""What next for a message that was not received."""
