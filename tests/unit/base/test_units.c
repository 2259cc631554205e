#include <string.h>

#include "cunit_main.h"

#include "base/units.h"

static void bytes_good(void)
{
    static const struct {
        const char *text;
        uint64_t value;
    } cases[] = {
        {"0", 0},
        {"0B", 0},
        {"4096B", 4096},
        {"200G", 200ULL << 30},
        {"12B", 12},
        {"16MiB", 16ULL << 20},
        {"16M", 16ULL << 20},
        {"1K", 1024},
        {"1KiB", 1024},
        {"1kB", 1000},
        {"1KB", 1000},
        {"2GiB", 2ULL << 30},
        {"2G", 2ULL << 30},
        {"1GB", 1000000000},
        {"3MB", 3000000},
        {"1TiB", 1ULL << 40},
        {"1T", 1ULL << 40},
        {"1TB", 1000000000000},
        {"18446744073709551615B", UINT64_MAX},
        {"16777215TiB", 16777215ULL << 40},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t v = 1;
        CU_ASSERT_EQUAL(units_parse_bytes(cases[i].text, &v), LT_OK);
        CU_ASSERT_EQUAL(v, cases[i].value);
    }
}

static void bytes_bad(void)
{
    static const char *const cases[] = {
        "",       "-1",   "+1",    " 1",   "1 ",  "1 MiB",       "MiB",
        "1.5GiB", "1mib", "1KiBB", "0x10", "1e3", "16777216TiB", "18446744073709551616B",
        "200",    "1",    "4096",  "00"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t v = 77;
        CU_ASSERT_EQUAL(units_parse_bytes(cases[i], &v), LT_EINVAL);
        CU_ASSERT_EQUAL(v, 77);
    }
}

static void durations_good(void)
{
    static const struct {
        const char *text;
        uint64_t value;
    } cases[] = {
        {"0", 0},          {"0s", 0},           {"250ms", 250000},      {"5s", 5000000},
        {"1us", 1},        {"2min", 120000000}, {"1h", 3600000000},     {"7d", 604800000000},
        {"1.5s", 1500000}, {"0.25ms", 250},     {"1.000001s", 1000001}, {"0.000001d", 86400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t v = 1;
        CU_ASSERT_EQUAL(units_parse_duration(cases[i].text, &v), LT_OK);
        CU_ASSERT_EQUAL(v, cases[i].value);
    }
}

static void durations_bad(void)
{
    static const char *const cases[] = {"",    "5",   "00",  "s",     "-1s",        "1 s",    "1m",
                                        "1.s", ".5s", "1.5", "0.1us", "1.0000001s", "1.2.3s", "999999999999d"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t v = 77;
        CU_ASSERT_EQUAL(units_parse_duration(cases[i], &v), LT_EINVAL);
        CU_ASSERT_EQUAL(v, 77);
    }
}

static void formats(void)
{
    char buf[32];
    CU_ASSERT_STRING_EQUAL(units_format_bytes(16ULL << 20, buf, sizeof buf), "16MiB");
    CU_ASSERT_STRING_EQUAL(units_format_bytes(1536, buf, sizeof buf), "1536B");
    CU_ASSERT_STRING_EQUAL(units_format_bytes(0, buf, sizeof buf), "0");
    CU_ASSERT_STRING_EQUAL(units_format_duration(90000000, buf, sizeof buf), "90s");
    CU_ASSERT_STRING_EQUAL(units_format_duration(604800000000, buf, sizeof buf), "7d");
    CU_ASSERT_STRING_EQUAL(units_format_duration(0, buf, sizeof buf), "0");
    CU_ASSERT_STRING_EQUAL(units_format_duration(250000, buf, 3), "25");
    CU_ASSERT_STRING_EQUAL(units_format_duration(250000, buf, 0), "");
}

static void formats_round_trip(void)
{
    uint64_t v = 1;
    for (int i = 0; i < 2000; i++) {
        char buf[32];
        uint64_t back = 0;
        CU_ASSERT_EQUAL(units_parse_bytes(units_format_bytes(v, buf, sizeof buf), &back), LT_OK);
        CU_ASSERT_EQUAL(back, v);
        CU_ASSERT_EQUAL(units_parse_duration(units_format_duration(v, buf, sizeof buf), &back), LT_OK);
        CU_ASSERT_EQUAL(back, v);
        v = i % 3 == 0 ? v * 6364136223846793005ULL + 1442695040888963407ULL : v << 1;
    }
}

static void plain_numbers(void)
{
    uint64_t v = 77;
    CU_ASSERT_EQUAL(units_parse_u64("65535", 65535, &v), LT_OK);
    CU_ASSERT_EQUAL(v, 65535);
    CU_ASSERT_EQUAL(units_parse_u64("18446744073709551615", UINT64_MAX, &v), LT_OK);
    CU_ASSERT_EQUAL(v, UINT64_MAX);
    static const char *const bad[] = {"", "65536", "-1", "+1", " 1", "1 ", "1x", "0x1", "18446744073709551616"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        v = 77;
        CU_ASSERT_EQUAL(units_parse_u64(bad[i], 65535, &v), LT_EINVAL);
        CU_ASSERT_EQUAL(v, 77);
    }
}

int main(void)
{
    static const struct test_case cases[] = {
        {"bytes: good", bytes_good},       {"bytes: bad", bytes_bad}, {"durations: good", durations_good},
        {"durations: bad", durations_bad}, {"formats", formats},      {"formats round trip", formats_round_trip},
        {"plain numbers", plain_numbers},
    };
    return cunit_run("units", cases, sizeof cases / sizeof cases[0]);
}
