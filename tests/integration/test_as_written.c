/*
 * README.md as a newcomer follows it: the SQL of "Set the primary", the file of "Configure logtailerd", and after the primary's death the lines of "The
 * primary is dead", read out of it and run. Names of machines, files and secrets are put in; a line that has no place here fails the test.
 * Environment: LT_README, LT_CTL, LT_BINLOGTAIL.
 */
#include "pair.h"

#include <ctype.h>
#include <stdio.h>

#define PASSWORD "a-password-of-the-test"

struct site {
    char *readme;
    struct server *db1;
    struct sql *root1;
    struct pair db2;
    struct daemon *t1;
    char *folder;
};

/* ---- reading */

/* The text from a heading to the next of its level; the caller frees. */
static char *section(const char *readme, const char *heading)
{
    char *mark = proc_fmt("\n## %s\n", heading);
    const char *from = strstr(readme, mark);
    if (from == NULL)
        proc_die("README.md has no section %s", heading);
    from += strlen(mark);
    const char *to = strstr(from, "\n## ");
    free(mark);
    return proc_fmt("%.*s", to != NULL ? (int)(to - from) : (int)strlen(from), from);
}

/* The indented lines behind `after`, up to a line of prose; without their four blanks. The caller frees. */
static char *code_after(const char *text, const char *after)
{
    const char *line = strstr(text, after);
    if (line == NULL)
        proc_die("README.md does not say: %s", after);
    char *code = proc_fmt("%s", "");
    for (line = strchr(line, '\n'); line != NULL; line = strchr(line, '\n')) {
        line++;
        size_t len = strcspn(line, "\n");
        if (len > 0 && strncmp(line, "    ", 4) != 0 && code[0] != '\0')
            break;
        if (strncmp(line, "    ", 4) == 0) {
            char *more = proc_fmt("%s%.*s\n", code, (int)len - 4, line + 4);
            free(code);
            code = more;
        }
    }
    return code;
}

static char *replaced(char *text, const char *what, const char *with)
{
    char *at;
    while ((at = strstr(text, what)) != NULL) {
        char *next = proc_fmt("%.*s%s%s", (int)(at - text), text, with, at + strlen(what));
        free(text);
        text = next;
    }
    return text;
}

/* ---- the primary and logtailerd */

