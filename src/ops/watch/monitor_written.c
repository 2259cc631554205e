/*
 * Where MySQL's binlog ends, without a statement that waits: performance_schema counts the bytes that this run of the server wrote into each
 * binlog file, and a binlog file is written from its first byte to its last by one run. Verified against 9.7.4:
 * - of the open file the count is its size, commits that wait for an ACK included;
 * - a closed file has one more, the mark "in use" taken back;
 * - of files that an earlier run wrote only that mark is counted, or nothing: their sizes are not known.
 * An encrypted file has a header in front that no position counts; that was read, not tried.
 * Needs SELECT on performance_schema.file_summary_by_instance; without it nothing is told. After a TRUNCATE of that table by somebody the counts
 * of the files written until then, and the lag made of them, are too low.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ops/watch/monitor_ask.h"

#define ENCRYPTION_HEADER 512u
#define FIRST_EVENT_END   120u /* no file of this run is shorter: magic and format description */
#define COST_SHARE        100u /* the server walks all its files for it: a hundredth of its time, */
#define PAUSE_MAX_US      (MONITOR_FRESH_US - MONITOR_PERIOD_US) /* but as often as the figure must be fresh */

struct written_rows {
    struct lag_files files;
    uint64_t header;
};

static void on_file(const struct source_row *row, void *arg)
{
    struct written_rows *w = arg;
    if (row->columns < 2 || row->value[0] == NULL || row->value[1] == NULL)
        return;
    const char *slash = strrchr(row->value[0], '/');
    const char *name = slash != NULL ? slash + 1 : row->value[0];
    uint64_t bytes = strtoull(row->value[1], NULL, 10);
    if (binlog_name_ok(name) && bytes >= FIRST_EVENT_END + w->header)
        lag_note_end(&w->files, binlog_name_number(name), bytes - w->header);
}

int monitor_ask_written(struct source *s, struct monitor_view *v, struct lt_err *err)
{
    struct written_rows w = {.header = v->binlog_encrypted ? ENCRYPTION_HEADER : 0};
    uint64_t begin_us = clock_mono_us();
    bool refused = false;
    if (begin_us < v->written_due_us)
        return LT_OK;
    int rc =
        monitor_query(s,
                      "SELECT FILE_NAME, SUM_NUMBER_OF_BYTES_WRITE FROM performance_schema.file_summary_by_instance "
                      "WHERE EVENT_NAME = 'wait/io/file/sql/binlog' ORDER BY LENGTH(FILE_NAME), FILE_NAME",
                      on_file, &w, &refused, err);
    uint64_t now_us = clock_mono_us();
    uint64_t pause_us = refused ? PAUSE_MAX_US : (now_us - begin_us) * COST_SHARE;
    v->written_due_us = now_us + (pause_us < PAUSE_MAX_US ? pause_us : PAUSE_MAX_US);
    for (unsigned i = 0; i + 1 < w.files.count; i++)
        w.files.file[i].end--; /* the mark "in use" */
    v->written = w.files;
    return rc;
}
