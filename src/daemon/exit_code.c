#include "daemon/exit_code.h"

#include <errno.h>

#include "base/listen.h"

int daemon_exit_code(int rc, const struct lt_err *err)
{
    switch (rc) {
    case LT_ESYS:
        /* A disk that fails is mounted read-only by the kernel: what it had on its way is in doubt, and no setting of ours is wrong. */
        if (err->sys_errno == EROFS)
            return EXIT_DURABILITY;
        return lt_errno_is_setting(err->sys_errno) ? EXIT_USAGE : EXIT_TRANSIENT;
    case LT_ENOMEM:
    case LT_ENOFILES:
    case LT_EFULL: /* there may be room by then */
    case LT_EBUSY: /* whoever holds the store may be about to end, if its disk hangs */
    case LT_EAGAIN:
    case LT_ETIMEOUT:
        return EXIT_TRANSIENT;
    case LT_EINVAL:
    case LT_EUNSUPPORTED:
    case LT_ENOTFOUND:
        return EXIT_USAGE;
    default:
        return EXIT_DURABILITY;
    }
}
