/* Backup and restore, export and import, erasure and compaction. */
#include <stdio.h>
#include <string.h>

#include "check.h"

static const float east[4] = {1, 0, 0, 0};
static const float north[4] = {0, 1, 0, 0};

/* A name in the folder that stays good. */
static const char *named(char buffer[512], const char *folder, const char *name) {
    snprintf(buffer, 512, "%s", inside(folder, name));
    return buffer;
}

static void holds_count(const char *path, uint64_t wanted) {
    struct wisen_store *store = opened(path);
    struct wisen_verification *verification = NULL;
    uint64_t count = 0;
    OK(wisen_count(store, NULL, 0, &count, &error));
    CHECK(count == wanted);
    OK(wisen_verify(store, &verification, &error));
    CHECK(wisen_verification_is_ok(verification));
    wisen_verification_free(&verification);
    OK(wisen_verify_quick(store, &verification, &error));
    CHECK(wisen_verification_is_ok(verification));
    wisen_verification_free(&verification);
    wisen_store_free(&store);
}

void test_keep(const char *folder) {
    char life[512], backup[512], restored[512], lines[512], imported[512];
    struct wisen_memory memory = memory_of("go east", east);
    struct wisen_store *store = NULL;
    uint64_t id = 0, bytes = 0, rows = 0, count = 0, before = 0, after = 0;
    bool forgotten = false;

    store = opened(named(life, folder, "held"));
    named(backup, folder, "held.backup");
    named(restored, folder, "held restored");
    named(lines, folder, "held.jsonl");
    named(imported, folder, "held imported");
    OK(wisen_remember(store, &memory, &id, &error));
    memory = memory_of("go north", north);
    OK(wisen_remember(store, &memory, NULL, &error));

    OK(wisen_backup(store, TEXT(backup), 0, &bytes, &error));
    CHECK(bytes > 0);
    FAILS(WISEN_INVALID_ARGUMENT, wisen_backup(store, TEXT(backup), 0, &bytes, &error));
    OK(wisen_backup(store, TEXT(backup), 1, NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_backup(store, NULL, 0, 1, NULL, &error));
    OK(wisen_export(store, TEXT(lines), 0, &rows, &error));
    CHECK(rows > 2);
    FAILS(WISEN_INVALID_ARGUMENT, wisen_export(store, TEXT(lines), 0, NULL, &error));

    OK(wisen_restore(TEXT(backup), TEXT(restored), &error));
    holds_count(restored, 2);
    FAILS(WISEN_INVALID_ARGUMENT, wisen_restore(TEXT(backup), TEXT(restored), &error));
    OK(wisen_import(TEXT(lines), TEXT(imported), &error));
    holds_count(imported, 2);
    FAILS(WISEN_BAD_BACKUP, wisen_restore(TEXT(lines), TEXT(inside(folder, "none")), &error));
    FAILS(WISEN_BAD_IMPORT, wisen_import(TEXT(backup), TEXT(inside(folder, "none")), &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_import(NULL, 0, TEXT(imported), &error));

    OK(wisen_import_memories(store, TEXT(lines), &count, &error));
    CHECK(count == 2);
    FAILS(WISEN_BAD_IMPORT, wisen_import_memories(store, TEXT(backup), &count, &error));
    OK(wisen_forget_hard(store, id, &forgotten, &error));
    CHECK(forgotten);
    OK(wisen_forget_hard(store, id, &forgotten, &error));
    CHECK(!forgotten);
    OK(wisen_compact(store, &before, &after, &error));
    CHECK(before > 0 && after > 0);
    OK(wisen_compact(store, NULL, NULL, &error));
    OK(wisen_count(store, NULL, 0, &count, &error));
    CHECK(count == 3);
    OK(wisen_close(store, &error));
    FAILS(WISEN_CLOSED, wisen_backup(store, TEXT(backup), 1, NULL, &error));
    FAILS(WISEN_CLOSED, wisen_export(store, TEXT(lines), 1, NULL, &error));
    FAILS(WISEN_CLOSED, wisen_compact(store, NULL, NULL, &error));
    FAILS(WISEN_CLOSED, wisen_forget_hard(store, id, NULL, &error));
    wisen_store_free(&store);
}
