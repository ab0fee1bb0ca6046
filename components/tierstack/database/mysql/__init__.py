"""MySQL behind HAProxy, on Docker. `engine.py` has its facts and rules; the rest builds it."""
