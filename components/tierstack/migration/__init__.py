"""Judges the SQL of pending migrations: what a running release and a full table would suffer from each statement.

Pure: text in, findings out. `sources` cuts files and the output of frameworks into statements, `lexer` and the readers
understand them, `rules` judge what they change, and `guard` puts it together.
"""
