"""What a working journal does by itself, beside what it is asked: one question a module."""
