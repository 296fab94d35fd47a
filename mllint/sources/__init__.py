"""Text in, typed trees with exact places out; no opinions."""
