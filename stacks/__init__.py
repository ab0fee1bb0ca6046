"""The program of the root project: configuration → settings → tier → components."""
