/* Dates of certificate files: the earliest end of validity of all certificates in a PEM file. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <stdio.h>
#include <time.h>

#include "ops/watch/monitor_ask.h"

static int64_t not_after_s(const X509 *cert)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) != 1)
        return 0;
    return (int64_t)timegm(&tm);
}

int64_t monitor_cert_not_after(const char *path)
{
    int64_t earliest = 0;
    FILE *f = fopen(path, "rbe");
    if (f == NULL)
        return 0;
    X509 *cert;
    while ((cert = PEM_read_X509(f, NULL, NULL, NULL)) != NULL) {
        int64_t s = not_after_s(cert);
        if (s != 0 && (earliest == 0 || s < earliest))
            earliest = s;
        X509_free(cert);
    }
    ERR_clear_error(); /* the end of the file is an error to the library */
    (void)fclose(f);
    return earliest;
}
