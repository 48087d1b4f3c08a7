"""The compiled core: layers, heads and updates in C and Cython. It imports nothing of rnnkit."""
