/*
 * A network of the test's own, in which there are addresses beyond loopback: for tests of who is let in from where.
 *
 * Layer: tests/support. Thread: main, before other threads and children exist; children inherit the network.
 * Owns: the namespace, which goes with the last process in it. Root or not does not matter, but the kernel must let somebody make one; where nobody may,
 *   the machine's own address serves, and there is one stranger instead of thousands.
 */
#ifndef LT_SUPPORT_NETNS_H
#define LT_SUPPORT_NETNS_H

/* Dies where there is no way. */
void netns_enter(void);
/* An address that is not loopback, in a static buffer: another one at each call, so that nobody's failures count for the next. */
const char *netns_stranger(void);
/* The same of loopback. */
const char *netns_local(void);

#endif
