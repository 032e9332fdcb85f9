/* What is stored: read back, changed, forgotten, listed, dropped. */
#include <string.h>

#include "check.h"

static const float east[4] = {1, 0, 0, 0};
static const float north[4] = {0, 1, 0, 0};

static bool only_record(struct wisen_store *store, uint64_t id, struct wisen_records **records,
                        struct wisen_record *record) {
    wisen_records_free(records);
    return OK(wisen_get(store, id, records, &error)) && CHECK(wisen_records_count(*records) == 1) &&
           OK(wisen_records_get(*records, 0, record, &error));
}

static void changes(struct wisen_store *store, uint64_t id) {
    struct wisen_records *records = NULL;
    struct wisen_record record = wisen_record_init();
    struct wisen_update update = wisen_update_init();

    OK(wisen_update(store, id, &update, &error));
    update.content = wisen_text("go west");
    update.vector = north;
    update.dimension = 4;
    update.kind = wisen_text("rule");
    update.metadata = wisen_text("null");
    update.time_to_live_us = 3600000000u;
    OK(wisen_update(store, id, &update, &error));
    CHECK(only_record(store, id, &records, &record));
    CHECK(same(record.content, "go west") && same(record.kind, "rule"));
    CHECK(record.vector[0] == 0 && record.vector[1] == 1);
    CHECK(record.metadata.data == NULL);
    CHECK(record.expires_at_us > record.updated_at_us && record.updated_at_us >= record.created_at_us);

    update = wisen_update_init();
    update.no_time_to_live = 1;
    OK(wisen_update(store, id, &update, &error));
    CHECK(only_record(store, id, &records, &record));
    CHECK(record.expires_at_us == 0 && same(record.content, "go west"));
    update.time_to_live_us = 1;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_update(store, id, &update, &error));
    update = wisen_update_init();
    update.metadata = wisen_text("{broken");
    FAILS(WISEN_INVALID_ARGUMENT, wisen_update(store, id, &update, &error));
    update = wisen_update_init();
    update.content = wisen_text("nothing");
    FAILS(WISEN_UNKNOWN_MEMORY, wisen_update(store, 4711, &update, &error));
    wisen_records_free(&records);
}

static void listings(struct wisen_store *store) {
    struct wisen_records *records = NULL;
    struct wisen_record record = wisen_record_init();
    struct wisen_namespaces *namespaces = NULL;
    struct wisen_namespace entry = wisen_namespace_init();
    struct wisen_memory memory = memory_of("elsewhere", north);
    uint64_t count = 0, after = 0;
    size_t index, seen = 0;

    memory.namespace_name = wisen_text("b\xC3\xA9ta");
    for (index = 0; index < 5; index++) {
        OK(wisen_remember(store, &memory, NULL, &error));
    }
    do {
        wisen_records_free(&records);
        OK(wisen_page(store, TEXT("b\xC3\xA9ta"), after, 2, &records, &error));
        for (index = 0; index < wisen_records_count(records); index++, seen++) {
            OK(wisen_records_get(records, index, &record, &error));
            CHECK(record.id > after && same(record.namespace_name, "b\xC3\xA9ta"));
            after = record.id;
        }
    } while (wisen_records_count(records) == 2);
    CHECK(seen == 5);
    FAILS(WISEN_INVALID_ARGUMENT, wisen_records_get(records, 2, &record, &error));
    wisen_records_free(&records);
    OK(wisen_page(store, NULL, 0, 0, 100, &records, &error));
    CHECK(wisen_records_count(records) >= 6);
    wisen_records_free(&records);
    CHECK(records == NULL);

    OK(wisen_namespaces(store, &namespaces, &error));
    CHECK(wisen_namespaces_count(namespaces) == 2);
    OK(wisen_namespaces_get(namespaces, 0, &entry, &error));
    CHECK(same(entry.name, "b\xC3\xA9ta") && entry.memories == 5 && entry.created_at_us > 0);
    OK(wisen_namespaces_get(namespaces, 1, &entry, &error));
    CHECK(same(entry.name, "default"));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_namespaces_get(namespaces, 2, &entry, &error));
    wisen_namespaces_free(&namespaces);
    CHECK(namespaces == NULL);

    OK(wisen_count(store, "b\xC3\xA9tamax", 5, &count, &error));
    CHECK(count == 5);
    OK(wisen_drop_namespace(store, TEXT("b\xC3\xA9ta"), &count, &error));
    CHECK(count == 5);
    OK(wisen_count(store, TEXT("b\xC3\xA9ta"), &count, &error));
    CHECK(count == 0);
}

void test_records(const char *folder) {
    struct wisen_store *store = opened(inside(folder, "records"));
    struct wisen_records *records = NULL;
    struct wisen_record record = wisen_record_init();
    struct wisen_memory memory = memory_of("go east", east);
    uint64_t id = 0, same_id = 0, newer = 0;
    bool forgotten = false;

    memory.metadata = wisen_text("{\"source\": \"map\"}");
    memory.author = wisen_text("navigator");
    memory.key = wisen_text("direction");
    memory.kind = wisen_text("fact");
    OK(wisen_remember(store, &memory, &id, &error));
    OK(wisen_remember(store, &memory, &same_id, &error));
    CHECK(id == same_id);
    CHECK(only_record(store, id, &records, &record));
    CHECK(record.id == id && same(record.content, "go east") && same(record.kind, "fact"));
    CHECK(same(record.namespace_name, "default") && same(record.metadata, "{\"source\":\"map\"}"));
    CHECK(same(record.author, "navigator") && same(record.key, "direction"));
    CHECK(record.dimension == 4 && record.vector[0] == 1 && record.vector[3] == 0);
    CHECK(record.created_at_us > 1600000000000000 && record.expires_at_us == 0);
    CHECK(record.superseded_by == 0);
    memory.content = wisen_text("go elsewhere");
    FAILS(WISEN_KEY_CONFLICT, wisen_remember(store, &memory, &same_id, &error));

    changes(store, id);

    /* Text may hold a NUL, and may end without one. */
    memory = memory_of(NULL, north);
    memory.content.data = "a\0b and more";
    memory.content.size = 3;
    memory.supersedes = id;
    OK(wisen_remember(store, &memory, &newer, &error));
    CHECK(only_record(store, newer, &records, &record));
    CHECK(record.content.size == 3 && memcmp(record.content.data, "a\0b", 4) == 0);
    CHECK(record.author.data == NULL && record.key.data == NULL && record.metadata.data == NULL);
    CHECK(only_record(store, id, &records, &record));
    CHECK(record.superseded_by == newer);

    listings(store);

    OK(wisen_forget(store, newer, &forgotten, &error));
    CHECK(forgotten);
    OK(wisen_forget(store, newer, &forgotten, &error));
    CHECK(!forgotten);
    OK(wisen_forget(store, 4711, NULL, &error));
    wisen_records_free(&records);
    OK(wisen_get(store, newer, &records, &error));
    CHECK(records != NULL && wisen_records_count(records) == 0);
    wisen_records_free(&records);
    wisen_store_free(&store);
}
