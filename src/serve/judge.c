/*
 * Who may stay after a reload.
 *
 * - A session remembers by what it was let in: nothing, a token (the mark of the user's line), a certificate (OpenSSL has it).
 * - serve_adopt wakes the workers; each goes through its slots, at most JUDGE_TURN_US at a time, so that those who stay notice nothing.
 * Failure: who could not come in now gets an Error and leaves. A user whose line was changed comes back by itself and is judged by the token, which
 * only the client has.
 */
#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/serve_internal.h"

#define JUDGE_TURN_US 2000u
#define JUDGE_LOOK    16u /* sessions between two looks at the clock */
#define CODE(name)    LOGTAILER__TAIL__ERROR_CODE__ERROR_##name

static bool judge_token(struct session *s, const struct serve_policy *p)
{
    unsigned char mark[USERS_MARK_LEN];
    if (!users_mark(p->users, s->pub.user, mark)) {
        session_fail(s, CODE(AUTH), 0, "user %s may not consume any more", s->pub.user);
        return false;
    }
    if (CRYPTO_memcmp(mark, s->mark, sizeof mark) == 0)
        return true;
    session_fail(s, CODE(AUTH), SERVE_RETRY_MIN_MS, "the token of user %s was changed", s->pub.user);
    return false;
}

static bool judge_certificate(struct session *s, const struct serve_policy *p)
{
    if (p->client_certificates && tls_would_take(s->ch.ssl, p->tls))
        return true;
    session_fail(s, CODE(AUTH), 0, "the certificate of user %s is not vouched for any more", s->pub.user);
    return false;
}

static bool judge_nobody(struct session *s, const struct serve_policy *p)
{
    if (!nobody_may_come(s, p)) {
        session_fail(s, CODE(AUTH), 0, "a token or a client certificate is needed now");
        return false;
    }
    if (s->pub.name[0] == '\0' || !users_own(p->users, s->pub.name))
        return true;
    session_fail(s, CODE(FORBIDDEN), 0, "the consumer name %s is a user's now", s->pub.name);
    return false;
}

bool session_judge(struct session *s, const struct serve_policy *p)
{
    bool known = s->state == SESSION_READY || s->state == SESSION_LOCATING || s->state == SESSION_STREAMING;
    if (!known || s->error != NULL || s->judged == p->generation)
        return true;
    s->judged = p->generation;
    switch (s->proof) {
    case PROOF_TOKEN:
        return judge_token(s, p);
    case PROOF_CERTIFICATE:
        return judge_certificate(s, p);
    case PROOF_NONE:
    default:
        return judge_nobody(s, p);
    }
}

static void judge_soon(struct worker *w)
{
    struct timeval now = {0};
    (void)event_add(&w->on_judge, &now);
}

static void on_judge(evutil_socket_t fd, short what, void *arg)
{
    struct worker *w = arg;
    struct serve_policy *p = policy_get(w->s);
    uint64_t until = clock_mono_us() + JUDGE_TURN_US;
    (void)fd;
    (void)what;
    while (w->judge_at < w->n_slots) {
        struct session *s = w->slots[w->judge_at++];
        if (s != NULL && !session_judge(s, p)) {
            w->ended++;
            session_pump(s);
        }
        if (w->judge_at % JUDGE_LOOK == 0 && clock_mono_us() >= until)
            break;
    }
    policy_put(p);
    if (w->judge_at < w->n_slots)
        judge_soon(w);
    else if (w->ended > 0)
        log_notice("serve", "%u consumers may not consume any more: they were told so", w->ended);
}

int judge_init(struct worker *w, struct lt_err *err)
{
    if (evtimer_assign(&w->on_judge, w->base, on_judge, w) != 0)
        return lt_err_set(err, LT_ESYS, "serve thread");
    return 0;
}

void judge_if_due(struct worker *w)
{
    uint64_t generation = atomic_load(&w->s->generation);
    if (generation == w->judging || w->stopping)
        return;
    w->judging = generation;
    w->judge_at = 0;
    w->ended = 0;
    judge_soon(w);
}
