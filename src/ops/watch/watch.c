#include "ops/watch/watch.h"

int watch_open(struct watch *w, const char *dir, const struct monitor_options *mo, struct lt_err *err)
{
    alarms_init(&w->alarms);
    int rc = disk_probe_start(dir, NULL, &w->disk, err);
    return rc == 0 ? monitor_start(mo, &w->monitor, err) : rc;
}

void watch_close(struct watch *w)
{
    monitor_stop(w->monitor);
    disk_probe_stop(w->disk);
    w->monitor = NULL;
    w->disk = NULL;
}
