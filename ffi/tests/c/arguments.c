/* Wrong arguments: each has its status and a message, and none has any effect. */
#include <math.h>
#include <string.h>

#include "check.h"

static const float east[4] = {1, 0, 0, 0};
static const float zero[4] = {0, 0, 0, 0};

static void wrong_vectors(struct wisen_store *store) {
    float vector[4] = {1, 0, 0, 0};
    struct wisen_memory memory = memory_of("wrong", vector);
    struct wisen_query query = query_of(vector);
    struct wisen_recall *recall = NULL;

    vector[2] = NAN;
    FAILS(WISEN_NOT_FINITE, wisen_remember(store, &memory, NULL, &error));
    FAILS(WISEN_NOT_FINITE, wisen_recall(store, &query, &recall, &error));
    vector[2] = INFINITY;
    FAILS(WISEN_NOT_FINITE, wisen_remember(store, &memory, NULL, &error));
    memory.vector = query.vector = east;
    memory.dimension = query.dimension = 3;
    FAILS(WISEN_WRONG_DIMENSION, wisen_remember(store, &memory, NULL, &error));
    FAILS(WISEN_WRONG_DIMENSION, wisen_recall(store, &query, &recall, &error));
    memory.dimension = query.dimension = 4;
    memory.vector = query.vector = zero;
    FAILS(WISEN_ZERO_VECTOR, wisen_remember(store, &memory, NULL, &error));
    FAILS(WISEN_ZERO_VECTOR, wisen_recall(store, &query, &recall, &error));
    CHECK(recall == NULL);
    memory.vector = query.vector = NULL;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_remember(store, &memory, NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_recall(store, &query, &recall, &error));
    memory.vector = east;
    memory.dimension = SIZE_MAX;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_remember(store, &memory, NULL, &error));
    memory.vector = (const float *)((const char *)east + 1);
    memory.dimension = 3;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_remember(store, &memory, NULL, &error));
}

static void wrong_texts(struct wisen_store *store) {
    struct wisen_memory memory = memory_of("caf\xE9", east);
    struct wisen_query query = query_of(east);
    struct wisen_text names[1];
    struct wisen_recall *recall = NULL;
    uint64_t count = 0;

    FAILS(WISEN_NOT_UTF8, wisen_remember(store, &memory, NULL, &error));
    wisen_remember(store, &memory, NULL, &error);
    CHECK(strstr(wisen_error_message(error), "content") != NULL);
    CHECK(strstr(wisen_error_message(error), "3") != NULL);
    wisen_error_free(&error);
    memory = memory_of("fine", east);
    memory.metadata = wisen_text("not JSON");
    FAILS(WISEN_INVALID_ARGUMENT, wisen_remember(store, &memory, NULL, &error));
    memory.metadata = wisen_text("[1, 2]");
    FAILS(WISEN_INVALID_ARGUMENT, wisen_remember(store, &memory, NULL, &error));
    memory = memory_of("fine", east);
    memory.namespace_name = wisen_text("");
    FAILS(WISEN_INVALID_ARGUMENT, wisen_remember(store, &memory, NULL, &error));
    memory.namespace_name.data = NULL;
    memory.namespace_name.size = 3;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_remember(store, &memory, NULL, &error));
    memory = memory_of(NULL, east);
    FAILS(WISEN_INVALID_ARGUMENT, wisen_remember(store, &memory, NULL, &error));
    memory = memory_of("fine", east);
    memory.reserved = 1;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_remember(store, &memory, NULL, &error));
    memory = memory_of("fine", east);
    memory.supersedes = 4711;
    FAILS(WISEN_UNKNOWN_MEMORY, wisen_remember(store, &memory, NULL, &error));

    query.namespaces = names;
    query.namespace_count = 1;
    names[0] = wisen_text("\xFF");
    FAILS(WISEN_NOT_UTF8, wisen_recall(store, &query, &recall, &error));
    names[0] = wisen_text(NULL);
    FAILS(WISEN_INVALID_ARGUMENT, wisen_recall(store, &query, &recall, &error));
    query.namespaces = NULL;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_recall(store, &query, &recall, &error));
    FAILS(WISEN_NOT_UTF8, wisen_count(store, TEXT("\xC3("), &count, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_drop_namespace(store, NULL, 0, &count, &error));
}

