/*
 * How many descriptors consumers may have, in connections and in the files that they read, which they share: at start, and whenever tail.max_consumers
 * changes. What is left is kept for the source, the store and operators.
 *
 * - The soft limit of open files is raised as far as the hard one lets it, never lowered.
 * Failure: too low a limit allows fewer consumers. That is said; a reload that asks for more than there can be is refused.
 */
#include <limits.h>
#include <sys/resource.h>

#include "base/log.h"
#include "serve/serve_internal.h"

static uint64_t reserve(const struct serve *s)
{
    return SERVE_FD_RESERVE + s->fd_others;
}

/* Each might read a file of its own. */
static uint64_t wanted_limit(const struct serve *s, uint32_t consumers)
{
    return 2ull * consumers + reserve(s);
}

static uint64_t files_of(const struct serve *s, uint64_t limit, uint64_t *ret_consumers)
{
    uint64_t others = s->fd_others < limit / 2 ? s->fd_others : limit / 2;
    uint64_t ours = limit > 2 * reserve(s) ? limit - reserve(s) : (limit - others) / 2;
    uint64_t files = ours / 4 > SERVE_FILES_LEAST ? ours / 4 : SERVE_FILES_LEAST;
    *ret_consumers = ours > files ? ours - files : 1;
    return files < UINT_MAX ? files : UINT_MAX;
}

/* What there is then. */
static uint64_t raise_limit(uint64_t wanted)
{
    struct rlimit rl;
    if (getrlimit(RLIMIT_NOFILE, &rl) != 0)
        return wanted;
    if (rl.rlim_cur < wanted && rl.rlim_cur < rl.rlim_max) {
        struct rlimit more = {.rlim_cur = wanted < rl.rlim_max ? wanted : rl.rlim_max, .rlim_max = rl.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &more) == 0)
            rl = more;
    }
    return (uint64_t)rl.rlim_cur;
}

void room_make(struct serve *s, uint32_t consumers)
{
    uint64_t limit = raise_limit(wanted_limit(s, consumers));
    uint64_t allowed = 0;
    files_set_max_open(&s->files, (unsigned)files_of(s, limit, &allowed));
    atomic_store(&s->fd_limit, allowed);
    if (allowed < consumers)
        log_warn("serve", "the limit of %llu open files allows %llu consumers; tail.max_consumers is %u",
                 (unsigned long long)limit, (unsigned long long)allowed, consumers);
    listen_room(s);
}

int room_check(const struct serve *s, uint32_t consumers, struct lt_err *err)
{
    struct rlimit rl;
    uint64_t allowed = 0;
    if (getrlimit(RLIMIT_NOFILE, &rl) != 0)
        return LT_OK;
    (void)files_of(s, (uint64_t)rl.rlim_max, &allowed);
    if (allowed >= consumers)
        return LT_OK;
    return lt_err_set(err, LT_EINVAL,
                      "tail.max_consumers = %u needs a limit of %llu open files, and no more than %llu can be had: "
                      "at most %llu, or raise LimitNOFILE= (ulimit -Hn) and start anew",
                      consumers, (unsigned long long)wanted_limit(s, consumers), (unsigned long long)rl.rlim_max,
                      (unsigned long long)allowed);
}
