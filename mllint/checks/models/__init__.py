"""ML8: model files: what they are, what wrote them, and what loads them."""
