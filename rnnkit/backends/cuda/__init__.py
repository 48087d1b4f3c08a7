"""The backend on an NVIDIA GPU: in here belongs what needs CuPy, CUDA or their ways of working.

Loading it loads nothing of CuPy, which `device.import_cupy` does when a GPU is asked for.
"""

from __future__ import annotations

from rnnkit.backends.cuda.backend import CudaBackend
from rnnkit.backends.cuda.device import from_gpu, gpu_facts, to_gpu, why_no_gpu

__all__ = ["CudaBackend", "from_gpu", "gpu_facts", "to_gpu", "why_no_gpu"]
