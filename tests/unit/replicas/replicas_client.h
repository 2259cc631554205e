/*
 * A client of the rig's listener that keeps to nothing: bytes and packets by hand.
 * Layer: tests/unit/replicas. Thread: the test's. Use inside CUnit cases only. Sockets are the caller's to close.
 */
#ifndef LT_UNIT_REPLICAS_CLIENT_H
#define LT_UNIT_REPLICAS_CLIENT_H

#include "replicas_rig.h"

/* From that address, not connected; and to the listener. */
int raw_client_socket(const char *from);
void raw_client_reach(const struct replicas_rig *r, int fd);
int raw_client_connect(const struct replicas_rig *r, const char *from);
/* The next packet's payload; its length, or -1 at the end. */
int raw_client_packet(int fd, uint8_t *buf, size_t cap);
void raw_client_send(int fd, uint8_t seq, const void *payload, size_t len);
/* Connected, and in without a password. */
int raw_client_log_in(const struct replicas_rig *r, const char *from);
/* Closed by the listener in time, whatever it said before; and closed here. */
void raw_client_expect_end(int fd);

#endif
