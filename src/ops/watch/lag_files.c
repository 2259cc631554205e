#include "ops/watch/lag_files.h"

#include <string.h>

void lag_note_end(struct lag_files *files, uint64_t number, uint64_t end)
{
    unsigned n = files->count;
    if (n > 0 && number < files->file[n - 1].number)
        n = files->count = 0; /* its history began anew */
    if (n > 0 && files->file[n - 1].number == number) {
        files->file[n - 1].end = end;
        return;
    }
    if (n == LAG_FILES) {
        memmove(&files->file[0], &files->file[1], (LAG_FILES - 1) * sizeof files->file[0]);
        n--;
    }
    files->file[n].number = number;
    files->file[n].end = end;
    files->count = n + 1;
}

static bool end_of(const struct lag_files *files, uint64_t number, uint64_t *ret_end)
{
    for (unsigned i = files->count; i-- > 0;) {
        if (files->file[i].number == number) {
            *ret_end = files->file[i].end;
            return true;
        }
    }
    return false;
}

bool lag_bytes_between(const struct lag_files *files, uint64_t from_number, uint64_t from_offset, uint64_t to_number,
                       uint64_t to_offset, uint64_t *ret_bytes)
{
    uint64_t bytes = 0;
    uint64_t end = 0;
    if (from_number > to_number || (from_number == to_number && from_offset >= to_offset)) {
        *ret_bytes = 0;
        return true;
    }
    if (from_number == to_number) {
        *ret_bytes = to_offset - from_offset;
        return true;
    }
    if (to_number - from_number > LAG_FILES)
        return false;
    for (uint64_t n = from_number; n < to_number; n++) {
        if (!end_of(files, n, &end))
            return false;
        if (n > from_number)
            bytes += end;
        else if (end > from_offset)
            bytes += end - from_offset;
    }
    *ret_bytes = bytes + to_offset;
    return true;
}
