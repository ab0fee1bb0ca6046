"""Releases: strategies as data, the driver that carries them out step by step, its verdicts and its ledger."""
