"""Restores and drills as a command carries them out: what is in a stack's state, and containers of its Docker host."""
