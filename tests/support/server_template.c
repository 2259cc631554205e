/*
 * The programs of both flavours and the template datadirs beside the MySQL cache.
 * Happy path: template exists → its path. Otherwise one process, under a lock file, initialises a folder, creates the users with
 * the binlog off (so that a copy's binlogs and GTIDs start at nothing), stops the server cleanly and renames the folder.
 */
#include "server.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Part of the folder's name: change it with anything that changes what a template holds. */
#define TEMPLATE_REVISION "1"

#define MYSQL_LIBS "/usr/lib/x86_64-linux-gnu"

static char *home_cache(void)
{
    const char *home = secure_getenv("HOME");
    return proc_fmt("%s/.cache/logtailer", home != NULL ? home : "/nonexistent");
}

/* The folder with the unpacked MySQL, whether it is there or not. */
static char *mysql_folder(void)
{
    const char *set = secure_getenv("LT_MYSQL_CACHE");
    if (set != NULL && set[0] != '\0')
        return proc_fmt("%s", set);
    char *folder = proc_fmt("/var/cache/logtailer/mysql-sid");
    if (access(folder, X_OK) == 0)
        return folder;
    char *home = home_cache();
    char *ours = proc_fmt("%s/mysql-sid", home);
    free(home);
    if (access(ours, X_OK) != 0) {
        free(ours);
        return folder;
    }
    free(folder);
    return ours;
}

/* A MariaDB of another release, unpacked as MySQL is; NULL: the machine's own. */
static const char *mariadb_folder(void)
{
    const char *set = secure_getenv("LT_MARIADB_CACHE");
    return set != NULL && set[0] != '\0' ? set : NULL;
}

bool server_is_installed(enum server_flavor flavor)
{
    if (flavor == SERVER_MARIADB) {
        char *own = proc_fmt("%s/usr/sbin/mariadbd", mariadb_folder() != NULL ? mariadb_folder() : "");
        bool found = access(own, X_OK) == 0;
        free(own);
        return found;
    }
    char *folder = mysql_folder();
    char *program = proc_fmt("%s/usr/sbin/mysqld", folder);
    bool there = access(program, X_OK) == 0;
    free(program);
    free(folder);
    return there;
}

void server_mysql_program(struct proc_args *args, const char *name)
{
    char *dir = mysql_folder();
    /* Its own loader and libraries: the folder comes from another Debian release. */
    proc_args_add(args, "%s" MYSQL_LIBS "/ld-linux-x86-64.so.2", dir);
    proc_args_add(args, "--library-path");
    proc_args_add(args, "%s" MYSQL_LIBS ":%s/usr/lib/mysql/private", dir, dir);
    proc_args_add(args, "%s/usr/%s", dir, name);
    free(dir);
}

static void add_mysql_program(struct proc_args *args)
{
    char *dir = mysql_folder();
    server_mysql_program(args, "sbin/mysqld");
    proc_args_add(args, "--no-defaults");
    proc_args_add(args, "--basedir=%s/usr", dir);
    proc_args_add(args, "--lc-messages-dir=%s/usr/share/mysql", dir);
    proc_args_add(args, "--character-sets-dir=%s/usr/share/mysql/charsets", dir);
    proc_args_add(args, "--plugin-dir=%s/usr/lib/mysql/plugin", dir);
    proc_args_add(args, "--secure-file-priv=NULL");
    proc_args_add(args, "--mysqlx=0");
    free(dir);
}

static void add_mariadb_program(struct proc_args *args)
{
    const char *dir = mariadb_folder();
    if (dir == NULL) {
        proc_args_add(args, "/usr/sbin/mariadbd");
        proc_args_add(args, "--no-defaults");
        return;
    }
    proc_args_add(args, "%s" MYSQL_LIBS "/ld-linux-x86-64.so.2", dir);
    proc_args_add(args, "--library-path");
    proc_args_add(args, "%s" MYSQL_LIBS, dir);
    proc_args_add(args, "%s/usr/sbin/mariadbd", dir);
    proc_args_add(args, "--no-defaults");
    proc_args_add(args, "--basedir=%s/usr", dir);
    proc_args_add(args, "--lc-messages-dir=%s/usr/share/mariadb", dir);
    proc_args_add(args, "--character-sets-dir=%s/usr/share/mariadb/charsets", dir);
    proc_args_add(args, "--plugin-dir=%s/usr/lib/mysql/plugin", dir);
}

