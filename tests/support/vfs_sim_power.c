/*
 * What a simulated power cut keeps, and how things become durable.
 */
#include <stdlib.h>
#include <string.h>

#include "vfs_sim_internal.h"

uint64_t sim_random(struct vfs_sim *sim)
{
    uint64_t z = sim->rng += 0x9e3779b97f4a7c15ULL; /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

struct sim_node *sim_find(const struct sim_dir *dir, const char *path)
{
    for (size_t i = 0; i < dir->count; i++) {
        if (strcmp(dir->entries[i].path, path) == 0)
            return dir->entries[i].node;
    }
    return NULL;
}

void sim_set(struct sim_dir *dir, const char *path, struct sim_node *node)
{
    for (size_t i = 0; i < dir->count; i++) {
        if (strcmp(dir->entries[i].path, path) != 0)
            continue;
        if (node != NULL) {
            dir->entries[i].node = node;
        } else {
            free(dir->entries[i].path);
            dir->entries[i] = dir->entries[--dir->count];
        }
        return;
    }
    if (node == NULL)
        return;
    struct sim_entry *grown = reallocarray(dir->entries, dir->count + 1, sizeof *grown);
    char *copy = strdup(path);
    if (grown == NULL || copy == NULL)
        abort();
    dir->entries = grown;
    dir->entries[dir->count++] = (struct sim_entry){copy, node};
}

void sim_dir_clear(struct sim_dir *dir)
{
    for (size_t i = 0; i < dir->count; i++)
        free(dir->entries[i].path);
    free(dir->entries);
    dir->entries = NULL;
    dir->count = 0;
}

void sim_grow(struct sim_node *node, uint64_t size)
{
    if (size <= node->cap)
        return;
    size_t cap = node->cap > 0 ? node->cap : 16 * SIM_PAGE;
    while (cap < size)
        cap *= 2;
    node->live = realloc(node->live, cap);
    node->durable = realloc(node->durable, cap);
    node->dirty = realloc(node->dirty, cap / SIM_PAGE);
    if (node->live == NULL || node->durable == NULL || node->dirty == NULL)
        abort();
    memset(node->live + node->cap, 0, cap - node->cap);
    memset(node->durable + node->cap, 0, cap - node->cap);
    memset(node->dirty + node->cap / SIM_PAGE, 0, (cap - node->cap) / SIM_PAGE);
    node->cap = cap;
}

void sim_resize(struct sim_node *node, uint64_t size, bool cut)
{
    if (size == node->live_size)
        return;
    sim_grow(node, size);
    if (cut && size < node->live_size) {
        memset(node->live + size, 0, node->cap - size);
        for (size_t page = (size + SIM_PAGE - 1) / SIM_PAGE; page < node->cap / SIM_PAGE; page++)
            node->dirty[page] = 0;
    }
    node->live_size = size;
    /* Growth by a write only replaces the growth before it: sizes in between are of no interest. */
    struct sim_size_change *last = node->change_count > 0 ? &node->changes[node->change_count - 1] : NULL;
    if (!cut && last != NULL && !last->cut && node->change_count > 8) {
        last->size = size;
        return;
    }
    if (node->change_count == node->change_cap) {
        node->change_cap = node->change_cap > 0 ? 2 * node->change_cap : 16;
        node->changes = reallocarray(node->changes, node->change_cap, sizeof *node->changes);
        if (node->changes == NULL)
            abort();
    }
    node->changes[node->change_count++] = (struct sim_size_change){size, cut};
}

static void apply_size(struct sim_node *node, const struct sim_size_change *c)
{
    node->durable_size = c->size;
    if (c->cut)
        memset(node->durable + c->size, 0, node->cap - c->size);
}

void sim_flush_page(struct sim_node *node, size_t page)
{
    memcpy(node->durable + page * SIM_PAGE, node->live + page * SIM_PAGE, SIM_PAGE);
}

void sim_sync_node(struct sim_node *node)
{
    for (size_t i = 0; i < node->change_count; i++)
        apply_size(node, &node->changes[i]);
    node->change_count = 0;
    node->durable_size = node->live_size;
    for (size_t page = 0; page < node->cap / SIM_PAGE; page++) {
        if (!node->dirty[page])
            continue;
        sim_flush_page(node, page);
        node->dirty[page] = 0;
    }
}

void sim_note_dir_change(struct vfs_sim *sim, const char *from, const char *to, struct sim_node *node)
{
    struct sim_dir_change *grown = reallocarray(sim->dir_changes, sim->dir_change_count + 1, sizeof *grown);
    if (grown == NULL)
        abort();
    sim->dir_changes = grown;
    grown[sim->dir_change_count++] =
        (struct sim_dir_change){from != NULL ? strdup(from) : NULL, to != NULL ? strdup(to) : NULL, node};
}

static bool is_in(const char *path, const char *dir)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == path ? 1 : (size_t)(slash - path);

    return strlen(dir) == len && strncmp(path, dir, len) == 0;
}

