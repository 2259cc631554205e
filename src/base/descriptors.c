#include "base/descriptors.h"

#include <sys/resource.h>

size_t descriptors_scaled(size_t most)
{
    struct rlimit rl;
    if (getrlimit(RLIMIT_NOFILE, &rl) != 0 || rl.rlim_cur >= DESCRIPTORS_PLENTY)
        return most;
    size_t share = most * (size_t)rl.rlim_cur / DESCRIPTORS_PLENTY;
    size_t least = most < DESCRIPTORS_LEAST ? most : DESCRIPTORS_LEAST;
    return share > least ? share : least;
}
