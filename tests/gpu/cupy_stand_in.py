"""A stand-in for CuPy on a machine without a GPU, as strict as CuPy is and stricter.

Arrays keep their memory to themselves: NumPy cannot read them, no operation takes a NumPy array
beside them, and what gives a value to the host is counted in `COUNTS.waits`. Fresh memory holds
NaN and lies between guard bytes. Kernels are compiled for the host and run by `host_kernels`; a
launch checks number, dtype and contiguity of its arguments and the shared memory it was granted.

While a stream is captured nothing is computed: operations are recorded with the addresses and
numbers they have, and a graph repeats them on what then lies there. What waits for the GPU, uploads
or goes to another stream raises; so does launching a graph that touches memory given back since.
"""

import contextlib
import itertools
import operator
import re
import sys
import warnings
import weakref
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace

import numpy as np
from gpu import host_kernels

from rnnkit.backends.cuda import products
from rnnkit.backends.cuda.device import device_of, pool_of
from rnnkit.backends.cuda.kernels.sources import kernel_parameters
from rnnkit.backends.cuda.launching import general_kernels, pass_kernel, visit_kernels

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
    blocks_at_once: int = 1  # of a multiprocessor: every one is taken to fill it
    refuses: str | None = None  # "begin" or "end": when it does not let a stream be captured
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
    captures: int = 0
    replays: int = 0


MACHINE = Machine()
COUNTS = Counts()


class CUDARuntimeError(RuntimeError):
    pass


class OutOfMemoryError(MemoryError):
    pass


class UseAfterFreeError(RuntimeError):
    """A graph touches memory that was given back."""


class Memory:
    """Bytes of the GPU between guards, or the memory of an array that NumPy made."""

    everywhere = weakref.WeakSet()

    def __init__(self, n_bytes=0, array=None):
        n_bytes = n_bytes if array is None else array.nbytes
        if n_bytes > MACHINE.memory_bytes:
            raise OutOfMemoryError(f"Out of memory allocating {n_bytes:,} bytes")
        self.array = array
        self.guards = ()
        if array is None:
            room = np.full(n_bytes + 2 * GUARD_BYTES, GUARD, np.uint8)
            self.array = room[GUARD_BYTES : GUARD_BYTES + n_bytes]
            self.guards = room[:GUARD_BYTES], room[-GUARD_BYTES:]
        self.everywhere.add(self)

    ptr = property(lambda self: self.array.ctypes.data)

    def guards_are_intact(self):
        return all((guard == GUARD).all() for guard in self.guards)

    @classmethod
    def at(cls, address):
        """Return the memory that an address lies in."""
        for memory in cls.everywhere:
            if 0 <= address - memory.ptr < max(1, memory.array.nbytes):
                return memory
        raise UseAfterFreeError(f"nothing lies at {address:#x}")


class Graph:
    """What a stream has recorded: actions, and the memory they touch."""

    def __init__(self):
        self._actions = []
        self._touched = set()

    def add(self, action, memories):
        self._actions.append(action)
        self._touched.update(map(weakref.ref, memories))

    def launch(self, stream=None):
        require_no_capture("a graph is launched")
        if any(memory() is None for memory in self._touched):
            raise UseAfterFreeError("a graph is launched that touches memory given back since")
        COUNTS.replays += 1
        for action in self._actions:
            action()


class Stream:
    null: "Stream"
    current: list = []
    captured = None  # the one that is captured now
    numbers = itertools.count(1000)

    def __init__(self, null=False, non_blocking=False):
        self.ptr = 0 if null else next(self.numbers)
        self._is_blocking = not non_blocking

    def __enter__(self):
        self.current.append(self)
        return self

    def __exit__(self, *error):
        self.current.pop()

    def begin_capture(self, mode=None):
        if MACHINE.refuses == "begin":
            raise CUDARuntimeError("cudaErrorNotSupported: operation not supported")
        assert self.ptr, "cannot capture on the default (legacy) stream"
        assert not self._is_blocking, "the default stream would wait for it"
        require_no_capture("another stream is captured")
        self._graph = Graph()
        Stream.captured = self

    def end_capture(self):
        assert Stream.captured is self
        Stream.captured = None
        if MACHINE.refuses == "end":
            raise CUDARuntimeError("cudaErrorStreamCaptureInvalidated: operation failed")
        COUNTS.captures += 1
        return self._graph


