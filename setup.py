"""Build the compiled core: every C source of src/, and what Cython makes of its modules."""

import logging
import os
import platform
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

CORE = Path("rnnkit/_core")
C_SOURCES = sorted(str(path) for path in (CORE / "src").glob("*.c"))
C_HEADERS = [str(path) for pattern in ("*.h", "*.inl") for path in (CORE / "src").glob(pattern)]
# -ffp-contract=off keeps fused multiply-adds where they are written, so that every build of
# one instruction set rounds alike; -g0 keeps a wheel small.
COMPILE_ARGS = ["-std=c11", "-g0", "-ffp-contract=off", "-fno-math-errno"]
COMPILE_ARGS += ["-fno-trapping-math", "-pthread"]
COMPILE_ARGS += ["-Wno-psabi"]  # no vector is passed from file to file
LINK_ARGS = ["-pthread", "-ldl"]
# The kernels say themselves what is inlined, unrolled and held in vectors, and -O3 only adds copies
# of them; loops over arrays in Cython need its vectoriser; modules that check and call gain nothing
# from more than -O1. So less is compiled at -O3.
CALLS = ("memory", "plan", "parameters", "inputs", "recurrent", "directions", "step", "chain_step")
OPTIMIZE = {"threads": "-O2", **dict.fromkeys(CALLS, "-O1")}  # of others -O3
SANITIZERS = os.environ.get("RNNKIT_SANITIZE")  # names for -fsanitize, as .ci/hardening gives them
if SANITIZERS:
    LINK_ARGS += [f"-fsanitize={SANITIZERS}"]
    COMPILE_ARGS += [*LINK_ARGS, "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
    COMPILE_ARGS += ["-O1", "-g"]
else:  # what is cheap against what nobody foresaw; no inner loop calls what these look at
    COMPILE_ARGS += ["-fstack-protector-strong", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2"]
MACROS = [("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")]
REGIONS = os.environ.get("RNNKIT_POOL") == "0"  # OpenMP's threads in place of the core's own
if REGIONS:
    MACROS.append(("RK_WITHOUT_POOL", "1"))
if os.environ.get("RNNKIT_ISAS") == "scalar":  # no others: for a look at the rest of the core
    MACROS.append(("RK_SCALAR_ALONE", "1"))


def extension(name, extra_sources=()):
    """Describe one compiled module of the core."""
    return Extension(
        f"rnnkit._core.{name}",
        [str(CORE / f"{name}.pyx"), *extra_sources],
        depends=C_HEADERS,
        include_dirs=[numpy.get_include(), str(CORE)],
        define_macros=MACROS,
        extra_compile_args=[OPTIMIZE.get(name, "-O3"), *COMPILE_ARGS],  # what comes last counts
        extra_link_args=[*LINK_ARGS],
    )


PROGRAM = "int main(void) {\n    return 0; }\n"
OPENMP_PROGRAM = "#include <omp.h>\nint main(void) { return omp_get_thread_num(); }\n"


class BuildCore(build_ext):
    """Builds on all processors; without OpenMP, but for the regions of RNNKIT_POOL=0."""

    def finalize_options(self):
        """Compile on every processor that this process may use, unless -j says how many."""
        super().finalize_options()
        if self.parallel is None:
            mine = getattr(os, "sched_getaffinity", None)
            self.parallel = len(mine(0)) if mine else os.cpu_count() or 1

    def build_extensions(self):
        """Stop without a compiler; say what is coming, which takes its time."""
        error = self.compile_error(PROGRAM)
        if error is not None:
            raise SystemExit(
                "rnnkit needs a C compiler, gcc or clang, and a program of two lines did not "
                f"compile here ({error}); install one of them or name it in the variable CC"
            )
        if REGIONS and self.links_with("-fopenmp"):
            for module in self.extensions:
                module.extra_compile_args.append("-fopenmp")
                module.extra_link_args.append("-fopenmp")
        self.announce(
            f"rnnkit: compiling its core from source, {self.parallel} files at a time: some 80 "
            "seconds of one processor",
            level=logging.WARNING,
        )
        self.compile_side_by_side()
        super().build_extensions()

    def compile_side_by_side(self):
        """Share the sources of one module too: the kernels of all sets are one's."""
        compile_all, jobs = self.compiler.compile, int(self.parallel)

        def compile_each(sources, *arguments, **options):
            with ThreadPoolExecutor(jobs) as threads:
                work = [threads.submit(compile_all, [s], *arguments, **options) for s in sources]
            return [done for each in work for done in each.result()]

        self.compiler.compile = compile_each

    def links_with(self, flag):
        """Try the flag on a program that asks for its thread number."""
        error = self.compile_error(OPENMP_PROGRAM, flag)
        if error is not None:
            self.announce(f"rnnkit: {flag} does not work here ({error})", level=logging.INFO)
        return error is None

    def compile_error(self, program, *flags):
        """Compile and link a program; return what went wrong, or None."""
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text(program)
            try:
                objects = self.compiler.compile([str(source)], folder, extra_postargs=[*flags])
                self.compiler.link_executable(
                    objects, str(Path(folder, "probe")), extra_postargs=[*flags]
                )
            except Exception as error:  # whatever a compiler may raise: the answer is no
                return error
        return None


if platform.system() == "Windows":
    raise SystemExit("rnnkit needs gcc or clang; on Windows, build it inside WSL")
if sys.byteorder != "little":
    raise SystemExit(f"rnnkit needs a little-endian machine, and {platform.machine()} is none")

setup(
    ext_modules=cythonize(
        [
            extension("threads", C_SOURCES),
            extension("memory"),
            extension("plan"),
            extension("parameters"),
            extension("inputs"),
            extension("recurrent"),
            extension("directions"),
            extension("step"),
            extension("chain_step"),
            extension("tokens"),
            extension("heads"),
            extension("attention"),
            extension("labels"),
            extension("updates"),
        ],
        build_dir="build",
        compiler_directives={
            "language_level": 3,
            "boundscheck": False,
            "initializedcheck": False,
            "cdivision": True,
            "freethreading_compatible": True,
        },
    ),
    cmdclass={"build_ext": BuildCore},
)
