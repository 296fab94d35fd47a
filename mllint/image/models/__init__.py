"""The model files of an image, and the service that loads them."""