void server_base_args(struct proc_args *args, enum server_flavor flavor)
{
    if (!server_is_installed(flavor))
        proc_die("%s is not installed: run `sh tests/install.sh test`", server_flavor_name(flavor));
    if (flavor == SERVER_MYSQL) {
        add_mysql_program(args);
    } else {
        add_mariadb_program(args);
    }
    if (geteuid() == 0)
        proc_args_add(args, "--user=root");
    proc_args_add(args, "--bind-address=127.0.0.1");
    proc_args_add(args, "--skip-name-resolve");
    proc_args_add(args, "--innodb-buffer-pool-size=32M");
    proc_args_add(args, "--innodb-buffer-pool-dump-at-shutdown=OFF");
    proc_args_add(args, "--innodb-buffer-pool-load-at-startup=OFF");
    proc_args_add(args, "--max-allowed-packet=1073741824");
}

/* ---- making a template ---- */

/* The folder for templates: beside the MySQL folder where that is writable, else in the home folder. */
static char *template_base(void)
{
    char *base = mysql_folder();
    char *slash = strrchr(base, '/');
    if (slash == NULL || slash == base)
        proc_die("LT_MYSQL_CACHE must be an absolute path below a folder, not %s", base);
    *slash = '\0';
    if (access(base, W_OK) == 0)
        return base;
    free(base);
    base = home_cache();
    char *argv[] = {"mkdir", "-p", base, NULL};
    if (proc_run(argv, NULL, NULL) != 0)
        proc_die("cannot make %s for the template datadirs", base);
    return base;
}

/* The X.Y.Z behind "Ver" in the answer to --version. */
static char *program_version(enum server_flavor flavor, const char *dir)
{
    struct proc_args args = {0};
    server_base_args(&args, flavor);
    proc_args_add(&args, "--version");
    char *out = proc_fmt("%s/version", dir);
    int rc = proc_run(args.v, NULL, out);
    char *text = proc_read_file(out, NULL);
    char *at = text != NULL ? strstr(text, "Ver ") : NULL;
    if (rc != 0 || at == NULL)
        server_die("the server does not tell its version", out);
    at += strlen("Ver ");
    at[strspn(at, "0123456789.")] = '\0';
    char *version = proc_fmt("%s", at);
    free(text);
    free(out);
    proc_args_fini(&args);
    return version;
}

/* What mariadb-install-db does, which knows nothing of another loader. */
static void bootstrap_mariadb(const char *dir, const char *datadir, const char *log)
{
    struct proc_args args = {0};
    proc_args_add(&args, "sh");
    proc_args_add(&args, "-c");
    proc_args_add(&args, "share=$1/usr/share/mariadb; mkdir -p \"$2\"; shift 2; "
                         "{ printf '%%s;\\n' 'CREATE DATABASE mysql' 'USE mysql' 'SET @auth_root_socket = NULL'; "
                         "cat \"$share\"/mariadb_system_tables.sql \"$share\"/mariadb_performance_tables.sql "
                         "\"$share\"/mariadb_system_tables_data.sql; } | \"$@\"");
    proc_args_add(&args, "sh");
    proc_args_add(&args, "%s", mariadb_folder());
    proc_args_add(&args, "%s", datadir);
    server_base_args(&args, SERVER_MARIADB);
    proc_args_add(&args, "--bootstrap");
    proc_args_add(&args, "--datadir=%s", datadir);
    proc_args_add(&args, "--tmpdir=%s", dir);
    if (proc_run(args.v, NULL, log) != 0)
        server_die("the datadir could not be initialised", log);
    proc_args_fini(&args);
}

