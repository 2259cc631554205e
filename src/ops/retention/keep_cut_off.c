/*
 * Replicas that a removal cuts off: nothing says to a server that replicas are to be kept supplied, so whoever removes is told who was not.
 *
 * - One that reads the last file that goes still has it open; the next file it asks for is there. Who is in an older one gets error 1236 at its end.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ops/retention/keep_internal.h"
#include "replicas/replicas.h"

/* Is the file that follows its own gone? */
static bool is_cut_off(const struct replicas_client *c, const struct store_purged *purged)
{
    struct store_place at = {.lineage = c->lineage};
    if (c->file[0] == '\0' || purged->segments == 0)
        return false;
    memcpy(at.file, c->file, sizeof at.file);
    return store_place_compare(&at, &purged->last) < 0;
}

json_t *keep_cut_off(const struct ops *ops, const struct store_purged *purged)
{
    struct replicas_client *list = NULL;
    size_t n = 0;
    json_t *array = json_array();
    if (ops->replicas == NULL || replicas_list(ops->replicas, &list, &n) != 0)
        return array;
    for (size_t i = 0; i < n; i++) {
        if (is_cut_off(&list[i], purged))
            lt_ignore(json_array_append_new(array, json_pack("{s:s, s:I, s:s}", "address", list[i].address, "server_id",
                                                             (json_int_t)list[i].server_id, "file", list[i].file)));
    }
    free(list);
    return array;
}

void keep_log_cut_off(const struct ops *ops, const struct store_purged *purged)
{
    size_t i;
    json_t *one;
    json_t *array = keep_cut_off(ops, purged);
    json_array_foreach(array, i, one) log_warn(
        "store",
        "the replica %s (server id %lld) reads %s and needs what was removed: error 1236 will end its stream there",
        json_string_value(json_object_get(one, "address")),
        (long long)json_integer_value(json_object_get(one, "server_id")),
        json_string_value(json_object_get(one, "file")));
    json_decref(array);
}
