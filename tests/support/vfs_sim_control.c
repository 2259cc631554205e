/*
 * The test's side of the simulated file system: faults to come, looks inside, making and freeing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vfs_sim_internal.h"

struct sim_node *sim_node_new(struct vfs_sim *sim, bool is_dir)
{
    struct sim_node *node = calloc(1, sizeof *node);
    if (node == NULL)
        abort();
    node->is_dir = is_dir;
    node->next = sim->nodes;
    sim->nodes = node;
    return node;
}

void sim_close_all(struct vfs_sim *sim)
{
    for (int i = 0; i < SIM_FDS; i++) {
        if (sim->fds[i].node != NULL)
            sim->fds[i].node->lock_fd = 0;
        free(sim->fds[i].path);
        sim->fds[i] = (struct sim_fd){0};
    }
}

void vfs_sim_free(struct vfs_sim *sim)
{
    if (sim == NULL)
        return;
    sim_close_all(sim);
    sim_dir_clear(&sim->live);
    sim_dir_clear(&sim->durable);
    for (size_t i = 0; i < sim->dir_change_count; i++) {
        free(sim->dir_changes[i].from);
        free(sim->dir_changes[i].to);
    }
    free(sim->dir_changes);
    for (struct sim_node *node = sim->nodes; node != NULL;) {
        struct sim_node *next = node->next;
        free(node->live);
        free(node->durable);
        free(node->dirty);
        free(node->changes);
        free(node);
        node = next;
    }
    (void)pthread_mutex_destroy(&sim->mutex);
    free(sim);
}

void vfs_sim_power_off(struct vfs_sim *sim)
{
    (void)pthread_mutex_lock(&sim->mutex);
    sim->off = true;
    (void)pthread_mutex_unlock(&sim->mutex);
}

void vfs_sim_process_death(struct vfs_sim *sim)
{
    (void)pthread_mutex_lock(&sim->mutex);
    sim_close_all(sim);
    sim->off = false;
    (void)pthread_mutex_unlock(&sim->mutex);
}

void vfs_sim_fail(struct vfs_sim *sim, enum vfs_op op, uint64_t nth, enum vfs_fault_kind kind, int error, bool forever)
{
    (void)pthread_mutex_lock(&sim->mutex);
    sim->fail_op = op;
    sim->fail_in = nth;
    sim->fail_kind = kind;
    sim->fail_error = error;
    sim->fail_forever = forever;
    sim->failed = false;
    (void)pthread_mutex_unlock(&sim->mutex);
}

void vfs_sim_heal(struct vfs_sim *sim)
{
    (void)pthread_mutex_lock(&sim->mutex);
    sim->fail_in = 0;
    (void)pthread_mutex_unlock(&sim->mutex);
}

uint64_t vfs_sim_calls(struct vfs_sim *sim, enum vfs_op op)
{
    (void)pthread_mutex_lock(&sim->mutex);
    uint64_t n = sim->calls[op];
    (void)pthread_mutex_unlock(&sim->mutex);
    return n;
}

bool vfs_sim_failed(struct vfs_sim *sim)
{
    return sim->failed;
}

void vfs_sim_set_space(struct vfs_sim *sim, uint64_t bytes)
{
    (void)pthread_mutex_lock(&sim->mutex);
    sim->space = bytes;
    (void)pthread_mutex_unlock(&sim->mutex);
}

void vfs_sim_on_call(struct vfs_sim *sim, void (*fn)(enum vfs_op op, void *arg), void *arg)
{
    sim->on_call = fn;
    sim->on_call_arg = arg;
}

void vfs_sim_set_fs(struct vfs_sim *sim, const char *type, bool unsafe, bool direct_io)
{
    (void)snprintf(sim->fs.type, sizeof sim->fs.type, "%s", type);
    sim->fs.unsafe = unsafe;
    sim->direct_io = direct_io;
}

unsigned vfs_sim_open_fds(struct vfs_sim *sim)
{
    unsigned n = 0;

    for (int i = 0; i < SIM_FDS; i++)
        n += sim->fds[i].node != NULL;
    return n;
}

bool vfs_sim_get(struct vfs_sim *sim, const char *path, const uint8_t **ret_data, size_t *ret_len)
{
    struct sim_node *node = sim_find(&sim->live, path);

    if (node == NULL || node->is_dir)
        return false;
    *ret_data = node->live;
    *ret_len = (size_t)node->live_size;
    return true;
}

bool vfs_sim_get_durable(struct vfs_sim *sim, const char *path, const uint8_t **ret_data, size_t *ret_len)
{
    struct sim_node *node = sim_find(&sim->durable, path);

    if (node == NULL || node->is_dir)
        return false;
    *ret_data = node->durable;
    *ret_len = (size_t)node->durable_size;
    return true;
}

static void put_dirs(struct vfs_sim *sim, const char *path)
{
    char dir[4096];

    for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        (void)snprintf(dir, sizeof dir, "%.*s", (int)(slash - path), path);
        struct sim_node *node = sim_find(&sim->live, dir);
        if (node == NULL)
            node = sim_node_new(sim, true);
        sim_set(&sim->live, dir, node);
        sim_set(&sim->durable, dir, node);
    }
}

void vfs_sim_put(struct vfs_sim *sim, const char *path, const void *data, size_t len)
{
    put_dirs(sim, path);
    struct sim_node *node = sim_find(&sim->live, path);
    if (node == NULL)
        node = sim_node_new(sim, false);
    sim_set(&sim->live, path, node);
    sim_set(&sim->durable, path, node);
    sim_resize(node, 0, true);
    sim_resize(node, len, false);
    if (len > 0)
        memcpy(node->live, data, len);
    if (node->cap > 0)
        memset(node->dirty, 1, node->cap / SIM_PAGE);
    sim_sync_node(node);
}

void vfs_sim_remove(struct vfs_sim *sim, const char *path)
{
    sim_set(&sim->live, path, NULL);
    sim_set(&sim->durable, path, NULL);
}