/* One statement a line. sets_only: what a server keeps to itself, which replication does not bring. */
static void run_sql(const struct site *s, struct sql *sql, bool sets_only, bool last)
{
    char *text = section(s->readme, "Set the primary");
    char *code = code_after(text, flavor == SERVER_MYSQL ? "\nMySQL 8.0.26" : "\nMariaDB 10.5");
    code = replaced(code, "'...'", "'" PASSWORD "'");
    char *save = NULL;
    for (char *line = strtok_r(code, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        bool set = strncmp(line, "SET ", 4) == 0;
        bool switches_on = strstr(line, "_enabled") != NULL;
        if (strncmp(line, "--", 2) == 0 || switches_on != last || (sets_only && !set))
            continue;
        CU_ASSERT_PTR_NOT_NULL(strchr(line, ';'));
        *strchr(line, ';') = '\0';
        sql_must(sql, "%s", line);
    }
    free(code);
    free(text);
}

/* The file's lines as "section.key=value", with what is different here. */
static void add_settings(const struct site *s, struct proc_args *settings)
{
    char *text = section(s->readme, "Configure logtailerd");
    char *code = code_after(text, "");
    char name[32] = "";
    char *save = NULL;
    for (char *line = strtok_r(code, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        char key[32];
        char value[128];
        if (sscanf(line, "[%31[a-z]]", name) == 1)
            continue;
        CU_ASSERT_EQUAL(sscanf(line, "%31[a-z_] = %127s", key, value), 2);
        bool ours = strcmp(key, "host") == 0 || strcmp(key, "password_file") == 0 || strcmp(key, "ssl_ca") == 0 ||
                    strcmp(key, "dir") == 0;
        if (strcmp(key, "listen") == 0)
            proc_args_add(settings, "%s.%s=127.0.0.1:%u", name, key, proc_free_port());
        else if (!ours)
            proc_args_add(settings, "%s.%s=%s", name, key, value);
    }
    free(code);
    free(text);
}

static void start_logtailerd(struct site *s)
{
    struct proc_args settings = {0};
    add_settings(s, &settings);
    s->t1 = daemon_start(
        &(struct daemon_options){.server = s->db1, .user = "logtailer", .password = PASSWORD, .settings = settings.v});
    proc_args_fini(&settings);
    CU_ASSERT_TRUE(daemon_wait_state(s->t1, "streaming", RIG_WAIT_MS));
}

/* With db1's certificates: one CA for the site, as the configuration has one. */
static void start_db2(struct site *s)
{
    char *ca = proc_fmt("--ssl-ca=%s/certs/ca.pem", s->db1->dir);
    char *cert = proc_fmt("--ssl-cert=%s/certs/server-cert.pem", s->db1->dir);
    char *key = proc_fmt("--ssl-key=%s/certs/server-key.pem", s->db1->dir);
    char *args[] = {flavor == SERVER_MYSQL ? "--tls-version=TLSv1.2,TLSv1.3" : "--log-slave-updates",
                    flavor == SERVER_MYSQL ? "--relay-log-recovery=ON" : "--ssl",
                    ca,
                    cert,
                    key,
                    NULL};
    s->db2.srv = server_start(
        &(struct server_options){.flavor = flavor, .semisync = SERVER_SEMISYNC_OFF, .server_id = 2, .args = args});
    s->db2.root = server_root(s->db2.srv);
    pair_replicate(s->db2.root, s->db1);
    sql_must(s->db2.root, flavor == SERVER_MYSQL ? "SET GLOBAL super_read_only = ON" : "SET GLOBAL read_only = ON");
    free(ca);
    free(cert);
    free(key);
}

static char *read_readme(void)
{
    const char *path = secure_getenv("LT_README");
    char *text = path != NULL ? proc_read_file(path, NULL) : NULL;
    if (text == NULL)
        proc_die("LT_README does not name the document (run the test through meson)");
    return text;
}

static void start(struct site *s)
{
    static char *mariadb_args[] = {"--log-slave-updates", NULL};
    *s = (struct site){.readme = read_readme(), .folder = proc_tempdir()};
    s->db1 = server_start(&(struct server_options){.flavor = flavor,
                                                   .semisync = SERVER_SEMISYNC_MISSING,
                                                   .tls = SERVER_TLS_OURS,
                                                   .args = flavor == SERVER_MARIADB ? mariadb_args : NULL});
    s->root1 = server_root(s->db1);
    run_sql(s, s->root1, false, false);
    sql_must(s->root1, "CREATE TABLE t.r (id INT PRIMARY KEY)");
    start_logtailerd(s);
    run_sql(s, s->root1, false, true);
    start_db2(s);
}

static void end(struct site *s)
{
    sql_close(s->root1);
    daemon_free(s->t1);
    pair_end(&s->db2);
    server_free(s->db1);
    proc_remove_dir(s->folder);
    free(s->folder);
    free(s->readme);
}

/* ---- the runbook */

/* What a machine's prompt leads to here, and what stands for names. */
static char *prelude(const struct site *s)
{
    struct proc_args client = {0};
    struct proc_args tool = {0};
    if (flavor == SERVER_MYSQL) {
        server_mysql_program(&client, "bin/mysql");
        server_mysql_program(&tool, "bin/mysqlbinlog");
    } else {
        proc_args_add(&client, "mariadb");
        proc_args_add(&tool, "mariadb-binlog");
    }
    char *words[2] = {proc_fmt("%s", ""), proc_fmt("%s", "")};
    struct proc_args *both[] = {&client, &tool};
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; both[k]->v[i] != NULL; i++) {
            char *more = proc_fmt("%s '%s'", words[k], both[k]->v[i]);
            free(words[k]);
            words[k] = more;
        }
        proc_args_fini(both[k]);
    }
    char *text = proc_fmt(
        "set -eu -o pipefail\nexport TMPDIR='%s'\n"
        "logtailerctl() { rc=0; \"$LT_CTL\" --dir '%s' \"$@\" || rc=$?; [ \"$1$rc\" != diff1 ] || rc=0; return $rc; }\n"
        "binlogtail() { \"$LT_BINLOGTAIL\" \"$@\"; }\n"
        "client() { [ \"$*\" = --host=db2 ]; command %s --no-defaults --user=root --socket='%s'; }\n"
        "mysql() { client \"$@\"; }\nmariadb() { client \"$@\"; }\n"
        "tool() { command %s \"$@\"; }\nmysqlbinlog() { tool \"$@\"; }\nmariadb-binlog() { tool \"$@\"; }\n",
        s->folder, s->t1->dir, words[0], s->db2.srv->socket, words[1]);
    free(words[0]);
    free(words[1]);
    return text;
}

