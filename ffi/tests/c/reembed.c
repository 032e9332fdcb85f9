/* Re-embedding, models that do not mix, pinned authorities, and what hits and records tell of their origin. */
#include <stdio.h>
#include <string.h>

#include "check.h"

static const float east[4] = {1, 0, 0, 0};
static const float north[4] = {0, 1, 0, 0};

/* What the embedding function was asked. */
struct asked {
    size_t memories, queries;
    bool fail;
};

/* The old four numbers of "go east" and "go north", turned into five others. */
static int32_t embed(void *data, const struct wisen_batch *batch) {
    struct asked *asked = data;
    size_t i;

    if (asked->fail) return 7;
    *(batch->kind == WISEN_TEXT_MEMORY ? &asked->memories : &asked->queries) += batch->count;
    for (i = 0; i < batch->count; i++) {
        float *vector = batch->vectors + i * batch->dimension;
        if (strstr(batch->texts[i].data, "nonsense") != NULL) {
            batch->embedded[i] = 0;
            continue;
        }
        vector[strstr(batch->texts[i].data, "east") != NULL ? 4 : 2] = -1;
        vector[0] = 0.25f;
    }
    return 0;
}

static void reembeds(const char *folder) {
    char place[512];
    struct asked asked = {0, 0, false};
    struct wisen_options options = wisen_options_init();
    struct wisen_memory memory = memory_of("go east", east);
    struct wisen_query query = query_of(east);
    struct wisen_report report = wisen_report_init();
    struct wisen_reembedded told = wisen_reembedded_init();
    struct wisen_verification *verification = NULL;
    struct wisen_store *store = NULL, *other = NULL;
    struct wisen_recall *recall = NULL;
    struct wisen_receipt receipt;
    struct wisen_hit hit = wisen_hit_init();
    struct wisen_stats stats = wisen_stats_init();
    uint64_t id = 0, left_out[1] = {0};
    const float turned[5] = {0.25f, 0, 0, 0, -1};

    snprintf(place, sizeof place, "%s", inside(folder, "embedded anew"));
    options.dimension = 4;
    options.model = wisen_text("old");
    OK(wisen_open(TEXT(":memory:"), &options, &store, &error));
    memory.embedding_model = wisen_text("old");
    OK(wisen_remember(store, &memory, &id, &error));
    memory.embedding_model = wisen_text("new");
    FAILS(WISEN_MISMATCH, wisen_remember(store, &memory, NULL, &error));
    memory = memory_of("go north", north);
    OK(wisen_remember(store, &memory, NULL, &error));
    memory = memory_of("nonsense", north);
    OK(wisen_remember(store, &memory, NULL, &error));
    query.embedding_model = wisen_text("new");
    FAILS(WISEN_MISMATCH, wisen_recall(store, &query, &recall, &error));
    query.embedding_model = wisen_text("old");
    query.text = wisen_text("how do I get east");
    OK(wisen_recall(store, &query, &recall, &error));
    CHECK(wisen_recall_receipt(recall, &receipt));
    wisen_recall_free(&recall);
    report.receipt = &receipt;
    report.outcome = WISEN_SUCCESS;
    report.used = &id;
    report.used_count = 1;
    OK(wisen_report(store, &report, NULL, &error));

    FAILS(WISEN_INVALID_ARGUMENT, wisen_reembed(store, TEXT(place), TEXT("new"), 5, NULL, NULL, NULL, &error));
    asked.fail = true;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_reembed(store, TEXT(place), TEXT("new"), 5, embed, &asked, NULL, &error));
    asked.fail = false;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_reembed(store, TEXT(place), TEXT("new"), 0, embed, &asked, NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_reembed(store, NULL, 0, TEXT("new"), 5, embed, &asked, NULL, &error));
    CHECK(asked.memories == 0);
    told.left_out = left_out;
    told.left_out_capacity = 1;
    OK(wisen_reembed(store, TEXT(place), TEXT("new"), 5, embed, &asked, &told, &error));
    CHECK(asked.memories == 3 && asked.queries == 1);
    CHECK(told.memories == 2 && told.placed == 1 && told.unplaced == 0);
    CHECK(told.left_out_count == 1 && left_out[0] == 3);
    FAILS(WISEN_INVALID_ARGUMENT, wisen_reembed(store, TEXT(place), TEXT("new"), 5, embed, &asked, NULL, &error));
    wisen_store_free(&store);

    OK(wisen_open(TEXT(place), NULL, &other, &error));
    OK(wisen_stats(other, &stats, &error));
    CHECK(stats.dimension == 5 && same(stats.model, "new"));
    OK(wisen_verify(other, &verification, &error));
    CHECK(wisen_verification_is_ok(verification));
    wisen_verification_free(&verification);
    query.vector = turned;
    query.dimension = 5;
    query.embedding_model = wisen_text("new");
    OK(wisen_recall(other, &query, &recall, &error));
    OK(wisen_recall_hit(recall, 0, &hit, &error));
    CHECK(hit.id == id && hit.reports == 1 && hit.has_supporting);
    wisen_recall_free(&recall);
    wisen_store_free(&other);
}

