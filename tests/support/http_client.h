/*
 * The least of an HTTP client: sends bytes, reads an answer up to its end. Loopback.
 *
 * Layer: tests/support. Thread: any. Errors: NULL or -1. Units: milliseconds.
 */
#ifndef LT_SUPPORT_HTTP_CLIENT_H
#define LT_SUPPORT_HTTP_CLIENT_H

#include <stddef.h>
#include <stdint.h>

/* A connection; -1 when there is none to be had. */
int http_client_connect(uint16_t port);
/* Sends request (NULL: nothing), reads until the answer is whole or the connection ends; NULL after 20 s. The caller frees. */
char *http_client_talk(int fd, const char *request);
/* One GET with its own connection: head and body. */
char *http_client_get(uint16_t port, const char *path);
/* The body behind the head; "" when there is no head. */
const char *http_client_body(const char *answer);

#endif
