/* Certificates for TLS tests, made with OpenSSL when a test starts. */
#include "fake_primary.h"

#include <stdio.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/err.h"

#define DAY (24l * 60 * 60)

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    lt_assert(ext && X509_add_ext(cert, ext, -1) == 1);
    X509_EXTENSION_free(ext);
}

/* issuer NULL: signs itself, a CA. */
static X509 *make_cert(EVP_PKEY *key, const char *name, X509 *issuer, EVP_PKEY *issuer_key, int valid_days)
{
    static long serial = 1;
    X509 *cert = X509_new();
    lt_assert(cert);
    (void)X509_set_version(cert, 2);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
    long until = valid_days * DAY;
    (void)X509_gmtime_adj(X509_getm_notBefore(cert), until < 0 ? until - DAY : -DAY);
    (void)X509_gmtime_adj(X509_getm_notAfter(cert), until);
    (void)X509_set_pubkey(cert, key);
    X509_NAME *subject = X509_get_subject_name(cert);
    lt_assert(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) == 1);
    (void)X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) : subject);
    if (issuer) {
        char alt[300];
        (void)snprintf(alt, sizeof alt, "DNS:%s,IP:127.0.0.1", name);
        add_extension(cert, issuer, NID_subject_alt_name, alt);
    } else {
        add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE");
    }
    lt_assert(X509_sign(cert, issuer_key, EVP_sha256()) > 0);
    return cert;
}

static void write_cert(const char *path, X509 *cert)
{
    FILE *f = fopen(path, "we");
    lt_assert(f && PEM_write_X509(f, cert) == 1);
    (void)fclose(f);
}

static void write_key(const char *path, EVP_PKEY *key)
{
    FILE *f = fopen(path, "we");
    lt_assert(f && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1);
    (void)fclose(f);
}

/* revoked may be NULL; a list that is valid for so many days from yesterday on. */
static void write_crl(const char *path, X509 *ca, EVP_PKEY *ca_key, const X509 *revoked, int days)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *at = ASN1_TIME_new();
    lt_assert(crl && at && X509_CRL_set_version(crl, 1) == 1);
    (void)X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca));
    (void)X509_gmtime_adj(at, -DAY);
    (void)X509_CRL_set1_lastUpdate(crl, at);
    if (revoked) {
        X509_REVOKED *entry = X509_REVOKED_new();
        lt_assert(entry);
        (void)X509_REVOKED_set_serialNumber(entry, (ASN1_INTEGER *)X509_get0_serialNumber(revoked));
        (void)X509_REVOKED_set_revocationDate(entry, at);
        lt_assert(X509_CRL_add0_revoked(crl, entry) == 1);
    }
    (void)X509_gmtime_adj(at, (days - 1) * DAY + DAY / 2);
    (void)X509_CRL_set1_nextUpdate(crl, at);
    FILE *f = fopen(path, "we");
    lt_assert(f && X509_CRL_sign(crl, ca_key, EVP_sha256()) > 0 && PEM_write_X509_CRL(f, crl) == 1);
    (void)fclose(f);
    ASN1_TIME_free(at);
    X509_CRL_free(crl);
}

static void write_crls(struct fake_certs *ret, const char *dir, X509 *ca, EVP_PKEY *ca_key, const X509 *cert)
{
    (void)snprintf(ret->crl, sizeof ret->crl, "%s/crl.pem", dir);
    (void)snprintf(ret->crl_empty, sizeof ret->crl_empty, "%s/crl-empty.pem", dir);
    (void)snprintf(ret->crl_stale, sizeof ret->crl_stale, "%s/crl-stale.pem", dir);
    write_crl(ret->crl, ca, ca_key, cert, 30);
    write_crl(ret->crl_empty, ca, ca_key, NULL, 30);
    write_crl(ret->crl_stale, ca, ca_key, NULL, 0);
}

void fake_certs_make(const char *dir, const char *host, int valid_days, struct fake_certs *ret)
{
    EVP_PKEY *ca_key = EVP_EC_gen("P-256");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    lt_assert(ca_key && key);
    char name[64]; /* CAs of one name could not be told apart in a list of what they revoked */
    (void)snprintf(name, sizeof name, "test CA of %.40s", host);
    X509 *ca = make_cert(ca_key, name, NULL, ca_key, 30);
    X509 *other = make_cert(key, "other CA", NULL, key, 30);
    X509 *cert = make_cert(key, host, ca, ca_key, valid_days);
    (void)snprintf(ret->ca, sizeof ret->ca, "%s/ca.pem", dir);
    (void)snprintf(ret->cert, sizeof ret->cert, "%s/server.pem", dir);
    (void)snprintf(ret->key, sizeof ret->key, "%s/server.key", dir);
    (void)snprintf(ret->other_ca, sizeof ret->other_ca, "%s/other-ca.pem", dir);
    write_cert(ret->ca, ca);
    write_cert(ret->cert, cert);
    write_cert(ret->other_ca, other);
    write_key(ret->key, key);
    write_crls(ret, dir, ca, ca_key, cert);
    X509_free(ca);
    X509_free(other);
    X509_free(cert);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
}
