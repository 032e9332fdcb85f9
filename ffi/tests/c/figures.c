/* What memory is worth, and what an owner wants to know of a stretch of time. */
#include <math.h>
#include <time.h>

#include "check.h"

static const float east[4] = {1, 0, 0, 0};
static const int64_t day = INT64_C(86400000000);

static bool near(double got, double wanted) { return fabs(got - wanted) < 1e-9; }

/* A recall that is reported on: a success if memory was not withheld. */
static void attempt(struct wisen_store *store, double hold_out, uint64_t seed) {
    struct wisen_query query = query_of(east);
    struct wisen_report report = wisen_report_init();
    struct wisen_recall *recall = NULL;
    struct wisen_receipt receipt;
    uint64_t tokens = 10;
    int64_t cost = 500;

    query.hold_out = hold_out;
    query.seed = &seed;
    OK(wisen_recall(store, &query, &recall, &error));
    CHECK(wisen_recall_receipt(recall, &receipt));
    report.receipt = &receipt;
    report.outcome = wisen_recall_count(recall) == 0 ? WISEN_FAILURE : WISEN_SUCCESS;
    report.tokens = &tokens;
    report.cost_micros = &cost;
    OK(wisen_report(store, &report, NULL, &error));
    wisen_recall_free(&recall);
}

