/* Remember, recall, report, recall again. cc -std=c99 quickstart.c -lwisen && ./a.out wisen-quickstart */
#include <stdio.h>
#include <stdlib.h>
#include <wisen.h>

static struct wisen_error *error;

static void ok(wisen_status status) {
    if (status == WISEN_OK) return;
    fprintf(stderr, "%s\n", wisen_error_message(error));
    exit(1);
}

static struct wisen_hit show_best(struct wisen_store *store, const float *now, struct wisen_receipt *receipt) {
    struct wisen_query query = wisen_query_init();
    query.vector = now, query.dimension = 4, query.content = 1;
    struct wisen_recall *recall;
    ok(wisen_recall(store, &query, &recall, &error));
    struct wisen_hit hit = wisen_hit_init();
    ok(wisen_recall_hit(recall, 0, &hit, &error));
    printf("%s: works with probability %.2f\n", hit.content.data, hit.probability);
    wisen_recall_receipt(recall, receipt);
    wisen_recall_free(&recall); /* and with it the hit's texts */
    return hit;
}

int main(int count, char **arguments) {
    /* Real vectors come from an embedding model. */
    const float retry[4] = {0.9f, 0.1f, 0, 0.1f}, cache[4] = {0.1f, 0.9f, 0.1f, 0}, now[4] = {0.8f, 0.2f, 0.1f, 0};
    struct wisen_options options = wisen_options_init();
    options.dimension = 4;
    struct wisen_store *store;
    ok(wisen_open(count > 1 ? arguments[1] : "wisen-quickstart", WISEN_NUL_TERMINATED, &options, &store, &error));

    struct wisen_memory memory = wisen_memory_init();
    memory.content = wisen_text("On a timeout, retry with backoff"), memory.vector = retry, memory.dimension = 4;
    ok(wisen_remember(store, &memory, NULL, &error));
    memory.content = wisen_text("Serve stale answers from the cache"), memory.vector = cache;
    ok(wisen_remember(store, &memory, NULL, &error));

    struct wisen_receipt receipt;
    struct wisen_hit best = show_best(store, now, &receipt);
    struct wisen_report report = wisen_report_init(); /* the agent acted on it, and it worked */
    report.receipt = &receipt, report.outcome = WISEN_SUCCESS, report.used = &best.id, report.used_count = 1;
    ok(wisen_report(store, &report, NULL, &error));
    show_best(store, now, &receipt);
    wisen_store_free(&store);
    return 0;
}
