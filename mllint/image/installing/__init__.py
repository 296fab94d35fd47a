"""What an install asks for, what settles it, and whether it can succeed."""