Stream.null = Stream(null=True)
Stream.current.append(Stream.null)


def require_no_capture(what):
    if Stream.captured is not None:
        raise CUDARuntimeError(
            f"cudaErrorStreamCaptureUnsupported: {what} when stream is capturing"
        )


def submit(action, memories):
    """Do something on the current stream, or record it if that is captured."""
    stream = Stream.captured
    if stream is None:
        action()
        return
    assert Stream.current[-1] is stream, "work for another stream than the captured one"
    stream._graph.add(action, memories)


def memories_of(values):
    """Return the memory of all arrays among values, which may be lists and dicts of them."""
    if isinstance(values, dict):
        values = values.values()
    for value in values:
        if isinstance(value, ndarray):
            yield value._memory
        elif isinstance(value, (list, tuple)):
            yield from memories_of(value)


def to_numpy(value):
    """Return what an operation computes with; NumPy's arrays are not among it."""
    if isinstance(value, ndarray):
        return value._array
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    if isinstance(value, (list, tuple)):
        return type(value)(map(to_numpy, value))
    return value


def to_zeros(value):
    if isinstance(value, np.ndarray):
        return np.zeros_like(value)
    return type(value)(map(to_zeros, value)) if isinstance(value, (list, tuple)) else value


def computed(function, *arguments):
    """Return what a function of NumPy gives, in fresh memory."""
    values = to_numpy(arguments)
    if Stream.captured is None:
        return ndarray(np.asarray(function(*values)))
    with np.errstate(all="ignore"):
        like = np.asarray(function(*to_zeros(values)))
    turned = like.flags.f_contiguous and not like.flags.c_contiguous
    result = empty(like.shape[::-1], like.dtype).T if turned else empty(like.shape, like.dtype)
    out = result._array

    def compute():
        out[...] = function(*values)

    submit(compute, memories_of([result, arguments]))
    return result


def changed(array, function, *arguments):
    """Change an array in place by a function of NumPy."""
    target, values = to_only_array(array), to_numpy(arguments)
    submit(lambda: function(target, *values), memories_of([array, arguments]))


def waited(array):
    require_no_capture("a value is given to the host")
    COUNTS.waits += 1
    return array._array


class ndarray:
    """An array on the GPU."""

    __array_ufunc__ = None

    def __init__(self, array, memory=None):
        self._array = array
        self._memory = Memory(array=array) if memory is None else memory

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
    T = property(lambda self: ndarray(self._array.T, self._memory))
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

    def copy(self, order="C"):
        return computed(lambda array: array.copy(order=order), self)

    def astype(self, dtype, copy=True):
        if not copy and self.dtype == dtype:
            return self
        return computed(lambda array: array.astype(dtype), self)

    def reshape(self, *shape):
        array = self._array.reshape(*shape)
        if np.may_share_memory(array, self._array):
            return ndarray(array, self._memory)
        return computed(lambda array: array.reshape(*shape), self)

    def view(self, dtype):
        return ndarray(self._array.view(dtype), self._memory)

    def fill(self, value):
        changed(self, np.ndarray.fill, value)

    def take(self, indices, axis=None):
        return computed(lambda array, at: array.take(at, axis=axis), self, indices)

    def __getitem__(self, key):
        keys = key if isinstance(key, tuple) else (key,)
        if any(isinstance(part, (ndarray, np.ndarray, list)) for part in keys):
            return computed(lambda array, *at: array[at], self, *keys)
        part = self._array[key]
        if not isinstance(part, np.ndarray):  # a scalar, which would be a copy
            part = self._array[(*keys, ...)]
        return ndarray(part, self._memory)

    def __setitem__(self, key, value):
        keys = key if isinstance(key, tuple) else (key,)

        def store(array, value, *at):
            array[at] = value

        changed(self, store, value, *keys)


