"""The set-up: engine, providers, test tools and Python environment, from a bare python3.

Standard library only, except `schemas`, which runs inside the environment that the rest has made.
"""
