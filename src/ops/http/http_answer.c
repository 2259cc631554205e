#include "ops/http/http_answer.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "ops/http/http_page.h"
#include "ops/http/metrics.h"
#include "ops/http/ready.h"

void http_picture_fini(struct http_picture *p)
{
    json_decref(p->status);
    json_decref(p->latency);
    *p = (struct http_picture){0};
}

static void add_header(struct evhttp_request *req, const char *name, const char *value)
{
    (void)evhttp_add_header(evhttp_request_get_output_headers(req), name, value);
}

/* HEAD gets what GET would, without the body. */
static void reply(struct evhttp_request *req, int code, const char *reason, const char *type, const char *body,
                  size_t len)
{
    char length[24];
    struct evbuffer *buf = evhttp_request_get_output_buffer(req);
    (void)snprintf(length, sizeof length, "%zu", len);
    add_header(req, "Content-Type", type);
    add_header(req, "Content-Length", length);
    add_header(req, "Cache-Control", "no-store");
    add_header(req, "X-Content-Type-Options", "nosniff");
    if (evhttp_request_get_command(req) != EVHTTP_REQ_HEAD)
        (void)evbuffer_add(buf, body, len);
    evhttp_send_reply(req, code, reason, NULL);
}

void http_reply(struct evhttp_request *req, int code, const char *reason, const char *text)
{
    reply(req, code, reason, "text/plain; charset=utf-8", text, strlen(text));
}

static void reply_unavailable(struct evhttp_request *req, const char *why)
{
    http_reply(req, HTTP_SERVUNAVAIL, "Service Unavailable", why);
}

void http_refuse(struct evhttp_request *req, enum http_verdict v)
{
    log_info("http", "a request was refused: %s", http_verdict_text(v));
    switch (v) {
    case HTTP_WRONG_NAME:
        http_reply(req, 421, "Misdirected Request", http_verdict_text(v));
        return;
    case HTTP_NEEDS_TLS:
        http_reply(req, 403, "Forbidden", http_verdict_text(v));
        return;
    case HTTP_NEEDS_USER:
    case HTTP_MAY_ASK:
    default:
        (void)evhttp_add_header(evhttp_request_get_output_headers(req), "WWW-Authenticate",
                                "Basic realm=\"logtailerd\", charset=\"UTF-8\"");
        http_reply(req, 401, "Unauthorized", http_verdict_text(v));
    }
}

void http_answer_health(const struct http_picture *now, struct evhttp_request *req)
{
    (void)now;
    http_reply(req, HTTP_OK, "OK", "alive\n");
}

void http_answer_ready(const struct http_picture *now, struct evhttp_request *req)
{
    char why[512];
    if (ready_judge(now->status, why, sizeof why))
        http_reply(req, HTTP_OK, "OK", "ready\n");
    else
        reply_unavailable(req, why);
}

void http_answer_ready_only(const struct http_picture *now, struct evhttp_request *req)
{
    char why[512];
    if (ready_judge(now->status, why, sizeof why))
        http_reply(req, HTTP_OK, "OK", "ready\n");
    else
        reply_unavailable(req, "not ready\n");
}

static void render_json(struct evhttp_request *req, const json_t *answer)
{
    char *text = answer != NULL ? json_dumps(answer, JSON_COMPACT) : NULL;
    if (text != NULL)
        reply(req, HTTP_OK, "OK", "application/json", text, strlen(text));
    else
        reply_unavailable(req, "no answer could be made\n");
    free(text);
}

void http_answer_status(const struct http_picture *now, struct evhttp_request *req)
{
    render_json(req, now->status);
}

void http_answer_latency(const struct http_picture *now, struct evhttp_request *req)
{
    render_json(req, now->latency);
}

void http_answer_metrics(const struct http_picture *now, struct evhttp_request *req)
{
    char *text = now->status != NULL ? metrics_text(now->status, now->latency) : NULL;
    if (text != NULL)
        reply(req, HTTP_OK, "OK", "text/plain; version=0.0.4; charset=utf-8", text, strlen(text));
    else
        reply_unavailable(req, "no answer could be made\n");
    free(text);
}

/* The page, its nonce put in. The caller frees. */
static char *page_with(const char *nonce, size_t *ret_len)
{
    char *text = NULL;
    const char *from = http_page;
    FILE *out = open_memstream(&text, ret_len);
    if (out == NULL)
        return NULL;
    for (const char *at = NULL; (at = strstr(from, HTTP_PAGE_NONCE)) != NULL; from = at + strlen(HTTP_PAGE_NONCE)) {
        (void)fwrite(from, 1, (size_t)(at - from), out);
        (void)fputs(nonce, out);
    }
    (void)fputs(from, out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

void http_answer_page(const struct http_picture *now, struct evhttp_request *req)
{
    unsigned char random[16] = {0};
    char nonce[2 * sizeof random + 1];
    char policy[256];
    size_t len = 0;
    (void)now;
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        reply_unavailable(req, "no random numbers\n");
        return;
    }
    for (size_t i = 0; i < sizeof random; i++)
        (void)snprintf(nonce + 2 * i, 3, "%02x", random[i]);
    char *text = page_with(nonce, &len);
    if (text == NULL) {
        reply_unavailable(req, "out of memory\n");
        return;
    }
    (void)snprintf(policy, sizeof policy,
                   "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; connect-src 'self'; "
                   "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
                   nonce, nonce);
    add_header(req, "Content-Security-Policy", policy);
    add_header(req, "Referrer-Policy", "no-referrer");
    reply(req, HTTP_OK, "OK", "text/html; charset=utf-8", text, len);
    free(text);
}