static char *one_line(char *set)
{
    size_t n = 0;
    for (size_t i = 0; set != NULL && set[i] != '\0'; i++)
        if (!isspace((unsigned char)set[i]))
            set[n++] = set[i];
    if (set != NULL)
        set[n] = '\0';
    return set != NULL ? set : proc_fmt("%s", "");
}

/* What db2 has, as step 3 asks for it, before it is fed and afterwards. */
static char *set_of_db2(const struct site *s, bool fed)
{
    const char *mariadb = fed ? "SELECT @@gtid_binlog_pos" : "SELECT @@gtid_current_pos";
    return one_line(sql_value(s->db2.root, "%s", flavor == SERVER_MYSQL ? "SELECT @@gtid_executed" : mariadb));
}

static char *file_of_db2(const struct site *s)
{
    struct sql_rows *rows = sql_rows(s->db2.root, flavor == SERVER_MYSQL ? "SHOW REPLICA STATUS" : "SHOW SLAVE STATUS");
    char *file = proc_fmt("%s", rows->rows == 1 ? rows->cells[9] : "");
    sql_rows_free(rows);
    return file;
}

static char *put_names_in(const struct site *s, char *code)
{
    json_t *position = daemon_command(s->t1, "position");
    char *address = proc_fmt("127.0.0.1:%u", s->t1->tail_port);
    char *db2 = proc_fmt("127.0.0.1:%u", s->db2.srv->port);
    char *set = set_of_db2(s, false);
    char *file = file_of_db2(s);
    char *from = proc_fmt("--from %s ", file);
    code = replaced(code, "GTID-SET-OF-db2", set);
    code = replaced(code, "GTID-SET-OF-t1", pair_text(position, "gtid_executed"));
    code = replaced(code, "--from FILE ", from);
    code = replaced(code, "localhost:7306", address);
    code = replaced(code, "db2:3306", db2);
    free(from);
    free(file);
    free(set);
    free(db2);
    free(address);
    json_decref(position);
    return code;
}

/* Behind the prompts; of lines for one flavour those of ours. False: a line that has no place here. */
static bool add_line(char **script, const char *line, bool *other)
{
    const char *command = NULL;
    if (strncmp(line, "# MySQL:", 8) == 0 || strncmp(line, "# MariaDB:", 10) == 0) {
        *other = (line[3] == 'y') != (flavor == SERVER_MYSQL);
        return true;
    }
    if (strncmp(line, "t1$ ", 4) == 0 || strncmp(line, "t2$ ", 4) == 0) /* one logtailer stands for both */
        command = line + 4;
    else if (strncmp(line, "        ", 8) == 0)
        command = line;
    if (command == NULL)
        return false;
    if (!*other) {
        char *more = proc_fmt("%s%s\n", *script, command);
        free(*script);
        *script = more;
    }
    return true;
}

