/* How the probabilities that recalls promise come true. */
#include <math.h>

#include "check.h"

static const float east[4] = {1, 0, 0, 0};

static bool near(double got, double wanted) { return fabs(got - wanted) < 1e-6; }

void test_calibration(const char *folder) {
    struct wisen_store *store = opened(inside(folder, "calibration"));
    struct wisen_memory memory = memory_of("go east", east);
    struct wisen_calibration calibration = wisen_calibration_init();
    struct wisen_calibration_bin bins[WISEN_CALIBRATION_BINS];
    struct wisen_query query = query_of(east);
    struct wisen_report report = wisen_report_init();
    struct wisen_stats stats = wisen_stats_init();
    struct wisen_recall *recall = NULL;
    struct wisen_receipt receipt;
    struct wisen_hit hit = wisen_hit_init();
    double promised = 0, squares = 0, weight = 0;
    size_t at;

    OK(wisen_remember(store, &memory, NULL, &error));
    OK(wisen_calibration(store, NULL, 0, &calibration, &error));
    CHECK(calibration.weight == 0 && calibration.brier == 0 && calibration.bins_count == 0);
    for (at = 0; at < 12; at++) {
        double outcome = at % 3 ? 1 : 0;
        OK(wisen_recall(store, &query, &recall, &error));
        OK(wisen_recall_hit(recall, 0, &hit, &error));
        CHECK(wisen_recall_receipt(recall, &receipt) && wisen_recall_fit(recall) == hit.probability);
        wisen_recall_free(&recall);
        promised += hit.probability / 12;
        squares += pow(hit.probability - outcome, 2) / 12;
        report.receipt = &receipt;
        report.outcome = at % 3 ? WISEN_SUCCESS : WISEN_FAILURE;
        OK(wisen_report(store, &report, NULL, &error));
    }
    calibration.bins = bins;
    calibration.bins_capacity = WISEN_CALIBRATION_BINS;
    OK(wisen_calibration(store, TEXT("default"), &calibration, &error));
    CHECK(near(calibration.weight, 12) && near(calibration.outcome, 8.0 / 12));
    CHECK(near(calibration.promised, promised) && near(calibration.brier, squares));
    CHECK(calibration.error > 0 && calibration.error < 1);
    CHECK(calibration.bins_count > 1 && calibration.bins_count <= WISEN_CALIBRATION_BINS);
    for (at = 0; at < calibration.bins_count; at++) {
        CHECK(bins[at].weight > 0 && bins[at].outcome >= 0 && bins[at].outcome <= 1);
        CHECK(at == 0 || bins[at].promised > bins[at - 1].promised);
        weight += bins[at].weight;
    }
    CHECK(near(weight, 12));
    OK(wisen_stats(store, &stats, &error));
    CHECK(stats.calibration_weight == calibration.weight && stats.calibration_brier == calibration.brier);
    CHECK(stats.calibration_promised == calibration.promised);
    CHECK(stats.calibration_outcome == calibration.outcome);
    CHECK(stats.calibration_error == calibration.error);

    /* Less room than there are bins. */
    bins[1].weight = -1;
    calibration.bins_capacity = 1;
    OK(wisen_calibration(store, NULL, 0, &calibration, &error));
    CHECK(calibration.bins_count > 1 && bins[1].weight == -1);
    calibration.bins = NULL;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_calibration(store, NULL, 0, &calibration, &error));
    calibration.bins_capacity = 0;
    OK(wisen_calibration(store, TEXT("nowhere"), &calibration, &error));
    CHECK(calibration.weight == 0 && calibration.bins_count == 0);
    FAILS(WISEN_NOT_UTF8, wisen_calibration(store, TEXT("\xFF"), &calibration, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_calibration(store, NULL, 0, NULL, &error));
    OK(wisen_close(store, &error));
    FAILS(WISEN_CLOSED, wisen_calibration(store, NULL, 0, &calibration, &error));
    wisen_store_free(&store);
}
