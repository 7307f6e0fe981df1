"""Is a promise broken in what is on record of a run? A reader who knows the facts alone."""
