"""What messages cost: in one process, and over a broker."""
