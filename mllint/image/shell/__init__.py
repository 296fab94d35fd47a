"""What the shell of a RUN, CMD or ENTRYPOINT does."""
