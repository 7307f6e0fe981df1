"""WHAT a user's functions say: where they stand, what they take and give, whether types fit."""
