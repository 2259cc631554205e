/*
 * GTID sets as text, in MySQL's binary form and from events. Byte 0 chooses the form. What is accepted must survive formatting and
 * parsing again, encoding and decoding, and the laws of sets: a + a = a, a - a = {}, (a + b) - b has nothing of b.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "binlog/gtid.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

static int read_set(unsigned form, const unsigned char *data, size_t size, struct gtid_set *ret)
{
    size_t used = 0;
    if (form == 0)
        return gtid_set_decode_mysql(data, size, ret, &used);
    if (form == 1)
        return gtid_set_from_previous_gtids(data, size, true, ret);
    if (form == 2)
        return gtid_set_from_gtid_list(data, size, false, ret);
    char *text = malloc(size + 1);
    if (text == NULL)
        abort();
    if (size != 0)
        memcpy(text, data, size);
    text[size] = '\0';
    struct gtid single;
    enum gtid_kind kind = form == 3 ? GTID_MYSQL : GTID_MARIADB;
    int rc = gtid_set_parse(kind, text, ret);
    if (gtid_parse(kind, text, &single) == 0 && rc == 0)
        check(gtid_set_contains(ret, &single) && gtid_set_count(ret) == 1);
    free(text);
    return rc;
}

static void check_forms(const struct gtid_set *set)
{
    struct gtid_set back = {0};
    uint8_t *bytes = NULL;
    size_t len = 0;
    size_t used = 0;
    char *text = gtid_set_format(set);
    check(text != NULL);
    check(gtid_set_parse(set->kind, text, &back) == 0 && gtid_set_equal(set, &back));
    free(text);
    if (set->kind == GTID_MYSQL) {
        check(gtid_set_encode_mysql(set, &bytes, &len) == 0);
        check(gtid_set_decode_mysql(bytes, len, &back, &used) == 0 && used == len && gtid_set_equal(set, &back));
        free(bytes);
    }
    gtid_set_fini(&back);
}

static void check_laws(const struct gtid_set *a, const struct gtid_set *b)
{
    struct gtid_set u = {0};
    struct gtid_set d = {0};
    check(gtid_set_copy(&u, a) == 0 && gtid_set_union(&u, b) == 0);
    check(gtid_set_contains_set(&u, a) && gtid_set_contains_set(&u, b));
    check(gtid_set_copy(&d, &u) == 0 && gtid_set_subtract(&d, b) == 0);
    check(gtid_set_contains_set(&u, &d));
    check(gtid_set_union(&d, b) == 0 && gtid_set_equal(&d, &u));
    check(gtid_set_subtract(&d, &u) == 0 && gtid_set_is_empty(&d));
    gtid_set_fini(&u);
    gtid_set_fini(&d);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct gtid_set a = {0};
    struct gtid_set b = {0};
    if (size < 2)
        return 0;
    unsigned form = data[0] % 5u;
    /* Two sets of one form: the input is cut where byte 1 says. */
    size_t rest = size - 2;
    size_t cut = data[1] < rest ? data[1] : rest;
    bool have_a = read_set(form, data + 2, rest, &a) == 0;
    bool have_b = read_set(form, data + 2 + cut, rest - cut, &b) == 0;
    if (have_a)
        check_forms(&a);
    if (have_a && have_b && a.kind == b.kind)
        check_laws(&a, &b);
    gtid_set_fini(&a);
    gtid_set_fini(&b);
    return 0;
}
