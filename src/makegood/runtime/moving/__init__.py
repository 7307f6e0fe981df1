"""How runs come from one definition of their workflow to another."""
