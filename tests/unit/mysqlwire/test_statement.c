/* Every statement that clients of REPLICATION say, in the forms in which they say it; what is inside comments and quotes; what has no end. */
#include "cunit_main.h"

#include "mysqlwire/statement.h"

static struct statement st;

static bool fits(const char *text, const char *pattern, struct statement_captures *ret)
{
    return statement_parse(text, strlen(text), &st) == 0 && statement_fits(&st, pattern, ret);
}

static void test_patterns(void)
{
    static const struct {
        const char *text;
        const char *pattern;
        bool fits;
    } pairs[] = {
        {"SELECT VERSION()", "SELECT VERSION ( )", true},
        {"select  version ( ) ;", "SELECT VERSION ( )", true},
        {"/* mysql-connector */ SELECT/**/VERSION();;", "SELECT VERSION ( )", true},
        {"-- note\nSELECT 1", "SELECT $", true},
        {"--1", "- - $", true},
        {"# note\nSELECT 1 # more", "SELECT $", true},
        {"/*!40101 SET NAMES utf8 */", "SET NAMES $", true},
        {"/*M!100101 SET NAMES utf8 */;", "SET NAMES $", true},
        {"SHOW BINARY LOGS", "SHOW BINARY|MASTER LOGS", true},
        {"show master logs", "SHOW BINARY|MASTER LOGS", true},
        {"SHOW BINARY LOG", "SHOW BINARY|MASTER LOGS", false},
        {"SHOW BINARYMASTER LOGS", "SHOW BINARY|MASTER LOGS", false},
        {"SHOW GLOBAL VARIABLES LIKE 'server_id'", "SHOW [GLOBAL|SESSION] VARIABLES LIKE $", true},
        {"SHOW VARIABLES LIKE 'SERVER_ID'", "SHOW [GLOBAL|SESSION] VARIABLES LIKE $", true},
        {"SHOW VARIABLES LIKE", "SHOW [GLOBAL|SESSION] VARIABLES LIKE $", false},
        {"SHOW VARIABLES LIKE 'a' 'b'", "SHOW [GLOBAL|SESSION] VARIABLES LIKE $", false},
        {"SET @a = 1, @b = 2", "SET ...", true},
        {"", "", true},
        {" ; ", "", true},
        {"SELECT", "", false},
        {"SELECT", "SELECT ...", true},
        {"'SELECT'", "SELECT", false},
        {"`SELECT`", "SELECT", false},
        {"USE `my db`", "USE $", true},
        {"SELECT @@x", "SELECT $", false},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct statement_captures c;
        bool is = fits(pairs[i].text, pairs[i].pattern, &c);
        CU_ASSERT_EQUAL(is, pairs[i].fits);
        if (is != pairs[i].fits)
            (void)printf("%s ", pairs[i].text);
    }
}

static bool token(size_t i, enum token_kind kind, enum token_scope scope, const char *text)
{
    char got[128];
    if (i > st.count)
        return false;
    token_text(&st.tokens[i], got, sizeof got);
    return st.tokens[i].kind == kind && st.tokens[i].scope == scope && strcmp(got, text) == 0;
}

static void test_tokens(void)
{
    static const char text[] = "SET @master_binlog_checksum = @@global.binlog_checksum, @`odd ``name` := 'it''s\\n', "
                               "@@SESSION.sql_mode=\"a\\\"b\", @@persist.x.y = -0x1F, n\xc3\xa4me";
    CU_ASSERT_EQUAL(statement_parse(text, strlen(text), &st), 0);
    CU_ASSERT_TRUE(token(0, TOKEN_WORD, SCOPE_NONE, "SET"));
    CU_ASSERT_TRUE(token(1, TOKEN_USER_VAR, SCOPE_NONE, "master_binlog_checksum"));
    CU_ASSERT_TRUE(token(2, TOKEN_SIGN, SCOPE_NONE, "="));
    CU_ASSERT_TRUE(token(3, TOKEN_VAR, SCOPE_GLOBAL, "binlog_checksum"));
    CU_ASSERT_EQUAL(st.tokens[3].whole_len, strlen("@@global.binlog_checksum"));
    CU_ASSERT_TRUE(token(5, TOKEN_USER_VAR, SCOPE_NONE, "odd `name"));
    CU_ASSERT_TRUE(token(6, TOKEN_SIGN, SCOPE_NONE, ":"));
    CU_ASSERT_TRUE(token(8, TOKEN_STRING, SCOPE_NONE, "it's\n"));
    CU_ASSERT_TRUE(token(10, TOKEN_VAR, SCOPE_SESSION, "sql_mode"));
    CU_ASSERT_TRUE(token(12, TOKEN_STRING, SCOPE_NONE, "a\"b"));
    CU_ASSERT_TRUE(token(14, TOKEN_VAR, SCOPE_GLOBAL, "x.y"));
    CU_ASSERT_TRUE(token(16, TOKEN_SIGN, SCOPE_NONE, "-"));
    CU_ASSERT_TRUE(token(17, TOKEN_NUMBER, SCOPE_NONE, "0x1F"));
    CU_ASSERT_TRUE(token(19, TOKEN_WORD, SCOPE_NONE, "n\xc3\xa4me"));
    CU_ASSERT_EQUAL(st.count, 20);
    CU_ASSERT_TRUE(token(20, TOKEN_END, SCOPE_NONE, ""));
}

static void test_no_end(void)
{
    static const char *const texts[] = {"'",    "SELECT 'a",       "SELECT 'a\\'", "SELECT \"a", "`",          "/*",
                                        "/* *", "/*!40101 SELECT", "@@",           "@@global.",  "SELECT @'a", "@`",
                                        "@@`x"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        CU_ASSERT_EQUAL(statement_parse(texts[i], strlen(texts[i]), &st), LT_EPROTO);
}

static void test_many(void)
{
    char text[4 * STATEMENT_TOKENS_MAX];
    for (size_t n = STATEMENT_TOKENS_MAX - 1; n <= STATEMENT_TOKENS_MAX + 1; n++) {
        for (size_t i = 0; i < n; i++)
            memcpy(text + 2 * i, "a ", 2);
        CU_ASSERT_EQUAL(statement_parse(text, 2 * n, &st), n <= STATEMENT_TOKENS_MAX ? 0 : LT_ETOOBIG);
    }
}

static void test_captures(void)
{
    struct statement_captures c;
    char got[8];
    CU_ASSERT_TRUE(fits("SELECT binlog_gtid_pos('mysql-bin.000001',4)", "SELECT BINLOG_GTID_POS ( $ , $ )", &c));
    CU_ASSERT_EQUAL(c.count, 2);
    token_text(c.token[0], got, sizeof got);
    CU_ASSERT_STRING_EQUAL(got, "mysql-b");
    token_text(c.token[1], got, sizeof got);
    CU_ASSERT_STRING_EQUAL(got, "4");
    CU_ASSERT_TRUE(fits("SET a, b", "SET ...", &c));
    CU_ASSERT_EQUAL(c.rest, 1);
    token_text(&st.tokens[1], got, 1);
    CU_ASSERT_STRING_EQUAL(got, "");
}

static const struct test_case cases[] = {
    {"patterns", test_patterns},         {"tokens", test_tokens},
    {"what has no end", test_no_end},    {"as many as there is room for", test_many},
    {"what is captured", test_captures},
};

int main(void)
{
    return cunit_run("statement", cases, sizeof cases / sizeof cases[0]);
}
