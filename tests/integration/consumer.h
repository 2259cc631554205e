/*
 * What the tests of the consumer's side share: the programs under test, and a history to consume.
 * Layer: tests/integration. Thread: the test's main thread.
 */
#ifndef LT_INTEGRATION_CONSUMER_H
#define LT_INTEGRATION_CONSUMER_H

#include "rig.h"

#define WAIT_MS 60000

/* Run a shell line in dir, in which $B is binlogtail, $A its address, $D the folder, $F and $L the examples; returns the exit status. */
int consumer_shell(const struct rig *r, const char *dir, const char *line);
/* A file in dir; "" when there is none. The caller frees. */
char *consumer_read(const char *dir, const char *name);
size_t consumer_count(const char *text, const char *what);
/* Rows in t.a, every fifth time one in shop.orders, a new file after 60. Waits until all is durable. */
void consumer_history(struct rig *r, unsigned rows);

#endif
