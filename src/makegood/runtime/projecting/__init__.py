"""How do read models come of messages? Folding, building them anew, and reading them."""
