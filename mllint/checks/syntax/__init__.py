"""DF1: text that BuildKit refuses, and text that it reads in another way than it is meant."""
