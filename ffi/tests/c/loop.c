/*
 * The whole loop in C: remember, recall, act, report; and everything that can be done wrong.
 * The one argument is an empty folder. Prints "N passed, 0 failed".
 */
#include <stdio.h>
#include <string.h>

#include "check.h"

static const float east[4] = {1, 0, 0, 0};

/* A store lives: new and empty, filled, sealed, checked, closed, opened again. */
void test_life(const char *folder) {
    struct wisen_options options = wisen_options_init();
    struct wisen_stats stats = wisen_stats_init();
    struct wisen_findings findings = wisen_findings_init();
    struct wisen_verification *verification = NULL;
    struct wisen_recall *recall = NULL;
    struct wisen_store *store = NULL;
    struct wisen_query query = query_of(east);
    struct wisen_memory memory = memory_of("go east", east);
    struct wisen_hit hit = wisen_hit_init();
    const char *path = inside(folder, "life");
    uint64_t count = 7, id = 0;

    CHECK(strcmp(wisen_version(), WISEN_VERSION) == 0);
    CHECK(strcmp(wisen_status_name(WISEN_ZERO_VECTOR), "WISEN_ZERO_VECTOR") == 0);
    CHECK(strcmp(wisen_status_name(12345), "unknown status") == 0);

    options.dimension = 4;
    options.model = wisen_text("hand-written");
    options.durability = WISEN_DURABILITY_FULL;
    options.threads = 1;
    OK(wisen_open(TEXT(path), &options, &store, &error));
    if (!CHECK(store != NULL)) {
        return;
    }
    CHECK(strstr(wisen_path(store), "life") != NULL);

    OK(wisen_count(store, NULL, 0, &count, &error));
    CHECK(count == 0);
    OK(wisen_recall(store, &query, &recall, &error));
    CHECK(wisen_recall_count(recall) == 0);
    wisen_recall_free(&recall);
    OK(wisen_seal(store, &error));

    OK(wisen_remember(store, &memory, &id, &error));
    CHECK(id > 0);
    OK(wisen_flush(store, &error));
    OK(wisen_seal(store, &error));
    OK(wisen_recall(store, &query, &recall, &error));
    CHECK(wisen_recall_count(recall) == 1);
    CHECK(wisen_recall_bytes_touched(recall) > 0);

    OK(wisen_stats(store, &stats, &error));
    CHECK(stats.dimension == 4 && stats.metric == WISEN_METRIC_COSINE);
    CHECK(same(stats.model, "hand-written"));
    CHECK(stats.memories == 1 && stats.namespaces == 1 && stats.reports == 0);
    CHECK(stats.recalls == 2 && stats.bytes_touched > 0);

    OK(wisen_verify(store, &verification, &error));
    CHECK(wisen_verification_is_ok(verification));
    OK(wisen_verification_get(verification, &findings, &error));
    CHECK(findings.is_ok && findings.fault_count == 0 && same(findings.faults, ""));
    CHECK(findings.memories == 1 && findings.unreachable == 0);

    OK(wisen_close(store, &error));
    OK(wisen_close(store, &error));
    FAILS(WISEN_CLOSED, wisen_count(store, NULL, 0, &count, &error));
    FAILS(WISEN_CLOSED, wisen_remember(store, &memory, &id, &error));
    FAILS(WISEN_CLOSED, wisen_flush(store, &error));
    /* What was handed out before lives on. */
    OK(wisen_recall_hit(recall, 0, &hit, &error));
    CHECK(hit.id == id && same(hit.content, "go east"));
    wisen_recall_free(&recall);
    FAILS(WISEN_CLOSED, wisen_recall(store, &query, &recall, &error));
    CHECK(recall == NULL);
    wisen_store_free(&store);
    CHECK(store == NULL);
    wisen_store_free(&store);
    wisen_verification_free(&verification);
    wisen_verification_free(&verification);
    CHECK(verification == NULL);

    /* NULL options: those that the store was created with. */
    OK(wisen_open(TEXT(path), NULL, &store, &error));
    OK(wisen_count(store, NULL, 0, &count, &error));
    CHECK(count == 1);
    wisen_store_free(&store);
}

int main(int count, char **arguments) {
    if (count != 2) {
        fprintf(stderr, "usage: loop FOLDER\n");
        return 2;
    }
    test_life(arguments[1]);
    test_recall(arguments[1]);
    test_report(arguments[1]);
    test_learn(arguments[1]);
    test_trust(arguments[1]);
    test_rules(arguments[1]);
    test_quarantine(arguments[1]);
    test_guard(arguments[1]);
    test_distil(arguments[1]);
    test_explore(arguments[1]);
    test_figures(arguments[1]);
    test_calibration(arguments[1]);
    test_filters(arguments[1]);
    test_records(arguments[1]);
    test_keep(arguments[1]);
    test_reembed(arguments[1]);
    test_arguments(arguments[1]);
    test_open(arguments[1]);
    test_sizes(arguments[1]);
    test_threads(arguments[1]);
    test_panic(arguments[1]);
    return check_end();
}
