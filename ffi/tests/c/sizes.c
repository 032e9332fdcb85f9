/* Structures of older and newer headers, and panics. */
#include <string.h>

#include "check.h"

static const float east[4] = {1, 0, 0, 0};

/* Structures as a newer header may have them. */
struct newer_query {
    struct wisen_query known;
    uint64_t wish;
};

struct newer_hit {
    struct wisen_hit known;
    uint64_t figure;
};

struct newer_memory {
    struct wisen_memory known;
    uint64_t wish;
};

static void queries(struct wisen_store *store) {
    struct wisen_recall *recall = NULL;
    struct wisen_query query = query_of(east);
    struct newer_query newer;

    query.struct_size = 0;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_recall(store, &query, &recall, &error));
    query.struct_size = 30;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_recall(store, &query, &recall, &error));
    query.struct_size = 4096 + 8;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_recall(store, &query, &recall, &error));

    /* Older: what comes after its end is not looked at. */
    query.struct_size = offsetof(struct wisen_query, namespaces);
    query.namespace_count = 99;
    query.kind = wisen_text("\xFF");
    OK(wisen_recall(store, &query, &recall, &error));
    CHECK(wisen_recall_count(recall) == 2);
    wisen_recall_free(&recall);
    query.struct_size = offsetof(struct wisen_query, vector);
    FAILS(WISEN_INVALID_ARGUMENT, wisen_recall(store, &query, &recall, &error));

    memset(&newer, 0, sizeof newer);
    newer.known = query_of(east);
    newer.known.struct_size = sizeof newer;
    OK(wisen_recall(store, &newer.known, &recall, &error));
    CHECK(wisen_recall_count(recall) == 2);
    wisen_recall_free(&recall);
    newer.wish = 1;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_recall(store, &newer.known, &recall, &error));
}

static void hits(struct wisen_store *store) {
    struct wisen_recall *recall = NULL;
    struct wisen_query query = query_of(east);
    struct wisen_hit hit = wisen_hit_init();
    struct newer_hit newer;

    OK(wisen_recall(store, &query, &recall, &error));
    hit.struct_size = 0;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_recall_hit(recall, 0, &hit, &error));
    hit.struct_size = offsetof(struct wisen_hit, similarity);
    hit.similarity = 42;
    OK(wisen_recall_hit(recall, 0, &hit, &error));
    CHECK(hit.id > 0 && hit.similarity == 42 && hit.content.data == NULL);
    CHECK(hit.struct_size == offsetof(struct wisen_hit, similarity));

    memset(&newer, 0x55, sizeof newer);
    newer.known.struct_size = sizeof newer;
    OK(wisen_recall_hit(recall, 0, &newer.known, &error));
    CHECK(newer.known.struct_size == sizeof newer && newer.known.id == hit.id && newer.figure == 0);
    wisen_recall_free(&recall);
}

void test_sizes(const char *folder) {
    struct wisen_store *store = opened(inside(folder, "sizes"));
    struct newer_memory many[2];
    struct wisen_options options = wisen_options_init();
    struct wisen_report_reply reply;
    struct wisen_report report = wisen_report_init();
    uint64_t ids[2] = {0, 0};

    /* A row of newer structures: the first one tells how far apart they are. */
    memset(many, 0, sizeof many);
    many[0].known = memory_of("one", east);
    many[1].known = memory_of("two", east);
    many[0].known.struct_size = sizeof many[0];
    FAILS(WISEN_INVALID_ARGUMENT, wisen_remember_many(store, &many[0].known, 2, ids, &error));
    many[1].known.struct_size = sizeof many[1];
    OK(wisen_remember_many(store, &many[0].known, 2, ids, &error));
    CHECK(ids[0] > 0 && ids[1] > ids[0]);
    many[1].wish = 1;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_remember_many(store, &many[0].known, 2, ids, &error));

    queries(store);
    hits(store);

    report.memory = ids[0];
    report.outcome = WISEN_SUCCESS;
    memset(&reply, 0, sizeof reply);
    FAILS(WISEN_INVALID_ARGUMENT, wisen_report(store, &report, &reply, &error));
    reply = wisen_report_reply_init();
    OK(wisen_report(store, &report, &reply, &error));
    CHECK(reply.status == WISEN_CREDITED && reply.credited_count == 1);
    wisen_store_free(&store);

    options.dimension = 4;
    options.struct_size = offsetof(struct wisen_options, model);
    options.read_only = 1;
    OK(wisen_open(TEXT(inside(folder, "older")), &options, &store, &error));
    wisen_store_free(&store);
}

#ifdef WISEN_TEST_PANIC
wisen_status wisen_test_panic(struct wisen_store *store, struct wisen_error **error);
#endif

/* A panic becomes a status, and the store is of no use after it but to be freed. */
void test_panic(const char *folder) {
#ifdef WISEN_TEST_PANIC
    struct wisen_store *store = opened(inside(folder, "panic"));
    struct wisen_memory memory = memory_of("lost?", east);
    uint64_t count = 0;

    OK(wisen_remember(store, &memory, NULL, &error));
    FAILS(WISEN_PANIC, wisen_test_panic(store, &error));
    FAILS(WISEN_PANIC, wisen_count(store, NULL, 0, &count, &error));
    FAILS(WISEN_PANIC, wisen_close(store, &error));
    CHECK(wisen_path(store) == NULL);
    wisen_store_free(&store);
    CHECK(store == NULL);
    OK(wisen_open(TEXT(inside(folder, "panic")), NULL, &store, &error));
    OK(wisen_count(store, NULL, 0, &count, &error));
    CHECK(count == 1);
    wisen_store_free(&store);
#else
    (void)folder;
#endif
}
