#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wisen_error *error = NULL;

static int passed = 0;
static int failed = 0;

bool check(bool good, const char *what, const char *file, int line) {
    if (good) {
        passed++;
    } else {
        failed++;
        fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
    }
    return good;
}

bool check_status(wisen_status got, wisen_status wanted, const char *what, const char *file, int line) {
    bool good = got == wanted && wisen_error_code(error) == wanted;
    if (wanted == WISEN_OK) {
        good = good && error == NULL;
    } else {
        good = good && error != NULL && strlen(wisen_error_message(error)) > 10;
    }
    if (!check(good, what, file, line)) {
        fprintf(stderr, "    %s (%s), wanted %s\n", wisen_status_name(got), wisen_error_message(error),
                wisen_status_name(wanted));
    }
    wisen_error_free(&error);
    return good;
}

int check_end(void) {
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}

bool same(struct wisen_text text, const char *wanted) {
    return text.data != NULL && text.size == strlen(wanted) && strcmp(text.data, wanted) == 0;
}

bool holds(struct wisen_text text, const char *part) {
    return text.data != NULL && strstr(text.data, part) != NULL;
}

struct wisen_memory memory_of(const char *content, const float vector[4]) {
    struct wisen_memory memory = wisen_memory_init();
    memory.content = wisen_text(content);
    memory.vector = vector;
    memory.dimension = 4;
    return memory;
}

struct wisen_query query_of(const float vector[4]) {
    struct wisen_query query = wisen_query_init();
    query.vector = vector;
    query.dimension = 4;
    query.content = 1;
    return query;
}

const char *inside(const char *folder, const char *name) {
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

struct wisen_store *opened(const char *path) {
    struct wisen_options options = wisen_options_init();
    struct wisen_store *store = NULL;
    options.dimension = 4;
    OK(wisen_open(TEXT(path), &options, &store, &error));
    if (!CHECK(store != NULL)) {
        exit(check_end());
    }
    return store;
}
