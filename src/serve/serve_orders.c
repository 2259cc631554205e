/*
 * What an operator may do to consumers.
 *
 * - end: each connection that fits gets mail; its own thread says goodbye to it.
 * Failure: out of memory ends one less; the answer's number says so.
 */
#include <stdlib.h>
#include <string.h>

#include "serve/serve_internal.h"

/* With the worker's pub_lock. */
static bool fits(const struct session *s, const char *who)
{
    return strcmp(s->pub.name, who) == 0 || strcmp(s->address, who) == 0;
}

size_t serve_end(struct serve *s, const char *who)
{
    size_t n = 0;
    for (unsigned i = 0; who[0] != '\0' && i < s->n_workers; i++) {
        struct worker *w = &s->workers[i];
        (void)pthread_mutex_lock(&w->pub_lock);
        for (size_t k = 0; k < w->n_slots; k++) {
            struct session *session = w->slots[k];
            struct mail *m = session != NULL && fits(session, who) ? calloc(1, sizeof *m) : NULL;
            if (m == NULL)
                continue;
            m->kind = MAIL_ENDED;
            m->to = (struct session_ref){.worker = i, .slot = (uint32_t)k, .id = session->id};
            worker_post(w, m);
            n++;
        }
        (void)pthread_mutex_unlock(&w->pub_lock);
    }
    return n;
}

int serve_forget(struct serve *s, const char *name, struct lt_err *err)
{
    return names_forget(&s->names, name, err);
}
