/*
 * Until somebody is let in: greeting, TLS, the password.
 *
 * - Who is not there goes the same way as who is, and is denied at its end. A wrong password is answered late.
 * - Who needs no user comes with any name and no password.
 * - A password without TLS goes sealed by our RSA key, or not at all.
 */
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "mysqlwire/capability.h"
#include "replicas/internal.h"

#define ACCESS_DENIED 1045
#define BAD_HANDSHAKE 1043

struct login {
    struct auth auth;
    struct verifier verifiers[VERIFIER_KINDS]; /* copies: a reload may come meanwhile */
    uint8_t fast[VERIFIER_FAST_LEN];
    uint8_t nonce[VERIFIER_ED25519_NONCE_LEN];
    uint32_t offered;
    bool with_password;
    bool change_user;
};

static bool make_nonce(uint8_t nonce[VERIFIER_ED25519_NONCE_LEN])
{
    if (RAND_bytes(nonce, VERIFIER_ED25519_NONCE_LEN) != 1)
        return false;
    for (size_t i = 0; i < VERIFIER_ED25519_NONCE_LEN; i++)
        nonce[i] = (uint8_t)(nonce[i] % 127 + 1); /* no zero, and 7 bits, as servers have it */
    return true;
}

static enum verifier_kind usual_plugin(struct replicas *r)
{
    bool mariadb;
    bool crc;
    char version[VERSION_MAX];
    (void)replicas_flavor(r, &mariadb, &crc, version);
    return mariadb ? VERIFIER_NATIVE : VERIFIER_SHA2;
}

/* MariaDB's servers put this in front, because old clients take a first number of 10 for 1. */
static void greeting_version(struct replicas *r, char *ret, size_t cap)
{
    bool mariadb;
    bool crc;
    char version[VERSION_MAX];
    if (!replicas_flavor(r, &mariadb, &crc, version))
        memcpy(version, "8.4.0-logtailer", sizeof "8.4.0-logtailer"); /* nothing is stored: nobody can be served */
    (void)snprintf(ret, cap, "%s%s", mariadb && strncmp(version, "5.", 2) != 0 ? "5.5.5-" : "", version);
}

bool login_greet(struct client *s)
{
    uint8_t packet[256];
    char version[VERSION_MAX + 8];
    size_t len = 0;
    s->login = calloc(1, sizeof *s->login);
    if (s->login == NULL || !make_nonce(s->login->nonce))
        return false;
    s->login->offered = CAP_OFFERED | (s->r->policy->tls != NULL ? CAP_TLS : 0);
    greeting_version(s->r, version, sizeof version);
    struct handshake_greeting g = {.version = version,
                                   .thread_id = s->thread_id,
                                   .capabilities = s->login->offered,
                                   .plugin = verifier_plugin(usual_plugin(s->r))};
    memcpy(g.nonce, s->login->nonce, sizeof g.nonce);
    if (handshake_write_greeting(&g, packet, sizeof packet, &len) != 0)
        return false;
    s->seq = (uint8_t)-1;
    return packets_packet(s, packet, len);
}

void login_free(struct client *s)
{
    if (s->login == NULL)
        return;
    OPENSSL_cleanse(s->login, sizeof *s->login);
    free(s->login);
    s->login = NULL;
}

static void hang_up(struct client *s, const char *why)
{
    if (packets_err(s, BAD_HANDSHAKE, "08S01", "Bad handshake")) {
        log_info("replicas", "%s: closed: %s", s->address, why);
        client_set_state(s, CLIENT_CLOSING);
    } else {
        client_close(s, why);
    }
}

void login_begin_commands(struct client *s)
{
    login_free(s);
    client_set_state(s, CLIENT_COMMAND);
    client_arm(s, WAIT_TIMEOUT_US);
}

static void let_in(struct client *s)
{
    struct reply reply;
    bool change_user = s->login->change_user;
    reply_begin(&reply, s->capabilities, s->seq);
    reply_ok(&reply);
    if (!packets_reply(s, &reply)) {
        client_close(s, "out of memory");
        return;
    }
    if (!change_user)
        log_info("replicas", "%s user=%s%s: logged in%s", s->address, s->user, s->anonymous ? " (needs none)" : "",
                 s->ch.ssl != NULL ? " with TLS" : "");
    crowd_logged_in(s);
    login_begin_commands(s);
}

/* The fast way for the next time; the table is the one of now, which may be another than the one that was asked. */
static void remember(struct client *s)
{
    size_t at;
    struct replicas_policy *p = s->r->policy;
    unsigned char mark[32];
    if (!s->login->auth.has_fast || replica_users_find(p->users, s->user, &at) == NULL ||
        !rules_mark(p, s->user, mark) || memcmp(mark, s->mark, sizeof mark) != 0)
        return;
    memcpy(p->fast[at], s->login->auth.fast, VERIFIER_FAST_LEN);
    p->has_fast[at] = true;
}

static void deny(struct client *s)
{
    atomic_fetch_add(&s->r->denied, 1);
    log_warn("replicas", "%s: access denied", s->address); /* no name: people type passwords there */
    client_set_state(s, CLIENT_PENALTY);
    client_arm(s, s->r->policy->auth_delay_us);
}

