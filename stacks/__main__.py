"""What the engine runs: the stack that the configuration describes."""

from stacks.environment import program

program()
