"""A stand-in for CuPy on a machine without a GPU, as strict as CuPy is and stricter.

Arrays keep their memory to themselves: NumPy cannot read them, no operation takes a NumPy array
beside them, and what gives a value to the host is counted in `COUNTS.waits`. Fresh memory holds
NaN and lies between guard bytes. Kernels are compiled for the host and run by `host_kernels`; a
launch checks number, dtype and contiguity of its arguments and the shared memory it was granted.
"""

import contextlib
import operator
import re
import sys
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace

import numpy as np
from gpu import host_kernels

from rnnkit.backends.kernels import kernel_parameters

GUARD_BYTES, GUARD = 256, 0x5A
SHARED_BYTES = 48 * 1024  # what a kernel gets without asking


@dataclass
class Machine:
    """The GPU that is stood in for; tests change it."""

    n_devices: int = 1
    n_multiprocessors: int = 6
    compute_capability: int = 90
    shared_bytes: int = 232448
    memory_bytes: int = 2**40
    error: str | None = None  # what the driver says if there is none
    changes: dict = field(default_factory=dict)  # text of a kernel -> what it becomes

    def mutated(self, source):
        for old, new in self.changes.items():
            source = source.replace(old, new)
        return source


@dataclass
class Counts:
    """What has been asked of the GPU."""

    waits: int = 0
    uploads: int = 0
    launches: int = 0


MACHINE = Machine()
COUNTS = Counts()


class CUDARuntimeError(RuntimeError):
    pass


class OutOfMemoryError(MemoryError):
    pass


def to_numpy(value):
    """Return what an operation computes with; NumPy's arrays are not among it."""
    if isinstance(value, ndarray):
        return value._array
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    return value


def wrap(result):
    if isinstance(result, (np.ndarray, np.generic)):
        return ndarray(np.asarray(result))
    return result


def waited(array):
    COUNTS.waits += 1
    return array._array


class ndarray:
    """An array on the GPU."""

    __array_ufunc__ = None

    def __init__(self, array, room=None):
        self._array = array
        self._room = room  # the bytes with their guards, where it has some

    def guards_are_intact(self):
        if self._room is None:
            return True
        ends = self._room[:GUARD_BYTES], self._room[-GUARD_BYTES:]
        return all((end == GUARD).all() for end in ends)

    def __array__(self, *args, **kwargs):
        raise TypeError("Implicit conversion to a NumPy array is not allowed")

    shape = property(lambda self: self._array.shape)
    dtype = property(lambda self: self._array.dtype)
    size = property(lambda self: self._array.size)
    ndim = property(lambda self: self._array.ndim)
    itemsize = property(lambda self: self._array.itemsize)
    strides = property(lambda self: self._array.strides)
    nbytes = property(lambda self: self._array.nbytes)
    flags = property(lambda self: self._array.flags)
    T = property(lambda self: ndarray(self._array.T))
    device = property(lambda self: Device(0))
    data = property(lambda self: SimpleNamespace(ptr=self._array.ctypes.data))
    __cuda_array_interface__ = property(
        lambda self: {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "data": (self.data.ptr, False),
            "version": 3,
        }
    )

    def __len__(self):
        return len(self._array)

    def get(self):
        return waited(self).copy()

    def __float__(self):
        return float(waited(self))

    def __int__(self):
        return int(waited(self))

    def __bool__(self):
        return bool(waited(self))

    def item(self):
        return waited(self).item()

    def tolist(self):
        return waited(self).tolist()

    def copy(self):
        return ndarray(allocated(self._array.copy()))

    def astype(self, dtype, copy=True):
        return ndarray(self._array.astype(dtype, copy=copy))

    def reshape(self, *shape):
        return ndarray(self._array.reshape(*shape))

    def fill(self, value):
        self._array.fill(to_numpy(value))

    def take(self, indices, axis=None):
        return ndarray(self._array.take(to_numpy(indices), axis=axis))

    def __getitem__(self, key):
        return ndarray(np.asarray(self._array[to_key(key)]))

    def __setitem__(self, key, value):
        self._array[to_key(key)] = to_numpy(value)


def to_key(key):
    return tuple(map(to_numpy, key)) if isinstance(key, tuple) else to_numpy(key)


def add_operators():
    names = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or"]
    for name in names:
        function = getattr(operator, f"{name}_" if name in ("and", "or") else name)
        in_place = getattr(operator, f"i{name}")

        def forward(self, other, function=function):
            return wrap(function(self._array, to_numpy(other)))

        def reflected(self, other, function=function):
            return wrap(function(to_numpy(other), self._array))

        def update(self, other, in_place=in_place):
            in_place(self._array, to_numpy(other))
            return self

        setattr(ndarray, f"__{name}__", forward)
        setattr(ndarray, f"__r{name}__", reflected)
        setattr(ndarray, f"__i{name}__", update)
    for name in ["lt", "le", "gt", "ge", "eq", "ne"]:
        function = getattr(operator, name)
        setattr(
            ndarray,
            f"__{name}__",
            lambda self, other, function=function: wrap(function(self._array, to_numpy(other))),
        )
    ndarray.__neg__ = lambda self: wrap(-self._array)
    for name in ["sum", "max", "min", "argmax", "mean"]:

        def reduced(self, axis=None, keepdims=False, name=name):
            return wrap(getattr(self._array, name)(axis=axis, keepdims=keepdims))

        setattr(ndarray, name, reduced)


