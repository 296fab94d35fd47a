WEIGHTS = "model.bin"
