/*
 * - A policy is made whole from options, checked, and then replaces the one before; readers count their use of it.
 * Failure: the old policy stays.
 */
#include <stdlib.h>

#include "base/log.h"
#include "serve/serve_internal.h"

static uint64_t or_default(uint64_t v, uint64_t otherwise)
{
    return v != 0 ? v : otherwise;
}

int policy_make(const struct serve_options *opt, struct serve_policy **ret, struct lt_err *err)
{
    bool exposed = false;
    struct serve_policy *p = calloc(1, sizeof *p);
    if (p == NULL)
        return lt_err_set(err, LT_ENOMEM, "serve");
    atomic_init(&p->refs, 1);
    p->client_certificates = opt->ssl_ca != NULL;
    p->anonymous = opt->anonymous;
    p->clear_tokens = opt->users_file != NULL && opt->ssl_cert == NULL && opt->beyond_loopback;
    if (p->anonymous == ANONYMOUS_AUTO)
        p->anonymous = opt->users_file != NULL || p->client_certificates ? ANONYMOUS_NO : ANONYMOUS_LOOPBACK;
    p->max_consumers = (uint32_t)or_default(opt->max_consumers, 10000);
    p->limit_loopback = opt->max_per_address != 0;
    uint32_t quarter = p->max_consumers / 4;
    p->max_per_address = opt->max_per_address != 0           ? opt->max_per_address
                         : quarter > SERVE_PER_ADDRESS_LEAST ? quarter
                                                             : SERVE_PER_ADDRESS_LEAST;
    p->heartbeat_us = or_default(opt->heartbeat_us, 1000000);
    p->send_timeout_us = or_default(opt->send_timeout_us, 60000000);
    p->memory = or_default(opt->memory_bytes, SERVE_MEMORY);
    p->consumer_max_lag = opt->consumer_max_lag;
    p->consumer_max_age_us = opt->consumer_max_age_us;
    p->max_names = opt->max_names;
    p->max_names_per_user = opt->max_names_per_user;
    p->handshake_us = or_default(opt->handshake_us, SERVE_HANDSHAKE_US);
    p->auth_delay_us = or_default(opt->auth_delay_us, SERVE_AUTH_DELAY_US);
    int rc = 0;
    if (opt->users_file != NULL)
        rc = users_load(opt->users_file, &p->users, &exposed, err);
    if (rc == 0 && exposed)
        log_warn("serve", "the users file can be read by every local user");
    if (rc == 0 && opt->ssl_cert != NULL)
        rc = tls_context(
            &(struct tls_files){.cert = opt->ssl_cert, .key = opt->ssl_key, .ca = opt->ssl_ca, .crl = opt->ssl_crl},
            &p->tls, err);
    if (rc == 0 && opt->ssl_crl != NULL && tls_crl_is_stale(p->tls))
        log_warn("serve", "a list in %s is past its time: no client certificate of that CA is taken", opt->ssl_crl);
    if (rc != 0) {
        policy_put(p);
        return rc;
    }
    *ret = p;
    return 0;
}

void policy_tell(const struct serve_policy *p)
{
    if (p->anonymous == ANONYMOUS_YES)
        log_notice("serve", "whoever reaches the port reads every row (tail.allow_anonymous = yes)");
    else if (p->anonymous == ANONYMOUS_LOOPBACK)
        log_notice("serve", "whoever is on this machine reads every row; with tail.users_file or tail.ssl_ca, or with "
                            "tail.allow_anonymous = no, nobody does without a user");
    else if (p->users == NULL && !p->client_certificates)
        log_warn("serve",
                 "no consumer gets in: tail.allow_anonymous = no, and neither tail.users_file nor tail.ssl_ca is set");
    else
        log_notice("serve", "consumers need a user, on this machine too");
    if (p->clear_tokens)
        log_warn("serve",
                 "tokens and rows come over the network in clear text: tail.ssl_cert and tail.ssl_key turn TLS on");
}

struct serve_policy *policy_get(struct serve *s)
{
    (void)pthread_mutex_lock(&s->policy_lock);
    struct serve_policy *p = s->policy;
    atomic_fetch_add(&p->refs, 1);
    (void)pthread_mutex_unlock(&s->policy_lock);
    return p;
}

void policy_put(struct serve_policy *p)
{
    if (p == NULL || atomic_fetch_sub(&p->refs, 1) != 1)
        return;
    users_free(p->users);
    SSL_CTX_free(p->tls);
    free(p);
}

uint64_t policy_places(const struct serve *s, const struct serve_policy *p)
{
    uint64_t allowed = atomic_load(&s->fd_limit);
    return p->max_consumers < allowed ? p->max_consumers : allowed;
}
