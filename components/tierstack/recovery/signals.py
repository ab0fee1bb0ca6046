"""Signals while a database is restored: as the engine handles them."""

from tierstack.engine.signals import ENDING, ending_as_interrupts, held_back

__all__ = ["ENDING", "ending_as_interrupts", "held_back"]
