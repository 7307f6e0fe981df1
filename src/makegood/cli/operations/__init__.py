"""What does a person do to keep a store in order? Its schema, its age, its subjects, its health."""
