#include "ops/common/json_put.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

json_t *wall_time(uint64_t us)
{
    char buf[40];
    struct tm tm;
    time_t s = (time_t)(us / 1000000);
    if (us == 0 || gmtime_r(&s, &tm) == NULL)
        return json_null();
    size_t n = strftime(buf, sizeof buf, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(buf + n, sizeof buf - n, ".%03uZ", (unsigned)(us / 1000 % 1000));
    return json_string(buf);
}

json_t *file_offset(const char *file, uint64_t offset)
{
    if (file[0] == '\0')
        return json_null();
    json_t *o = json_object();
    put(o, "file", json_string(file));
    put(o, "offset", count(offset));
    return o;
}

json_t *gtids(const struct gtid_set *gs)
{
    char *text = gtid_set_format(gs);
    json_t *j = text ? json_string(text) : json_null();
    free(text);
    return j;
}

json_t *histogram(const struct hist *h, const char *count_name)
{
    json_t *o = json_object();
    put(o, count_name, count(hist_count(h)));
    put(o, "p50_us", count(hist_quantile(h, 0.5)));
    put(o, "p99_us", count(hist_quantile(h, 0.99)));
    put(o, "max_us", count(hist_max(h)));
    return o;
}