add_operators()


def allocated(array):
    """Fill fresh memory with NaN, unless there is not enough of it."""
    if array.nbytes > MACHINE.memory_bytes:
        raise OutOfMemoryError(f"Out of memory allocating {array.nbytes:,} bytes")
    return array


def empty(shape, dtype=np.float64):
    dtype = np.dtype(dtype)
    n_bytes = int(np.prod(shape)) * dtype.itemsize
    room = np.full(n_bytes + 2 * GUARD_BYTES, GUARD, np.uint8)
    array = allocated(room[GUARD_BYTES : GUARD_BYTES + n_bytes].view(dtype).reshape(shape))
    array.fill(np.nan if dtype.kind == "f" else 77)
    return ndarray(array, room)


def zeros(shape, dtype=np.float64):
    array = empty(shape, dtype)
    array.fill(0)
    return array


def asarray(array, dtype=None):
    if isinstance(array, ndarray):
        return array if dtype in (None, array.dtype) else array.astype(dtype)
    COUNTS.uploads += 1
    return ndarray(allocated(np.array(array, dtype, order="C")))


def ascontiguousarray(array):
    return ndarray(np.ascontiguousarray(to_only_array(array)))


def to_only_array(array):
    if not isinstance(array, ndarray):
        raise TypeError(f"Unsupported type {type(array)}")
    return array._array


def asnumpy(array):
    return waited(array).copy() if isinstance(array, ndarray) else np.asarray(array)


def nonzero(array):
    waited(array)  # the number of entries is on the GPU
    return tuple(map(ndarray, np.nonzero(array._array)))


def copyto(to, source, where=None):
    if where is None:
        np.copyto(to_only_array(to), to_numpy(source))
    else:
        np.copyto(to_only_array(to), to_numpy(source), where=to_only_array(where))


def through(name):
    """Return NumPy's function of a name, for arrays of the GPU alone."""
    function = getattr(np, name)

    def called(*arguments, **options):
        values = [
            [to_only_array(part) for part in a] if isinstance(a, (list, tuple)) else to_numpy(a)
            for a in arguments
        ]
        return wrap(function(*values, **{key: to_numpy(value) for key, value in options.items()}))

    return called


def clip(array, low, high, out=None):
    result = np.clip(to_only_array(array), low, high)
    if out is None:
        return ndarray(result)
    out._array[...] = result
    return out


class RawKernel:
    def __init__(self, module, name, parameters):
        self.name = name
        self.max_dynamic_shared_size_bytes = SHARED_BYTES
        self._module, self._parameters = module, parameters

    def __setattr__(self, name, value):
        if name == "max_dynamic_shared_size_bytes" and value > MACHINE.shared_bytes:
            raise ValueError(f"{value} bytes of shared memory exceed {MACHINE.shared_bytes}")
        super().__setattr__(name, value)

    def __call__(self, grid, block, args, *, shared_mem=0):
        if len(args) != len(self._parameters):
            raise TypeError(f"{self.name} takes {len(self._parameters)} arguments, got {len(args)}")
        if shared_mem > self.max_dynamic_shared_size_bytes:
            raise ValueError(f"{self.name} was granted less than {shared_mem} bytes")
        if not all(isinstance(n, int) and n > 0 for n in (*grid, *block)):
            raise ValueError(f"{self.name}: grid {grid} and block {block} must be positive ints")
        module = self._module
        if module.cooperative and np.prod(grid) > MACHINE.n_multiprocessors:
            raise ValueError(f"{self.name}: {grid} blocks are not on the device at once")
        cluster_size = module.cluster_size(self.name)
        if np.prod(grid) % cluster_size:
            raise ValueError(f"{self.name}: {grid} blocks are no multiple of a cluster")
        values = [self._value(p, a) for p, a in zip(self._parameters, args)]
        COUNTS.launches += 1
        host_kernels.launch(
            module.library(),
            self.name,
            grid,
            block[0],
            values,
            shared_mem,
            cluster_size,
            module.cooperative,
        )
        for parameter, argument in zip(self._parameters, args):
            if isinstance(argument, ndarray) and not argument.guards_are_intact():
                raise host_kernels.OverrunError(f"{self.name} writes beyond {parameter.name}")

    def _value(self, parameter, argument):
        dtypes = {
            "real": module_real(self._module.options),
            "double": np.float64,
            "rk_index": np.int64,
            "int": np.int32,
            "unsigned": np.uint32,
        }
        expected = np.dtype(dtypes[parameter.type])
        if parameter.is_array and isinstance(argument, np.uint64):
            assert argument == 0, f"{parameter.name} is an address and no array"
            return argument
        kind = ndarray if parameter.is_array else np.generic
        if not isinstance(argument, kind) or argument.dtype != expected:
            raise TypeError(
                f"{self.name}: {parameter.name} must be {kind.__name__} of {expected}, "
                f"got {type(argument).__name__} {argument!r}"
            )
        if not parameter.is_array:
            return argument
        array = argument._array
        strided = self.name == "gemm" and array.ndim == 2 and array.strides[1] == array.itemsize
        if not (array.flags.c_contiguous or strided):
            raise ValueError(f"{self.name}: {parameter.name} is not contiguous")
        return np.uint64(array.ctypes.data)


