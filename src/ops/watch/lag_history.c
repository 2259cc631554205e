#include "ops/watch/lag_history.h"

#include <string.h>

#define GAP_SHARE 32 /* of its age that a gap may be */

static bool more(const struct lag_mark *a, const struct lag_mark *b)
{
    return a->number != b->number ? a->number > b->number : a->amount > b->amount;
}

/* The older a sample, the less its exact time matters: gaps may grow with age, so that some hundred samples reach back for weeks. */
static void thin(struct lag_history *h)
{
    const struct lag_sample *s = h->sample;
    uint64_t now_us = s[h->count - 1].at_us;
    unsigned kept = 1;
    for (unsigned i = 1; i + 1 < h->count; i++) {
        uint64_t gap_us = s[i + 1].at_us - s[kept - 1].at_us;
        if (gap_us > (now_us - s[i + 1].at_us) / GAP_SHARE)
            h->sample[kept++] = s[i];
    }
    h->sample[kept++] = s[h->count - 1];
    if (kept == h->count) /* a lifetime is full: the oldest goes */
        memmove(&h->sample[0], &h->sample[1], --kept * sizeof h->sample[0]);
    h->count = kept;
}

void lag_history_note(struct lag_history *h, bool by_place, const struct lag_sample *s)
{
    if (h->by_place != by_place || (h->count > 0 && more(&h->sample[h->count - 1].had, &s->had)))
        h->count = 0;
    h->by_place = by_place;
    if (h->count == LAG_SAMPLES)
        thin(h);
    h->sample[h->count++] = *s;
}

static uint64_t age(uint64_t then_us, uint64_t now_us)
{
    return now_us > then_us ? now_us - then_us : 0;
}

void lag_history_since(const struct lag_history *h, const struct lag_mark *held, uint64_t now_us, struct lag_since *ret)
{
    unsigned first = 0; /* that had more; samples ascend, but halving would save nothing that counts here */
    *ret = (struct lag_since){0};
    while (first < h->count && !more(&h->sample[first].had, held))
        first++;
    if (first < h->count) {
        ret->more = true;
        ret->least_us = age(h->sample[first].at_us, now_us);
    }
    if (first > 0) {
        ret->most_known = true;
        ret->most_us = age(h->sample[first - 1].asked_us, now_us);
    }
}
