/*
 * - Lines into a table; a token is split at its first colon.
 * - The hash is computed and compared for unknown users too, over all bytes.
 * Failure: one bad line refuses the whole file, with its number, never its text.
 */
#include "access/users.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define SALT_MAX   64
#define NEW_SALT   8 /* random bytes */
#define DIGEST_LEN 32
#define FILE_MAX   (4u << 20)
#define SECRET_MAX 1024

struct user {
    char name[USERS_NAME_MAX + 1];
    unsigned line;
    char salt[SALT_MAX + 1];
    unsigned char digest[DIGEST_LEN];
};

_Static_assert(DIGEST_LEN == USERS_MARK_LEN, "a mark is the digest: of the secret and the salt");

struct users {
    struct user *list; /* by name */
    size_t count;
    size_t cap;
};

bool users_name_ok(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    size_t len = strlen(name);
    return len > 0 && len <= USERS_NAME_MAX && strspn(name, allowed) == len;
}

static int hex_value(char ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    if (ch >= 'a' && ch <= 'f')
        return ch - 'a' + 10;
    return ch >= 'A' && ch <= 'F' ? ch - 'A' + 10 : -1;
}

static bool parse_hex(const char *text, unsigned char ret[DIGEST_LEN])
{
    if (strlen(text) != (size_t)DIGEST_LEN * 2)
        return false;
    for (size_t i = 0; i < DIGEST_LEN; i++) {
        int high = hex_value(text[2 * i]);
        int low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        ret[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

/* USER:sha256$SALT$HEX */
static bool parse_line(char *line, struct user *u)
{
    char *hash = strchr(line, ':');
    if (hash == NULL)
        return false;
    *hash++ = '\0';
    if (!users_name_ok(line) || strncmp(hash, "sha256$", 7) != 0)
        return false;
    char *salt = hash + 7;
    char *hex = strchr(salt, '$');
    if (hex == NULL)
        return false;
    *hex++ = '\0';
    size_t salt_len = strlen(salt);
    if (salt_len == 0 || salt_len > SALT_MAX)
        return false;
    memcpy(u->name, line, strlen(line) + 1);
    memcpy(u->salt, salt, salt_len + 1);
    return parse_hex(hex, u->digest);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct user *)a)->name, ((const struct user *)b)->name);
}

static const struct user *find(const struct users *us, const char *name)
{
    struct user key = {0};
    if (us == NULL || us->count == 0 || strlen(name) > USERS_NAME_MAX)
        return NULL;
    memcpy(key.name, name, strlen(name));
    return bsearch(&key, us->list, us->count, sizeof key, by_name);
}

/* Two lines of one user: which of them would count? */
static int sort(struct users *us, const char *file, struct lt_err *err)
{
    if (us->count > 0)
        qsort(us->list, us->count, sizeof *us->list, by_name);
    for (size_t i = 1; i < us->count; i++) {
        const struct user *a = &us->list[i - 1];
        const struct user *b = &us->list[i];
        if (strcmp(a->name, b->name) == 0)
            return lt_err_set(err, LT_EINVAL, "%s:%u: user %s stands there twice", file,
                              a->line > b->line ? a->line : b->line, b->name);
    }
    return 0;
}

static int add_line(struct users *us, const char *file, unsigned number, char *line, struct lt_err *err)
{
    if (us->count == us->cap) {
        size_t cap = us->cap > 0 ? us->cap * 2 : 16;
        struct user *grown = reallocarray(us->list, cap, sizeof *grown);
        if (grown == NULL)
            return lt_err_set(err, LT_ENOMEM, "users");
        us->list = grown;
        us->cap = cap;
    }
    struct user *u = &us->list[us->count];
    memset(u, 0, sizeof *u);
    const char *rest = strchr(line, ':');
    bool plain = rest != NULL && rest[1] != '\0' && strchr(rest, '$') == NULL;
    if (!parse_line(line, u))
        return lt_err_set(err, LT_EINVAL, "%s:%u: not USER:sha256$SALT$HEX%s", file, number,
                          plain ? "; a secret in plain text is not taken: logtailerctl user makes the line" : "");
    u->line = number;
    us->count++;
    return 0;
}

/* NAME:replica:VERIFIER is for the listener that replicas come to (replica_users.h), which reads the same file. */
static bool is_of_a_replica(const char *line)
{
    const char *rest = strchr(line, ':');
    return rest != NULL && rest != line && strncmp(rest, ":replica:", 9) == 0;
}

static int parse_text(struct users *us, const char *file, char *text, struct lt_err *err)
{
    unsigned number = 0;
    int rc = 0;
    for (char *line = text; rc == 0 && line != NULL;) {
        char *next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        number++;
        size_t len = strlen(line);
        if (len > 0 && line[len - 1] == '\r')
            line[len - 1] = '\0';
        if (line[0] != '\0' && line[0] != '#' && !is_of_a_replica(line))
            rc = add_line(us, file, number, line, err);
        line = next;
    }
    return rc == 0 ? sort(us, file, err) : rc;
}

int users_parse(const char *name, const char *text, size_t len, struct users **ret, struct lt_err *err)
{
    struct users *us = calloc(1, sizeof *us);
    char *copy = malloc(len + 1);
    int rc = 0;
    if (us == NULL || copy == NULL) {
        rc = lt_err_set(err, LT_ENOMEM, "users");
    } else {
        memcpy(copy, text, len);
        copy[len] = '\0';
        rc = strlen(copy) != len ? lt_err_set(err, LT_EINVAL, "%s: not a text file", name)
                                 : parse_text(us, name, copy, err);
    }
    free(copy);
    if (rc != 0) {
        users_free(us);
        return rc;
    }
    *ret = us;
    return 0;
}

