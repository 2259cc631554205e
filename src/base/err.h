/*
 * Error codes, error texts that travel outward, and the assertion that stays compiled in.
 *
 * Layer: base. Thread: any (an lt_err belongs to its caller).
 * Errors: functions return 0 or a negative LT_E* code; "end" is a code of its own; positive values are never results.
 *   Detail travels in a caller-owned struct lt_err that each layer may prefix: outer: inner: syscall.
 *   base, binlog and store never log; ingest, serve, ops and daemon log once, where the failure is decided.
 */
#ifndef LT_BASE_ERR_H
#define LT_BASE_ERR_H

#include <stdarg.h>
#include <stddef.h>

#define LT_MUST_CHECK        __attribute__((warn_unused_result))
#define LT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* X(name, value, text). System errors keep their errno: lt_err_sys() stores it beside the code. */
#define LT_ERROR_CODES(X)                                                                                              \
    X(LT_OK, 0, "ok")                                                                                                  \
    X(LT_EOS, -1000, "end of data")                                                                                    \
    X(LT_ESHORT, -1001, "input is too short")                                                                          \
    X(LT_EPROTO, -1002, "malformed input")                                                                             \
    X(LT_ECHECKSUM, -1003, "checksum mismatch")                                                                        \
    X(LT_ECORRUPT, -1004, "stored data is damaged")                                                                    \
    X(LT_EGAP, -1005, "gap in the history")                                                                            \
    X(LT_EDIVERGED, -1006, "histories differ")                                                                         \
    X(LT_EFENCED, -1007, "fenced")                                                                                     \
    X(LT_ETOOBIG, -1008, "too big")                                                                                    \
    X(LT_ECLOSED, -1009, "connection closed")                                                                          \
    X(LT_ETIMEOUT, -1010, "timed out")                                                                                 \
    X(LT_ESYS, -1011, "system call failed")                                                                            \
    X(LT_EFULL, -1012, "no space left")                                                                                \
    X(LT_ESYNC, -1013, "sync failed")                                                                                  \
    X(LT_EINVAL, -1014, "invalid argument")                                                                            \
    X(LT_ENOTFOUND, -1015, "not found")                                                                                \
    X(LT_EBUSY, -1016, "in use")                                                                                       \
    X(LT_ENOMEM, -1017, "out of memory")                                                                               \
    X(LT_EUNSUPPORTED, -1018, "not supported")                                                                         \
    X(LT_ESTOPPED, -1019, "stopping")                                                                                  \
    X(LT_EAGAIN, -1020, "not now")                                                                                     \
    X(LT_ENOFILES, -1021, "no descriptor left")

enum lt_code {
#define LT_X(name, value, text) name = (value),
    LT_ERROR_CODES(LT_X)
#undef LT_X
};

/* Detail of one failure. code 0 means none. sys_errno is 0 where no system call is to blame. */
struct lt_err {
    int code;
    int sys_errno;
    char text[512];
};

/* Static text of a code; never NULL. */
const char *lt_code_text(int code);

/* Store code and text; return code, so that `return lt_err_set(err, ...)` reads well. err may be NULL. */
int lt_err_set(struct lt_err *err, int code, const char *fmt, ...) LT_PRINTF(3, 4);

/* As lt_err_set, with errno appended to the text and kept in sys_errno (ENOSPC/EDQUOT become LT_EFULL when code is LT_ESYS). */
int lt_err_sys(struct lt_err *err, int code, const char *fmt, ...) LT_PRINTF(3, 4);

/* Put "prefix: " before the text that is there; returns err->code. */
int lt_err_wrap(struct lt_err *err, const char *fmt, ...) LT_PRINTF(2, 3);

/* A result that is ignored on purpose: a cast to void does not silence warn_unused_result. Say why beside it. */
#define lt_ignore(call)                                                                                                \
    do {                                                                                                               \
        if (call) {                                                                                                    \
        }                                                                                                              \
    } while (0)

/* Broken invariant of our own: print, abort. Input from outside never reaches it. Compiled in always. */
#define lt_assert(cond)                                                                                                \
    do {                                                                                                               \
        if (__builtin_expect(!(cond), 0))                                                                              \
            lt_assert_failed(#cond, __FILE__, __LINE__, __func__);                                                     \
    } while (0)

_Noreturn void lt_assert_failed(const char *cond, const char *file, int line, const char *func);

#endif