def module_real(options):
    return {"float": np.float32, "double": np.float64}[
        next(o.split("=")[1] for o in options if o.startswith("-DRK_REAL="))
    ]


class RawModule:
    def __init__(self, *, code, options=(), enable_cooperative_groups=False):
        self.source = MACHINE.mutated(code)
        self.options = tuple(options)
        self.cooperative = enable_cooperative_groups
        clusters = re.findall(r"-DRK_CLUSTER=(\d+)", " ".join(options))
        self._cluster_size = int(clusters[0]) if clusters else 1

    def cluster_size(self, name):
        clustered = re.search(rf"RK_CLUSTER_DIMS[\w\s(),]*\b{name}\(", self.source)
        return self._cluster_size if clustered else 1

    def library(self):
        return host_kernels.host_library(self.source, self.options)

    def get_function(self, name):
        return RawKernel(self, name, kernel_parameters(self.source)[name])


class Device:
    active = [0]

    def __init__(self, number):
        self.number = number
        self.compute_capability = str(MACHINE.compute_capability)
        self.attributes = {
            "MultiProcessorCount": MACHINE.n_multiprocessors,
            "MaxSharedMemoryPerBlockOptin": MACHINE.shared_bytes,
        }

    def __enter__(self):
        Device.active.append(self.number)
        return self

    def __exit__(self, *error):
        Device.active.pop()


class MemoryPool:
    limit = None
    n_freed = 0

    def malloc(self, size):
        raise AssertionError("the stand-in's arrays are NumPy's")

    def free_all_blocks(self):
        self.n_freed += 1

    def used_bytes(self):
        return 0

    def set_limit(self, size=None, fraction=None):
        self.limit = size if fraction is None else fraction


def device_count():
    if MACHINE.error:
        raise CUDARuntimeError(MACHINE.error)
    return MACHINE.n_devices


def device_properties(number):
    return {
        "name": b"a GPU that is stood in for",
        "major": MACHINE.compute_capability // 10,
        "minor": MACHINE.compute_capability % 10,
        "totalGlobalMem": MACHINE.memory_bytes,
    }


def make_module():
    """Return the module that stands in for cupy."""
    cupy = ModuleType("cupy")
    for value in (
        ndarray,
        empty,
        zeros,
        asarray,
        ascontiguousarray,
        asnumpy,
        nonzero,
        copyto,
        clip,
    ):
        setattr(cupy, value.__name__, value)
    for name in [
        "exp",
        "tanh",
        "abs",
        "sign",
        "maximum",
        "logaddexp",
        "where",
        "isneginf",
        "stack",
    ]:
        setattr(cupy, name, through(name))
    cupy.ones = lambda shape, dtype=np.float64: ndarray(allocated(np.ones(shape, dtype)))
    cupy.full = lambda shape, value, dtype=None: ndarray(np.full(shape, value, dtype))
    cupy.arange = lambda *bounds: ndarray(np.arange(*bounds))
    cupy.empty_like = lambda array: empty(array.shape, array.dtype)
    cupy.zeros_like = lambda array: cupy.zeros(array.shape, array.dtype)
    cupy.ones_like = lambda array: cupy.ones(array.shape, array.dtype)
    cupy.RawModule = RawModule
    cupy.cuda = SimpleNamespace(
        Device=Device,
        MemoryPool=MemoryPool,
        using_allocator=lambda malloc: contextlib.nullcontext(),
        get_current_stream=lambda: SimpleNamespace(ptr=1),
        memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
        runtime=SimpleNamespace(
            CUDARuntimeError=CUDARuntimeError,
            getDeviceCount=device_count,
            getDeviceProperties=device_properties,
            memGetInfo=lambda: (MACHINE.memory_bytes // 2, MACHINE.memory_bytes),
        ),
    )
    return cupy


CUPY = make_module()


def forget_compiled():
    """Make the backend look at the machine anew."""
    from rnnkit.backends import cuda

    caches = (cuda._kernels, cuda._layer_kernels, cuda._device_of, cuda._pool_of, cuda._cublas_of)
    for cached in caches:
        cached.cache_clear()


@contextlib.contextmanager
def standing_in(seed=0, **machine):
    """Be cupy inside the ``with`` block, on a machine with the given properties."""
    before, present = dict(vars(MACHINE)), sys.modules.get("cupy")
    vars(MACHINE).update(machine)
    vars(COUNTS).update(vars(Counts()))
    host_kernels.SCHEDULE.seed = seed
    sys.modules["cupy"] = CUPY
    forget_compiled()
    try:
        yield CUPY
    finally:
        forget_compiled()
        vars(MACHINE).update(before)
        if present is None:
            del sys.modules["cupy"]
        else:
            sys.modules["cupy"] = present
