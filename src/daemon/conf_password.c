/*
 * Reads the source's password. Happy path: open, check who may read it, read at most a page, take the first line or the value of
 * password in [client]. Anything odd (no password there, a zero byte, too long) is an error that names the file: an empty password sent
 * by mistake would look like a wrong one. What was read is wiped.
 */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/conf_table.h"

#define SECRET_FILE_MAX 16384

static int read_secret_file(const char *key, const char *path, char *buf, size_t *ret_len, bool *ret_exposed,
                            struct lt_err *err)
{
    /* Not blocking: a FIFO under this name must not hang the daemon. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return lt_err_sys(err, LT_ESYS, "%s: cannot open %.200s", key, path);
    struct stat st;
    int rc = LT_OK;
    size_t len = 0;
    ssize_t n = 1;
    if (fstat(fd, &st) != 0)
        rc = lt_err_sys(err, LT_ESYS, "%s: cannot read %.200s", key, path);
    while (rc == LT_OK && n > 0 && len < SECRET_FILE_MAX) {
        n = read(fd, buf + len, SECRET_FILE_MAX - len);
        if (n < 0)
            rc = lt_err_sys(err, LT_ESYS, "%s: cannot read %.200s", key, path);
        else
            len += (size_t)n;
    }
    (void)close(fd);
    if (rc == LT_OK && (len == SECRET_FILE_MAX || memchr(buf, '\0', len) != NULL))
        rc = lt_err_set(err, LT_EINVAL, "%s: %.200s is not a text file of less than %d bytes", key, path,
                        SECRET_FILE_MAX);
    if (rc != LT_OK)
        return rc;
    buf[len] = '\0';
    *ret_len = len;
    *ret_exposed = S_ISREG(st.st_mode) && (st.st_mode & S_IROTH) != 0;
    return LT_OK;
}

/* Option files: # begins a comment anywhere outside quotes. */
static void cut_comment(char *line)
{
    char quote = '\0';
    bool escaped = false;
    for (char *p = line; *p != '\0'; p++) {
        if ((*p == '"' || *p == '\'') && !escaped) {
            if (quote == '\0')
                quote = *p;
            else if (quote == *p)
                quote = '\0';
        }
        if (*p == '#' && quote == '\0') {
            *p = '\0';
            return;
        }
        escaped = *p == '\\' && !escaped;
    }
}

static char *trim(char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    size_t len = strlen(s);
    while (len > 0 && isspace((unsigned char)s[len - 1]))
        s[--len] = '\0';
    return s;
}

/* In place: outer quotes go, and \b \t \n \r \s \\ \" \' mean what they mean in option files. */
static char *unquote(char *s)
{
    size_t len = strlen(s);
    if (len >= 2 && (s[0] == '"' || s[0] == '\'') && s[len - 1] == s[0]) {
        s[len - 1] = '\0';
        s++;
    }
    static const char from[] = "btnrs\\\"'";
    static const char to[] = "\b\t\n\r \\\"'";
    char *out = s;
    for (const char *p = s; *p != '\0'; p++) {
        const char *esc = p[0] == '\\' && p[1] != '\0' ? strchr(from, p[1]) : NULL;
        if (esc != NULL)
            p++;
        *out++ = *(esc != NULL ? &to[esc - from] : p);
    }
    *out = '\0';
    return s;
}

/* The last password of [client], as the client programs take it; NULL when there is none. Changes the text. */
static char *find_client_password(char *text)
{
    char *found = NULL;
    bool in_client = false;
    char *next = text;
    while (next != NULL) {
        char *line = strsep(&next, "\n");
        cut_comment(line);
        line = trim(line);
        if (line[0] == '[') {
            in_client = strcmp(line, "[client]") == 0;
            continue;
        }
        char *equals = strchr(line, '=');
        if (!in_client || line[0] == ';' || equals == NULL)
            continue;
        *equals = '\0';
        if (strcmp(trim(line), "password") == 0)
            found = unquote(trim(equals + 1));
    }
    return found;
}

static char *find_first_line(char *text)
{
    text[strcspn(text, "\n")] = '\0';
    size_t len = strlen(text);
    if (len > 0 && text[len - 1] == '\r')
        text[len - 1] = '\0';
    return text;
}

int conf_read_password(const struct conf *conf, char *buf, size_t cap, bool *ret_exposed, struct lt_err *err)
{
    bool plain = conf->source.password_file != NULL;
    const char *path = plain ? conf->source.password_file : conf->source.defaults_file;
    const char *key = plain ? "source.password_file" : "source.defaults_file";
    char text[SECRET_FILE_MAX + 1];
    size_t len = 0;
    bool exposed = false;
    lt_assert(cap > 0);
    if (path == NULL) {
        buf[0] = '\0';
        if (ret_exposed != NULL)
            *ret_exposed = false;
        return LT_OK;
    }
    int rc = read_secret_file(key, path, text, &len, &exposed, err);
    if (rc == LT_OK) {
        const char *password = plain ? find_first_line(text) : find_client_password(text);
        if (password == NULL)
            rc = lt_err_set(err, LT_EINVAL, "%s: %.200s has no password in [client]", key, path);
        else if (plain && password[0] == '\0')
            rc = lt_err_set(err, LT_EINVAL, "%s: the first line of %.200s is empty", key, path);
        else if (strlen(password) >= cap)
            rc = lt_err_set(err, LT_ETOOBIG, "%s: the password in %.200s is longer than %zu bytes", key, path, cap - 1);
        else
            memcpy(buf, password, strlen(password) + 1);
        if (rc == LT_OK && ret_exposed != NULL)
            *ret_exposed = exposed;
    }
    explicit_bzero(text, sizeof text);
    return rc;
}
