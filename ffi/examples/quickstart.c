/* Remember, recall, report, recall again. cc -std=c99 quickstart.c -lwisen && ./a.out DIRECTORY */
#include <stdio.h>
#include <stdlib.h>
#include <wisen.h>

static struct wisen_error *error;

static void ok(wisen_status status) {
    if (status == WISEN_OK) return;
    fprintf(stderr, "%s\n", wisen_error_message(error));
    exit(1);
}

/* Recalls, prints the best hit, and reports how it went with the memory `used` (0: the best one). */
static void attempt(struct wisen_store *store, const char *when, uint64_t used, int outcome) {
    const float now[4] = {0.8f, 0.2f, 0, 0.1f}; /* embedding of "the queue does not drain" */
    struct wisen_query query = wisen_query_init();
    query.vector = now, query.dimension = 4, query.k = 2, query.content = 1;
    struct wisen_recall *recall;
    ok(wisen_recall(store, &query, &recall, &error));
    struct wisen_hit best = wisen_hit_init();
    ok(wisen_recall_hit(recall, 0, &best, &error));
    printf("%s: %s\n", when, best.content.data);
    struct wisen_receipt receipt;
    wisen_recall_receipt(recall, &receipt);
    if (used == 0) used = best.id;
    struct wisen_report report = wisen_report_init();
    report.receipt = &receipt, report.outcome = outcome, report.used = &used, report.used_count = 1;
    ok(wisen_report(store, &report, NULL, &error));
    wisen_recall_free(&recall);
}

int main(int count, char **arguments) {
    const float restart[4] = {0.9f, 0.1f, 0, 0.1f}, raise[4] = {0.8f, 0.3f, 0.1f, 0};
    const char *path = count > 1 ? arguments[1] : ":memory:";
    struct wisen_options options = wisen_options_init();
    options.dimension = 4;
    struct wisen_store *store;
    ok(wisen_open(path, WISEN_NUL_TERMINATED, &options, &store, &error));

    uint64_t timeout;
    struct wisen_memory memory = wisen_memory_init();
    memory.content = wisen_text("Restart the worker."), memory.vector = restart, memory.dimension = 4;
    ok(wisen_remember(store, &memory, NULL, &error));
    memory.content = wisen_text("Raise the timeout of the database."), memory.vector = raise;
    ok(wisen_remember(store, &memory, &timeout, &error));

    attempt(store, "first", 0, WISEN_FAILURE); /* it did not help; the other one did */
    attempt(store, "then", timeout, WISEN_SUCCESS);
    attempt(store, "now", 0, WISEN_SUCCESS);
    wisen_store_free(&store);
    return 0;
}
