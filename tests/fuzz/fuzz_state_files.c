/*
 * DIR/fence and DIR/source: any bytes are a file, the first one says which. What is accepted must be written and read back as the same.
 */
#include <stdlib.h>
#include <string.h>

#include "ingest/follow.h"
#include "ops/fence/fence_state.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void try_source(const unsigned char *data, size_t size)
{
    struct follow f;
    struct follow back;
    char *text = calloc(1, size + 1);
    follow_init(&f);
    follow_init(&back);
    if (text == NULL)
        abort();
    if (size > 0)
        memcpy(text, data, size);
    if (follow_parse(text, &f) == 0) {
        char *once = follow_format(&f);
        char *again = once != NULL ? strdup(once) : NULL;
        if (again == NULL || follow_parse(again, &back) != 0)
            abort();
        char *twice = follow_format(&back);
        if (twice == NULL || strcmp(once, twice) != 0)
            abort();
        free(once);
        free(again);
        free(twice);
    }
    free(text);
    follow_fini(&f);
    follow_fini(&back);
}

static char *encode(const struct fence_state *fs)
{
    json_t *json = fence_state_encode(fs);
    char *text = json != NULL ? json_dumps(json, JSON_SORT_KEYS) : NULL;
    json_decref(json);
    if (text == NULL)
        abort();
    return text;
}

static void try_fence(const unsigned char *data, size_t size)
{
    struct fence_state fs;
    struct fence_state back;
    fence_state_init(&fs);
    fence_state_init(&back);
    if (fence_state_decode((const char *)data, size, &fs) == 0) {
        char *once = encode(&fs);
        if (fence_state_decode(once, strlen(once), &back) != 0)
            abort();
        char *twice = encode(&back);
        if (strcmp(once, twice) != 0)
            abort();
        free(once);
        free(twice);
    }
    fence_state_fini(&fs);
    fence_state_fini(&back);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    if (size > 0 && data[0] == 's')
        try_source(data + 1, size - 1);
    else if (size > 0)
        try_fence(data + 1, size - 1);
    return 0;
}
