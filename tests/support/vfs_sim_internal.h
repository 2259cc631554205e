/*
 * Shared by the two halves of the simulated file system: vfs_sim.c (files) and vfs_sim_power.c (what is lost).
 */
#ifndef LT_SUPPORT_VFS_SIM_INTERNAL_H
#define LT_SUPPORT_VFS_SIM_INTERNAL_H

#include <pthread.h>

#include "vfs_sim.h"

#define SIM_PAGE   4096u
#define SIM_SECTOR 512u
#define SIM_FDS    64
#define SIM_FD0    1000 /* so that a real descriptor is never taken for one of ours */

struct sim_size_change {
    uint64_t size;
    bool cut; /* by ftruncate: what was behind is gone */
};

struct sim_node {
    struct sim_node *next; /* of all ever made */
    bool is_dir;
    uint8_t *live;
    uint8_t *durable;
    uint8_t *dirty; /* per page */
    size_t cap;     /* of both images, whole pages */
    uint64_t live_size;
    uint64_t durable_size;
    struct sim_size_change *changes; /* of the size, since the last sync */
    size_t change_count;
    size_t change_cap;
    int lock_fd;
    int late_error; /* of a write-back, for the next sync */
};

struct sim_entry {
    char *path;
    struct sim_node *node;
};

struct sim_dir {
    struct sim_entry *entries;
    size_t count;
};

struct sim_dir_change { /* from == NULL: a new entry at to; to == NULL: from is removed; both: renamed */
    char *from;
    char *to;
    struct sim_node *node;
};

struct sim_fd {
    struct sim_node *node;
    int flags;
    char *path;
};

struct vfs_sim {
    struct vfs vfs;
    pthread_mutex_t mutex;
    uint64_t rng;
    bool off;
    struct sim_node *nodes;
    struct sim_dir live;
    struct sim_dir durable;
    struct sim_dir_change *dir_changes;
    size_t dir_change_count;
    struct sim_fd fds[SIM_FDS];
    uint64_t calls[VFS_OP_COUNT + 1];
    uint64_t space;
    uint64_t used;
    enum vfs_op fail_op;
    uint64_t fail_in; /* calls until then; 0: no plan */
    enum vfs_fault_kind fail_kind;
    int fail_error;
    bool fail_forever;
    bool failed;
    void (*on_call)(enum vfs_op op, void *arg);
    void *on_call_arg;
    struct vfs_fs_info fs;
    bool direct_io;
};

uint64_t sim_random(struct vfs_sim *sim);
struct sim_node *sim_find(const struct sim_dir *dir, const char *path);
void sim_set(struct sim_dir *dir, const char *path, struct sim_node *node); /* NULL: removes */
void sim_dir_clear(struct sim_dir *dir);
struct sim_node *sim_node_new(struct vfs_sim *sim, bool is_dir);
void sim_grow(struct sim_node *node, uint64_t size);
void sim_resize(struct sim_node *node, uint64_t size, bool cut);
void sim_flush_page(struct sim_node *node, size_t page);
void sim_sync_node(struct sim_node *node);
void sim_sync_dir(struct vfs_sim *sim, const char *dir);
void sim_note_dir_change(struct vfs_sim *sim, const char *from, const char *to, struct sim_node *node);
void sim_close_all(struct vfs_sim *sim);

#endif
