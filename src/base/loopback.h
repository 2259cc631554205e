/*
 * Is an address this machine's own: 127.0.0.0/8, ::1, and the former written as IPv6.
 *
 * Layer: base. Thread: any.
 */
#ifndef LT_BASE_LOOPBACK_H
#define LT_BASE_LOOPBACK_H

#include <netinet/in.h>
#include <stdbool.h>

static inline bool loopback_v4(const struct in_addr *a)
{
    return (ntohl(a->s_addr) >> 24) == 127;
}

static inline bool loopback_v6(const struct in6_addr *a)
{
    return IN6_IS_ADDR_LOOPBACK(a) || (IN6_IS_ADDR_V4MAPPED(a) && a->s6_addr[12] == 127);
}

#endif
