#include "ingest/fault.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    enum fault_retry retry;
    const char *cure;
} faults[] = {
#define FAULT_X(name, code, retry, cure) {code, retry, cure},
    FAULT_CODES(FAULT_X)
#undef FAULT_X
};

const char *fault_name(enum fault_code code)
{
    return faults[code].name;
}

const char *fault_cure(enum fault_code code, bool old_names, char buf[CURE_MAX])
{
    return cure_text(faults[code].cure, old_names, buf);
}

enum fault_retry fault_retry(enum fault_code code)
{
    return faults[code].retry;
}

int fault_set(struct fault *f, enum fault_code code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    f->code = code;
    (void)vsnprintf(f->message, sizeof f->message, fmt, ap);
    va_end(ap);
    return LT_EPROTO;
}

bool fault_is_descriptors(int sys_errno)
{
    return sys_errno == EMFILE || sys_errno == ENFILE;
}

enum fault_code fault_of_store_error(int rc, int sys_errno)
{
    if (rc == LT_EFULL)
        return FAULT_DISK_FULL;
    if (rc == LT_ENOFILES || fault_is_descriptors(sys_errno))
        return FAULT_DESCRIPTORS;
    return rc == LT_ENOMEM || sys_errno == ENOMEM ? FAULT_MEMORY : FAULT_DISK_FAILED;
}

/*
 * Error 1236 stands for everything that ends a dump; its texts differ between servers and releases in all but these words, which come from
 * the servers themselves. What follows them ("; the first event ..., the last event read from ...") says where, not what. In this order.
 */
static const struct {
    const char *words;
    enum fault_code code;
} fatal_read_texts[] = {
    {"same server_uuid", FAULT_DUPLICATE},
    {"same server_id", FAULT_DUPLICATE},
    {"purged required", FAULT_PURGED},
    {"Could not find first log", FAULT_PURGED}, /* or a reset: told apart by looking at what is there */
    {"Could not find GTID state", FAULT_PURGED},
    {"> file size", FAULT_AHEAD},
    {"impossible position", FAULT_AHEAD},
    {"has more GTIDs", FAULT_AHEAD},
    {"not in the master's binlog", FAULT_AHEAD},
    {"requested incorrect position", FAULT_DIVERGED},
    {"exceeded max_allowed_packet", FAULT_PACKET},
    {"Cannot replicate anonymous transaction", FAULT_ANONYMOUS_REFUSED}, /* gtid_mode = ON; AUTO_POSITION = 1 */
    {"Cannot replicate GTID-transaction", FAULT_GTID_REFUSED},           /* gtid_mode = OFF */
    {"server_id is 0", FAULT_SERVER_ID},
    {"bogus data in log event", FAULT_SOURCE_FILE},
    {"truncated in the middle of event", FAULT_SOURCE_FILE},
    {"I/O error reading log event", FAULT_SOURCE_FILE},
    {"Could not open log file", FAULT_SOURCE_FILE},
    {"could not find next log", FAULT_SOURCE_FILE},
    {"failed to open index file", FAULT_SOURCE_FILE},
    {"error switching to the next log", FAULT_SOURCE_FILE},
    {"corrupt event", FAULT_SOURCE_FILE},
    {"corrupt binlog", FAULT_SOURCE_FILE},
    {"format description log event", FAULT_SOURCE_FILE},
    {"decrypt", FAULT_SOURCE_FILE},
    {"did not pass c", FAULT_CORRUPT}, /* crc check; checksum algorithm check */
    {"event checksum verification failed", FAULT_CORRUPT},
    {"can not handle replication events", FAULT_PROTOCOL}, /* as if we had not said that we know checksums */
    {"memory allocation failed", FAULT_CONNECT},
    {"net_flush()", FAULT_CONNECT},
    {"my_net_write()", FAULT_CONNECT},
    {"Binary log is not open", FAULT_CONNECT},
};

enum fault_code fault_of_server_error(unsigned code, const char *text)
{
    switch (code) {
    case 1040:
        return FAULT_BUSY;
    case 1044:
    case 1045:
    case 1142:
        return FAULT_PRIVILEGE;
    case 1227: /* "you need (at least one of) the SUPER, REPLICATION CLIENT privilege(s)" */
        return strstr(text, " privilege") == NULL || strstr(text, "REPLICATION SLAVE") != NULL ? FAULT_PRIVILEGE
                                                                                               : FAULT_PRIVILEGE_OTHER;
    case 1373: /* unknown target log */
        return FAULT_PURGED;
    case 1236:
        break;
    default:
        return FAULT_CONNECT;
    }
    for (size_t i = 0; i < sizeof fatal_read_texts / sizeof fatal_read_texts[0]; i++)
        if (strcasestr(text, fatal_read_texts[i].words) != NULL)
            return fatal_read_texts[i].code;
    return FAULT_UNKNOWN;
}

static uint64_t doubled(uint64_t first, unsigned attempt, uint64_t most)
{
    uint64_t d = first;
    while (attempt-- > 0 && d < most)
        d *= 2;
    return d < most ? d : most;
}

uint64_t fault_delay_us(enum fault_code code, unsigned attempt, uint64_t retry_min_us, uint64_t retry_max_us,
                        uint64_t random)
{
    const uint64_t s = 1000000;
    uint64_t lo = 0;
    uint64_t hi;
    switch (fault_retry(code)) {
    case FAULT_RETRY_BUSY:
        lo = s / 5;
        hi = s / 2;
        break;
    case FAULT_RETRY_SLOW:
        hi = doubled(s, attempt, 60 * s);
        lo = hi / 2;
        break;
    case FAULT_RETRY_HISTORY:
        hi = doubled(5 * s, attempt, 60 * s);
        lo = hi / 2;
        break;
    case FAULT_RETRY_YIELD:
        lo = 30 * s;
        hi = 60 * s;
        break;
    case FAULT_RETRY_DISK:
        lo = hi = s;
        break;
    case FAULT_RETRY_FAST:
    default:
        hi = doubled(retry_min_us, attempt, retry_max_us);
        lo = retry_min_us / 4;
        break;
    }
    return hi <= lo ? lo : lo + random % (hi - lo + 1);
}
