/*
 * Hello and Commit.
 *
 * - Hello: a version in common, then who it is (client certificate, token, or nobody where that is allowed), then the consumer name.
 * - A wrong token is logged and, after some from one address, answered late.
 * - Commit: the position must be one of this log; it is durable when Committed says so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "feed/seek.h"
#include "serve/serve_internal.h"

#define CODE(name) LOGTAILER__TAIL__ERROR_CODE__ERROR_##name

static void refuse_auth(struct session *s, const char *why)
{
    struct serve_policy *p = policy_get(s->w->s);
    unsigned n = peers_failed(&s->w->s->peers, &s->key, clock_mono_us());
    atomic_fetch_add(&s->w->s->auth_failures, 1);
    log_warn("serve", "%s was refused: %s", s->address, why);
    session_fail(s, CODE(AUTH), 0, "%s", why);
    if (n > SERVE_AUTH_FREE && s->error != NULL) {
        uint64_t more = n - SERVE_AUTH_FREE < 10 ? n - SERVE_AUTH_FREE : 10;
        session_set_state(s, SESSION_PENALTY);
        session_arm_timer(s, more * p->auth_delay_us);
    }
    policy_put(p);
}

static bool set_user(struct session *s, const char *user)
{
    (void)pthread_mutex_lock(&s->w->pub_lock);
    (void)snprintf(s->pub.user, sizeof s->pub.user, "%s", user);
    (void)pthread_mutex_unlock(&s->w->pub_lock);
    return true;
}

bool nobody_may_come(const struct session *s, const struct serve_policy *p)
{
    return p->anonymous == ANONYMOUS_YES || (p->anonymous == ANONYMOUS_LOOPBACK && s->loopback);
}

/* A token decides where there is one, so that nobody is taken for more than he says; then the certificate. */
static bool identify(struct session *s, const tail_hello *m, const struct serve_policy *p)
{
    char user[SERVE_USER_MAX + 1] = "";
    if (m->token[0] != '\0') {
        if (users_check(p->users, m->token, user) && users_mark(p->users, user, s->mark)) {
            s->proof = PROOF_TOKEN;
            return set_user(s, user);
        }
        refuse_auth(s, p->users != NULL ? "the token is wrong" : "a token was sent, but the server has no users");
        return false;
    }
    if (s->ch.ssl != NULL && tls_has_client_certificate(s->ch.ssl)) {
        /* The handshake's policy may not be the present one. */
        if (s->judged != p->generation && (!p->client_certificates || !tls_would_take(s->ch.ssl, p->tls))) {
            refuse_auth(s, "the client certificate is not vouched for any more");
            return false;
        }
        if (tls_client_name(s->ch.ssl, user, sizeof user) && users_name_ok(user)) {
            s->proof = PROOF_CERTIFICATE;
            return set_user(s, user);
        }
        refuse_auth(s, "the client certificate's common name is no user name");
        return false;
    }
    if (nobody_may_come(s, p))
        return true;
    refuse_auth(s, "neither a token nor a client certificate");
    return false;
}

static bool may_use_name(const struct session *s, const char *name, const struct serve_policy *p)
{
    if (s->pub.user[0] != '\0')
        return users_may_use(s->pub.user, name);
    return !users_own(p->users, name); /* nobody may take a user's name */
}

static void tell_older(struct session *s, struct session_ref older)
{
    struct mail *mail = older.id != 0 ? calloc(1, sizeof *mail) : NULL;
    if (mail == NULL)
        return; /* without memory the older one stays, and can commit no more */
    mail->kind = MAIL_TAKEN_OVER;
    mail->to = older;
    worker_post(&s->w->s->workers[older.worker], mail);
}

static void no_name(struct session *s, int rc, const struct serve_policy *p)
{
    if (rc == LT_EFULL)
        session_fail(s, CODE(TOO_MANY), SERVE_RETRY_MAX_MS, "there are %u consumer names already (tail.max_names)",
                     p->max_names);
    else if (rc == LT_ETOOBIG && s->pub.user[0] != '\0')
        session_fail(s, CODE(TOO_MANY), SERVE_RETRY_MAX_MS,
                     "user %s has %u consumer names already (tail.max_names_per_user)", s->pub.user,
                     p->max_names_per_user);
    else if (rc == LT_ETOOBIG)
        session_fail(s, CODE(TOO_MANY), SERVE_RETRY_MAX_MS,
                     "there are %u consumer names of nobody already (tail.max_names_per_user)", p->max_names_per_user);
    else
        session_fail(s, CODE(INTERNAL), SERVE_RETRY_MAX_MS, "out of memory");
}

