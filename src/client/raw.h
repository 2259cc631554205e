/*
 * --raw: a copy of the files, byte for byte, under their names: DIR/LINEAGE-SOURCE/NAME, one folder per history (0001-<source id>).
 *
 * The files themselves say where to go on: the last one is walked, what is not a whole, valid event is cut off, and the copy goes on at the start
 * of its last complete transaction: what comes again is compared with what is there. Files are always whole from their beginning.
 *
 * Layer: client (program). Thread: main. Owns: the descriptors, a lock on DIR (a second writer is refused).
 * Errors: LT_ESYS/LT_EFULL (this machine), LT_EBUSY (locked), LT_EDIVERGED (the server's bytes differ from those here), LT_EGAP (the file
 *   begins before what the server sends: begin again at raw_file_start).
 */
#ifndef LT_CLIENT_RAW_H
#define LT_CLIENT_RAW_H

#include "base/err.h"
#include "binlog/event.h"
#include "binlogtail/binlogtail.h"
#include "client/text.h"

struct raw {
    const char *dir; /* borrowed */
    int dir_fd;
    int folder_fd;
    int fd;
    char folder[96];
    char file[BINLOG_NAME_MAX + 1];
    uint64_t size;       /* of the file, with what waits */
    uint64_t verify_end; /* bytes before it are there already and compared */
    struct text waiting; /* to be written at size - waiting.len */
    uint8_t *compare;    /* for reading back */
    bool unsynced;
    char start[BINLOGTAIL_TOKEN_MAX]; /* where to go on; "": the folder is empty */
};

/* Makes DIR when it is not there; finds out where to go on. raw_close in any case. */
int raw_open(struct raw *r, const char *dir, struct lt_err *err) LT_MUST_CHECK;
void raw_close(struct raw *r);
/* Any event of the library; those that do not matter are passed over. */
int raw_event(struct raw *r, const struct binlogtail_event *ev, struct lt_err *err) LT_MUST_CHECK;
int raw_flush(struct raw *r, struct lt_err *err) LT_MUST_CHECK;
/* Durable on this machine. */
int raw_sync(struct raw *r, struct lt_err *err) LT_MUST_CHECK;
/* The resume token of the beginning of the file that pos is in. */
void raw_file_start(const struct binlogtail_position *pos, char *buf, size_t cap);

/* ---- raw_resume.c ---- */
int raw_find_end(struct raw *r, struct lt_err *err) LT_MUST_CHECK;

#endif