/* Where a memory comes from is on the hit and on the record; rules come with the recall. */
static void origins(void) {
    struct wisen_store *store = opened(":memory:");
    struct wisen_memory memory = memory_of("go east", east);
    struct wisen_query query = query_of(east);
    struct wisen_recall *recall = NULL;
    struct wisen_records *records = NULL;
    struct wisen_record record = wisen_record_init();
    struct wisen_rule_note rule = wisen_rule_note_init();
    struct wisen_texts *keys = NULL, *lints = NULL;
    struct wisen_receipt receipt;
    struct wisen_hit hit = wisen_hit_init();
    struct wisen_text key;
    uint64_t parent = 0, id = 0;
    const char *rules = "MUST \"look\" priority 3 because \"it is steep\" in namespace \"default\" when always require "
                        "tag is \"looked\"\nPREFER \"east\" because \"it is nice\" in kind \"note\" when text like \"*east*\"";

    OK(wisen_remember(store, &memory, &parent, &error));
    OK(wisen_recall(store, &query, &recall, &error));
    CHECK(wisen_recall_receipt(recall, &receipt) && wisen_recall_rule_count(recall) == 0);
    OK(wisen_recall_hit(recall, 0, &hit, &error));
    CHECK(hit.rule.data == NULL && hit.shift == 0 && hit.parents_count == 0 && hit.model.data == NULL);
    wisen_recall_free(&recall);
    memory = memory_of("go north-east, key AKIAQ3EGRVTXJ5MNKL2P", north);
    memory.author = wisen_text("ann");
    memory.source = WISEN_SOURCE_TOOL;
    memory.model = wisen_text("a model");
    memory.origin = &receipt;
    memory.parents = &parent;
    memory.parents_count = 1;
    OK(wisen_remember(store, &memory, &id, &error));

    OK(wisen_create_authority(store, TEXT("owner"), &keys, &error));
    key = wisen_texts_get(keys, 0);
    OK(wisen_add_directives(store, key.data, key.size, TEXT(rules), NULL, 0, &lints, &error));
    wisen_texts_free(&lints);
    wisen_texts_free(&keys);
    query.vector = north;
    OK(wisen_recall(store, &query, &recall, &error));
    OK(wisen_recall_hit(recall, 0, &hit, &error));
    CHECK(hit.id == id && same(hit.author, "ann") && same(hit.model, "a model"));
    CHECK(hit.source == WISEN_SOURCE_TOOL && hit.flags == 2 && hit.tags_count == 0);
    CHECK(hit.parents_count == 1 && hit.parents[0] == parent);
    CHECK(memcmp(hit.origin.bytes, receipt.bytes, sizeof receipt.bytes) == 0);
    CHECK(same(hit.rule, "east") && hit.shift > 0);
    CHECK(wisen_recall_rule_count(recall) == 1 && wisen_recall_rule_count(NULL) == 0);
    OK(wisen_recall_rule(recall, 0, &rule, &error));
    CHECK(same(rule.id, "look") && same(rule.reason, "it is steep") && rule.priority == 3);
    CHECK(holds(rule.text, "MUST \"look\""));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_recall_rule(recall, 1, &rule, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_recall_rule(recall, 0, NULL, &error));
    wisen_recall_free(&recall);

    OK(wisen_get(store, id, &records, &error));
    OK(wisen_records_get(records, 0, &record, &error));
    CHECK(same(record.author, "ann") && same(record.model, "a model") && record.source == WISEN_SOURCE_TOOL);
    CHECK(record.flags == 2 && record.trust > 0 && record.trust < 1 && record.age_us < 3600000000u);
    CHECK(record.parents_count == 1 && record.parents[0] == parent);
    CHECK(memcmp(record.origin.bytes, receipt.bytes, sizeof receipt.bytes) == 0);
    wisen_records_free(&records);
    OK(wisen_get(store, parent, &records, &error));
    OK(wisen_records_get(records, 0, &record, &error));
    CHECK(record.author.data == NULL && record.trust == 1 && record.source == 0 && record.parents_count == 0);
    CHECK(record.origin.bytes[0] == 0 && record.origin.bytes[15] == 0);
    wisen_records_free(&records);
    wisen_store_free(&store);
}

/* Another authority than the pinned one denies everything. */
static void pins(const char *folder) {
    char place[512], mine[200], theirs[200];
    struct wisen_options options = wisen_options_init();
    struct wisen_store *store = NULL;
    struct wisen_texts *keys = NULL;
    int32_t answer = 0;
    const char *begin;

    snprintf(place, sizeof place, "%s", inside(folder, "pinned"));
    store = opened(place);
    OK(wisen_create_authority(store, TEXT("owner"), &keys, &error));
    wisen_texts_free(&keys);
    OK(wisen_authorities(store, &keys, &error));
    begin = strstr(wisen_texts_get(keys, 0).data, "wisen-public");
    CHECK(begin != NULL && strchr(begin, '"') != NULL);
    snprintf(mine, sizeof mine, "%.*s", (int)(strchr(begin, '"') - begin), begin);
    wisen_texts_free(&keys);
    OK(wisen_generate_key(&keys, &error));
    snprintf(theirs, sizeof theirs, "%s", wisen_texts_get(keys, 1).data);
    wisen_texts_free(&keys);
    wisen_store_free(&store);
    options.authority_key = wisen_text(mine);
    OK(wisen_open(TEXT(place), &options, &store, &error));
    OK(wisen_check(store, TEXT("{\"tool\": \"git\"}"), &answer, NULL, &error));
    CHECK(answer == WISEN_ALLOW);
    wisen_store_free(&store);
    options.authority_key = wisen_text(theirs);
    OK(wisen_open(TEXT(place), &options, &store, &error));
    OK(wisen_check(store, TEXT("{\"tool\": \"git\"}"), &answer, NULL, &error));
    CHECK(answer == WISEN_DENY);
    wisen_store_free(&store);
    options.authority_key = wisen_text("no key");
    FAILS(WISEN_INVALID_ARGUMENT, wisen_open(TEXT(place), &options, &store, &error));
}

void test_reembed(const char *folder) {
    reembeds(folder);
    origins();
    pins(folder);
}
