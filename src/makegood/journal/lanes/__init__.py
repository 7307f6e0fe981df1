"""How messages stand in line, whatever store they are in, and the line that is kept in memory."""
