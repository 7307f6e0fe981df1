"""Who receives which messages and sends which: receptors drawn by what they declare."""
