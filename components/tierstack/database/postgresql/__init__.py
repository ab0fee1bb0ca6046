"""PostgreSQL behind PgBouncer. `engine.py` has its facts and rules; the rest builds it."""
