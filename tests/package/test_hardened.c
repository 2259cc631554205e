/*
 * What was built, as an attacker of its memory finds it: test_hardened BUILD plain|sanitized FILE...
 * Programs and the shared library are read as they lie there (elf(5)); what leaves no trace in them is looked up in the compiler's arguments.
 */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cunit_main.h"
#include "proc.h"

static const char *build;
static bool plain;
static char *const *files;
static int file_count;

struct image {
    const char *name;
    const char *bytes;
    size_t len;
    Elf64_Ehdr head;
    /* gathered from the segments */
    bool interpreter;
    bool relro;
    bool stack_fine;
    bool write_and_run;
    uint64_t flags;
    uint64_t flags_1;
    bool textrel;
    bool search_path;
};

/* The piece lies in the file. */
static const void *piece(const struct image *im, uint64_t at, uint64_t len)
{
    return at <= im->len && len <= im->len - at ? im->bytes + at : NULL;
}

static void read_dynamic(struct image *im, const Elf64_Phdr *ph)
{
    Elf64_Dyn d;
    for (uint64_t at = 0; at + sizeof d <= ph->p_filesz; at += sizeof d) {
        const void *p = piece(im, ph->p_offset + at, sizeof d);
        if (p == NULL)
            return;
        memcpy(&d, p, sizeof d);
        if (d.d_tag == DT_FLAGS)
            im->flags = d.d_un.d_val;
        else if (d.d_tag == DT_FLAGS_1)
            im->flags_1 = d.d_un.d_val;
        im->textrel = im->textrel || d.d_tag == DT_TEXTREL;
        im->search_path = im->search_path || d.d_tag == DT_RPATH;
    }
}

static void read_segment(struct image *im, const Elf64_Phdr *ph)
{
    switch (ph->p_type) {
    case PT_INTERP:
        im->interpreter = true;
        break;
    case PT_GNU_RELRO:
        im->relro = true;
        break;
    case PT_GNU_STACK:
        im->stack_fine = (ph->p_flags & PF_X) == 0;
        break;
    case PT_LOAD:
        im->write_and_run = im->write_and_run || (ph->p_flags & (PF_W | PF_X)) == (PF_W | PF_X);
        break;
    case PT_DYNAMIC:
        read_dynamic(im, ph);
        break;
    default:
        break;
    }
}

static bool read_image(const char *name, char *bytes, size_t len, struct image *ret)
{
    *ret = (struct image){.name = name, .bytes = bytes, .len = len};
    if (len < sizeof ret->head || memcmp(bytes, ELFMAG, SELFMAG) != 0 || bytes[EI_CLASS] != ELFCLASS64)
        return false;
    memcpy(&ret->head, bytes, sizeof ret->head);
    for (unsigned i = 0; i < ret->head.e_phnum; i++) {
        Elf64_Phdr ph;
        const void *p = piece(ret, ret->head.e_phoff + (uint64_t)i * ret->head.e_phentsize, sizeof ph);
        if (p == NULL)
            return false;
        memcpy(&ph, p, sizeof ph);
        read_segment(ret, &ph);
    }
    return true;
}

static void expect(const struct image *im, bool ok, const char *what)
{
    CU_ASSERT_TRUE(ok);
    if (!ok)
        (void)fprintf(stderr, "%s: %s\n", im->name, what);
}

static bool names(const struct image *im, const char *symbol)
{
    return memmem(im->bytes, im->len, symbol, strlen(symbol) + 1) != NULL;
}

#if defined(__x86_64__)
/* endbr64. The linker's mark for the whole program needs it in libc's start files too, which not every distribution has. */
static size_t count_landings(const struct image *im)
{
    static const char landing[] = {'\xf3', '\x0f', '\x1e', '\xfa'};
    size_t n = 0;
    const char *at = im->bytes;
    const char *end = im->bytes + im->len;
    while ((at = memmem(at, (size_t)(end - at), landing, sizeof landing)) != NULL) {
        at += sizeof landing;
        n++;
    }
    return n;
}
#endif

static void test_what_was_built(void)
{
    for (int i = 0; i < file_count; i++) {
        struct image im;
        size_t len = 0;
        char *bytes = proc_read_file(files[i], &len);
        bool read = bytes != NULL && read_image(files[i], bytes, len, &im);
        CU_ASSERT_TRUE(read);
        if (read) {
            expect(&im, im.head.e_type == ET_DYN, "stands at a fixed address");
            expect(&im, !im.interpreter || (im.flags_1 & DF_1_PIE) != 0, "is no position-independent program");
            expect(&im, im.relro, "has no relocations that become read-only");
            expect(&im, (im.flags & DF_BIND_NOW) != 0 || (im.flags_1 & DF_1_NOW) != 0,
                   "binds lazily: RELRO is not full");
            expect(&im, im.stack_fine, "has a stack that can be run");
            expect(&im, !im.write_and_run, "has memory that can be written and run");
            expect(&im, !im.textrel && (im.flags & DF_TEXTREL) == 0, "relocates its code");
            expect(&im, !im.search_path, "has a path of its own to libraries");
            expect(&im, names(&im, "__stack_chk_fail"), "has no canaries");
        }
        if (read && plain) {
            expect(&im, names(&im, "__snprintf_chk") || names(&im, "__vsnprintf_chk"), "is not fortified");
#if defined(__x86_64__)
            expect(&im, count_landings(&im) > 50, "has no marks where indirect jumps may land");
#endif
        }
        free(bytes);
    }
}

/* Every file of src/ was compiled with them. */
static void test_how_it_was_built(void)
{
    static const char *const wanted[] = {"-fstack-clash-protection", "-fstack-protector-strong"};
    char *path = proc_fmt("%s/compile_commands.json", build);
    char *text = proc_read_file(path, NULL);
    size_t count = 0;
    CU_ASSERT_PTR_NOT_NULL(text);
    for (char *at = text; at != NULL && (at = strstr(at, "\"command\": ")) != NULL; at++) {
        char *end = strchr(at, '\n');
        if (end == NULL)
            break;
        *end = '\0';
        if (strstr(at, " -c ../src/") != NULL || strstr(at, "/src/daemon/") != NULL) {
            count++;
            for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
                CU_ASSERT_PTR_NOT_NULL(strstr(at, wanted[i]));
            CU_ASSERT(!plain || strstr(at, "-D_FORTIFY_SOURCE=") != NULL);
        }
        *end = '\n';
    }
    CU_ASSERT(count > 50);
    free(text);
    free(path);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        {"what was built", test_what_was_built},
        {"how it was built", test_how_it_was_built},
    };
    if (argc < 4) {
        (void)fprintf(stderr, "usage: test_hardened BUILD plain|sanitized FILE...\n");
        return 2;
    }
    build = argv[1];
    plain = strcmp(argv[2], "plain") == 0;
    files = argv + 3;
    file_count = argc - 3;
    return cunit_run("hardened", cases, sizeof cases / sizeof cases[0]);
}
