/*
 * The example conversation of proto/README.md (argument 1), byte by byte, against a server. Says what was really sent when it differs, in the README's
 * own notation.
 */
#include "serve_rig.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cursor.h"
#include "proc.h"

#define BYTES_MAX 65536

static const char *readme_path;

struct part {
    bool from_client;
    uint8_t bytes[BYTES_MAX];
    size_t len;
};

static int hex(char ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

static void add_line(struct part *p, const char *line)
{
    for (const char *at = line; *at != '\0' && *at != '\n';) {
        if (*at == ' ') {
            at++;
            continue;
        }
        int high = hex(at[0]);
        int low = high < 0 ? -1 : hex(at[1]);
        if (low < 0 || p->len == BYTES_MAX)
            proc_die("not hexadecimal in the README: %.40s", line);
        p->bytes[p->len++] = (uint8_t)(high << 4 | low);
        at += 2;
    }
}

/* The blocks fenced by ```hex: a line that begins with > or < says who speaks, the others are bytes. */
static struct part *parse(char *text, size_t *ret_count)
{
    struct part *parts = NULL;
    size_t n = 0;
    bool inside = false;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        if (strcmp(line, "```hex") == 0) {
            inside = true;
        } else if (strcmp(line, "```") == 0) {
            inside = false;
        } else if (inside && (line[0] == '>' || line[0] == '<')) {
            parts = realloc(parts, (n + 1) * sizeof *parts);
            if (parts == NULL)
                abort();
            parts[n].from_client = line[0] == '>';
            parts[n++].len = 0;
        } else if (inside && n > 0) {
            add_line(&parts[n - 1], line);
        }
    }
    *ret_count = n;
    return parts;
}

static bool receive(int fd, uint8_t *buf, size_t len)
{
    return recv(fd, buf, len, MSG_WAITALL) == (ssize_t)len;
}

/* One frame that is no heartbeat. */
static size_t next_frame(int fd, uint8_t buf[BYTES_MAX])
{
    for (;;) {
        if (!receive(fd, buf, FRAME_HEADER_LEN))
            return 0;
        size_t len = (size_t)load_u32(buf + 4) + load_u32(buf + 8);
        if (FRAME_HEADER_LEN + len > BYTES_MAX || !receive(fd, buf + FRAME_HEADER_LEN, len))
            return 0;
        if (buf[3] != FRAME_HEARTBEAT)
            return FRAME_HEADER_LEN + len;
    }
}

static void show(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        (void)fprintf(stderr, "%02x%s", bytes[i], i % 32 == 31 || i + 1 == len ? "\n" : " ");
}

static void replay(void)
{
    static uint8_t buf[BYTES_MAX];
    struct serve_rig r;
    size_t n = 0;
    char *text = proc_read_file(readme_path, NULL);
    if (text == NULL)
        proc_die("cannot read %s", readme_path);
    struct part *parts = parse(text, &n);
    CU_ASSERT(n >= 8);
    serve_rig_store(&r, false);
    serve_rig_lineage(&r, "68b1e7ed-0102-0304-0506-0708090a0b0c");
    serve_rig_txns(&r, 1, 16);
    CU_ASSERT_TRUE(serve_rig_serve(&r, &(struct serve_options){.agent = "logtailerd 0.1.0"}));
    struct tail_raw *t = tail_raw_connect(serve_port(r.serve));
    for (size_t i = 0; i < n; i++) {
        if (parts[i].from_client) {
            CU_ASSERT_TRUE(tail_raw_send(t, parts[i].bytes, parts[i].len));
            continue;
        }
        size_t len = next_frame(tail_raw_fd(t), buf);
        bool same = len == parts[i].len && memcmp(buf, parts[i].bytes, len) == 0;
        CU_ASSERT_TRUE(same);
        if (!same) {
            (void)fprintf(stderr, "part %zu of the conversation is really:\n", i + 1);
            show(buf, len);
        }
    }
    CU_ASSERT_EQUAL(recv(tail_raw_fd(t), buf, 1, 0), 0); /* and then the server closes */
    tail_raw_free(t);
    free(parts);
    free(text);
    serve_rig_end(&r);
}

static const struct test_case cases[] = {
    {"the README's conversation", replay},
};

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    readme_path = argv[1];
    return cunit_run("serve conversation", cases, sizeof cases / sizeof cases[0]);
}
