#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *lt_code_text(int code)
{
    switch (code) {
#define LT_X(name, value, text)                                                                                        \
    case value:                                                                                                        \
        return text;
        LT_ERROR_CODES(LT_X)
#undef LT_X
    default:
        return "unknown error";
    }
}

/* Through a local copy, because the arguments may point into err->text. */
static void set_text(struct lt_err *err, const char *tail, const char *fmt, va_list ap) LT_PRINTF(3, 0);
static void set_text(struct lt_err *err, const char *tail, const char *fmt, va_list ap)
{
    char head[sizeof err->text];
    int n = vsnprintf(head, sizeof head, fmt, ap);
    if (n < 0)
        head[0] = '\0';
    size_t len = strlen(head);
    memcpy(err->text, head, len + 1);
    if (tail != NULL)
        (void)snprintf(err->text + len, sizeof err->text - len, "%s%s", len > 0 ? ": " : "", tail);
}

int lt_err_set(struct lt_err *err, int code, const char *fmt, ...)
{
    if (err == NULL)
        return code;
    va_list ap;
    va_start(ap, fmt);
    set_text(err, NULL, fmt, ap);
    va_end(ap);
    err->code = code;
    err->sys_errno = 0;
    return code;
}

int lt_err_sys(struct lt_err *err, int code, const char *fmt, ...)
{
    int sys = errno;
    if (code == LT_ESYS && (sys == ENOSPC || sys == EDQUOT))
        code = LT_EFULL;
    if (err == NULL)
        return code;
    const char *desc = strerrordesc_np(sys);
    va_list ap;
    va_start(ap, fmt);
    set_text(err, desc != NULL ? desc : "unknown system error", fmt, ap);
    va_end(ap);
    err->code = code;
    err->sys_errno = sys;
    errno = sys;
    return code;
}

int lt_err_wrap(struct lt_err *err, const char *fmt, ...)
{
    if (err == NULL)
        return LT_OK;
    char inner[sizeof err->text];
    memcpy(inner, err->text, sizeof inner);
    va_list ap;
    va_start(ap, fmt);
    set_text(err, inner, fmt, ap);
    va_end(ap);
    return err->code;
}

void lt_assert_failed(const char *cond, const char *file, int line, const char *func)
{
    (void)fprintf(stderr, "%s:%d: %s: broken invariant: %s\n", file, line, func, cond);
    abort();
}
