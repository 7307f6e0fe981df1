"""What a transition of a lifecycle costs, beside a step."""
