"""The stack that the configuration describes: the engine builds it, and `tierstack check` asks it."""

from tierstack.stack import Stack

stack = Stack()

if __name__ == "__main__":
    stack.build()
