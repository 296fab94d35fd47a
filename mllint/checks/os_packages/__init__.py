"""DF2: the packages of the operating system."""
