/*
 * What an operator is told to do, in the words of the source at hand: tables of cures write {source} and {replica} where names of variables and plugins
 * have "source" and "replica" in newer MySQL, "master" and "slave" in older ones and in MariaDB.
 * Layer: ingest. Thread: any (values).
 */
#ifndef LT_INGEST_CURE_H
#define LT_INGEST_CURE_H

#include <stdbool.h>

#define CURE_MAX 512

/* buf, with `cure` in it as the source would have it. old_names: it says master and slave. */
const char *cure_text(const char *cure, bool old_names, char buf[CURE_MAX]);

#endif