static void worth(struct wisen_store *store, uint64_t memory) {
    struct wisen_uplift uplift = wisen_uplift_init();
    uint64_t seed;

    OK(wisen_uplift(store, memory, NULL, 0, &uplift, &error));
    CHECK(uplift.verdict == WISEN_INSUFFICIENT_DATA && uplift.with.outcomes == 0);
    CHECK(uplift.with.mean == 0.5 && uplift.difference == 0);
    CHECK(uplift.interval_low < -0.5 && uplift.interval_high > 0.5);
    for (seed = 0; seed < 150; seed++) {
        attempt(store, 0.5, seed);
    }
    OK(wisen_uplift(store, 0, TEXT("default"), &uplift, &error));
    CHECK(uplift.verdict == WISEN_HELPS && near(uplift.difference, 1));
    CHECK(near(uplift.with.mean, 1) && near(uplift.without.mean, 0));
    CHECK(uplift.with.outcomes >= 20 && near(uplift.with.outcomes, uplift.with.successes));
    CHECK(uplift.without.outcomes >= 20 && uplift.without.successes == 0);
    CHECK(uplift.interval_low > 0.5 && uplift.interval_high == 1);
    /* The memory alone was left out of some as well, and they went wrong. */
    OK(wisen_uplift(store, memory, NULL, 0, &uplift, &error));
    CHECK(uplift.verdict == WISEN_HELPS && uplift.without.outcomes >= 20);
    OK(wisen_uplift(store, 0, TEXT("nowhere"), &uplift, &error));
    CHECK(uplift.verdict == WISEN_INSUFFICIENT_DATA);

    FAILS(WISEN_UNKNOWN_MEMORY, wisen_uplift(store, 999, NULL, 0, &uplift, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_uplift(store, 0, NULL, 0, &uplift, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_uplift(store, memory, TEXT("default"), &uplift, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_uplift(store, 0, TEXT(""), &uplift, &error));
    FAILS(WISEN_NOT_UTF8, wisen_uplift(store, 0, TEXT("\xFF"), &uplift, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_uplift(store, memory, NULL, 0, NULL, &error));
    uplift.struct_size = 0;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_uplift(store, memory, NULL, 0, &uplift, &error));
}

static void figures(struct wisen_store *store, int64_t now) {
    struct wisen_window window = wisen_window_init();
    struct wisen_stretch all = wisen_stretch_init();
    struct wisen_stretch slice = wisen_stretch_init();
    struct wisen_figures *figures = NULL;
    uint64_t successes = 0, failures = 0;
    size_t at;

    window.from_us = now - day;
    window.to_us = now + day;
    window.slices = 4;
    OK(wisen_figures(store, NULL, 0, &window, &figures, &error));
    OK(wisen_figures_get(figures, &all, &error));
    CHECK(all.from_us == window.from_us && all.to_us == window.to_us);
    CHECK(all.attempts == 150 && all.successes + all.failures == 150 && all.unknown == 0);
    CHECK(all.has_success_rate && near(all.success_rate, (double)all.successes / 150));
    CHECK(all.durable_successes == all.successes && all.maturing == all.successes);
    CHECK(all.tokens == 1500 && all.told_tokens == 150 && all.cost_micros == 75000);
    CHECK(all.told_cost == 150 && all.has_tokens_per_durable_success);
    CHECK(near(all.tokens_per_durable_success, 1500.0 / (double)all.successes));
    CHECK(all.has_micros_per_durable_success);
    CHECK(near(all.micros_per_durable_success, 75000.0 / (double)all.successes));
    CHECK(all.hits == all.successes && all.recalls >= all.hits && all.recalls < 150);
    CHECK(all.has_hit_rate && near(all.hit_rate, (double)all.hits / (double)all.recalls));
    CHECK(near(all.with_memory.mean, 1) && near(all.without_memory.mean, 0));
    CHECK(near(all.with_memory.outcomes + all.without_memory.outcomes, 150));

    CHECK(wisen_figures_count(figures) == 4);
    for (at = 0; at < 4; at++) {
        OK(wisen_figures_over_time(figures, at, &slice, &error));
        CHECK(slice.to_us - slice.from_us == day / 2);
        successes += slice.successes;
        failures += slice.failures;
    }
    CHECK(successes == all.successes && failures == all.failures && slice.to_us == all.to_us);
    CHECK(slice.attempts == 0 && !slice.has_success_rate && !slice.has_hit_rate);
    CHECK(!slice.has_tokens_per_durable_success && slice.with_memory.mean == 0.5);
    FAILS(WISEN_INVALID_ARGUMENT, wisen_figures_over_time(figures, 4, &slice, &error));
    wisen_figures_free(&figures);
    CHECK(figures == NULL && wisen_figures_count(figures) == 0);
    wisen_figures_free(&figures);
    FAILS(WISEN_INVALID_ARGUMENT, wisen_figures_get(figures, &all, &error));
}

static void windows(struct wisen_store *store, int64_t now) {
    struct wisen_window window = wisen_window_init();
    struct wisen_stretch all = wisen_stretch_init();
    struct wisen_figures *figures = NULL;

    window.from_us = now - day;
    window.to_us = now + day;
    CHECK(window.durable_days == 7);
    /* No success can be contradicted within no time. */
    window.durable_days = 0;
    OK(wisen_figures(store, TEXT("default"), &window, &figures, &error));
    OK(wisen_figures_get(figures, &all, &error));
    CHECK(all.attempts == 150 && all.maturing == 0 && wisen_figures_count(figures) == 0);
    wisen_figures_free(&figures);
    /* An older caller does not know that field: seven days. */
    window.struct_size = offsetof(struct wisen_window, durable_days);
    OK(wisen_figures(store, TEXT("default"), &window, &figures, &error));
    OK(wisen_figures_get(figures, &all, &error));
    CHECK(all.maturing == all.successes);
    wisen_figures_free(&figures);
    window.struct_size = sizeof window;
    OK(wisen_figures(store, TEXT("nowhere"), &window, &figures, &error));
    OK(wisen_figures_get(figures, &all, &error));
    CHECK(all.attempts == 0 && !all.has_success_rate);
    wisen_figures_free(&figures);

    window.durable_days = -1;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_figures(store, NULL, 0, &window, &figures, &error));
    window.durable_days = 7;
    window.slices = 10001;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_figures(store, NULL, 0, &window, &figures, &error));
    window.slices = 0;
    window.reserved = 1;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_figures(store, NULL, 0, &window, &figures, &error));
    window.reserved = 0;
    window.to_us = window.from_us;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_figures(store, NULL, 0, &window, &figures, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_figures(store, NULL, 0, NULL, &figures, &error));
    window.to_us = now;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_figures(store, NULL, 0, &window, NULL, &error));
    FAILS(WISEN_NOT_UTF8, wisen_figures(store, TEXT("\xFF"), &window, &figures, &error));
    CHECK(figures == NULL);
    OK(wisen_close(store, &error));
    FAILS(WISEN_CLOSED, wisen_figures(store, NULL, 0, &window, &figures, &error));
}

void test_figures(const char *folder) {
    struct wisen_store *store = opened(inside(folder, "figures"));
    struct wisen_memory memory = memory_of("go east", east);
    int64_t now = (int64_t)time(NULL) * 1000000;
    uint64_t id = 0;

    OK(wisen_remember(store, &memory, &id, &error));
    worth(store, id);
    figures(store, now);
    windows(store, now);
    wisen_store_free(&store);
}
