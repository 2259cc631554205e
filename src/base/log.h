/*
 * The daemon's log: one line per failure, to stderr, text or JSON. Never blocks: a full pipe drops lines and says how many later.
 *
 * Layer: base. Thread: any. Errors: none; errno is preserved by every call.
 * Passwords, tokens and statement text never go here.
 * Text line:  2026-11-23T09:10:58.123Z notice ingest msg text key=value ...
 */
#ifndef LT_BASE_LOG_H
#define LT_BASE_LOG_H

#include <stdbool.h>

#include "base/err.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

void log_configure(enum log_level level, enum log_format format);
enum log_level log_level_get(void);
void log_level_set(enum log_level level);
/* 0 and the level, or LT_EINVAL. Names: error warn notice info debug. */
int log_level_parse(const char *name, enum log_level *ret_level) LT_MUST_CHECK;
const char *log_level_name(enum log_level level);
bool log_enabled(enum log_level level);

/* module: the layer's name ("ingest", "store"...). Rate-limited per call site: at most LOG_BURST lines a second, then one that counts the rest. */
struct log_site {
    _Atomic unsigned long long window_us;
    _Atomic unsigned count;
};
void log_write(struct log_site *site, enum log_level level, const char *module, const char *fmt, ...) LT_PRINTF(4, 5);

#define LOG_BURST 20

#define log_at(level, module, ...)                                                                                     \
    do {                                                                                                               \
        static struct log_site log_site_;                                                                              \
        if (log_enabled(level))                                                                                        \
            log_write(&log_site_, level, module, __VA_ARGS__);                                                         \
    } while (0)
#define log_error(module, ...)  log_at(LOG_LEVEL_ERROR, module, __VA_ARGS__)
#define log_warn(module, ...)   log_at(LOG_LEVEL_WARN, module, __VA_ARGS__)
#define log_notice(module, ...) log_at(LOG_LEVEL_NOTICE, module, __VA_ARGS__)
#define log_info(module, ...)   log_at(LOG_LEVEL_INFO, module, __VA_ARGS__)
#define log_debug(module, ...)  log_at(LOG_LEVEL_DEBUG, module, __VA_ARGS__)

/* Lines dropped since start because stderr would have blocked. */
unsigned long long log_dropped(void);

/* Test hook: lines go to this descriptor instead of stderr (borrowed). */
void log_set_fd(int fd);

#endif
