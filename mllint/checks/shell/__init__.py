"""DF3: shell in RUN."""