static void initialize(enum server_flavor flavor, const char *dir, const char *datadir, const char *log)
{
    struct proc_args args = {0};
    if (flavor == SERVER_MARIADB && mariadb_folder() != NULL) {
        bootstrap_mariadb(dir, datadir, log);
        return;
    }
    if (flavor == SERVER_MYSQL) {
        server_base_args(&args, flavor);
        proc_args_add(&args, "--initialize-insecure");
    } else {
        proc_args_add(&args, "mariadb-install-db");
        proc_args_add(&args, "--no-defaults");
        proc_args_add(&args, "--auth-root-authentication-method=normal");
        proc_args_add(&args, "--skip-test-db");
        if (geteuid() == 0)
            proc_args_add(&args, "--user=root");
    }
    proc_args_add(&args, "--datadir=%s", datadir);
    proc_args_add(&args, "--tmpdir=%s", dir);
    if (proc_run(args.v, NULL, log) != 0)
        server_die("the datadir could not be initialised", log);
    proc_args_fini(&args);
}

static void create_users(enum server_flavor flavor, const char *socket)
{
    struct sql_target target = {.socket = socket};
    struct sql *sql = sql_must_open(&target);
    const char *plugin = "VIA mysql_native_password USING PASSWORD('" SERVER_REPL_PASSWORD "')";
    if (flavor == SERVER_MYSQL) {
        plugin = "WITH caching_sha2_password BY '" SERVER_REPL_PASSWORD "'";
        sql_must(sql, "CREATE USER 'root'@'127.0.0.1' IDENTIFIED BY ''");
        sql_must(sql, "GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION");
    } else {
        sql_must(sql, "DELETE FROM mysql.global_priv WHERE User = ''");
        sql_must(sql, "FLUSH PRIVILEGES");
    }
    sql_must(sql, "CREATE USER '" SERVER_REPL_USER "'@'%%' IDENTIFIED %s", plugin);
    sql_must(sql, "GRANT REPLICATION SLAVE ON *.* TO '" SERVER_REPL_USER "'@'%%'");
    sql_must(sql, "CREATE DATABASE t");
    sql_close(sql);
}

/* Start on the new datadir without binlog and without TCP, create what every test needs, stop cleanly. */
static void fill(enum server_flavor flavor, const char *dir, const char *datadir, const char *log)
{
    char *socket = proc_fmt("%s/template.sock", dir);
    struct proc_args args = {0};
    server_base_args(&args, flavor);
    proc_args_add(&args, "--datadir=%s", datadir);
    proc_args_add(&args, "--tmpdir=%s", dir);
    proc_args_add(&args, "--socket=%s", socket);
    proc_args_add(&args, "--pid-file=%s/pid", dir);
    proc_args_add(&args, "--skip-networking");
    proc_args_add(&args, "--skip-log-bin");
    pid_t pid = proc_spawn(args.v, log);
    if (!server_wait_ready(&pid, socket, 120000))
        server_die("the template's server does not start", log);
    create_users(flavor, socket);
    proc_signal(pid, SIGTERM);
    if (!proc_wait(pid, 120000, NULL))
        server_die("the template's server does not stop", log);
    /* A copy makes a server_uuid of its own. */
    char *uuid = proc_fmt("%s/auto.cnf", datadir);
    (void)unlink(uuid);
    free(uuid);
    proc_args_fini(&args);
    free(socket);
}

static void make_template(enum server_flavor flavor, const char *dir, const char *target)
{
    char *log = proc_fmt("%s/template.log", dir);
    char *fresh = proc_fmt("%s.new", target);
    char *argv[] = {"rm", "-rf", "--", fresh, NULL};
    if (proc_run(argv, NULL, log) != 0)
        server_die("cannot remove a half-made template", log);
    initialize(flavor, dir, fresh, log);
    fill(flavor, dir, fresh, log);
    if (rename(fresh, target) != 0)
        proc_die_errno("rename %s", fresh);
    free(fresh);
    free(log);
}

char *server_template(enum server_flavor flavor)
{
    char *dir = proc_tempdir();
    char *base = template_base();
    char *version = program_version(flavor, dir);
    const char *name = server_flavor_name(flavor);
    char *target = proc_fmt("%s/template-%s-%s-r" TEMPLATE_REVISION, base, name, version);
    if (access(target, F_OK) != 0) {
        char *lock = proc_fmt("%s/template-%s.lock", base, name);
        int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0 || flock(fd, LOCK_EX) != 0)
            proc_die_errno("%s", lock);
        if (access(target, F_OK) != 0)
            make_template(flavor, dir, target);
        (void)close(fd);
        free(lock);
    }
    proc_remove_dir(dir);
    free(version);
    free(base);
    free(dir);
    return target;
}
