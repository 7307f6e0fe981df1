"""The command line: `makegood`, over the engine and whatever extensions plug in."""
