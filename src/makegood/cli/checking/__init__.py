"""What a program's declarations are looked at for, before they are relied on."""
