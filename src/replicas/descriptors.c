/*
 * One descriptor for each connection, and those of the files that they read, which they share. Where there are few, a third of what is not kept for
 * others: replicas never get the source's.
 *
 * - The soft limit of open files is raised as far as the hard one lets it, never lowered.
 * - What a reload wants more is raised on top of what there is, because all of that has been shared out already.
 * Failure: fewer replicas, which is said.
 */
#include <sys/resource.h>

#include "base/log.h"
#include "replicas/internal.h"

#define EACH 3u /* its connection, its file, and another third for who else is there */

static bool raise_to(struct rlimit *rl, rlim_t wanted)
{
    struct rlimit more = {.rlim_cur = wanted < rl->rlim_max ? wanted : rl->rlim_max, .rlim_max = rl->rlim_max};
    if (wanted <= rl->rlim_cur)
        return true;
    if (more.rlim_cur > rl->rlim_cur && setrlimit(RLIMIT_NOFILE, &more) == 0)
        *rl = more;
    return rl->rlim_cur >= wanted;
}

static void share_files(struct replicas *r, uint64_t replicas)
{
    uint64_t files = replicas / 4;
    files_set_max_open(&r->files, (unsigned)(files > REPLICAS_FILES_LEAST ? files : REPLICAS_FILES_LEAST));
}

void descriptors_share(struct replicas *r, uint64_t replicas)
{
    struct rlimit rl = {.rlim_cur = 1024, .rlim_max = 1024};
    (void)getrlimit(RLIMIT_NOFILE, &rl);
    (void)raise_to(&rl, EACH * (rlim_t)replicas + REPLICAS_FD_RESERVE);
    uint64_t all = rl.rlim_cur;
    uint64_t room = all > 2ull * REPLICAS_FD_RESERVE ? (all - REPLICAS_FD_RESERVE) / EACH : all / 8;
    uint64_t allowed = room > 0 ? room : 1;
    allowed = allowed < replicas ? allowed : replicas;
    atomic_store(&r->fd_limit, allowed);
    share_files(r, allowed);
    if (allowed < replicas)
        log_warn("replicas", "the limit of %llu open files allows %llu replicas; replicas.max_replicas is %llu",
                 (unsigned long long)all, (unsigned long long)allowed, (unsigned long long)replicas);
}

void descriptors_grow(struct replicas *r, uint64_t replicas)
{
    struct rlimit rl;
    uint64_t now = atomic_load(&r->fd_limit);
    if (replicas <= now || getrlimit(RLIMIT_NOFILE, &rl) != 0)
        return;
    rlim_t before = rl.rlim_cur;
    (void)raise_to(&rl, before + EACH * (rlim_t)(replicas - now));
    uint64_t allowed = now + (rl.rlim_cur - before) / EACH;
    atomic_store(&r->fd_limit, allowed);
    share_files(r, allowed);
    if (allowed < replicas)
        log_warn(
            "replicas",
            "the %llu open files that there may be are shared out: until the next start %llu replicas may come, not "
            "the %llu of replicas.max_replicas",
            (unsigned long long)rl.rlim_cur, (unsigned long long)allowed, (unsigned long long)replicas);
}

uint64_t replicas_descriptors(const struct replicas *r)
{
    return atomic_load(&r->fd_limit) + r->files.max_open;
}
