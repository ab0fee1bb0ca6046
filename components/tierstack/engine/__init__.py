"""Running the Pulumi engine on a stack: locks, interrupted runs, protection, targets."""
