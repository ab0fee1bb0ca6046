"""Records as plain values: names, texts, and zone files."""
