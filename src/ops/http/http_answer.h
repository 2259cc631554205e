/*
 * What HTTP answers: renders a picture of the daemon into a request's answer and sends it.
 * Private to HTTP. Knows no connection limits and no waiting (http.c).
 *
 * Layer: ops/http. Thread: HTTP's own. Owns: a picture owns its JSON. Errors: what cannot be made is a 503.
 */
#ifndef LT_OPS_HTTP_ANSWER_H
#define LT_OPS_HTTP_ANSWER_H

#include <stdint.h>

#include <jansson.h>

#include "ops/http/http_access.h"

struct evhttp_request;

struct http_picture {
    json_t *status; /* NULL: could not be made */
    json_t *latency;
    uint64_t at_us; /* 0: none yet */
};

void http_picture_fini(struct http_picture *p);

/* Plain text. HEAD gets what GET would, without the body. */
void http_reply(struct evhttp_request *req, int code, const char *reason, const char *text);

/* What is the matter and what helps; not for HTTP_MAY_ASK. */
void http_refuse(struct evhttp_request *req, enum http_verdict v);

typedef void (*http_answer_fn)(const struct http_picture *now, struct evhttp_request *req);

void http_answer_page(const struct http_picture *now, struct evhttp_request *req);
void http_answer_health(const struct http_picture *now, struct evhttp_request *req);
void http_answer_ready(const struct http_picture *now, struct evhttp_request *req);
/* The verdict without its reasons, which say what the source is and where. */
void http_answer_ready_only(const struct http_picture *now, struct evhttp_request *req);
void http_answer_status(const struct http_picture *now, struct evhttp_request *req);
void http_answer_latency(const struct http_picture *now, struct evhttp_request *req);
void http_answer_metrics(const struct http_picture *now, struct evhttp_request *req);

#endif
