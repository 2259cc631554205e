/* A stop in order that lets no commit wait. Layer: ops/commands. Thread: main. Errors: answers to the client. */
#ifndef LT_OPS_DRAIN_H
#define LT_OPS_DRAIN_H

#include "ops/admin/admin.h"
#include "ops/parts/parts.h"

/* If the source can do without us, or with force, stops the process. Takes the reply. */
void drain_run(struct ops *ops, bool force, struct admin_reply *reply);

#endif