/* False when it failed. */
static bool take_name(struct session *s, const char *name, const struct serve_policy *p, bool *ret_has,
                      struct consumer_state *ret_state)
{
    struct session_ref older = {0};
    *ret_has = false;
    if (name[0] == '\0')
        return true;
    if (!consumer_name_ok(name)) {
        session_fail(s, CODE(PROTOCOL), 0, "a consumer name has 1 to %d of letters, digits, '.', '_' and '-'",
                     CONSUMER_NAME_MAX);
        return false;
    }
    if (!may_use_name(s, name, p)) {
        session_fail(s, CODE(FORBIDDEN), 0, "user \"%s\" may not use the consumer name %s", s->pub.user, name);
        return false;
    }
    const struct names_limits limits = {
        .in_all = p->max_names, .per_user = p->max_names_per_user, .user = s->pub.user, .users = p->users};
    int rc = names_attach(&s->w->s->names, name, session_ref_of(s), &limits, &older, ret_has, ret_state);
    if (rc != 0) {
        no_name(s, rc, p);
        return false;
    }
    s->named = true;
    (void)pthread_mutex_lock(&s->w->pub_lock);
    memcpy(s->pub.name, name, strlen(name) + 1);
    (void)pthread_mutex_unlock(&s->w->pub_lock);
    tell_older(s, older);
    return true;
}

static const char *flavor_name(struct session *s)
{
    enum gtid_kind kind = seek_flavor(&s->w->s->files, s->w->newest.file);
    return kind == GTID_MYSQL ? "mysql" : kind == GTID_MARIADB ? "mariadb" : "";
}

static void reply(struct session *s, const struct serve_policy *p, uint32_t version, bool has,
                  const struct consumer_state *state)
{
    Logtailer__Tail__HelloReply m = LOGTAILER__TAIL__HELLO_REPLY__INIT;
    struct store_segment_info info;
    struct place earliest;
    struct place durable;
    tail_position committed = LOGTAILER__TAIL__POSITION__INIT;
    bool sealed;

    m.version = version;
    m.agent = s->w->s->agent;
    m.flavor = (char *)flavor_name(s);
    m.heartbeat_ms = (uint32_t)((p->heartbeat_us + 999) / 1000);
    m.max_request_bytes = FRAME_REQUEST_MAX;
    if (store_oldest(s->w->s->store, &info) == 0) {
        place_set(&earliest, &info, BINLOG_MAGIC_LEN);
        m.earliest = &earliest.position;
    }
    if (s->w->newest.file != NULL) {
        place_set(&durable, &s->w->newest.file->info, file_end(s->w->newest.file, &sealed));
        m.durable = &durable.position;
    }
    if (has) {
        committed.lineage = state->lineage;
        committed.source_id = (char *)state->source_id;
        committed.file = (char *)state->file;
        committed.offset = state->offset;
        m.committed = &committed;
    }
    if (!out_build(s, FRAME_HELLO_REPLY, &m.base, 0))
        session_fail(s, CODE(INTERNAL), SERVE_RETRY_MAX_MS, "out of memory");
}

void session_hello(struct session *s, const tail_hello *m)
{
    struct consumer_state state;
    bool has;
    struct serve_policy *p = policy_get(s->w->s);
    if (m->min_version > m->max_version || m->min_version > TAIL_VERSION_MAX || m->max_version < TAIL_VERSION_MIN) {
        session_fail(s, CODE(VERSION), 0, "the client speaks versions %u to %u, the server %u to %u", m->min_version,
                     m->max_version, TAIL_VERSION_MIN, TAIL_VERSION_MAX);
    } else if (identify(s, m, p) && take_name(s, m->name, p, &has, &state)) {
        s->judged = p->generation;
        (void)pthread_mutex_lock(&s->w->pub_lock);
        (void)snprintf(s->pub.agent, sizeof s->pub.agent, "%.63s", m->agent);
        (void)pthread_mutex_unlock(&s->w->pub_lock);
        reply(s, p, m->max_version < TAIL_VERSION_MAX ? m->max_version : TAIL_VERSION_MAX, has, &state);
        if (s->error == NULL) {
            session_settled(s);
            session_set_state(s, SESSION_READY);
        }
    }
    policy_put(p);
}

/* Is it a place of this log, as far as a look at the file's size tells? */
static bool check_commit(struct session *s, const tail_position *pos, struct consumer_state *ret)
{
    struct places_found found;
    struct places_wanted at = wanted_place(pos);
    if (!binlog_name_ok(at.file)) {
        session_fail(s, CODE(BAD_POSITION), 0, "a commit without a position");
        return false;
    }
    enum places_verdict verdict = places_check(&s->w->s->files, &at, &found);
    if (verdict == PLACES_NOT_FOUND)
        session_fail(s, CODE(NOT_FOUND), 0, "a commit in a file that is not here: %s", found.why);
    else if (verdict != PLACES_OK)
        session_fail_place(s, verdict, found.why);
    if (verdict != PLACES_OK)
        return false;
    ret->lineage = found.info.lineage;
    ret->offset = at.offset;
    memcpy(ret->file, found.info.file, sizeof ret->file);
    memcpy(ret->source_id, found.info.source_id, sizeof ret->source_id);
    return true;
}

void session_commit(struct session *s, const tail_commit *m)
{
    struct consumer_state c = {.committed_us = clock_wall_us()};
    if (!s->named) {
        session_fail(s, CODE(UNNAMED), 0, "a commit of a consumer without a name");
        return;
    }
    if (!check_commit(s, m->position, &c))
        return;
    memcpy(c.name, s->pub.name, sizeof c.name);
    if (names_commit(&s->w->s->names, session_ref_of(s), &c) != 0)
        session_fail(s, CODE(NAME_IN_USE), 0, "a newer connection uses the name %s", s->pub.name);
}
