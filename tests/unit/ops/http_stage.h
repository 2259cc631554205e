/*
 * The HTTP server of logtailerd on a stage: a main loop that ticks, and pictures that the test sets. For test_http and test_page.
 *
 * Layer: tests/unit. Thread: stage_start/stop from the test; a thread of its own plays main.
 */
#ifndef LT_UNIT_HTTP_STAGE_H
#define LT_UNIT_HTTP_STAGE_H

#include <stdbool.h>
#include <stdint.h>

struct http;
struct http_access_options;

/* For the next stage_start; NULL: the defaults. */
extern const struct http_access_options *stage_access;
/* As http_adopt. */
void stage_adopt(const struct http_access_options *opt);

/* Ends the test when the server cannot be opened. Returns its port. */
uint16_t stage_start(void);
void stage_stop(void);
/* JSON of `status` from now on; NULL: none can be made. Each picture adds 50 to acks.sent, as if commits went on. */
void stage_set_status(const char *status);
/* A main that hangs: no ticks while true. */
void stage_hang(bool hang);
/* Pictures made so far. */
unsigned stage_pictures(void);

/* A status to start from: streaming, all well. */
extern const char stage_streaming[];
extern const char stage_error[];
extern const char stage_fenced[];

#endif
