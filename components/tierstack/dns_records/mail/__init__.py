"""The records of mail: MX, SPF, DKIM, DMARC, MTA-STS, TLS-RPT and BIMI, and what providers need."""
