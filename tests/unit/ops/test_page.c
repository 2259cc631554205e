/* The status page in a headless browser: what a person sees there is what status says, and it changes by itself. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cunit_main.h"
#include "http_stage.h"
#include "proc.h"

static uint16_t port;
static char *dir;

static const char *browser(void)
{
    return access("/usr/bin/chromium", X_OK) == 0 ? "/usr/bin/chromium" : NULL;
}

static char window[] = "--window-size=1200,1150";

/* Runs the browser on the page with one more argument; its output, to be freed. */
static char *browse(const char *what)
{
    char *profile = proc_fmt("--user-data-dir=%s/profile", dir);
    char *url = proc_fmt("http://127.0.0.1:%u/", port);
    char *file = proc_fmt("%s/out", dir);
    char *argv[] = {(char *)(uintptr_t)browser(),
                    "--headless",
                    "--no-sandbox",
                    "--disable-gpu",
                    "--disable-quic",
                    "--no-first-run",
                    "--disable-background-networking",
                    "--disable-component-update",
                    "--disable-sync",
                    "--disable-dev-shm-usage",
                    "--hide-scrollbars",
                    window,
                    "--virtual-time-budget=4000",
                    profile,
                    (char *)(uintptr_t)what,
                    url,
                    NULL};
    CU_ASSERT_EQUAL(proc_run(argv, NULL, file), 0);
    char *text = proc_read_file(file, NULL);
    proc_remove_dir(profile + strlen("--user-data-dir="));
    free(profile);
    free(url);
    free(file);
    return text;
}

static bool shows(const char *dom, const char *text)
{
    bool yes = dom != NULL && strstr(dom, text) != NULL;
    if (!yes) {
        const char *body = dom != NULL ? strstr(dom, "<main>") : NULL;
        (void)fprintf(stderr, "the page lacks %s: %.6000s\n", text, body != NULL ? body : "(no page)");
    }
    return yes;
}

/* LT_SCREENSHOTS=FOLDER keeps a picture of each state, for people. */
static void keep_screenshot(const char *name)
{
    const char *folder = secure_getenv("LT_SCREENSHOTS");
    if (folder == NULL)
        return;
    static const char *const sizes[] = {"1200,1150",
                                        "0500,1900"}; /* the narrowest that a browser without a screen makes */
    for (size_t i = 0; i < 2; i++) {
        char *what = proc_fmt("--screenshot=%s/%s-%.4s.png", folder, name, sizes[i]);
        memcpy(window + strlen("--window-size="), sizes[i], strlen(sizes[i]));
        free(browse(what));
        free(what);
    }
    memcpy(window + strlen("--window-size="), sizes[0], strlen(sizes[0]));
}

static void streaming(void)
{
    stage_set_status(stage_streaming);
    char *dom = browse("--dump-dom");
    CU_ASSERT(shows(dom, "<span id=\"state\" class=\"pill good\">streaming</span>"));
    CU_ASSERT(shows(dom, "id=\"lag-source\">1.5 KiB<"));
    CU_ASSERT(shows(dom, "id=\"lag-seconds\">0.2 s<"));
    CU_ASSERT(shows(dom, "id=\"lag-durable\">1.0 KiB<"));
    CU_ASSERT(shows(dom, "id=\"lag-consumers\">50.0 MiB<"));
    CU_ASSERT(shows(dom, ">3 consumers<"));
    CU_ASSERT(shows(dom, "id=\"waiting\">3, 2 acknowledgers<"));
    CU_ASSERT(shows(dom, "<div id=\"fence\" class=\"note warn\" hidden"));
    CU_ASSERT(shows(dom, "<span id=\"failover\" class=\"pill good\">yes</span>"));
    CU_ASSERT(shows(dom, "id=\"durable\">mysql-bin.000007 : 184,203,187<"));
    CU_ASSERT(shows(dom, "p50 853 µs · p99 2.4 ms"));
    CU_ASSERT(shows(dom, "db1.example:3306"));
    /* Which one it is; and what matters at three in the morning comes first, on a phone too. */
    CU_ASSERT(shows(dom, "<title>streaming – 127.0.0.1:"));
    CU_ASSERT(shows(dom, "<span id=\"who\" class=\"soft small\">127.0.0.1:"));
    const char *safe = dom != NULL ? strstr(dom, "id=\"failover\"") : NULL;
    CU_ASSERT(safe != NULL && safe < strstr(dom, "id=\"lag-source\""));
    CU_ASSERT(shows(dom, "class=\"stroke\" d=\"M"));
    /* The histogram has bars, and the rate is there: it was asked more than once. */
    const char *bars = dom != NULL ? strstr(dom, "id=\"h-acks\"") : NULL;
    CU_ASSERT(bars != NULL && strstr(bars, "style=\"height: 100px;\"") != NULL);
    CU_ASSERT(shows(dom, " /s</div>"));
    CU_ASSERT(shows(dom, "id=\"lost\" class=\"note bad\" hidden"));
    free(dom);
    keep_screenshot("streaming");
}

static void an_error_with_its_cure(void)
{
    stage_set_status(stage_error);
    char *dom = browse("--dump-dom");
    CU_ASSERT(shows(dom, "<span id=\"state\" class=\"pill bad\">error</span>"));
    CU_ASSERT(shows(dom, "<b>Error: diverged</b>"));
    CU_ASSERT(shows(dom, "<p>Cure: find out which history is right"));
    CU_ASSERT(shows(dom, "<b>Warning: free_space</b>"));
    CU_ASSERT(shows(dom, "id=\"lag-source\">unknown<"));
    CU_ASSERT(shows(dom, "does not acknowledge"));
    /* What came from the primary is text, never markup. */
    CU_ASSERT(shows(dom, "&lt;script&gt;alert(1)&lt;/script&gt;"));
    free(dom);
    keep_screenshot("error");
}

static void fenced(void)
{
    stage_set_status(stage_fenced);
    char *dom = browse("--dump-dom");
    CU_ASSERT(shows(dom, "<span id=\"state\" class=\"pill warn\">fenced</span>"));
    CU_ASSERT(shows(dom, "“primary db1 is dead” · source 7c1 · "));
    CU_ASSERT(shows(dom, "<div id=\"fence\" class=\"note warn\">"));
    free(dom);
    keep_screenshot("fenced");
}

static void a_status_that_says_nothing(void)
{
    stage_set_status("{}");
    char *dom = browse("--dump-dom");
    CU_ASSERT(shows(dom, ">unknown</span>"));
    CU_ASSERT(shows(dom, "id=\"lost\" class=\"note bad\" hidden"));
    free(dom);
    stage_set_status(NULL);
    dom = browse("--dump-dom");
    CU_ASSERT(shows(dom, "id=\"lost\" class=\"note bad\"><b>This page has lost logtailerd.</b>"));
    free(dom);
}

int main(void)
{
    static const struct test_case cases[] = {
        {"streaming", streaming},
        {"an error with its cure", an_error_with_its_cure},
        {"fenced", fenced},
        {"a status that says nothing", a_status_that_says_nothing},
    };
    if (browser() == NULL) {
        (void)fputs("chromium is not installed: run sh tests/install.sh test\n", stderr);
        return 1;
    }
    dir = proc_tempdir();
    port = stage_start();
    int bad = cunit_run("page", cases, sizeof cases / sizeof cases[0]);
    stage_stop();
    proc_remove_dir(dir);
    free(dir);
    return bad;
}
