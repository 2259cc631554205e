#include "base/file_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Reads on until the end or one byte more than max: *ret_len tells. -1 with errno. */
static int read_all(int fd, size_t max, char **text, size_t *ret_len)
{
    size_t len = 0;
    size_t cap = 0;
    while (len <= max) {
        if (cap - len < 2) {
            char *more = realloc(*text, cap = cap == 0 ? 4096 : cap * 2);
            if (more == NULL)
                return -1;
            *text = more;
        }
        ssize_t n = read(fd, *text + len, cap - len - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    (*text)[len] = '\0';
    *ret_len = len;
    return 0;
}

int file_text_read(const char *path, size_t max, char **ret_text, struct lt_err *err)
{
    bool standard = strcmp(path, "-") == 0;
    const char *name = standard ? "standard input" : path;
    char *text = NULL;
    size_t len = 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return lt_err_sys(err, LT_ESYS, "%s", name);
    int rc = read_all(fd, max, &text, &len);
    if (rc != 0)
        rc = lt_err_sys(err, errno == ENOMEM ? LT_ENOMEM : LT_ESYS, "%s", name);
    if (!standard)
        (void)close(fd);
    if (rc == 0 && len > max)
        rc = lt_err_set(err, LT_ETOOBIG, "%s: more than %zu bytes", name, max);
    if (rc == 0 && text != NULL && strlen(text) != len)
        rc = lt_err_set(err, LT_EINVAL, "%s: holds a zero byte, is no text", name);
    if (rc != 0) {
        free(text);
        return rc;
    }
    *ret_text = text;
    return LT_OK;
}

bool file_text_is_named(const char *word)
{
    return strcmp(word, "-") == 0 || (word[0] == '@' && word[1] != '\0');
}

int file_text_of_word(const char *word, size_t max, char **ret_text, struct lt_err *err)
{
    if (file_text_is_named(word))
        return file_text_read(word[0] == '@' ? word + 1 : word, max, ret_text, err);
    char *copy = strdup(word);
    if (copy == NULL)
        return lt_err_set(err, LT_ENOMEM, "out of memory");
    *ret_text = copy;
    return LT_OK;
}
