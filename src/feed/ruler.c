#include "feed/ruler.h"

#include <stdlib.h>
#include <string.h>

void ruler_fini(struct ruler *r)
{
    free(r->list);
    free(r->before);
}

int ruler_init(struct ruler *r, struct store *store)
{
    memset(r, 0, sizeof *r);
    int rc = store_list(store, &r->list, &r->n);
    if (rc != 0)
        return rc;
    r->before = calloc(r->n + 1, sizeof *r->before);
    if (r->before == NULL) {
        ruler_fini(r);
        return LT_ENOMEM;
    }
    for (size_t i = 0; i < r->n; i++)
        r->before[i + 1] = r->before[i] + r->list[i].bytes;
    return 0;
}

static int compare_place(const struct store_segment_info *info, unsigned lineage, uint64_t number)
{
    uint64_t n = binlog_name_number(info->file);
    if (info->lineage != lineage)
        return info->lineage < lineage ? -1 : 1;
    return n < number ? -1 : n > number;
}

uint64_t ruler_lag(const struct ruler *r, unsigned lineage, const char *file, uint64_t offset)
{
    uint64_t number = binlog_name_number(file);
    size_t low = 0;
    size_t high = r->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (compare_place(&r->list[mid], lineage, number) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    uint64_t at = r->before[low];
    if (low < r->n && compare_place(&r->list[low], lineage, number) == 0)
        at += offset < r->list[low].bytes ? offset : r->list[low].bytes;
    return r->before[r->n] - at;
}
