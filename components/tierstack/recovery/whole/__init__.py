"""The recovery of a whole stack onto a new Docker host: from the configuration, and what is in its bucket."""
