"""What is allowed in a workflow but looks wrong: the rules, and what breaks them."""
