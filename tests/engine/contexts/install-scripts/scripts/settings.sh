export MODE=fast
