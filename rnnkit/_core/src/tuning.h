/* Constants chosen by measuring: what each bounds, and the command in benchmarks/ that shows it.
 *
 * They cut work, order it and lay it out; no result depends on them. What follows from the machine
 * alone (RK_VECTOR_BYTES, RK_TILE_ROWS) stands with its instruction set in vec_*.h.
 */
#ifndef RK_TUNING_H
#define RK_TUNING_H

/* Rows so few that all panels' products come before all panels' cells, whose chains of dependent
 * operations then run side by side. Bounds the gate buffer outside training: this many rows of all
 * panels.
 *     bench_speed.py --only streaming */
enum { RK_FEW_ROWS = 2 };

/* Rows that go through the first half of a cell, then through the second. Bounds the states that
 * are kept meanwhile, on the stack.
 *     bench_recurrent.py --cells lstm gru, forward of the shapes with B >= 32 */
enum { RK_SIDE_BY_SIDE = 8 };

/* Packed rows whose operands and gate gradients are brought into form together and then stay in the
 * first-level cache while all panels of a thread meet them; even, for pairs. Bounds the scratch of
 * the weight gradients. In tile registers, where a product takes so little time that bringing its
 * sums there and back counts, twice as many, from the second-level cache.
 *     bench_recurrent.py, train; bench_speed.py --only bf16 */
#ifdef RK_PAIRS_BY_TILES
enum { RK_BLOCK_ROWS = 128 };
#else
enum { RK_BLOCK_ROWS = 64 };
#endif

/* Panels whose parameter gradients one piece of work sums, for which a block is brought into form
 * once. Bounds the parallelism: fewer where threads would get none.
 *     bench_recurrent.py --threads 1 2, train of the shapes with H >= 256 */
enum { RK_PANELS_TOGETHER = 4 };

/* Bytes of an operand row from which on a block's rows are copied apart: wider ones lie in a few
 * sets of the first-level cache. Bounds the copying, which narrow rows do not repay.
 *     bench_recurrent.py --wide, train of the shapes with H >= 512 */
enum { RK_WIDE_ROW_BYTES = 2048 };

/* Rows and depth of the blocks that a BLAS multiplies by at most four vectors. More rows would repay
 * its call better, but OpenBLAS' float kernel for AVX2 treats 8 alike and no more; up to this depth
 * it stays on the calling thread.
 *     bench_sets.py */
enum { RK_BLAS_ROWS = 8, RK_BLAS_DEPTH = 256 };

/* Columns of a panel that are packed at a time: their lines stay in the first-level cache until all
 * gates and lanes have been written.
 *     bench_recurrent.py --wide, forward of the shapes with few rows and H >= 512 */
enum { RK_PACK_COLUMNS = 32 };

/* Bytes of weights from which on threads share the change of their form: below it takes one of them
 * some ten microseconds. Bytes of one piece when memory is set to zeros.
 *     bench_recurrent.py --wide --threads 1 2, train of the shapes with H >= 256 */
enum { RK_BYTES_WORTH_A_THREAD = 1 << 18, RK_CLEARED_BYTES = 1 << 17 };

/* Bytes of a buffer from which on it is asked for in pages of 2 MB, to which it is rounded up: the
 * weights of one sequence, all of which every step reads, then lie in the second-level cache without
 * conflicts and are read ahead beyond 4 KB.
 *     bench_speed.py --only text-write */
enum { RK_BYTES_WORTH_LARGE_PAGES = 3 << 18 };

/* Packed rows of one piece of work between threads: long enough to outweigh taking it, short enough
 * that the last one leaves nobody waiting.
 *     input gradients and dense products: bench_speed.py --only epoch
 *     pairing of the inputs: bench_speed.py --only bf16
 *     input products of a table's rows: bench_speed.py --only labels */
enum {
    RK_INPUT_GRADIENT_ROWS = 96,
    RK_DENSE_ROWS = 96,
    RK_PAIRED_ROWS = 256,
    RK_TABLE_ROWS = 96
};

/* A table has its input products made beforehand, one for each row, if the packed rows are at least
 * so many times as many, and the products take no more bytes than these; for a text that is read or
 * written token by token, than these, which each stream has by itself.
 *     bench_speed.py --only labels text-write */
enum { RK_TABLE_REPEATS = 2, RK_TABLE_BYTES = 1 << 26, RK_TABLE_BYTES_OF_A_STREAM = 1 << 22 };

/* Outputs of a dense layer whose gradients one piece of work sums: one register tile of AVX-512.
 *     bench_speed.py --only epoch */
enum { RK_DENSE_GRADIENT_OUTPUTS = 6 };

/* Operations between two looks at the clock, some 20 microseconds of them: a look takes .03.
 *     bench_interrupt.py; bench_speed.py --only streaming */
#define RK_OPERATIONS_BETWEEN_LOOKS 2e6

/* Nanoseconds between two polls of the calling thread: a tenth of what Ctrl-C may take.
 *     bench_interrupt.py */
enum { RK_POLL_NS = 50000000 };

/* Nanoseconds that a thread without work spins before it sleeps: a worker between calls, while the
 * processors are free and while they are not; a worker between the steps of a layer; the caller
 * that waits for pieces begun. Waking takes 5 to 50 microseconds; spinning beside others costs the
 * claim to run.
 *     bench_neighbours.py */
enum {
    RK_SPIN_NS = 200000,
    RK_CONTENDED_SPIN_NS = 3000,
    RK_STEP_SPIN_NS = 100000,
    RK_WAIT_NS = 60000,
    RK_CONTENDED_WAIT_NS = 16000
};

/* Others want the processors: a thread had none for RK_GAP_NS between two looks, or was awake
 * without one for RK_MISSED_NS of at least RK_CHECK_NS. Forgotten after RK_CONTENDED_NS.
 *     bench_neighbours.py, beside none and beside one */
enum {
    RK_GAP_NS = 100000,
    RK_MISSED_NS = 1000000,
    RK_CHECK_NS = 1000000,
    RK_CONTENDED_NS = 50000000
};

/* Where others want the processors and the caller had to wait for a piece that a worker had begun,
 * so many times as long calls do without workers: such waits then take a ninth of the time at
 * most, and the rows stay in one processor's caches.
 *     bench_neighbours.py, fits beside one, two and four */
enum { RK_ALONE_TIMES = 8 };

/* Looks between two looks at the clock, and threads that the caller watches while it waits. */
enum { RK_LOOKS = 16, RK_RESCUED = 64 };

/* Floating-point operations below which a second thread costs more than it brings: waking it takes
 * some microseconds.
 *     bench_recurrent.py --wide --threads 1 2, the shapes of few rows; bench_speed.py --only
 *     second-thread; bench_neighbours.py, small layers with B = 1 */
#define RK_OPERATIONS_WORTH_A_THREAD 1e6

/* With at most this many sequences a thread the threads share the hidden units instead, if a step
 * has enough operations for each of them to pay for the meeting at its end.
 *     bench_recurrent.py --wide --threads 2, the shapes with B <= 8 */
enum { RK_SEQUENCES_WORTH_A_TILE = 4 };
#define RK_OPERATIONS_WORTH_A_MEETING 4e4

#endif
