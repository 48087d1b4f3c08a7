/* The tile registers of AMX: whether the compiler knows them and this process may use them. */
#ifndef RK_AMX_H
#define RK_AMX_H

#if defined(__x86_64__) && defined(__linux__) && defined(__has_include)
#if __has_include(<amxbf16intrin.h>) || __has_include(<amxintrin.h>) /* of gcc, of clang */
#define RK_KNOWS_AMX 1
#endif
#endif

/* Whether this process may use "amx-tile" or "amx-bf16". The first time it asks the system, from
 * which moment a process needs larger stacks for signals: to be called only before a product. */
int rk_may_use(const char *feature);

#endif
