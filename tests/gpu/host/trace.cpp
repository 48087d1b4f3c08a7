/* Notes what the first two warps of a launch read and write, and where they wait.
 *
 * A kernel's text is compiled as for a search for races (-fsanitize=thread), so that it calls a
 * function before every access to memory; here are those functions. An access is known by its place
 * in the program, so the n-th one there of every thread of a warp is one instruction on a GPU.
 */
#include "words.h"

#include <stdint.h>
#include <vector>

extern "C" int rk_shared_bytes;

namespace {

enum { READS = 0, WRITES = 1, WAITS = 2 };

struct Event {
    int64_t thread, kind, size, site;
    int64_t address; /* in shared memory: from its start, and less than zero by all of it */
};

std::vector<Event> events;
bool is_noted;

void note(int kind, void* address, int size, void* site)
{
    if (!is_noted || rk_now->block.x || rk_now->thread.x >= 64)
        return;
    char* shared = (char*)rk_now->shared;
    int64_t at = (int64_t)address;
    if (kind != WAITS && (char*)address >= shared && (char*)address < shared + rk_shared_bytes)
        at = (char*)address - shared - rk_shared_bytes;
    events.push_back({(int64_t)rk_now->thread.x, kind, size, (int64_t)site, at});
}

} /* namespace */

#define SITE __builtin_return_address(0)
#define ACCESSES(size)                                                                     \
    void __tsan_read##size(void* p) { note(READS, p, size, SITE); }                        \
    void __tsan_write##size(void* p) { note(WRITES, p, size, SITE); }                      \
    void __tsan_unaligned_read##size(void* p) { note(READS, p, size, SITE); }              \
    void __tsan_unaligned_write##size(void* p) { note(WRITES, p, size, SITE); }

extern "C" {
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)
void __tsan_read_range(void* p, long n) { note(READS, p, (int)n, SITE); }
void __tsan_write_range(void* p, long n) { note(WRITES, p, (int)n, SITE); }
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}

void rk_traced_barrier()
{
    note(WAITS, 0, 0, SITE);
    rk_block_barrier();
}

/* Begins to note, or ends and gives the number of events. */
int64_t rk_trace(int begin, Event** found)
{
    is_noted = begin;
    if (begin)
        events.clear();
    *found = events.data();
    return (int64_t)events.size();
}
}
