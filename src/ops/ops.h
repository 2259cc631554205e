/*
 * What operators and failover tools see: the admin socket's commands over the running parts. One object that main builds and takes down.
 * Does not know the configuration file (main gives values and callbacks), never waits for disk or source on the loop's thread.
 *
 * Layer: ops. Thread: the one that runs the event base (main), all calls.
 * Owns: the admin socket, HTTP, the monitor's and the free-space thread. Borrows: base, store, gate and the callbacks' arg until ops_close;
 *   the ingest thread until ops_close (ops_attach).
 * Errors: ops_open as admin_open and http_open. Commands answer errors to their client; nothing a client does is an error of the daemon.
 */
#ifndef LT_OPS_OPS_H
#define LT_OPS_OPS_H

#include <stdint.h>

#include "base/err.h"
#include "ops/parts/options.h"

struct follow;
struct ops;
struct replicas;
struct serve;

/* Sets the gate by what DIR/fence says, so: before ingest starts. LT_ECORRUPT: DIR/fence or DIR/source is damaged. */
int ops_open(const struct ops_options *opt, struct ops **ret, struct lt_err *err) LT_MUST_CHECK;
/* What a repoint told to follow; for ingest_options. */
const struct follow *ops_follow(const struct ops *ops);
/* Once ingest runs; before the loop does. */
void ops_attach(struct ops *ops, struct ingest *ingest);
/* Before ingest starts; NULL: consumers are not served. Borrowed until ops_close. */
void ops_attach_serve(struct ops *ops, struct serve *serve);
void ops_attach_replicas(struct ops *ops, struct replicas *replicas);
/*
 * Values that a reload changed: heartbeat_us, min_free_bytes, retention, the monitor's options, who may ask over HTTP; the rest of opt is not looked at. Prepared first,
 * which may fail and changes nothing, then taken over, which cannot.
 */
struct ops_prepared;
int ops_prepare(struct ops *ops, const struct ops_options *opt, struct ops_prepared **ret,
                struct lt_err *err) LT_MUST_CHECK;
/* Takes it. opt: the same values, of the configuration that is in force by now: its texts are borrowed. */
void ops_adopt(struct ops *ops, const struct ops_options *opt, struct ops_prepared *prepared);
void ops_discard(struct ops_prepared *prepared); /* NULL is fine */
/* Which source the configuration file names by now. It is not followed before the next start; whether a repoint leads elsewhere is judged by it. */
void ops_name_source(struct ops *ops, const char *host, uint32_t port, const char *socket);
/* About every 100 ms: what is due. */
void ops_tick(struct ops *ops);
/* Before ingest and store are taken down. NULL is fine. */
void ops_close(struct ops *ops);

#endif
