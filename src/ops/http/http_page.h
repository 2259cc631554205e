/*
 * The status page: one HTML document that was put into the program when it was built.
 * Private to HTTP. Layer: ops/http. Thread: any.
 */
#ifndef LT_OPS_HTTP_PAGE_H
#define LT_OPS_HTTP_PAGE_H

#include <stddef.h>

/* In the document this stands where the response's nonce goes. */
#define HTTP_PAGE_NONCE "@NONCE@"

extern const char http_page[]; /* ends in NUL */
extern const size_t http_page_len;

#endif
