"""A recurrent layer visit by visit: cuBLAS multiplies, then one launch takes all cells of a step.

It is what remains where the weights are too many for shared memory or the sequences for the blocks
that hold them: products of many rows, as cuBLAS does them best.

Letters: B sequences of the minibatch, T steps, P packed rows, H hidden units, G gates.
"""

from __future__ import annotations

from typing import NamedTuple

from rnnkit.backends.cuda.launching import Kernel
from rnnkit.backends.cuda.products import Products
from rnnkit.backends.interface import Array, PackedPlan

__all__ = ["Reset", "run_backward", "run_forward"]


class Reset(NamedTuple):
    """What a GRU needs whose reset acts before the product."""

    kernel: Kernel  # reset_visit, or reset_visit_backward, its arguments up to `products` given
    reset_states: Array  # (P, H), times the recurrent mask
    scratch: Array  # (B, 2 H), takes the products for r and z forward


def run_forward(
    kernel: Kernel,
    products: Products,
    plan: PackedPlan,
    reverse: bool,
    weight_hh: Array,
    entering: Array,
    scratch: Array,
    reset: Reset | None,
) -> None:
    """Take all visits in their order.

    Parameters
    ----------
    kernel : Kernel
        forward_visit, its arguments up to c given.
    products : Products
    plan : PackedPlan
    reverse : bool
        Whether the last step is visited first.
    weight_hh : array (G H, H)
    entering : array (B, H)
        The states that enter the first visit, times the recurrent mask; changes.
    scratch : array (B, G H), (B, H) with a reset
        Takes the products of a visit.
    reset : Reset or None
    """
    h = entering.shape[1]
    for number in range(plan.n_steps):
        rows = _rows_of(plan, number, reverse)
        n = rows.stop - rows.start
        if reset is None:
            products.multiply(entering[:n], weight_hh, scratch[:n], transpose_b=True)
        else:
            of_r_and_z, of_n = weight_hh[: 2 * h], weight_hh[2 * h :]
            products.multiply(entering[:n], of_r_and_z, reset.scratch[:n], transpose_b=True)
            reset.kernel.over(n * h, reset.scratch, entering, number)
            products.multiply(reset.reset_states[rows], of_n, scratch[:n], transpose_b=True)
        kernel.over(n * h, scratch, entering, number)


def run_backward(
    kernel: Kernel,
    products: Products,
    plan: PackedPlan,
    reverse: bool,
    weight_hh: Array,
    gates: Array,
    uh_n: Array | None,
    scratch: Array,
    reset: Reset | None,
) -> None:
    """Go back through all visits, then pass on what belongs to the first states.

    Parameters
    ----------
    kernel : Kernel
        backward_visit, its arguments up to peephole_terms given.
    products : Products
    plan : PackedPlan
    reverse : bool
        Whether the last step was visited first.
    weight_hh : array (G H, H)
    gates : array (P, G H)
        Becomes the gradients by the gates' inputs.
    uh_n : array (P, H) or None
        Becomes the gradients by U_n h + b_hn of a GRU.
    scratch : array (B, H)
        Takes the products of a visit.
    reset : Reset or None
    """
    h = scratch.shape[1]
    factors = [(gates, weight_hh)]  # gradients by rows of U h, and of U
    if uh_n is not None:
        factors = [(gates[:, : 2 * h], weight_hh[: 2 * h]), (uh_n, weight_hh[2 * h :])]
    if reset is not None:  # U_n has its turn within the visit
        del factors[1]
    n_after, rows_after = 0, slice(0, 0)
    for number in range(plan.n_steps + 1):
        for at, (gradients, weights) in enumerate(factors):
            product = scratch[:n_after]
            products.multiply(gradients[rows_after], weights, product, accumulate=at > 0)
        rows = _rows_of(plan, plan.n_steps - 1 - number, reverse)
        n = rows.stop - rows.start
        kernel.over(max(n, n_after) * h, scratch, number)
        if reset is not None and n:
            products.multiply(gates[rows, 2 * h :], weight_hh[2 * h :], scratch[:n])
            reset.kernel.over(n * h, scratch, number)
        n_after, rows_after = n, rows


def _rows_of(plan: PackedPlan, visit: int, reverse: bool) -> slice:
    """Return the packed rows of a visit; none of visit -1."""
    if visit < 0:
        return slice(0, 0)
    step = plan.n_steps - 1 - visit if reverse else visit
    return slice(int(plan.step_offsets[step]), int(plan.step_offsets[step + 1]))
