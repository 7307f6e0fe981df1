"""What keeps a schema of the engine in order? Its number, its server, and what holds it back."""
