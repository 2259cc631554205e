#include "base/order_id.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"

uint32_t order_id_boot(void)
{
    unsigned boot = 0;
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (f == NULL)
        return 0;
    if (fscanf(f, "%8x", &boot) != 1) // NOLINT(cert-err34-c): at most eight digits fit
        boot = 0;
    (void)fclose(f);
    return boot;
}

void order_id_make(uint64_t within_us, char ret[ORDER_ID_MAX])
{
    uint32_t random = 0;
    uint64_t now = clock_mono_us();
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
        random = (uint32_t)getpid() * 2654435761u;
    (void)snprintf(ret, ORDER_ID_MAX, "%08" PRIx32 "-%" PRIx64 "-%" PRIx64 "-%08" PRIx32, order_id_boot(), now,
                   within_us, random);
}

/* Lower-case hexadecimal of at most max up to end, which is passed. */
static int take(const char **p, char end, uint64_t max, uint64_t *ret)
{
    size_t len = strspn(*p, "0123456789abcdef");
    if (len == 0 || len > 16 || (*p)[len] != end)
        return LT_EINVAL;
    *ret = strtoull(*p, NULL, 16);
    *p += len + (end != '\0');
    return *ret <= max ? LT_OK : LT_EINVAL;
}

int order_id_parse(const char *text, struct order_id *ret)
{
    uint64_t boot = 0;
    uint64_t random = 0;
    const char *p = text;
    *ret = (struct order_id){0};
    if (strlen(text) >= ORDER_ID_MAX || take(&p, '-', UINT32_MAX, &boot) != LT_OK ||
        take(&p, '-', INT64_MAX, &ret->sent_us) != LT_OK || take(&p, '-', INT64_MAX, &ret->within_us) != LT_OK ||
        take(&p, '\0', UINT32_MAX, &random) != LT_OK)
        return LT_EINVAL;
    ret->boot = (uint32_t)boot;
    ret->random = (uint32_t)random;
    return LT_OK;
}

uint64_t order_id_deadline_us(const struct order_id *id)
{
    return id->sent_us + id->within_us; /* both are below 2^63 */
}
