#include "feed/newest.h"

#include <stdlib.h>

static void follow(struct newest *n, struct feed_files *fs)
{
    struct store_segment_info info;
    struct feed_file *next;
    struct lt_err err;
    if (n->file == NULL) {
        struct store_segment_info *list = NULL;
        size_t count = 0;
        if (store_list(fs->store, &list, &count) != 0)
            return;
        if (count > 0 && files_get(fs, list[count - 1].lineage, list[count - 1].file, FILES_MUST, &next, &err) == 0)
            n->file = next;
        free(list);
    }
    while (n->file != NULL && store_reader_next_info(n->file->reader, &info) == 0) {
        if (files_get(fs, info.lineage, info.file, FILES_MUST, &next, &err) != 0)
            return; /* the next look tries again */
        files_put(n->file);
        n->file = next;
    }
}

bool newest_look(struct newest *n, struct feed_files *fs)
{
    bool sealed = false;
    follow(n, fs);
    if (n->file == NULL)
        return false;
    uint64_t end = file_end(n->file, &sealed);
    if (n->seen_id == n->file->id && n->seen_end == end && n->seen_sealed == sealed)
        return false;
    n->seen_id = n->file->id;
    n->seen_end = end;
    n->seen_sealed = sealed;
    return true;
}

void newest_fini(struct newest *n)
{
    files_put(n->file);
    n->file = NULL;
}
