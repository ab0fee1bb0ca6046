"""MTA-STS (RFC 8461)."""
