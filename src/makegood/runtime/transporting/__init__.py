"""How do messages get to other processes' stores, and from there? Routes over transports."""
