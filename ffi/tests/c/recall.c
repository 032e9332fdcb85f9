/* What a recall finds, and what it tells. */
#include <math.h>
#include <string.h>

#include "check.h"

static const float east[4] = {1, 0, 0, 0};
static const float north[4] = {0, 1, 0, 0};
static const float mostly_east[4] = {0.9f, 0.1f, 0, 0};
static const float up[4] = {0, 0, 1, 0};

/* Several queries at once answer as they do one by one. */
static void batches(struct wisen_store *store) {
    struct wisen_query queries[3] = {query_of(mostly_east), query_of(north), query_of(up)};
    struct wisen_recall *recalls[3] = {NULL, NULL, NULL};
    struct wisen_receipt receipts[3];
    size_t i, j;

    queries[1].k = 1;
    queries[2].no_receipt = 1;
    OK(wisen_recall_many(store, queries, 3, 2, recalls, &error));
    for (i = 0; i < 3; i++) {
        struct wisen_recall *single = NULL;
        OK(wisen_recall(store, &queries[i], &single, &error));
        CHECK(recalls[i] != NULL && wisen_recall_count(recalls[i]) == wisen_recall_count(single));
        for (j = 0; j < wisen_recall_count(single); j++) {
            struct wisen_hit one = wisen_hit_init(), other = wisen_hit_init();
            OK(wisen_recall_hit(recalls[i], j, &one, &error));
            OK(wisen_recall_hit(single, j, &other, &error));
            CHECK(one.id == other.id && one.score == other.score && same(one.content, other.content.data));
        }
        CHECK(wisen_recall_receipt(recalls[i], &receipts[i]) == (i < 2));
        wisen_recall_free(&recalls[i]);
        wisen_recall_free(&single);
    }
    CHECK(memcmp(receipts[0].bytes, receipts[1].bytes, 16) != 0);

    /* A bad row is named, and there is no answer to any. */
    queries[1].dimension = 3;
    FAILS(WISEN_WRONG_DIMENSION, wisen_recall_many(store, queries, 3, 0, recalls, &error));
    CHECK(recalls[0] == NULL && recalls[1] == NULL && recalls[2] == NULL);
    queries[1].vector = NULL;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_recall_many(store, queries, 3, 0, recalls, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_recall_many(store, queries, 1, 257, recalls, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_recall_many(store, queries, 1, 1, NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_recall_many(store, NULL, 1, 1, recalls, &error));
    OK(wisen_recall_many(store, NULL, 0, 0, NULL, &error));
}

void test_recall(const char *folder) {
    struct wisen_store *store = opened(inside(folder, "recall"));
    struct wisen_memory many[3] = {memory_of("go east", east), memory_of("go north", north),
                                   memory_of("look up", up)};
    struct wisen_query query = query_of(mostly_east);
    struct wisen_text names[2];
    struct wisen_hit hit = wisen_hit_init();
    struct wisen_hit second = wisen_hit_init();
    struct wisen_receipt receipt, again;
    struct wisen_recall *recall = NULL;
    uint64_t ids[3] = {0, 0, 0};
    char text[WISEN_RECEIPT_TEXT_SIZE];

    many[0].metadata = wisen_text("{\"deep\": [1, null]}");
    many[1].kind = wisen_text("rule");
    many[2].namespace_name = wisen_text("sky");
    OK(wisen_remember_many(store, many, 3, ids, &error));
    CHECK(ids[0] > 0 && ids[1] > ids[0] && ids[2] > ids[1]);

    OK(wisen_recall(store, &query, &recall, &error));
    CHECK(wisen_recall_count(recall) == 2);
    OK(wisen_recall_hit(recall, 0, &hit, &error));
    OK(wisen_recall_hit(recall, 1, &second, &error));
    CHECK(hit.id == ids[0] && second.id == ids[1]);
    CHECK(hit.score > second.score && hit.similarity > second.similarity);
    CHECK(fabs(hit.similarity - 0.9 / sqrt(0.82)) < 1e-3);
    CHECK(hit.reports == 0 && hit.successes == 0 && hit.failures == 0 && hit.own_fit > 0);
    CHECK(hit.probability > 0 && hit.probability < 1);
    CHECK(hit.interval_low < hit.probability && hit.probability < hit.interval_high);
    CHECK(!hit.nominated && !hit.has_supporting && !hit.has_contradicting);
    CHECK(same(hit.content, "go east") && same(hit.namespace_name, "default"));
    CHECK(same(hit.metadata, "{\"deep\":[1,null]}") && second.metadata.data == NULL);
    CHECK(hit.reasons.data != NULL && hit.reasons.size > 0);
    FAILS(WISEN_INVALID_ARGUMENT, wisen_recall_hit(recall, 2, &hit, &error));

    CHECK(wisen_recall_receipt(recall, &receipt));
    OK(wisen_receipt_to_text(&receipt, text, sizeof text, &error));
    CHECK(strlen(text) == 36 && text[14] == '7');
    OK(wisen_receipt_from_text(TEXT(text), &again, &error));
    CHECK(memcmp(receipt.bytes, again.bytes, 16) == 0);
    FAILS(WISEN_INVALID_ARGUMENT, wisen_receipt_to_text(&receipt, text, 36, &error));
    FAILS(WISEN_UNKNOWN_RECEIPT, wisen_receipt_from_text(TEXT("no receipt"), &again, &error));
    wisen_recall_free(&recall);
    CHECK(recall == NULL);

    /* Without contents, without a receipt, at most one. */
    query.content = 0;
    query.no_receipt = 1;
    query.k = 1;
    query.text = wisen_text("which way?");
    OK(wisen_recall(store, &query, &recall, &error));
    CHECK(wisen_recall_count(recall) == 1);
    CHECK(!wisen_recall_receipt(recall, &again) && again.bytes[0] == 0);
    OK(wisen_recall_hit(recall, 0, &hit, &error));
    CHECK(hit.id == ids[0] && hit.content.data == NULL && hit.metadata.data == NULL);
    wisen_recall_free(&recall);

    query.k = 0;
    OK(wisen_recall(store, &query, &recall, &error));
    CHECK(wisen_recall_count(recall) == 0);
    wisen_recall_free(&recall);

    query.k = 10;
    query.kind = wisen_text("rule");
    OK(wisen_recall(store, &query, &recall, &error));
    CHECK(wisen_recall_count(recall) == 1);
    OK(wisen_recall_hit(recall, 0, &hit, &error));
    CHECK(hit.id == ids[1]);
    wisen_recall_free(&recall);

    query.kind = wisen_text(NULL);
    names[0] = wisen_text("sky");
    names[1] = wisen_text("nowhere");
    query.namespaces = names;
    query.namespace_count = 2;
    OK(wisen_recall(store, &query, &recall, &error));
    CHECK(wisen_recall_count(recall) == 1);
    OK(wisen_recall_hit(recall, 0, &hit, &error));
    CHECK(hit.id == ids[2] && same(hit.namespace_name, "sky"));
    wisen_recall_free(&recall);

    batches(store);
    wisen_store_free(&store);
}
