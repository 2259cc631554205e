/*
 * Happy path: unshare the network → loopback up → an address beyond 127 on it. The kernel takes the whole prefix of a loopback device's address for
 * local, so there are as many strangers as a test wants.
 */
#include "netns.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proc.h"

#define FIRST 0x0a4d0001u /* 10.77.0.1 */

static bool many;
static char own[INET_ADDRSTRLEN];

static bool map_id(const char *path, unsigned id)
{
    char line[32];
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    int n = snprintf(line, sizeof line, "%u %u 1\n", id, id);
    bool ok = fd >= 0 && write(fd, line, (size_t)n) == n;
    if (fd >= 0)
        (void)close(fd);
    return ok;
}

static bool unshare_network(void)
{
    unsigned uid = getuid();
    unsigned gid = getgid();
    if (unshare(CLONE_NEWNET) == 0)
        return true;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        return false;
    int fd = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);
    bool denied = fd >= 0 && write(fd, "deny", 4) == 4;
    if (fd >= 0)
        (void)close(fd);
    return denied && map_id("/proc/self/uid_map", uid) && map_id("/proc/self/gid_map", gid);
}

static bool give_addresses(void)
{
    struct ifreq up = {.ifr_name = "lo"};
    struct ifreq address = {.ifr_name = "lo:1"};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(FIRST)};
    memcpy(&address.ifr_addr, &at, sizeof at);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &up) == 0;
    up.ifr_flags |= IFF_UP;
    ok = ok && ioctl(fd, SIOCSIFFLAGS, &up) == 0 && ioctl(fd, SIOCSIFADDR, &address) == 0;
    if (fd >= 0)
        (void)close(fd);
    return ok;
}

static bool own_address(void)
{
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) != 0)
        return false;
    for (const struct ifaddrs *a = all; a != NULL && own[0] == '\0'; a = a->ifa_next) {
        struct sockaddr_in in;
        if (a->ifa_addr == NULL || a->ifa_addr->sa_family != AF_INET || (a->ifa_flags & IFF_LOOPBACK) != 0)
            continue;
        memcpy(&in, a->ifa_addr, sizeof in);
        (void)inet_ntop(AF_INET, &in.sin_addr, own, sizeof own);
    }
    freeifaddrs(all);
    return own[0] != '\0';
}

void netns_enter(void)
{
    many = unshare_network();
    if (many && !give_addresses())
        proc_die_errno("an address in a network of our own");
    if (!many && !own_address())
        proc_die("neither a network namespace nor an address beyond loopback is to be had");
}

const char *netns_stranger(void)
{
    static char text[INET_ADDRSTRLEN];
    static uint32_t n;
    struct in_addr a = {.s_addr = htonl(FIRST + n++ % 0xfff0)};
    if (!many)
        return own;
    return inet_ntop(AF_INET, &a, text, sizeof text);
}

const char *netns_local(void)
{
    static char text[INET_ADDRSTRLEN];
    static uint32_t n;
    struct in_addr a = {.s_addr = htonl(0x7f4d0001u + n++ % 0xfff0)};
    return inet_ntop(AF_INET, &a, text, sizeof text);
}
