"""Builds an image for real, runs it, and holds it against what it is to do and what the build on paper says of it."""