def add_operators():
    names = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or"]
    for name in names:
        function = getattr(operator, f"{name}_" if name in ("and", "or") else name)
        in_place = getattr(operator, f"i{name}")

        def forward(self, other, function=function):
            return computed(function, self, other)

        def reflected(self, other, function=function):
            return computed(function, other, self)

        def update(self, other, in_place=in_place):
            changed(self, in_place, other)
            return self

        setattr(ndarray, f"__{name}__", forward)
        setattr(ndarray, f"__r{name}__", reflected)
        setattr(ndarray, f"__i{name}__", update)
    for name in ["lt", "le", "gt", "ge", "eq", "ne"]:
        function = getattr(operator, name)
        setattr(
            ndarray,
            f"__{name}__",
            lambda self, other, function=function: computed(function, self, other),
        )
    ndarray.__neg__ = lambda self: computed(operator.neg, self)
    for name in ["sum", "max", "min", "argmax", "mean", "all"]:

        def reduced(self, axis=None, keepdims=False, name=name):
            return computed(lambda array: getattr(array, name)(axis=axis, keepdims=keepdims), self)

        setattr(ndarray, name, reduced)


add_operators()
ALLOCATORS = [Memory]


def get_allocator():
    return ALLOCATORS[-1]


@contextlib.contextmanager
def using_allocator(malloc):
    ALLOCATORS.append(malloc)
    try:
        yield
    finally:
        ALLOCATORS.pop()


def empty(shape, dtype=np.float64):
    dtype = np.dtype(dtype)
    memory = get_allocator()(int(np.prod(shape)) * dtype.itemsize)
    array = memory.array.view(dtype).reshape(shape)
    array.fill(np.nan if dtype.kind == "f" else 77)
    return ndarray(array, memory)


def zeros(shape, dtype=np.float64):
    array = empty(shape, dtype)
    array.fill(0)
    return array


def asarray(array, dtype=None, order=None):
    """Keep the order of an array's entries in memory unless told otherwise."""
    if isinstance(array, ndarray):
        if order == "C":
            array = ascontiguousarray(array)
        return array if dtype in (None, array.dtype) else array.astype(dtype)
    require_no_capture("an array is uploaded")
    COUNTS.uploads += 1
    return ndarray(np.array(array, dtype, order=order or "K"))


def stack(arrays):
    """Many small arrays are copied at once, for which their addresses are uploaded."""
    list(map(to_only_array, arrays))
    if len(arrays) > 8 and sum(array.nbytes for array in arrays) < len(arrays) * 2**21:
        require_no_capture("addresses of arrays are uploaded")
        COUNTS.uploads += 1
    return computed(lambda *values: np.stack(values), *arrays)


def ascontiguousarray(array):
    if to_only_array(array).flags.c_contiguous:
        return array
    return computed(np.ascontiguousarray, array)


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
        changed(to, np.copyto, source)
    else:
        to_only_array(where)
        changed(to, lambda to, source, at: np.copyto(to, source, where=at), source, where)


def through(name):
    """Return NumPy's function of a name, for arrays of the GPU alone."""
    function = getattr(np, name)

    def called(*arguments, **options):
        for argument in arguments:
            if isinstance(argument, (list, tuple)):
                list(map(to_only_array, argument))
        return computed(lambda *values: function(*values, **options), *arguments)

    return called


def clip(array, low, high, out=None):
    if out is None:
        return computed(np.clip, array, low, high)
    changed(out, lambda out, array: np.clip(array, low, high, out=out), array)
    return out