static void wrong_batches(struct wisen_store *store) {
    struct wisen_memory many[3] = {memory_of("one", east), memory_of("two", zero), memory_of("three", east)};
    uint64_t ids[3] = {0, 0, 0}, before = 0, after = 0;

    OK(wisen_count(store, NULL, 0, &before, &error));
    CHECK(wisen_remember_many(store, many, 3, ids, &error) == WISEN_ZERO_VECTOR);
    CHECK(wisen_error_code(error) == WISEN_ZERO_VECTOR && wisen_error_row(error) == 1);
    wisen_error_free(&error);
    many[1] = memory_of("two", east);
    many[2].content = wisen_text("\x80");
    CHECK(wisen_remember_many(store, many, 3, ids, &error) == WISEN_NOT_UTF8);
    CHECK(wisen_error_row(error) == 2);
    wisen_error_free(&error);
    FAILS(WISEN_INVALID_ARGUMENT, wisen_remember_many(store, NULL, 3, ids, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_remember_many(store, many, SIZE_MAX, ids, &error));
    OK(wisen_remember_many(store, NULL, 0, NULL, &error));
    OK(wisen_count(store, NULL, 0, &after, &error));
    CHECK(before == after && ids[0] == 0);
}

static void wrong_reports(struct wisen_store *store) {
    struct wisen_memory memory = memory_of("shown", east);
    struct wisen_query query = query_of(east);
    struct wisen_report report = wisen_report_init();
    struct wisen_report_reply reply = wisen_report_reply_init();
    struct wisen_recall *recall = NULL;
    struct wisen_receipt receipt, unknown;
    uint64_t id = 0, used[1] = {4711};

    OK(wisen_remember(store, &memory, &id, &error));
    OK(wisen_recall(store, &query, &recall, &error));
    CHECK(wisen_recall_receipt(recall, &receipt));
    wisen_recall_free(&recall);

    report.outcome = WISEN_SUCCESS;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_report(store, &report, NULL, &error));
    report.receipt = &receipt;
    report.memory = id;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_report(store, &report, NULL, &error));
    report.memory = 0;
    report.situation = east;
    report.situation_dimension = 4;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_report(store, &report, NULL, &error));
    report.situation = NULL;
    report.situation_dimension = 0;
    report.grade = 0.5;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_report(store, &report, NULL, &error));
    report.outcome = WISEN_GRADED;
    report.grade = 1.5;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_report(store, &report, NULL, &error));
    report.grade = NAN;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_report(store, &report, NULL, &error));
    report.grade = 0;
    report.outcome = 17;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_report(store, &report, NULL, &error));
    report.outcome = WISEN_SUCCESS;
    report.used = used;
    report.used_count = 1;
    FAILS(WISEN_NOT_SHOWN, wisen_report(store, &report, NULL, &error));
    report.used_count = 0;
    reply.credited_capacity = 3;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_report(store, &report, &reply, &error));

    memset(&unknown, 0x11, sizeof unknown);
    report.receipt = &unknown;
    FAILS(WISEN_UNKNOWN_RECEIPT, wisen_report(store, &report, NULL, &error));
    report.receipt = NULL;
    report.memory = 4711;
    FAILS(WISEN_UNKNOWN_MEMORY, wisen_report(store, &report, NULL, &error));
}

/* NULL wherever something is needed, and handles of another type. */
static void nothing_given(struct wisen_store *store) {
    struct wisen_memory memory = memory_of("fine", east);
    struct wisen_query query = query_of(east);
    struct wisen_recall *recall = NULL;
    struct wisen_records *records = NULL;
    struct wisen_stats stats = wisen_stats_init();
    struct wisen_hit hit = wisen_hit_init();
    uint64_t count = 0;

    FAILS(WISEN_INVALID_ARGUMENT, wisen_remember(NULL, &memory, NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_remember(store, NULL, NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_update(store, 1, NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_recall(store, NULL, &recall, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_recall(store, &query, NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_report(store, NULL, NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_get(store, 1, NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_page(NULL, NULL, 0, 0, 1, &records, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_namespaces(store, NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_count(store, NULL, 0, NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_stats(store, NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_verify(store, NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_flush(NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_seal(NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_close(NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_forget(NULL, 1, NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_recall_hit(NULL, 0, &hit, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_receipt_to_text(NULL, NULL, 0, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_receipt_from_text(NULL, 0, NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_records_get(NULL, 0, NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_namespaces_get(NULL, 0, NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_verification_get(NULL, NULL, &error));
    CHECK(wisen_recall_count(NULL) == 0 && wisen_recall_bytes_touched(NULL) == 0);
    CHECK(!wisen_recall_receipt(NULL, NULL) && !wisen_verification_is_ok(NULL));
    CHECK(wisen_records_count(NULL) == 0 && wisen_namespaces_count(NULL) == 0);
    CHECK(wisen_path(NULL) == NULL);
    CHECK(wisen_error_code(NULL) == WISEN_OK && strcmp(wisen_error_message(NULL), "") == 0);
    CHECK(wisen_error_row(NULL) == WISEN_NO_ROW);
    wisen_store_free(NULL);
    wisen_recall_free(NULL);
    wisen_recall_free(&recall);
    wisen_records_free(NULL);
    wisen_namespaces_free(NULL);
    wisen_verification_free(NULL);
    wisen_error_free(NULL);
    wisen_error_free(&error);
    /* Nobody has to listen to errors. */
    CHECK(wisen_flush(NULL, NULL) == WISEN_INVALID_ARGUMENT);
    CHECK(wisen_stats(store, &stats, NULL) == WISEN_OK);

    OK(wisen_recall(store, &query, &recall, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_count((struct wisen_store *)recall, NULL, 0, &count, &error));
    CHECK(wisen_records_count((struct wisen_records *)recall) == 0);
    records = (struct wisen_records *)recall;
    wisen_records_free(&records);
    CHECK(records != NULL && wisen_recall_count(recall) > 0);
    wisen_recall_free(&recall);
}

void test_arguments(const char *folder) {
    struct wisen_store *store = opened(inside(folder, "arguments"));
    uint64_t count = 7;
    wrong_vectors(store);
    wrong_texts(store);
    wrong_batches(store);
    OK(wisen_count(store, NULL, 0, &count, &error));
    CHECK(count == 0);
    wrong_reports(store);
    nothing_given(store);
    wisen_store_free(&store);
}
