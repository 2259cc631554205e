/*
 * What tests of the observers ask a daemon for: a warning by its code, numbers out of status.
 * Layer: tests/integration. Thread: the test's main thread.
 */
#ifndef LT_INTEGRATION_WATCHING_H
#define LT_INTEGRATION_WATCHING_H

#include "rig.h"

/* The warning is there, or is not, within the time; else the log and the warnings go to stderr. */
bool watching_raised(struct rig *r, const char *code, unsigned timeout_ms);
bool watching_cleared(struct rig *r, const char *code, unsigned timeout_ms);
/* Now. *ret_message (may be NULL): its words, which the caller frees; NULL when it is not there. */
bool watching_has(struct rig *r, const char *code, char **ret_message);

/* A number of status by its path ("lag.source_bytes"); -1 for null, and for what is not there. */
double watching_number(struct rig *r, const char *path);
/* A text, which the caller frees; NULL for null. */
char *watching_text(struct rig *r, const char *path);
/* Wait until the number is in [low, high]. */
bool watching_number_becomes(struct rig *r, const char *path, double low, double high, unsigned timeout_ms);

/* The result of one preflight check ("ok", "fail", ...) into buf, "" when there is none such. Returns the verdict: GO is true. */
bool watching_preflight(struct rig *r, const char *check, char *buf, size_t cap);

/* New settings for the running daemon; the answer to reload, which the caller frees. */
json_t *watching_reload(struct rig *r, char *const *settings);

/* A time-out of semi-sync that counts as never. */
#define WATCHING_NEVER_MS 864000000u

#endif
