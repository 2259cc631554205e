/*
 * Who is on the other side of the admin socket, and may they? Says again what the file's mode says, so that a mode that was loosened behind
 * the daemon's back, or a descriptor that was handed on, opens nothing.
 *
 * Layer: ops/admin. Thread: any. Errors: a peer that the kernel does not name is not allowed.
 */
#ifndef LT_OPS_ADMIN_PEER_H
#define LT_OPS_ADMIN_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define ADMIN_PEER_GROUPS_MAX 256

struct admin_peer {
    uid_t uid;
    pid_t pid;
    size_t n_groups;
    gid_t groups[ADMIN_PEER_GROUPS_MAX]; /* the primary one first */
};

/* The peer as it was when it connected. False: unknown. */
bool admin_peer_of(int fd, struct admin_peer *ret);
/* root, our own user, and whom the mode admits: members of the socket's group, or everybody. */
bool admin_peer_allowed(const struct admin_peer *peer, uid_t own_uid, gid_t socket_gid, mode_t mode);

#endif
