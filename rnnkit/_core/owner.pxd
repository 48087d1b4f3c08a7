"""One call at a time on an object whose buffers the call works in.

A call takes the object and gives it back. Whoever comes meanwhile, from another thread or from
Python code that the call itself runs, is refused: it would free or overwrite what is in use.
"""

cdef extern from *:
    """
    static inline int rk_take(char *taken) {
        return !__atomic_test_and_set(taken, __ATOMIC_ACQUIRE);
    }
    static inline void rk_give_back(char *taken) {
        __atomic_clear(taken, __ATOMIC_RELEASE);
    }
    """
    bint rk_take(char *taken) noexcept nogil
    void rk_give_back(char *taken) noexcept nogil


cdef inline int take(char *taken, str name) except -1:
    """Make the object of this flag, 0 at first, one that is in use."""
    if not rk_take(taken):
        raise RuntimeError(
            f"this {name} is in use by another call; threads need one each, bound by themselves"
        )
    return 0


cdef inline void give_back(char *taken) noexcept:
    rk_give_back(taken)
