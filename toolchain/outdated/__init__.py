"""What is pinned, which newer versions exist, and which known vulnerabilities a pin has: `make outdated`."""