void login_penalty_over(struct client *s)
{
    bool with = s->login != NULL && s->login->with_password;
    if (!packets_err(s, ACCESS_DENIED, "28000", "Access denied for user '%.64s'@'%s' (using password: %s)", s->user,
                     s->host, with ? "YES" : "NO")) {
        client_close(s, "out of memory");
        return;
    }
    client_set_state(s, CLIENT_CLOSING);
    client_arm(s, s->r->policy->login_us);
    client_turn(s);
}

static void go_on(struct client *s, int rc, enum auth_state state)
{
    struct auth *a = &s->login->auth;
    if (rc != 0) {
        hang_up(s, "an answer that no client gives");
        return;
    }
    if (a->packet_len > 0 && state != AUTH_DENIED && !packets_packet(s, a->packet, a->packet_len)) {
        client_close(s, "out of memory");
        return;
    }
    if (state == AUTH_DENIED) {
        deny(s);
    } else if (state == AUTH_ACCEPTED) {
        remember(s);
        let_in(s);
    } else {
        s->login->with_password = true;
        client_set_state(s, CLIENT_AUTH);
    }
}

/* Clients that have no password send nothing, or a lone NUL. */
static bool without_password(const struct handshake_login *l)
{
    return l->proof_len == 0 || (l->proof_len == 1 && l->proof[0] == 0);
}

static void judge(struct client *s, const struct handshake_login *l)
{
    struct replicas_policy *p = s->r->policy;
    struct login *lg = s->login;
    size_t at = 0;
    const struct replica_user *u = replica_users_find(p->users, l->user, &at);
    memcpy(s->user, l->user, sizeof s->user);
    lg->with_password = !without_password(l);
    s->anonymous = u == NULL && !lg->with_password && rules_lets_in_nameless(p, s->loopback);
    if (s->anonymous) {
        let_in(s);
        return;
    }
    struct auth_account account = {.verifiers = lg->verifiers};
    if (u != NULL) {
        memcpy(lg->verifiers, u->verifiers, sizeof lg->verifiers);
        account.count = u->count;
        (void)rules_mark(p, u->name, s->mark);
        if (p->has_fast[at]) {
            memcpy(lg->fast, p->fast[at], sizeof lg->fast);
            account.fast = lg->fast;
        }
    }
    struct auth_ways ways = {
        .private_way = s->ch.ssl != NULL, .rsa = s->r->rsa, .rsa_pem = s->r->rsa_pem, .usual = usual_plugin(s->r)};
    enum auth_state state = AUTH_DENIED;
    int rc = auth_begin(&lg->auth, &account, &ways, lg->nonce, l, &state);
    go_on(s, rc, state);
}

static void begin_tls(struct client *s)
{
    struct lt_err err = {0};
    if (s->ch.ssl != NULL) {
        hang_up(s, "TLS inside of TLS");
        return;
    }
    if (channel_start_tls(&s->ch, s->r->policy->tls, &err) != 0) {
        client_close(s, err.text);
        return;
    }
    client_set_state(s, CLIENT_TLS);
    login_tls(s);
}

void login_tls(struct client *s)
{
    struct lt_err err = {0};
    int rc = channel_handshake(&s->ch, &err);
    if (rc == LT_EAGAIN) {
        if (s->ch.wants_write)
            (void)event_add(&s->on_write, NULL);
        return;
    }
    if (rc != 0)
        client_close(s, rc == LT_EOS ? "it left in the TLS handshake" : err.text);
    else
        client_set_state(s, CLIENT_LOGIN);
}

void login_packet(struct client *s, const uint8_t *payload, size_t len)
{
    struct handshake_login l;
    enum auth_state state = AUTH_DENIED;
    if (s->state == CLIENT_AUTH) {
        int rc = auth_input(&s->login->auth, payload, len, &state);
        go_on(s, rc, state);
        return;
    }
    int rc = handshake_parse_login(payload, len, s->login->offered, &l);
    if (rc != 0) {
        hang_up(s, "a login that no client sends");
        return;
    }
    s->capabilities = l.capabilities;
    if (l.wants_tls && s->r->policy->tls != NULL)
        begin_tls(s);
    else if (l.wants_tls)
        hang_up(s, "TLS where there is none");
    else
        judge(s, &l);
}

/* COM_CHANGE_USER: everything anew, with another nonce where the plugin wants one. */
void login_change_user(struct client *s, const uint8_t *payload, size_t len)
{
    struct handshake_login l;
    s->login = calloc(1, sizeof *s->login);
    if (s->login == NULL || !make_nonce(s->login->nonce)) {
        client_close(s, "out of memory");
        return;
    }
    s->login->change_user = true;
    user_vars_fini(&s->vars);
    if (handshake_parse_change_user(payload, len, s->capabilities, &l) != 0) {
        hang_up(s, "a change of user that no client sends");
        return;
    }
    client_arm(s, s->r->policy->login_us);
    /* Its proof is over the first login's nonce, which is gone: a switch gives it another. */
    memset(l.plugin, 0, sizeof l.plugin);
    memcpy(l.plugin, "none", sizeof "none");
    judge(s, &l);
}
