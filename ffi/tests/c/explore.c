/* What chance decides in a recall, and how sure a recall is. */
#include "check.h"

static const float east[4] = {1, 0, 0, 0};
static const float north[4] = {0, 1, 0, 0};

/* A store with 40 memories in a fan from east to north, in this order. */
static struct wisen_store *fan(const char *path) {
    struct wisen_store *store = opened(path);
    struct wisen_memory many[40];
    float vectors[40][4];
    int i;

    for (i = 0; i < 40; i++) {
        vectors[i][0] = 40.0f - (float)i;
        vectors[i][1] = 1.0f + (float)i;
        vectors[i][2] = vectors[i][3] = 0;
        many[i] = memory_of("one of forty", vectors[i]);
    }
    OK(wisen_remember_many(store, many, 40, NULL, &error));
    return store;
}

/* Places that go by lot: drawn anew for each seed, the same for the same one. */
static void exploring(struct wisen_store *store) {
    struct wisen_query query = query_of(east);
    struct wisen_hit hit = wisen_hit_init();
    struct wisen_recall *recall = NULL;
    uint64_t seed, first[2], drawn = 0, others = 0;
    size_t at;

    query.k = 5;
    query.explore = 2;
    query.no_receipt = 1;
    query.seed = &seed;
    for (seed = 0; seed < 20; seed++) {
        OK(wisen_recall(store, &query, &recall, &error));
        CHECK(wisen_recall_count(recall) == 5 && !wisen_recall_withheld(recall));
        for (at = 0; at < 3; at++) {
            OK(wisen_recall_hit(recall, at, &hit, &error));
            CHECK(hit.id == at + 1 && hit.propensity == 1.0);
        }
        OK(wisen_recall_hit(recall, 3, &hit, &error));
        CHECK(hit.id > 3 && hit.propensity > 0 && hit.propensity < 1);
        first[seed % 2] = hit.id;
        others += seed > 0 && first[0] != first[1];
        wisen_recall_free(&recall);
        /* The same seed, the same draw. */
        OK(wisen_recall(store, &query, &recall, &error));
        OK(wisen_recall_hit(recall, 3, &hit, &error));
        drawn += hit.id == first[seed % 2];
        wisen_recall_free(&recall);
    }
    CHECK(drawn == 20 && others > 0);
}

/* Memory withheld at random, told by the recall. */
static void holding_out(struct wisen_store *store) {
    struct wisen_query query = query_of(east);
    struct wisen_report report = wisen_report_init();
    struct wisen_report_reply reply = wisen_report_reply_init();
    struct wisen_recall *recall = NULL;
    struct wisen_receipt receipt;
    uint64_t seed, used = 1;
    int withheld = 0, less = 0, whole = 0;

    query.k = 3;
    query.hold_out = 0.5;
    query.seed = &seed;
    for (seed = 0; seed < 60; seed++) {
        OK(wisen_recall(store, &query, &recall, &error));
        if (wisen_recall_withheld(recall)) {
            CHECK(wisen_recall_count(recall) == 0 && wisen_recall_fit(recall) == 0);
            CHECK(wisen_recall_receipt(recall, &receipt));
            report.receipt = &receipt;
            report.outcome = WISEN_SUCCESS;
            report.used = NULL;
            report.used_count = 0;
            OK(wisen_report(store, &report, &reply, &error));
            CHECK(reply.status == WISEN_NOT_CREDITED);
            report.used = &used;
            report.used_count = 1;
            FAILS(WISEN_NOT_SHOWN, wisen_report(store, &report, &reply, &error));
            withheld++;
        } else if (wisen_recall_count(recall) == 2) {
            less++;
        } else {
            whole += wisen_recall_count(recall) == 3;
        }
        wisen_recall_free(&recall);
    }
    CHECK(withheld > 10 && less > 5 && whole > 5 && withheld + less + whole == 60);

    /* Without a receipt there is nothing to learn, and nothing is held out. */
    query.no_receipt = 1;
    for (seed = 0; seed < 20; seed++) {
        OK(wisen_recall(store, &query, &recall, &error));
        CHECK(wisen_recall_count(recall) == 3 && !wisen_recall_withheld(recall));
        wisen_recall_free(&recall);
    }
    query.hold_out = 0.6;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_recall(store, &query, &recall, &error));
    query.hold_out = -0.1;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_recall(store, &query, &recall, &error));
    CHECK(recall == NULL);
    CHECK(!wisen_recall_withheld(NULL) && wisen_recall_fit(NULL) == 0);
}

void test_explore(const char *folder) {
    struct wisen_store *store = fan(inside(folder, "explore"));
    struct wisen_query query = query_of(north);
    struct wisen_recall *recall = NULL;
    struct wisen_hit hit = wisen_hit_init();
    double likeliest = 0;
    size_t at;

    /* An older caller knows of none of this. */
    query.struct_size = offsetof(struct wisen_query, explore);
    query.explore = 3;
    query.hold_out = 7;
    OK(wisen_recall(store, &query, &recall, &error));
    for (at = 0; at < wisen_recall_count(recall); at++) {
        OK(wisen_recall_hit(recall, at, &hit, &error));
        CHECK(hit.id == 40 - at && hit.propensity == 1.0);
        likeliest = hit.probability > likeliest ? hit.probability : likeliest;
    }
    CHECK(at == 10 && wisen_recall_fit(recall) == likeliest);
    wisen_recall_free(&recall);

    exploring(store);
    holding_out(store);
    wisen_store_free(&store);
}
