"""A GPU that is not there, on which the project's own CUDA code runs: `device` is the GPU, `trial` trains on it."""
