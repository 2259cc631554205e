/*
 * HTTP for monitoring: /metrics, /healthz, /readyz, /status, /latency and the status page, with TLS where there is a certificate. GET and HEAD only; it
 * changes nothing. Who may ask: http_access.h; /healthz and /readyz answer everybody, the latter with its reasons only to those who may ask.
 * Does not know what status is: a callback gives the answers.
 *
 * Layer: ops/http. Thread: http_open, http_tick and http_close from main; requests are served on a thread of its own, at lower priority, which
 *   never touches another thread's data: it asks main for a picture and gets it at the next tick, so that no number of requests makes main
 *   busier than one picture per tick.
 * Owns: the listener, the thread, pictures that were handed over. Borrows: arg of the callback, until http_close.
 * Errors: http_open: LT_ESYS (address in use, ...), LT_EINVAL (an address that cannot be), LT_ENOMEM. What clients do is no error.
 * Limits: HTTP_CONNECTIONS_MAX connections (fewer where few files may be open; the idlest is closed for the next), HTTP_HEADER_MAX bytes of headers, no bodies, HTTP_IDLE_S without
 *   a whole request ends a connection, HTTP_PARKED_US without a picture is a 503.
 */
#ifndef LT_OPS_HTTP_H
#define LT_OPS_HTTP_H

#include <stdint.h>

#include <jansson.h>

#include "base/err.h"

#define HTTP_CONNECTIONS_MAX 64
#define HTTP_HEADER_MAX      8192
#define HTTP_IDLE_S          10
#define HTTP_PARKED_US       2000000U

struct http;

/* On main. New references, which the thread takes over whole: nothing in them is shared. NULL where memory is short. */
typedef void (*http_picture_fn)(void *arg, json_t **ret_status, json_t **ret_latency);

/* host: an address or name to bind; port 0: the kernel chooses. An address that cannot be had now is tried for again every second. access is taken,
 * also on failure. */
struct http_access;
int http_open(const char *host, uint16_t port, struct http_access *access, http_picture_fn picture, void *arg,
              struct http **ret, struct lt_err *err) LT_MUST_CHECK;
/* Judges by this from the next request on; whether there is TLS holds for the next connections. Takes it; cannot fail. http NULL is fine. */
void http_adopt(struct http *http, struct http_access *access);
/* About every 100 ms: gives the thread a picture if it wants one. NULL is fine. */
void http_tick(struct http *http);
/* Ends the thread; open connections are cut. NULL is fine. */
void http_close(struct http *http);

uint16_t http_port(const struct http *http); /* 0: not had yet */
/* Why there is no listener; "" when there is one. */
void http_get_trouble(struct http *http, char *buf, size_t cap);

#endif
