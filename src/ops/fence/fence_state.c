/*
 * Format of DIR/fence: {"version": 1, "epoch": N or null, "fenced": [{"source_id", "reason", "at_us", "mode", "guarantee", "why", "lineage",
 * "file", "offset", "was_weak", "complete"}, …]}. Unknown keys are passed over; a version that is not known, a missing or odd value is damage: a fence that is
 * misread in silence is worse than a daemon that does not start.
 */
#include "ops/fence/fence_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FENCE_VERSION 1

void fence_state_init(struct fence_state *fs)
{
    *fs = (struct fence_state){0};
}

void fence_state_fini(struct fence_state *fs)
{
    for (size_t i = 0; i < fs->count; i++)
        json_decref(fs->entries[i].why);
    free(fs->entries);
    fence_state_init(fs);
}

int fence_state_copy(struct fence_state *dst, const struct fence_state *src)
{
    struct fence_state copy = *src;
    copy.entries = src->count > 0 ? calloc(src->count, sizeof *copy.entries) : NULL;
    if (src->count > 0 && copy.entries == NULL)
        return LT_ENOMEM;
    for (size_t i = 0; i < src->count; i++) {
        copy.entries[i] = src->entries[i];
        copy.entries[i].why = json_incref(src->entries[i].why);
    }
    fence_state_fini(dst);
    *dst = copy;
    return LT_OK;
}

bool fence_epoch_ok(const struct fence_state *fs, uint64_t epoch)
{
    return !fs->have_epoch || epoch >= fs->epoch;
}

void fence_epoch_take(struct fence_state *fs, uint64_t epoch)
{
    lt_assert(fence_epoch_ok(fs, epoch));
    fs->have_epoch = true;
    fs->epoch = epoch;
}

struct fence_entry *fence_find(const struct fence_state *fs, const char *source_id)
{
    for (size_t i = 0; i < fs->count; i++) {
        if (strcmp(fs->entries[i].source_id, source_id) == 0)
            return &fs->entries[i];
    }
    return NULL;
}

struct fence_entry *fence_last(const struct fence_state *fs)
{
    return fs->count > 0 ? &fs->entries[fs->count - 1] : NULL;
}

int fence_add(struct fence_state *fs, const char *source_id, struct fence_entry **ret)
{
    struct fence_entry *e = fence_find(fs, source_id);
    if (e == NULL) {
        struct fence_entry *grown = reallocarray(fs->entries, fs->count + 1, sizeof *grown);
        if (grown == NULL)
            return LT_ENOMEM;
        fs->entries = grown;
        e = &grown[fs->count];
        *e = (struct fence_entry){.why = json_array()};
        if (e->why == NULL)
            return LT_ENOMEM;
        (void)snprintf(e->source_id, sizeof e->source_id, "%s", source_id);
        fs->count++;
    }
    *ret = e;
    return LT_OK;
}

void fence_carry(struct fence_state *fs, const struct fence_entry *e)
{
    struct fence_entry *to = fence_find(fs, e->source_id);
    if (to == NULL)
        return;
    json_t *old = to->why;
    *to = *e;
    to->why = json_incref(e->why);
    json_decref(old);
}

void fence_remove(struct fence_state *fs, const char *source_id)
{
    struct fence_entry *e = fence_find(fs, source_id);
    if (e == NULL)
        return;
    json_decref(e->why);
    size_t after = fs->count - (size_t)(e - fs->entries) - 1;
    memmove(e, e + 1, after * sizeof *e);
    fs->count--;
}

static json_t *encode_entry(const struct fence_entry *e)
{
    return json_pack("{s:s, s:s, s:I, s:s, s:s, s:b, s:b, s:O, s:I, s:s, s:I}", "source_id", e->source_id, "reason",
                     e->reason, "at_us", (json_int_t)e->at_us, "mode",
                     fence_mode_name(e->hold ? FENCE_HOLD : FENCE_DROP), "guarantee", e->strong ? "strong" : "weak",
                     "was_weak", e->was_weak, "complete", e->complete, "why", e->why, "lineage", (json_int_t)e->lineage,
                     "file", e->file, "offset", (json_int_t)e->offset);
}

