"""ML5: what the build is sent, and what of it reaches the image."""
