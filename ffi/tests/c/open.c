/* Opening: what is no store, what is no longer writable, what was created otherwise. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static const float east[4] = {1, 0, 0, 0};

static void no_store(const char *folder) {
    struct wisen_options options = wisen_options_init();
    struct wisen_store *store = (struct wisen_store *)&options;
    const char *path = inside(folder, "a file");
    FILE *file = fopen(path, "w");

    options.dimension = 4;
    if (CHECK(file != NULL)) {
        fputs("no store\n", file);
        fclose(file);
    }
    FAILS(WISEN_NOT_A_STORE, wisen_open(TEXT(path), &options, &store, &error));
    CHECK(store == NULL);
    path = inside(folder, "a folder");
    CHECK(mkdir(path, 0700) == 0);
    file = fopen(inside(folder, "a folder/memory.db"), "w");
    if (CHECK(file != NULL)) {
        fputs("this is no database, but it is long enough to be looked at as one: it is not\n", file);
        fclose(file);
    }
    FAILS(WISEN_NOT_A_STORE, wisen_open(TEXT(inside(folder, "a folder")), &options, &store, &error));
    FAILS(WISEN_NOT_A_STORE, wisen_open(TEXT(inside(folder, "nowhere")), NULL, &store, &error));

    FAILS(WISEN_INVALID_ARGUMENT, wisen_open(NULL, 0, &options, &store, &error));
    FAILS(WISEN_NOT_UTF8, wisen_open(TEXT("\xFE"), &options, &store, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_open(TEXT(inside(folder, "x")), &options, NULL, &error));
    options.dimension = 100000;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_open(TEXT(inside(folder, "x")), &options, &store, &error));
    options.dimension = 4;
    options.metric = 9;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_open(TEXT(inside(folder, "x")), &options, &store, &error));
    options.metric = WISEN_METRIC_OF_STORE;
    options.storage = 3;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_open(TEXT(inside(folder, "x")), &options, &store, &error));
    options.storage = WISEN_STORAGE_OF_STORE;
    options.durability = -1;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_open(TEXT(inside(folder, "x")), &options, &store, &error));
}

static void read_only(const char *folder) {
    struct wisen_options options = wisen_options_init();
    struct wisen_memory memory = memory_of("kept", east);
    struct wisen_query query = query_of(east);
    struct wisen_report report = wisen_report_init();
    struct wisen_recall *recall = NULL;
    struct wisen_receipt receipt;
    struct wisen_store *store = opened(inside(folder, "kept"));
    uint64_t id = 0;

    OK(wisen_remember(store, &memory, &id, &error));
    OK(wisen_close(store, &error));
    wisen_store_free(&store);

    options.read_only = 1;
    OK(wisen_open(TEXT(inside(folder, "kept")), &options, &store, &error));
    FAILS(WISEN_READ_ONLY, wisen_remember(store, &memory, NULL, &error));
    FAILS(WISEN_READ_ONLY, wisen_forget(store, id, NULL, &error));
    OK(wisen_recall(store, &query, &recall, &error));
    CHECK(wisen_recall_count(recall) == 1);
    CHECK(!wisen_recall_receipt(recall, &receipt));
    wisen_recall_free(&recall);
    report.memory = id;
    report.outcome = WISEN_SUCCESS;
    FAILS(WISEN_READ_ONLY, wisen_report(store, &report, NULL, &error));
    wisen_store_free(&store);

    /* A folder that nobody may write to; the superuser may always. */
    CHECK(chmod(inside(folder, "kept"), 0500) == 0);
    if (access(inside(folder, "kept"), W_OK) != 0) {
        wisen_status status = wisen_open(TEXT(inside(folder, "kept")), NULL, &store, &error);
        if (status == WISEN_OK) {
            status = wisen_remember(store, &memory, NULL, &error);
        }
        FAILS(status == WISEN_IO ? WISEN_IO : WISEN_READ_ONLY, status);
        wisen_store_free(&store);
    }
    CHECK(chmod(inside(folder, "kept"), 0700) == 0);
}

static void otherwise(const char *folder) {
    struct wisen_options options = wisen_options_init();
    struct wisen_memory memory = memory_of("nothing", east);
    struct wisen_stats stats = wisen_stats_init();
    struct wisen_store *store = NULL;
    struct wisen_store *other = NULL;
    float zero[4] = {0, 0, 0, 0}, large[4] = {0, 0, 0, 70000};
    uint64_t count = 0;

    options.dimension = 4;
    options.metric = WISEN_METRIC_L2;
    options.storage = WISEN_STORAGE_F16;
    OK(wisen_open(TEXT(inside(folder, "l2")), &options, &store, &error));
    memory.vector = zero;
    OK(wisen_remember(store, &memory, NULL, &error));
    OK(wisen_stats(store, &stats, &error));
    CHECK(stats.metric == WISEN_METRIC_L2 && stats.model.data == NULL);
    CHECK(stats.storage == WISEN_STORAGE_F16);
    memory.vector = large;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_remember(store, &memory, NULL, &error));
    memory.vector = zero;

    /* Two handles of one store see the same. */
    OK(wisen_open(TEXT(inside(folder, "l2")), NULL, &other, &error));
    OK(wisen_remember(other, &memory, NULL, &error));
    OK(wisen_count(store, NULL, 0, &count, &error));
    CHECK(count == 2);
    wisen_store_free(&other);

    options.metric = WISEN_METRIC_DOT;
    FAILS(WISEN_MISMATCH, wisen_open(TEXT(inside(folder, "l2")), &options, &other, &error));
    options.metric = WISEN_METRIC_OF_STORE;
    options.storage = WISEN_STORAGE_F32;
    FAILS(WISEN_MISMATCH, wisen_open(TEXT(inside(folder, "l2")), &options, &other, &error));
    options.storage = WISEN_STORAGE_OF_STORE;
    options.dimension = 5;
    FAILS(WISEN_MISMATCH, wisen_open(TEXT(inside(folder, "l2")), &options, &other, &error));
    wisen_store_free(&store);

    options.dimension = 4;
    OK(wisen_open(TEXT(":memory:"), &options, &store, &error));
    CHECK(strcmp(wisen_path(store), ":memory:") == 0);
    memory.vector = east;
    OK(wisen_remember(store, &memory, NULL, &error));
    OK(wisen_count(store, NULL, 0, &count, &error));
    CHECK(count == 1);
    wisen_store_free(&store);
}

/* A handle from before a fork is refused in the child, and still good in the parent. */
static void forked(const char *folder) {
    struct wisen_store *store = opened(inside(folder, "forked"));
    uint64_t count = 0;
    int end = 0;
    pid_t child = fork();

    if (child == 0) {
        _exit(wisen_count(store, NULL, 0, &count, NULL) == WISEN_FORKED ? 0 : 1);
    }
    CHECK(child > 0 && waitpid(child, &end, 0) == child);
    CHECK(WIFEXITED(end) && WEXITSTATUS(end) == 0);
    OK(wisen_count(store, NULL, 0, &count, &error));
    wisen_store_free(&store);
}

void test_open(const char *folder) {
    no_store(folder);
    read_only(folder);
    otherwise(folder);
    forked(folder);
}
