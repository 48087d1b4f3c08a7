/* The OpenMP runtime whose limits count: one that another library of the process brought and uses.
 *
 * Nothing here is linked to OpenMP. A runtime of our own beside that of scikit-learn would be a second
 * pool of numbers that only looks the same, and on macOS two copies of LLVM's end the process.
 */
#define _GNU_SOURCE /* RTLD_NOLOAD; processors of a thread, in system.h */
#include <dlfcn.h>
#include "jobs.h"

#ifdef _OPENMP /* with RK_WITHOUT_POOL, the one whose regions help */
rk_openmp rk_the_openmp = {omp_get_max_threads, (int (*)(void))omp_get_proc_bind,
                           omp_get_num_places, omp_get_place_num_procs, omp_get_place_proc_ids};
#else
rk_openmp rk_the_openmp;
#endif

int rk_ask_openmp(const char *library) {
    void *handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD); /* never closed: it is called into */
    if (handle == NULL)
        return 0;
    const rk_openmp found = {
        (int (*)(void))dlsym(handle, "omp_get_max_threads"),
        (int (*)(void))dlsym(handle, "omp_get_proc_bind"),
        (int (*)(void))dlsym(handle, "omp_get_num_places"),
        (int (*)(int))dlsym(handle, "omp_get_place_num_procs"),
        (void (*)(int, int *))dlsym(handle, "omp_get_place_proc_ids"),
    };
    if (found.max_threads == NULL) {
        dlclose(handle);
        return 0;
    }
    rk_the_openmp = found;
    return 1;
}

const char *rk_helpers(void) {
#if RK_POOL
    return "pool";
#elif defined(_OPENMP)
    return "regions";
#else
    return "nobody";
#endif
}

int rk_asks_openmp(void) {
    return rk_the_openmp.max_threads != NULL;
}

int rk_openmp_limit(void) {
    return rk_the_openmp.max_threads ? rk_the_openmp.max_threads() : RK_MOST_THREADS;
}
