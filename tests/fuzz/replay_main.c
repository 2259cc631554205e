/*
 * Runs a fuzz target over its committed corpus as an ordinary test, with any compiler: every file under the folders and files named
 * on the command line, once, and then every prefix of the small ones (torn input finds more than whole input does).
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define PREFIX_LIMIT 2048

static unsigned long runs;

static void run_copy(const unsigned char *data, size_t size)
{
    /* An exact allocation, so that a sanitizer sees the first byte past the end. */
    unsigned char *copy = malloc(size ? size : 1);
    if (copy == NULL)
        abort();
    if (size)
        memcpy(copy, data, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    runs++;
}

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        perror(path);
        return 1;
    }
    static unsigned char buf[1 << 22];
    size_t n = fread(buf, 1, sizeof buf, f);
    fclose(f);
    run_copy(buf, n);
    for (size_t i = 0; n <= PREFIX_LIMIT && i < n; i++)
        run_copy(buf, i);
    return 0;
}

static int run_path(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        perror(path);
        return 1;
    }
    if (!S_ISDIR(st.st_mode))
        return run_file(path);
    DIR *d = opendir(path);
    if (d == NULL) {
        perror(path);
        return 1;
    }
    int bad = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        bad |= run_path(name);
    }
    closedir(d);
    return bad;
}

int main(int argc, char **argv)
{
    int bad = argc < 2;
    for (int i = 1; i < argc; i++)
        bad |= run_path(argv[i]);
    printf("%lu inputs\n", runs);
    return bad || runs == 0;
}
