/*
 * The command line of binlogtail: parsed, checked, nothing opened but the files with secrets.
 * Layer: client (program). Thread: main. Owns: what it allocated (opts_fini).
 */
#ifndef LT_CLIENT_BINLOGTAIL_OPTS_H
#define LT_CLIENT_BINLOGTAIL_OPTS_H

#include "binlogtail/binlogtail.h"
#include "client/where.h"

/* Exit codes; documented in binlogtail.1. */
enum {
    EXIT_END = 0,     /* the end (--until-end), a signal, a reader that went away */
    EXIT_LOCAL = 1,   /* this machine: a file cannot be written, out of memory */
    EXIT_USAGE = 2,   /* wrong arguments */
    EXIT_CONNECT = 3, /* no connection */
    EXIT_REFUSED = 4, /* the server does not let us in: token, name, TLS, version, too many */
    EXIT_POSITION =
        5, /* it cannot give what was asked for: purged, not found, ahead, another history, wrong GTID set */
    EXIT_BAD_DATA = 6,  /* the protocol was broken, a checksum is wrong, the stored file is damaged */
    EXIT_DIFFERENT = 7, /* --raw: what the server has differs from what is in the folder */
};

enum opts_format { FORMAT_TEXT, FORMAT_JSON, FORMAT_RAW };

struct opts_filter { /* "database" or "database.table", a NULL part matches all */
    char *database;
    char *table;
};

struct opts {
    struct binlogtail_options lib; /* strings are ours or the command line's */
    enum opts_format format;
    const char *out_dir;     /* --raw */
    const char *resume_file; /* NULL: none */
    bool from_given;
    bool heartbeats;
    bool statements; /* show the text of statements */
    bool utc;
    bool progress; /* show it, when stderr is a terminal */
    bool quiet;
    struct opts_filter *filters;
    size_t n_filters;
    char *host;
    char *token;
    char *resume_token; /* read from the resume file */
    const char *from_word;
    const char *until_word;
    struct where from;  /* lib says it too, but for a time */
    struct where until; /* WHERE_NONE: not given */
};

/* -1: go on; else the exit code (help and version are printed, complaints too). */
int opts_parse(int argc, char **argv, struct opts *ret);
void opts_fini(struct opts *o);

#endif
