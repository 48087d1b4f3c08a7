"""Kernels compiled by the host's compiler and run by the scheduler of host/scheduler.cpp.

The text is the one the GPU gets. A launch runs its threads in an order drawn from `SCHEDULE.seed`.
"""

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from rnnkit.backends.cuda.kernels.sources import kernel_parameters

HOST = Path(__file__).parent / "host"
COMPILER = shutil.which(os.environ.get("CXX", "g++"))
C_TYPES = {"rk_index": "long long"}

needs_compiler = pytest.mark.skipif(
    COMPILER is None, reason="the kernels are compiled by a C++ compiler, and there is none (CXX)"
)


class Schedule:
    """Which order the threads run in; drawn anew for every launch."""

    def __init__(self):
        self.seed = 0
        self.n_launches = 0

    def draw(self):
        self.n_launches += 1
        return self.seed * 1_000_003 + self.n_launches


SCHEDULE = Schedule()


class OverrunError(RuntimeError):
    """A kernel writes beyond memory that is its own."""


class StandstillError(RuntimeError):
    """The threads of a launch wait for what never comes."""


@cache
def build_folder():
    return tempfile.TemporaryDirectory(prefix="rnnkit-kernels-")


def compile_shared(source, name, *options):
    """Compile a text to a shared library and return its path."""
    folder = Path(build_folder().name)
    path, library = folder / f"{name}.cpp", folder / f"{name}.so"
    path.write_text(source, encoding="utf-8")
    command = [COMPILER, "-std=c++17", "-O1", "-w", "-fPIC", "-shared", f"-I{HOST}", *options]
    done = subprocess.run(
        [*command, str(path), "-o", str(library)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{name} does not compile:\n{done.stderr[:4000]}")
    return library


@cache
def scheduler():
    """Return the library of the scheduler, whose names every kernel sees."""
    source = (HOST / "scheduler.cpp").read_text(encoding="utf-8")
    library = ctypes.CDLL(str(compile_shared(source, "scheduler", "-O2")), mode=ctypes.RTLD_GLOBAL)
    library.rk_launch.argtypes = [
        ctypes.c_void_p,
        ctypes.POINTER(ctypes.c_void_p),
        ctypes.POINTER(ctypes.c_uint * 3),
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_uint64,
    ]
    return library


def call_through_pointers(source):
    """Return functions ``call_<kernel>(void**)``, which take every argument by its address."""
    lines = []
    for name, parameters in kernel_parameters(source).items():
        values = ", ".join(
            f"*({C_TYPES.get(p.type, p.type)}{'*' if p.is_array else ''}*)arguments[{i}]"
            for i, p in enumerate(parameters)
        )
        lines.append(f'extern "C" void call_{name}(void** arguments) {{ {name}({values}); }}')
    return "\n".join(lines)


def host_text(source):
    """Return the text that the host's compiler gets."""
    return f'#include "words.h"\n{source}\n{call_through_pointers(source)}\n'


def macros_of(options):
    return [option for option in options if option.startswith("-D")]


@cache
def host_library(source, options):
    """Return the library of a kernels' text and its -D options."""
    scheduler()
    macros, text = macros_of(options), host_text(source)
    name = hashlib.sha256("\n".join([text, *macros]).encode()).hexdigest()[:24]
    return ctypes.CDLL(str(compile_shared(text, name, *macros)))


def launch(library, name, grid, n_threads, values, shared_bytes, cluster_size, cooperative):
    """Run a kernel; values are NumPy scalars, a pointer being the uint64 of its address."""
    buffers = [np.array([value]) for value in values]
    pointers = (ctypes.c_void_p * len(buffers))(*(buffer.ctypes.data for buffer in buffers))
    function = ctypes.cast(getattr(library, f"call_{name}"), ctypes.c_void_p)
    size = (ctypes.c_uint * 3)(*(*grid, 1, 1)[:3])
    status = scheduler().rk_launch(
        function,
        pointers,
        ctypes.byref(size),
        n_threads,
        shared_bytes,
        cluster_size,
        cooperative,
        SCHEDULE.draw(),
    )
    if status == 1:
        raise StandstillError(f"the threads of {name} wait for what never comes")
    if status == 2:
        raise OverrunError(f"{name} writes beyond its {shared_bytes} bytes of shared memory")