static void apply_dir_change(struct vfs_sim *sim, const struct sim_dir_change *c)
{
    if (c->from != NULL)
        sim_set(&sim->durable, c->from, NULL);
    if (c->to != NULL)
        sim_set(&sim->durable, c->to, c->node);
}

void sim_sync_dir(struct vfs_sim *sim, const char *dir)
{
    size_t kept = 0;

    for (size_t i = 0; i < sim->dir_change_count; i++) {
        struct sim_dir_change c = sim->dir_changes[i];
        if (is_in(c.to != NULL ? c.to : c.from, dir)) {
            apply_dir_change(sim, &c);
            free(c.from);
            free(c.to);
        } else {
            sim->dir_changes[kept++] = c;
        }
    }
    sim->dir_change_count = kept;
}

/* Torn: some sectors are the new ones, the others what they were. */
static void flush_torn(struct vfs_sim *sim, struct sim_node *node, size_t page, bool torn)
{
    uint64_t sectors = torn ? sim_random(sim) : ~0ULL;

    for (size_t i = 0; i < SIM_PAGE / SIM_SECTOR; i++) {
        size_t at = page * SIM_PAGE + i * SIM_SECTOR;
        if (sectors >> i & 1)
            memcpy(node->durable + at, node->live + at, SIM_SECTOR);
    }
}

static void cut_node(struct vfs_sim *sim, struct sim_node *node)
{
    size_t keep = node->change_count > 0 ? (size_t)(sim_random(sim) % (node->change_count + 1)) : 0;
    unsigned mode = (unsigned)(sim_random(sim) % 4); /* none, all, or some of the pages */

    for (size_t i = 0; i < keep; i++)
        apply_size(node, &node->changes[i]);
    for (size_t page = 0; page < node->cap / SIM_PAGE; page++) {
        if (!node->dirty[page] || mode == 0 || (mode > 1 && sim_random(sim) % 2 == 0))
            continue;
        flush_torn(sim, node, page, mode != 1 && sim_random(sim) % 4 == 0);
    }
    node->change_count = 0;
    memset(node->dirty, 0, node->cap / SIM_PAGE);
    if (node->cap > node->durable_size)
        memset(node->durable + node->durable_size, 0, node->cap - node->durable_size);
    node->live_size = node->durable_size;
    if (node->cap > 0)
        memcpy(node->live, node->durable, node->cap);
}

/* An entry whose folder is not there is not there. */
static bool has_parent(const struct sim_dir *dir, const char *path)
{
    char *parent = strdup(path);
    bool ret;

    if (parent == NULL)
        abort();
    char *slash = strrchr(parent, '/');
    *(slash == parent ? slash + 1 : slash) = '\0';
    ret = sim_find(dir, parent) != NULL;
    free(parent);
    return ret;
}

void vfs_sim_power_cut(struct vfs_sim *sim)
{
    (void)pthread_mutex_lock(&sim->mutex);
    for (size_t i = 0; i < sim->dir_change_count; i++) {
        if (sim_random(sim) % 2 == 0)
            apply_dir_change(sim, &sim->dir_changes[i]);
        free(sim->dir_changes[i].from);
        free(sim->dir_changes[i].to);
    }
    sim->dir_change_count = 0;
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < sim->durable.count; i++) {
            const char *path = sim->durable.entries[i].path;
            if (strcmp(path, "/") != 0 && !has_parent(&sim->durable, path)) {
                char *copy = strdup(path);
                sim_set(&sim->durable, copy, NULL);
                free(copy);
                again = true;
            }
        }
    }
    for (struct sim_node *node = sim->nodes; node != NULL; node = node->next) {
        if (!node->is_dir && node->cap > 0)
            cut_node(sim, node);
    }
    sim_dir_clear(&sim->live);
    for (size_t i = 0; i < sim->durable.count; i++)
        sim_set(&sim->live, sim->durable.entries[i].path, sim->durable.entries[i].node);
    sim_close_all(sim);
    sim->off = false;
    (void)pthread_mutex_unlock(&sim->mutex);
}
