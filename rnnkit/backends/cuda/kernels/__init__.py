"""The kernels' CUDA text and what reads it: in here nothing needs CuPy or a GPU."""
