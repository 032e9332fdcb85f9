/* Filters: which memories a recall may find. */
#include "check.h"

static const float east[4] = {1, 0, 0, 0};
static const float north[4] = {0, 1, 0, 0};

static size_t found(struct wisen_store *store, const char *filter) {
    struct wisen_query query = query_of(east);
    struct wisen_recall *recall = NULL;
    size_t count;

    query.no_receipt = 1;
    query.filter = wisen_text(filter);
    OK(wisen_recall(store, &query, &recall, &error));
    count = wisen_recall_count(recall);
    wisen_recall_free(&recall);
    return count;
}

void test_filters(const char *folder) {
    struct wisen_store *store = opened(inside(folder, "filters"));
    struct wisen_memory memory = memory_of("east", east);
    struct wisen_query query = query_of(east);
    struct wisen_recall *recall = NULL;
    struct wisen_texts *fields = NULL;
    uint32_t was = 7;

    memory.metadata = wisen_text("{\"lang\": \"c\", \"stars\": 3}");
    OK(wisen_remember(store, &memory, NULL, &error));
    memory = memory_of("north", north);
    OK(wisen_remember(store, &memory, NULL, &error));

    query.filter = wisen_text("{\"field\": {\"name\": \"lang\", \"equals\": \"c\"}}");
    FAILS(WISEN_INVALID_ARGUMENT, wisen_recall(store, &query, &recall, &error));
    OK(wisen_declare_field(store, TEXT("lang"), &was, &error));
    CHECK(was == 1);
    OK(wisen_declare_field(store, TEXT("lang"), &was, &error));
    CHECK(was == 0);
    FAILS(WISEN_INVALID_ARGUMENT, wisen_declare_field(store, TEXT(""), NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_fields(store, NULL, &error));
    OK(wisen_fields(store, &fields, &error));
    CHECK(wisen_texts_count(fields) == 1 && strcmp(wisen_texts_get(fields, 0).data, "lang") == 0);
    wisen_texts_free(&fields);

    CHECK(found(store, NULL) == 2);
    CHECK(found(store, "{\"field\": {\"name\": \"lang\", \"equals\": \"c\"}}") == 1);
    CHECK(found(store, "{\"not\": {\"kind\": \"note\"}}") == 0);
    query.filter = wisen_text("{\"field\": 3}");
    FAILS(WISEN_INVALID_ARGUMENT, wisen_recall(store, &query, &recall, &error));

    OK(wisen_drop_field(store, TEXT("lang"), &was, &error));
    CHECK(was == 1);
    OK(wisen_drop_field(store, TEXT("lang"), NULL, &error));
    wisen_store_free(&store);
}
