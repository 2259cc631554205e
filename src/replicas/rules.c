/*
 * Who may come, and how long things may take: what a reload replaces as a whole.
 *
 * - Without a users file nobody has a user; who needs none says `anonymous`.
 * - What a login by caching_sha2_password left for the next one goes with the table that it was made from.
 */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "replicas/internal.h"

#define RSA_BITS 2048

void rules_free(struct replicas_policy *p)
{
    if (p == NULL)
        return;
    if (p->fast != NULL)
        OPENSSL_cleanse(p->fast, replica_users_count(p->users) * sizeof *p->fast);
    free(p->fast);
    free(p->has_fast);
    replica_users_free(p->users);
    SSL_CTX_free(p->tls);
    free(p);
}

static int load_users(struct replicas_policy *p, const char *path, struct lt_err *err)
{
    if (path == NULL)
        return 0;
    int rc = replica_users_load(path, &p->users, err);
    if (rc != 0)
        return lt_err_wrap(err, "replicas.users_file");
    size_t n = replica_users_count(p->users) + 1;
    p->fast = calloc(n, sizeof *p->fast);
    p->has_fast = calloc(n, sizeof *p->has_fast);
    return p->fast == NULL || p->has_fast == NULL ? lt_err_set(err, LT_ENOMEM, "users") : 0;
}

static int fill(struct replicas_policy *p, const struct replicas_options *opt, struct lt_err *err)
{
    int rc = load_users(p, opt->users_file, err);
    if (rc == 0 && opt->ssl_cert != NULL) {
        struct tls_files files = {.cert = opt->ssl_cert, .key = opt->ssl_key, .ca = opt->ssl_ca};
        rc = tls_context(&files, &p->tls, err);
    }
    return rc;
}

int rules_make(const struct replicas_options *opt, struct replicas_policy **ret, struct lt_err *err)
{
    struct replicas_policy *p = calloc(1, sizeof *p);
    if (p == NULL)
        return lt_err_set(err, LT_ENOMEM, "replicas");
    p->anonymous = opt->anonymous;
    if (p->anonymous == ANONYMOUS_AUTO)
        p->anonymous = opt->users_file == NULL ? ANONYMOUS_LOOPBACK : ANONYMOUS_NO;
    p->input_memory = opt->input_memory != 0 ? opt->input_memory : REPLICAS_INPUT_MEMORY;
    p->limit_loopback = opt->limit_loopback;
    p->max_replicas = opt->max_replicas != 0 ? opt->max_replicas : 1000;
    p->max_lag = opt->max_lag;
    p->send_timeout_us = opt->send_timeout_us != 0 ? opt->send_timeout_us : REPLICAS_SEND_TIMEOUT_US;
    p->login_us = opt->login_us != 0 ? opt->login_us : REPLICAS_LOGIN_US;
    p->auth_delay_us = opt->auth_delay_us != 0 ? opt->auth_delay_us : REPLICAS_AUTH_DELAY_US;
    int rc = fill(p, opt, err);
    if (rc != 0) {
        rules_free(p);
        return rc;
    }
    *ret = p;
    return 0;
}

bool rules_mark(const struct replicas_policy *p, const char *user, unsigned char ret[32])
{
    unsigned int len = 0;
    const struct replica_user *u = replica_users_find(p->users, user, NULL);
    return u != NULL && EVP_Digest(u->verifiers, sizeof u->verifiers, ret, &len, EVP_sha256(), NULL) == 1;
}

bool rules_lets_in_nameless(const struct replicas_policy *p, bool loopback)
{
    return p->anonymous == ANONYMOUS_YES || (p->anonymous == ANONYMOUS_LOOPBACK && loopback);
}

/* For passwords that come without TLS; as servers do, made at each start. */
int rules_rsa(EVP_PKEY **ret, char **ret_pem, struct lt_err *err)
{
    EVP_PKEY *key = EVP_RSA_gen(RSA_BITS);
    BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL;
    char *copy = NULL;
    if (key != NULL && bio != NULL && PEM_write_bio_PUBKEY(bio, key) == 1) {
        long len = BIO_get_mem_data(bio, &data);
        copy = len > 0 ? strndup(data, (size_t)len) : NULL;
    }
    (void)BIO_free(bio);
    if (copy == NULL) {
        EVP_PKEY_free(key);
        return lt_err_set(err, LT_ENOMEM, "RSA key");
    }
    *ret = key;
    *ret_pem = copy;
    return 0;
}
