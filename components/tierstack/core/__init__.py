"""What everything rests on: loader of arguments, errors, tier table and arithmetic. Imports nothing of the rest."""
