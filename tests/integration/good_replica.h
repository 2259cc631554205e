/*
 * One replica that follows a logtailerd over TLS and must not be cut, and a tool that comes, asks and goes, and must be let in each time; from an address that need not
 * be loopback: who connects to an address of this machine comes from that.
 *
 * Layer: tests/integration. Thread: main begins and ends; there is one of each. Use inside CUnit cases only. Borrows: nothing.
 */
#ifndef LT_TESTS_GOOD_REPLICA_H
#define LT_TESTS_GOOD_REPLICA_H

#include <stdbool.h>
#include <stdint.h>

/* From the file's start. The replica is in, as that user, when this returns. */
void good_replica_begin(const char *address, uint16_t port, const char *file, const char *user, const char *password);
bool good_replica_is_at(const char *file, uint64_t offset);
/* Both are asked to go; neither was wronged. */
void good_replica_end(void);

#endif
