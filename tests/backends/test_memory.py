"""How much memory is there, by every limit that is told."""

import os
import resource

import pytest
from programs import run_program

from rnnkit.backends import get_backend, memory

GB = 10**9


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return a function that writes the files of a machine with 8 GB available."""
    monkeypatch.setattr(memory, "PROC", tmp_path / "proc")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY,) * 2)
    pages = {"SC_PHYS_PAGES": 10**7, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)

    def write(**files):
        files = {"proc/meminfo": f"MemTotal: 1 kB\nMemAvailable: {8 * GB // 1024} kB\n", **files}
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    write()
    write.pages = pages
    return write


def about(n_bytes):
    return pytest.approx(n_bytes, abs=1024)


def test_what_the_machine_has_available(machine):
    assert memory.host_memory() == about(8 * GB)
    machine.pages["SC_PHYS_PAGES"] = 1000
    assert memory.host_memory() == 4096000


def test_groups_of_version_2(machine):
    group = "cgroup/a/b/"
    machine(
        **{
            "proc/self/cgroup": "0::/a/b\n",
            group + "memory.max": "max\n",
            group + "memory.current": f"{GB}\n",
            "cgroup/a/memory.max": f"{4 * GB}\n",
            "cgroup/a/memory.current": f"{3 * GB}\n",
            "cgroup/a/memory.stat": f"anon 5\ninactive_file {GB // 2}\nfile 1\n",
        }
    )
    assert memory.host_memory() == about(GB * 3 // 2)
    machine(**{group + "memory.max": f"{2 * GB}\n", "proc/self/cgroup": "0::/a/b\n"})
    assert memory.host_memory() == about(GB)


def test_groups_of_version_1(machine):
    folder = "cgroup/memory/job/"
    machine(
        **{
            "proc/self/cgroup": "4:memory:/job\n3:cpuset:/\n",
            folder + "memory.limit_in_bytes": f"{3 * GB}\n",
            folder + "memory.usage_in_bytes": f"{2 * GB}\n",
            folder + "memory.stat": "inactive_file 7\ntotal_inactive_file 1000\n",
            "cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "cgroup/memory/memory.usage_in_bytes": f"{5 * GB}\n",
        }
    )
    assert memory.host_memory() == GB + 1000


def test_a_container_that_sees_its_own_group_as_root(machine):
    machine(
        **{
            "proc/self/cgroup": "0::/pods/not/here\n",
            "cgroup/memory.max": f"{2 * GB}\n",
            "cgroup/memory.current": f"{GB}\n",
        }
    )
    assert memory.host_memory() == GB


@pytest.mark.parametrize("name, place", [("RLIMIT_AS", 0), ("RLIMIT_DATA", 5)])
def test_limits_of_the_process(name, place, machine, monkeypatch):
    sizes = ["0"] * 7
    sizes[place] = "1000"
    machine(**{"proc/self/statm": " ".join(sizes)})
    limits = {getattr(resource, name): (GB, GB)}
    unlimited = (resource.RLIM_INFINITY,) * 2
    monkeypatch.setattr(resource, "getrlimit", lambda which: limits.get(which, unlimited))
    assert memory.host_memory() == GB - 4096000


def test_more_used_than_allowed_is_nothing(machine):
    machine(
        **{
            "proc/self/cgroup": "0::/\n",
            "cgroup/memory.max": "1000\n",
            "cgroup/memory.current": "5000\n",
        }
    )
    assert memory.host_memory() == 0


def test_a_system_that_tells_nothing(machine, tmp_path):
    (tmp_path / "proc/meminfo").unlink()
    assert memory.host_memory() == 10**7 * 4096


def test_this_machine():
    assert 2**20 < get_backend("cpu").free_bytes() <= memory.UNLIMITED


def test_a_limit_that_a_process_sets_itself():
    program = """
import resource, numpy as np
from rnnkit import LSTMClassifier
from rnnkit.backends.memory import host_memory
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2 * 10**8,) * 2)
assert host_memory() <= 2 * 10**8
try:
    LSTMClassifier(3000).fit(np.zeros((10, 3, 2)), np.arange(10) % 2)
except MemoryError as error:
    print(error)
"""
    assert "hidden_size=3000" in run_program(program, OMP_NUM_THREADS="1")