class RawKernel:
    """A kernel; those of one text and its options are one function of a device, with one limit."""

    limits: dict = {}

    def __init__(self, module, name, parameters):
        self.name = name
        self._module, self._parameters = module, parameters

    @property
    def kernel(self):
        return SimpleNamespace(ptr=id(self))

    @property
    def max_dynamic_shared_size_bytes(self):
        return self.limits.get(self._function(), SHARED_BYTES)

    @max_dynamic_shared_size_bytes.setter
    def max_dynamic_shared_size_bytes(self, value):
        if value > MACHINE.shared_bytes:
            raise ValueError(f"{value} bytes of shared memory exceed {MACHINE.shared_bytes}")
        self.limits[self._function()] = value

    def _function(self):
        module = self._module
        return Device.active[-1], module.source, module.options, module.cooperative, self.name

    def __call__(self, grid, block, args, *, shared_mem=0):
        if len(args) != len(self._parameters):
            raise TypeError(f"{self.name} takes {len(self._parameters)} arguments, got {len(args)}")
        if shared_mem > self.max_dynamic_shared_size_bytes:
            raise ValueError(f"{self.name} was granted less than {shared_mem} bytes")
        if not all(isinstance(n, int) and n > 0 for n in (*grid, *block)):
            raise ValueError(f"{self.name}: grid {grid} and block {block} must be positive ints")
        module = self._module
        most = blocks_at_once(self.kernel.ptr, block[0], shared_mem) * MACHINE.n_multiprocessors
        if module.cooperative and np.prod(grid) > most:
            warnings.warn(f"The grid size will be reduced from {grid[0]} to {most}", stacklevel=2)
            grid = (most, *grid[1:])
        cluster_size = module.cluster_size(self.name)
        if np.prod(grid) % cluster_size:
            raise ValueError(f"{self.name}: {grid} blocks are no multiple of a cluster")
        values = [self._value(p, a) for p, a in zip(self._parameters, args)]
        COUNTS.launches += 1
        memories = {
            parameter.name: weakref.ref(argument._memory)
            for parameter, argument in zip(self._parameters, args)
            if isinstance(argument, ndarray)
        }

        def launch():
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
            for name, memory in memories.items():
                if not memory().guards_are_intact():
                    raise host_kernels.OverrunError(f"{self.name} writes beyond {name}")

        submit(launch, memories_of(args))

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


def blocks_at_once(function, n_threads, shared_bytes):
    return MACHINE.blocks_at_once


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
    n_given = 0

    def malloc(self, size):
        MemoryPool.n_given += 1
        return Memory(size)

    def free_bytes(self):
        return 0

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
    cupy.__version__ = "of a stand-in"
    for value in (
        ndarray,
        empty,
        zeros,
        asarray,
        ascontiguousarray,
        stack,
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
        "isfinite",
        "isneginf",
    ]:
        setattr(cupy, name, through(name))
    cupy.ones = lambda shape, dtype=np.float64: computed(lambda: np.ones(shape, dtype))
    cupy.full = lambda shape, value, dtype=None: computed(lambda: np.full(shape, value, dtype))
    cupy.arange = lambda *bounds: computed(lambda: np.arange(*bounds))
    cupy.empty_like = lambda array: empty(array.shape, array.dtype)
    cupy.zeros_like = lambda array: cupy.zeros(array.shape, array.dtype)
    cupy.ones_like = lambda array: cupy.ones(array.shape, array.dtype)
    cupy.RawModule = RawModule
    cupy.cuda = SimpleNamespace(
        Device=Device,
        Graph=Graph,
        MemoryPool=MemoryPool,
        Stream=Stream,
        get_allocator=get_allocator,
        using_allocator=using_allocator,
        get_current_stream=lambda: Stream.current[-1],
        memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
        driver=SimpleNamespace(occupancyMaxActiveBlocksPerMultiprocessor=blocks_at_once),
        nvrtc=SimpleNamespace(getVersion=lambda: (0, 0)),
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
    for cached in (general_kernels, pass_kernel, visit_kernels, device_of, pool_of):
        cached.cache_clear()
    products._HANDLES.by_use.clear()
    RawKernel.limits.clear()


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