/* The lines of one step, in a shell. Its exit status: that of the first command that failed. */
static int run_step(const struct site *s, const char *step)
{
    char *text = section(s->readme, "The primary is dead");
    char *from = strstr(text, step);
    if (from == NULL)
        proc_die("README.md has no step %s", step);
    char *to = strstr(from + 2, "\n**");
    if (to != NULL)
        *to = '\0';
    char *script = prelude(s);
    bool other = false;
    char *save = NULL;
    for (char *line = strtok_r(from, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, "    ", 4) == 0 && !add_line(&script, line + 4, &other)) {
            fprintf(stderr, "no place for: %s\n", line);
            CU_FAIL("a line of README.md has no place in this test");
        }
    }
    script = put_names_in(s, script);
    char *said = proc_fmt("%s/said", s->folder);
    int status = proc_run((char *[]){"bash", "-c", script, NULL}, NULL, said);
    if (status != 0) {
        char *words = proc_read_file(said, NULL);
        fprintf(stderr, "%s: exit %d\n%s\n----\n%s\n", step, status, script, words != NULL ? words : "");
        free(words);
    }
    free(said);
    free(script);
    free(text);
    return status;
}

static void insert(struct sql *sql, int from, int to)
{
    for (int i = from; i < to; i++)
        sql_must(sql, "INSERT INTO t.r VALUES (%d)", i);
}

/* db2 lacks what is in two files when db1 dies. */
static void lose_db1(struct site *s)
{
    insert(s->root1, 0, 20);
    CU_ASSERT_TRUE(pair_wait_caught_up(s->db2.root, s->root1, 60));
    pair_stop_receiving(s->db2.root);
    insert(s->root1, 20, 40);
    sql_must(s->root1, "FLUSH BINARY LOGS");
    insert(s->root1, 40, 60);
    CU_ASSERT_EQUAL(sql_semi_status(s->root1, "no_tx"), 0);
    server_kill(s->db1);
}

static void check_fed(const struct site *s)
{
    char *set = set_of_db2(s, true);
    json_t *diff = pair_command(s->t1, "diff %s", set);
    CU_ASSERT_STRING_EQUAL(pair_text(diff, "only_here"), "");
    CU_ASSERT_EQUAL(sql_number(s->db2.root, "SELECT COUNT(*) FROM t.r"), 60);
    json_decref(diff);
    free(set);
}

static void fail_over(const struct site *s)
{
    CU_ASSERT_EQUAL(run_step(s, "**1. Fence"), 0);
    CU_ASSERT_EQUAL(run_step(s, "**2. Pick"), 0);
    sql_must(s->db2.root, flavor == SERVER_MYSQL ? "STOP REPLICA" : "STOP SLAVE");
    if (flavor == SERVER_MYSQL)
        sql_must(s->db2.root, "SET GLOBAL super_read_only = OFF");
    int fed = run_step(s, "**3. Feed");
    CU_ASSERT_EQUAL(fed, 0);
    if (fed != 0)
        return;
    check_fed(s);
    sql_must(s->db2.root, flavor == SERVER_MYSQL ? "STOP REPLICA" : "STOP SLAVE");
    sql_must(s->db2.root, flavor == SERVER_MYSQL ? "RESET REPLICA ALL" : "RESET SLAVE ALL");
    run_sql(s, s->db2.root, true, false);
    run_sql(s, s->db2.root, true, true);
    int moved = run_step(s, "**5. Repoint");
    CU_ASSERT_TRUE(moved == 0 || moved == 1); /* preflight has reasons of this machine: it is one */
    CU_ASSERT_TRUE(daemon_wait_state(s->t1, "streaming", RIG_WAIT_MS));
    sql_must(s->db2.root, "SET GLOBAL read_only = OFF");
    insert(s->db2.root, 60, 70);
    CU_ASSERT_EQUAL(sql_semi_status(s->db2.root, "no_tx"), 0);
    CU_ASSERT_TRUE(sql_semi_status(s->db2.root, "yes_tx") >= 10);
}

static void test_as_written(void)
{
    struct site s;
    start(&s);
    lose_db1(&s);
    fail_over(&s);
    end(&s);
}

static const struct test_case cases[] = {
    {"README, from an empty machine to a failover", test_as_written},
};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "as written", cases, sizeof cases / sizeof cases[0]);
}
