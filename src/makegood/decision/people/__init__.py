"""What people may ask of a run: the answers, and what they would come to. One question a module."""