static int read_all(int fd, const char *path, char **ret, size_t *ret_len, bool *ret_exposed, struct lt_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return lt_err_sys(err, LT_ESYS, "stat %s", path);
    *ret_exposed = (st.st_mode & 0004) != 0;
    if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
        return lt_err_set(err, LT_EINVAL, "%s is not a file of at most %u bytes", path, FILE_MAX);
    char *text = malloc((size_t)st.st_size + 1);
    if (text == NULL)
        return lt_err_set(err, LT_ENOMEM, "read %s", path);
    ssize_t n = pread(fd, text, (size_t)st.st_size, 0);
    if (n < 0) {
        free(text);
        return lt_err_sys(err, LT_ESYS, "read %s", path);
    }
    *ret = text;
    *ret_len = (size_t)n;
    return 0;
}

int users_load(const char *path, struct users **ret, bool *ret_exposed, struct lt_err *err)
{
    char *text = NULL;
    size_t len = 0;
    *ret_exposed = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return lt_err_sys(err, LT_ESYS, "open %s", path);
    int rc = read_all(fd, path, &text, &len, ret_exposed, err);
    (void)close(fd);
    if (rc == 0 && text != NULL)
        rc = users_parse(path, text, len, ret, err);
    free(text);
    return rc;
}

void users_free(struct users *u)
{
    if (u == NULL)
        return;
    free(u->list);
    free(u);
}

size_t users_count(const struct users *u)
{
    return u != NULL ? u->count : 0;
}

static bool digest_of(const char *salt, const char *secret, unsigned char ret[DIGEST_LEN])
{
    unsigned char text[SALT_MAX + SECRET_MAX];
    size_t salt_len = strlen(salt);
    size_t secret_len = strlen(secret);
    unsigned int len = 0;
    for (size_t i = 0; i < salt_len; i++)
        text[i] = (unsigned char)salt[i];
    for (size_t i = 0; i < secret_len; i++)
        text[salt_len + i] = (unsigned char)secret[i];
    bool ok = EVP_Digest(text, salt_len + secret_len, ret, &len, EVP_sha256(), NULL) == 1 && len == DIGEST_LEN;
    OPENSSL_cleanse(text, sizeof text);
    return ok;
}

bool users_check(const struct users *us, const char *token, char *ret_user)
{
    static const struct user nobody = {.salt = "0123456789abcdef"};
    unsigned char digest[DIGEST_LEN];
    char name[USERS_NAME_MAX + 1];
    const char *secret = strchr(token, ':');
    if (secret == NULL || (size_t)(secret - token) > USERS_NAME_MAX || strlen(secret + 1) > SECRET_MAX)
        return false;
    memcpy(name, token, (size_t)(secret - token));
    name[secret - token] = '\0';
    const struct user *u = find(us, name);
    bool ok = digest_of(u != NULL ? u->salt : nobody.salt, secret + 1, digest);
    ok = CRYPTO_memcmp(digest, u != NULL ? u->digest : nobody.digest, DIGEST_LEN) == 0 && ok && u != NULL;
    if (ok)
        memcpy(ret_user, name, strlen(name) + 1);
    return ok;
}

bool users_may_use(const char *user, const char *consumer)
{
    size_t len = strlen(user);
    return strncmp(user, consumer, len) == 0 && (consumer[len] == '\0' || consumer[len] == '.');
}

/* A user's name has no dot. */
bool users_own(const struct users *us, const char *consumer)
{
    char user[USERS_NAME_MAX + 1];
    size_t len = strcspn(consumer, ".");
    if (len >= sizeof user)
        return false;
    memcpy(user, consumer, len);
    user[len] = '\0';
    return find(us, user) != NULL;
}

bool users_mark(const struct users *us, const char *user, unsigned char ret_mark[USERS_MARK_LEN])
{
    const struct user *u = find(us, user);
    if (u != NULL)
        memcpy(ret_mark, u->digest, sizeof u->digest);
    return u != NULL;
}

static void put_hex(char *to, const unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)snprintf(to + 2 * i, 3, "%02x", bytes[i]);
}

static int check_new(const char *user, const char *secret, struct lt_err *err)
{
    size_t len = strlen(secret);
    if (!users_name_ok(user))
        return lt_err_set(err, LT_EINVAL, "a user's name has 1 to %d letters, digits, _ and -", USERS_NAME_MAX);
    if (len == 0 || len > USERS_NEW_SECRET_MAX)
        return lt_err_set(err, LT_EINVAL, "a secret has 1 to %d bytes", USERS_NEW_SECRET_MAX);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)secret[i] < ' ' || secret[i] == 0x7f)
            return lt_err_set(err, LT_EINVAL, "a secret is one line, without control characters");
    }
    return LT_OK;
}

int users_make_line(const char *user, const char *secret, char **ret, struct lt_err *err)
{
    unsigned char random[NEW_SALT];
    unsigned char digest[DIGEST_LEN];
    char salt[2 * NEW_SALT + 1];
    char hex[2 * DIGEST_LEN + 1];
    int rc = check_new(user, secret, err);
    if (rc != 0)
        return rc;
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return lt_err_sys(err, LT_ESYS, "a random salt");
    put_hex(salt, random, sizeof random);
    if (!digest_of(salt, secret, digest))
        return lt_err_set(err, LT_ENOMEM, "SHA-256");
    put_hex(hex, digest, sizeof digest);
    if (asprintf(ret, "%s:sha256$%s$%s\n", user, salt, hex) < 0)
        return lt_err_set(err, LT_ENOMEM, "a line of users");
    return LT_OK;
}
