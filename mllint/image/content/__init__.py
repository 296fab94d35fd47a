"""What files come into the image, which of them nobody needs, and who can read them."""
