"""ML9: libraries and programs that packages and commands need."""
