/* Near-duplicates merged, and set apart again. */
#include <math.h>

#include "check.h"

static const float east[4] = {1, 0, 0, 0};
static const float nearly_east[4] = {1, 0.001f, 0, 0};
static const float north[4] = {0, 1, 0, 0};

static uint64_t merged_into(struct wisen_store *store, uint64_t id) {
    struct wisen_record record = wisen_record_init();
    struct wisen_records *records = NULL;

    OK(wisen_get(store, id, &records, &error));
    OK(wisen_records_get(records, 0, &record, &error));
    CHECK(record.id == id && record.superseded_by == record.merged_into);
    wisen_records_free(&records);
    return record.merged_into;
}

static size_t hits(struct wisen_store *store) {
    struct wisen_query query = query_of(east);
    struct wisen_recall *recall = NULL;
    size_t count;

    query.no_receipt = 1;
    OK(wisen_recall(store, &query, &recall, &error));
    count = wisen_recall_count(recall);
    wisen_recall_free(&recall);
    return count;
}

void test_distil(const char *folder) {
    struct wisen_store *store = opened(inside(folder, "distil"));
    struct wisen_memory many[3] = {memory_of("east", east), memory_of("nearly east", nearly_east),
                                   memory_of("north", north)};
    struct wisen_memory again = memory_of("east again", nearly_east);
    struct wisen_policy policy = wisen_policy_init();
    struct wisen_merge merge = wisen_merge_init();
    struct wisen_merges *merges = NULL;
    uint64_t ids[3] = {0, 0, 0}, id = 0;

    OK(wisen_remember_many(store, many, 3, ids, &error));
    OK(wisen_distil(store, TEXT("default"), 0.99, &merges, &error));
    CHECK(wisen_merges_count(merges) == 1);
    OK(wisen_merges_get(merges, 0, &merge, &error));
    CHECK(merge.survivor == ids[0] && merge.absorbed == ids[1] && fabs(merge.similarity - 1) < 1e-3);
    FAILS(WISEN_INVALID_ARGUMENT, wisen_merges_get(merges, 1, &merge, &error));
    wisen_merges_free(&merges);
    CHECK(merges == NULL && wisen_merges_count(merges) == 0);
    wisen_merges_free(&merges);
    CHECK(merged_into(store, ids[1]) == ids[0] && merged_into(store, ids[0]) == 0 && hits(store) == 2);

    OK(wisen_separate(store, ids[1], &error));
    CHECK(merged_into(store, ids[1]) == 0 && hits(store) == 3);
    FAILS(WISEN_INVALID_ARGUMENT, wisen_separate(store, ids[1], &error));
    FAILS(WISEN_UNKNOWN_MEMORY, wisen_separate(store, 999, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_distil(store, TEXT("default"), NAN, &merges, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_distil(store, TEXT(""), 0.99, &merges, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_distil(store, TEXT("default"), 0.99, NULL, &error));
    OK(wisen_distil(store, TEXT("nowhere"), 0.99, &merges, &error));
    CHECK(merges != NULL && wisen_merges_count(merges) == 0);
    wisen_merges_free(&merges);

    /* As new memories come in. */
    policy.has_distil_at = 1;
    policy.distil_at = 0.99;
    OK(wisen_set_policy(store, TEXT("default"), &policy, &error));
    OK(wisen_remember(store, &again, &id, &error));
    CHECK(id == ids[0] || id == ids[1]);
    CHECK(hits(store) == 3);
    wisen_store_free(&store);
}
