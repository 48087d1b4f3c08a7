"""What the threads of a launch read and write, in their order: kernels traced by host/trace.cpp.

From it follows what a GPU does with it: which of a warp's threads meet in a bank of shared memory,
and what a thread still has to fetch from global memory after others have waited for it.
"""

import contextlib
import ctypes
import hashlib
import shutil
import subprocess
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from gpu import host_kernels

from rnnkit.backends.cuda.kernels.sources import kernel_parameters

READS, WRITES, WAITS = range(3)
WARP, BANKS, BANK_BYTES = 32, 32, 4
FIELDS = ("thread", "kind", "size", "site", "address")


class Access(NamedTuple):
    """One access of one thread: `array` is the kernel's name of it, "shared", or None (its own)."""

    kind: int
    size: int
    site: int
    address: int
    array: str | None


class Launch:
    """All accesses of the first two warps of a launch, by thread."""

    def __init__(self, events, arrays):
        self.threads = defaultdict(list)
        for thread, kind, size, site, address in events.tolist():
            array = "shared" if address < 0 else None
            for parameter, (first, n_bytes) in arrays.items():
                if first <= address < first + n_bytes:
                    array = parameter
            self.threads[thread].append(Access(kind, size, site, address, array))

    def conflicts(self):
        """Return for each access to shared memory in the program how many turns its banks take.

        1 means that a warp is served as fast as its bytes allow.
        """
        lanes = defaultdict(dict)
        for thread, accesses in self.threads.items():
            times = defaultdict(int)
            for access in accesses:
                if access.array == "shared":
                    key = (access.kind, access.site, access.size)
                    warp = (thread // WARP, times[key])
                    times[key] += 1
                    lanes[key, warp][thread % WARP] = access.address
        worst = defaultdict(lambda: 1)
        for (key, _), addresses in lanes.items():
            if len(addresses) == WARP:
                worst[key] = max(worst[key], turns(addresses, key[2]))
        return dict(worst)


def turns(addresses, size):
    """Return how often the fullest bank is asked, for as many lanes as 128 bytes serve."""
    together = min(WARP, BANKS * BANK_BYTES // size)
    most = 1
    for first in range(0, WARP, together):
        words = {
            (addresses[lane] + offset) // BANK_BYTES
            for lane in range(first, first + together)
            for offset in range(0, size, BANK_BYTES)
        }
        most = max(most, int(np.bincount([word % BANKS for word in words]).max()))
    return most


@cache
def traced_library(source, options):
    """Return the library of a kernels' text and its -D options, which notes every access."""
    host_kernels.scheduler()
    folder = Path(host_kernels.build_folder().name)
    macros = [*host_kernels.macros_of(options), "-DRK_TRACED"]
    text = host_kernels.host_text(source)
    name = "traced_" + hashlib.sha256("\n".join([text, *macros]).encode()).hexdigest()[:24]
    kernels, trace = folder / f"{name}.cpp", folder / "trace.cpp"
    kernels.write_text(text, encoding="utf-8")
    shutil.copy(host_kernels.HOST / "trace.cpp", trace)
    command = [host_kernels.COMPILER, "-std=c++17", "-w", "-fPIC", f"-I{host_kernels.HOST}"]
    noting = ["-O1", "-fno-builtin", "-fsanitize=thread", *macros, "-c", str(kernels)]
    objects = [str(folder / f"{name}.o"), str(folder / "trace.o")]
    library = folder / f"{name}.so"
    for arguments in (
        [*noting, "-o", objects[0]],
        ["-O1", "-c", str(trace), "-o", objects[1]],
        ["-shared", *objects, "-o", str(library)],
    ):
        subprocess.run([*command, *arguments], check=True, capture_output=True, text=True)
    return ctypes.CDLL(str(library))


@contextlib.contextmanager
def tracing(*names):
    """Note the last launch of each kernel inside the ``with`` block, in the dict that it gives."""
    from gpu.cupy_stand_in import Memory

    launches = {}
    library_of, launch = host_kernels.host_library, host_kernels.launch
    sources = {}

    def library(source, options):
        if not any(f" {name}(" in source for name in names):
            return library_of(source, options)
        found = traced_library(source, options)
        sources[found._name] = source
        return found

    def launched(library, called, grid, n_threads, values, *others):
        if called not in names:
            return launch(library, called, grid, n_threads, values, *others)
        parameters = kernel_parameters(sources[library._name])[called]
        arrays = {}
        for parameter, value in zip(parameters, values, strict=True):
            if parameter.is_array and value:
                memory = Memory.at(int(value)).array
                arrays[parameter.name] = (memory.ctypes.data, memory.nbytes)
        found = ctypes.c_void_p()
        library.rk_trace.restype = ctypes.c_int64
        library.rk_trace(1, ctypes.byref(found))
        launch(library, called, grid, n_threads, values, *others)
        n = library.rk_trace(0, ctypes.byref(found))
        flat = ctypes.cast(found, ctypes.POINTER(ctypes.c_int64))
        events = np.ctypeslib.as_array(flat, shape=(n, len(FIELDS))).copy()
        launches[called] = Launch(events, arrays)
        return None

    host_kernels.host_library, host_kernels.launch = library, launched
    try:
        yield launches
    finally:
        host_kernels.host_library, host_kernels.launch = library_of, launch
