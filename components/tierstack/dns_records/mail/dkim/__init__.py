"""DKIM (RFC 6376)."""
