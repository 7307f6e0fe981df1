"""What is kept beside the runs in motion: what is taken out of the store, and what is halted."""
