"""The base of the components, loader of arguments, errors, tier table and arithmetic."""
