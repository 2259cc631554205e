#include "ops/http/ready.h"

#include <stdio.h>
#include <string.h>

#include "base/jpath.h"

static void add(char *why, size_t cap, const char *text, const char *more)
{
    size_t len = strlen(why);
    (void)snprintf(why + len, cap - len, "%s%s\n", text, more);
}

/* A hanging sync is what storage_slow says; what stopped the store is an error that is still in the way. */
static bool storage_is_ok(const json_t *status)
{
    size_t i = 0;
    json_t *warning = NULL;
    if (jpath_is_true(status, "last_error.current") &&
        strncmp(jpath_text(status, "last_error.code", ""), "disk_", 5) == 0)
        return false;
    json_array_foreach(jpath(status, "warnings"), i, warning)
    {
        if (strcmp(jpath_text(warning, "code", ""), "storage_slow") == 0)
            return false;
    }
    return strcmp(jpath_text(status, "store.state", "ok"), "slow") != 0;
}

bool ready_is_fenced(const json_t *status)
{
    const json_t *fence = jpath(status, "fence");
    return strcmp(jpath_text(status, "state", ""), "fenced") == 0 ||
           (fence != NULL && !json_is_false(json_object_get(fence, "current")));
}

bool ready_judge(const json_t *status, char *why, size_t cap)
{
    const char *state = jpath_text(status, "state", "unknown");
    why[0] = '\0';
    if (strcmp(state, "streaming") != 0)
        add(why, cap, "not streaming: ", state);
    if (!jpath_is_true(status, "source.acknowledging"))
        add(why, cap, "not acknowledging", "");
    if (strcmp(jpath_text(status, "source.semi_sync", "unknown"), "on") != 0)
        add(why, cap, "semi-sync on the source: ", jpath_text(status, "source.semi_sync", "unknown"));
    if (!storage_is_ok(status))
        add(why, cap, "storage is not in order", "");
    if (ready_is_fenced(status))
        add(why, cap, "fenced", "");
    return why[0] == '\0';
}
