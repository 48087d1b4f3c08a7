/* Permission to use the tile registers of AMX, which Linux gives to processes that ask. */
#define _GNU_SOURCE
#include "amx.h"

#ifdef RK_KNOWS_AMX
#include <cpuid.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RK_REQUEST_PERMISSION = 0x1023, RK_TILE_DATA = 18 }; /* asm/prctl.h */

static int has(unsigned bit) {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> bit & 1);
}

static int has_tiles(void) {
    static int answer = -1; /* threads that ask at once get the same */
    int known = __atomic_load_n(&answer, __ATOMIC_RELAXED);
    if (known < 0) {
        known = has(24) && syscall(SYS_arch_prctl, RK_REQUEST_PERMISSION, RK_TILE_DATA) == 0;
        __atomic_store_n(&answer, known, __ATOMIC_RELAXED);
    }
    return known;
}

int rk_may_use(const char *feature) {
    return strcmp(feature, "amx-tile") == 0 ? has_tiles()
                                            : strcmp(feature, "amx-bf16") == 0 && has(22);
}
#else
int rk_may_use(const char *feature) {
    (void)feature;
    return 0;
}
#endif
