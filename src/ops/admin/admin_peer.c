/* SO_PEERCRED and SO_PEERGROUPS: what the kernel noted at connect(2). */
#include "ops/admin/admin_peer.h"

#include <sys/socket.h>
#include <sys/stat.h>

bool admin_peer_of(int fd, struct admin_peer *ret)
{
    struct ucred cred;
    socklen_t len = sizeof cred;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
        return false;
    ret->uid = cred.uid;
    ret->pid = cred.pid;
    ret->groups[0] = cred.gid;
    ret->n_groups = 1;
    len = sizeof ret->groups - sizeof ret->groups[0];
    /* More groups than fit, or a kernel before 4.13: the primary group alone counts. */
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, ret->groups + 1, &len) == 0)
        ret->n_groups += len / sizeof ret->groups[0];
    return true;
}

bool admin_peer_allowed(const struct admin_peer *peer, uid_t own_uid, gid_t socket_gid, mode_t mode)
{
    if (peer->uid == 0 || peer->uid == own_uid || (mode & S_IWOTH) != 0)
        return true;
    for (size_t i = 0; (mode & S_IWGRP) != 0 && i < peer->n_groups; i++) {
        if (peer->groups[i] == socket_gid)
            return true;
    }
    return false;
}
