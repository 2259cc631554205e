/*
 * What would end or hinder a start at once, looked at without starting: `logtailerd --check`. Changes nothing: no folder is made.
 *
 * Layer: daemon. Thread: main, before any other. May wait for the resolver.
 * Errors: LT_EINVAL with the key; LT_ENOMEM. A start does not ask this: it finds out by itself, and waits for what may be over in a moment.
 */
#ifndef LT_DAEMON_CONF_PROBE_H
#define LT_DAEMON_CONF_PROBE_H

#include "base/err.h"

struct conf;

int conf_probe(const struct conf *conf, struct lt_err *err) LT_MUST_CHECK;

#endif
