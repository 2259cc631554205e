/* Faults of the network between logtailerd and its source. */
#include "soak.h"

static enum proxy_cut any_cut(struct soak *s)
{
    return soak_random(s, 2) == 0 ? PROXY_CUT_FIN : PROXY_CUT_RST;
}

void soak_fault_cuts(struct soak *s)
{
    for (unsigned i = soak_between(s, 1, 6); i > 0; i--) {
        proxy_cut(soak_primary(s)->px, any_cut(s));
        proc_sleep_ms(soak_between(s, 0, 300)); /* also while it proves */
    }
}

void soak_fault_unreachable(struct soak *s)
{
    struct proxy *px = soak_primary(s)->px;
    proxy_set_accept(px, soak_random(s, 2) == 0 ? PROXY_REFUSE : PROXY_HANG);
    proxy_cut(px, any_cut(s));
    proc_sleep_ms(soak_between(s, 100, 3000));
    proxy_set_accept(px, PROXY_ACCEPT);
}

void soak_fault_stall(struct soak *s)
{
    struct proxy *px = soak_primary(s)->px;
    unsigned which = soak_between(s, 1, 3);
    proxy_pause(px, PROXY_TO_CLIENT, (which & 1) != 0);
    proxy_pause(px, PROXY_TO_SERVER, (which & 2) != 0);
    proc_sleep_ms(soak_between(s, 100, 5000));
    proxy_pause(px, PROXY_TO_CLIENT, false);
    proxy_pause(px, PROXY_TO_SERVER, false);
}

void soak_fault_slow(struct soak *s)
{
    struct proxy *px = soak_primary(s)->px;
    proxy_delay(px, PROXY_TO_CLIENT, soak_between(s, 0, 30));
    proxy_delay(px, PROXY_TO_SERVER, soak_between(s, 0, 30));
    proxy_split(px, soak_between(s, 1, 3000));
    proc_sleep_ms(soak_between(s, 500, 2000));
    proxy_delay(px, PROXY_TO_CLIENT, 0);
    proxy_delay(px, PROXY_TO_SERVER, 0);
    proxy_split(px, 0);
}

/* TCP loses nothing that a connection survives: the connection ends behind the loss. */
void soak_fault_lost_acks(struct soak *s)
{
    struct proxy *px = soak_primary(s)->px;
    proxy_drop(px, PROXY_TO_SERVER, true);
    proc_sleep_ms(soak_between(s, 10, 1500));
    proxy_cut(px, any_cut(s));
    proxy_drop(px, PROXY_TO_SERVER, false);
}

/* Near a row, so that it meets the stream and no query's answer. Without checksums nobody could tell. */
void soak_fault_flipped_byte(struct soak *s)
{
    enum { FAR = 2000 };
    struct soak_side *primary = soak_primary(s);
    sql_must(primary->root, "SET GLOBAL binlog_checksum=CRC32");
    if (!daemon_wait_caught_up(s->dm, primary->root, RIG_WAIT_MS))
        soak_fail(s, "not caught up");
    for (unsigned i = soak_between(s, 1, 4); i > 0; i--) {
        proxy_corrupt_near(primary->px, "id=", (size_t)soak_random(s, FAR), (unsigned char)(1U << soak_random(s, 8)));
        proc_sleep_ms(soak_between(s, 50, 500));
    }
}