json_t *fence_state_encode(const struct fence_state *fs)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < fs->count; i++) {
        if (json_array_append_new(list, encode_entry(&fs->entries[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    if (list == NULL)
        return NULL;
    return json_pack("{s:i, s:o, s:o}", "version", FENCE_VERSION, "epoch",
                     fs->have_epoch ? json_integer((json_int_t)fs->epoch) : json_null(), "fenced", list);
}

static bool take_text(const json_t *o, const char *key, char *dst, size_t cap)
{
    const char *text = json_string_value(json_object_get(o, key));
    size_t len = text != NULL ? strlen(text) : cap;
    if (len >= cap)
        return false;
    memcpy(dst, text, len + 1);
    return true;
}

static bool take_number(const json_t *o, const char *key, uint64_t max, uint64_t *ret)
{
    const json_t *n = json_object_get(o, key);
    if (!json_is_integer(n) || json_integer_value(n) < 0 || (uint64_t)json_integer_value(n) > max)
        return false;
    *ret = (uint64_t)json_integer_value(n);
    return true;
}

static int decode_entry(const json_t *o, struct fence_state *fs)
{
    struct fence_entry e = {.why = json_object_get(o, "why")};
    struct fence_entry *added = NULL;
    char mode[8];
    char guarantee[8];
    uint64_t lineage = 0;
    if (!take_text(o, "source_id", e.source_id, sizeof e.source_id) || e.source_id[0] == '\0' ||
        fence_find(fs, e.source_id) != NULL || !take_text(o, "reason", e.reason, sizeof e.reason) ||
        !take_number(o, "at_us", INT64_MAX, &e.at_us) || !take_text(o, "mode", mode, sizeof mode) ||
        !take_text(o, "guarantee", guarantee, sizeof guarantee) || !json_is_array(e.why) ||
        !take_number(o, "lineage", UINT32_MAX, &lineage) || !take_text(o, "file", e.file, sizeof e.file) ||
        !take_number(o, "offset", INT64_MAX, &e.offset))
        return LT_ECORRUPT;
    e.lineage = (unsigned)lineage;
    e.hold = strcmp(mode, "hold") == 0;
    e.strong = strcmp(guarantee, "strong") == 0;
    e.was_weak = !json_is_false(json_object_get(o, "was_weak")); /* an older program's: not known */
    e.complete = json_is_true(json_object_get(o, "complete"));
    int rc = fence_add(fs, e.source_id, &added);
    if (rc != 0)
        return rc;
    json_decref(added->why);
    *added = e;
    json_incref(added->why);
    return LT_OK;
}

static int decode_all(const json_t *root, struct fence_state *fs)
{
    uint64_t version = 0;
    size_t i;
    json_t *entry;
    const json_t *epoch = json_object_get(root, "epoch");
    const json_t *list = json_object_get(root, "fenced");
    if (!take_number(root, "version", FENCE_VERSION, &version) || version == 0 || !json_is_array(list) || epoch == NULL)
        return LT_ECORRUPT;
    if (!json_is_null(epoch)) {
        if (!take_number(root, "epoch", INT64_MAX, &fs->epoch))
            return LT_ECORRUPT;
        fs->have_epoch = true;
    }
    int rc = LT_OK;
    json_array_foreach(list, i, entry)
    {
        if (rc == 0)
            rc = decode_entry(entry, fs);
    }
    return rc;
}

int fence_state_decode(const char *text, size_t len, struct fence_state *ret)
{
    struct fence_state fs;
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    fence_state_init(&fs);
    int rc = json_is_object(root) ? decode_all(root, &fs) : LT_ECORRUPT;
    json_decref(root);
    if (rc != 0) {
        fence_state_fini(&fs);
        return rc;
    }
    fence_state_fini(ret);
    *ret = fs;
    return LT_OK;
}
