"""What runs say to whoever wants to know: messages that a step, an undo or a handler emits."""
