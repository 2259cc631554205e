#include "watching.h"

static json_t *find_warning(const json_t *status, const char *code)
{
    size_t i;
    json_t *w;
    json_array_foreach(json_object_get(status, "warnings"), i, w)
    {
        if (strcmp(json_string_value(json_object_get(w, "code")), code) == 0)
            return w;
    }
    return NULL;
}

bool watching_has(struct rig *r, const char *code, char **ret_message)
{
    json_t *status = daemon_command(r->dm, "status");
    const json_t *w = find_warning(status, code);
    if (ret_message != NULL)
        *ret_message = w != NULL ? proc_fmt("%s", json_string_value(json_object_get(w, "message"))) : NULL;
    json_decref(status);
    return w != NULL;
}

static void show(struct rig *r)
{
    json_t *status = daemon_command(r->dm, "status");
    char *text = status != NULL ? json_dumps(status, JSON_INDENT(1)) : NULL;
    fprintf(stderr, "%s\n", text != NULL ? text : "no answer to status");
    free(text);
    json_decref(status);
    daemon_show_log(r->dm);
}

static bool wait_for(struct rig *r, const char *code, bool there, unsigned timeout_ms)
{
    uint64_t end = proc_now_ms() + timeout_ms;
    while (proc_now_ms() < end) {
        json_t *status = daemon_command(r->dm, "status");
        bool ok = status != NULL && (find_warning(status, code) != NULL) == there;
        json_decref(status);
        if (ok)
            return true;
        proc_sleep_ms(50);
    }
    fprintf(stderr, "%s is not %s after %u ms\n", code, there ? "raised" : "cleared", timeout_ms);
    show(r);
    return false;
}

bool watching_raised(struct rig *r, const char *code, unsigned timeout_ms)
{
    return wait_for(r, code, true, timeout_ms);
}

bool watching_cleared(struct rig *r, const char *code, unsigned timeout_ms)
{
    return wait_for(r, code, false, timeout_ms);
}

/* Borrowed from `status`. */
static const json_t *at(const json_t *status, const char *path)
{
    char name[64];
    for (const char *p = path; p != NULL && status != NULL;) {
        size_t len = strcspn(p, ".");
        (void)snprintf(name, sizeof name, "%.*s", (int)len, p);
        status = json_object_get(status, name);
        p = p[len] == '.' ? p + len + 1 : NULL;
    }
    return status;
}

double watching_number(struct rig *r, const char *path)
{
    json_t *status = daemon_command(r->dm, "status");
    const json_t *v = at(status, path);
    double n = json_is_number(v) ? json_number_value(v) : -1;
    json_decref(status);
    return n;
}

char *watching_text(struct rig *r, const char *path)
{
    json_t *status = daemon_command(r->dm, "status");
    const char *text = json_string_value(at(status, path));
    char *copy = text != NULL ? proc_fmt("%s", text) : NULL;
    json_decref(status);
    return copy;
}

bool watching_number_becomes(struct rig *r, const char *path, double low, double high, unsigned timeout_ms)
{
    uint64_t end = proc_now_ms() + timeout_ms;
    double n = -2;
    while (proc_now_ms() < end) {
        n = watching_number(r, path);
        if (n >= low && n <= high)
            return true;
        proc_sleep_ms(50);
    }
    fprintf(stderr, "%s is %g, not in [%g, %g], after %u ms\n", path, n, low, high, timeout_ms);
    show(r);
    return false;
}

bool watching_preflight(struct rig *r, const char *check, char *buf, size_t cap)
{
    json_t *answer = daemon_command(r->dm, "preflight");
    const char *verdict = json_string_value(json_object_get(answer, "verdict"));
    bool go = verdict != NULL && strcmp(verdict, "GO") == 0;
    size_t i;
    json_t *c;
    buf[0] = '\0';
    json_array_foreach(json_object_get(answer, "checks"), i, c)
    {
        if (strcmp(json_string_value(json_object_get(c, "name")), check) == 0)
            (void)snprintf(buf, cap, "%s", json_string_value(json_object_get(c, "result")));
    }
    json_decref(answer);
    return go;
}

json_t *watching_reload(struct rig *r, char *const *settings)
{
    daemon_configure(
        r->dm, &(struct daemon_options){.server = r->srv, .port = r->px ? proxy_port(r->px) : 0, .settings = settings});
    return daemon_command(r->dm, "reload");
}
