"""BLAS runs on one thread while anybody is inside, and as before afterwards."""

from threadpoolctl import threadpool_info, threadpool_limits

from rnnkit.training.ordered_sums import ordered_sums


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_the_last_to_leave_restores_the_limit():
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        first, second = ordered_sums(), ordered_sums()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert blas_threads() == {1}
        second.__exit__(None, None, None)
        assert blas_threads() == before
