"""What is kept beside the runs in motion: what is taken out of the file, and what is halted."""
