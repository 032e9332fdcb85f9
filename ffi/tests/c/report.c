/* Reports change what is recalled. */
#include <math.h>

#include "check.h"

static const float east[4] = {1, 0, 0, 0};
static const float north_east[4] = {1, 1, 0, 0};
static const float mostly_east[4] = {0.9f, 0.1f, 0, 0};
static const float up[4] = {0, 0, 1, 0};

void test_report(const char *folder) {
    struct wisen_store *store = opened(inside(folder, "report"));
    struct wisen_memory near_one = memory_of("the near one", mostly_east);
    struct wisen_memory far_one = memory_of("the far one", north_east);
    struct wisen_query query = query_of(east);
    struct wisen_report report = wisen_report_init();
    struct wisen_report_reply reply = wisen_report_reply_init();
    struct wisen_credit credits[2];
    struct wisen_hit hit = wisen_hit_init();
    struct wisen_receipt receipt;
    struct wisen_recall *recall = NULL;
    uint64_t near_id = 0, far_id = 0, used[2], tokens = 1200, first;
    int64_t cost = 300;
    double before;
    int round;

    OK(wisen_remember(store, &near_one, &near_id, &error));
    OK(wisen_remember(store, &far_one, &far_id, &error));
    OK(wisen_recall(store, &query, &recall, &error));
    CHECK(wisen_recall_receipt(recall, &receipt));
    OK(wisen_recall_hit(recall, 0, &hit, &error));
    CHECK(hit.id == near_id);
    OK(wisen_recall_hit(recall, 1, &hit, &error));
    before = hit.probability;
    wisen_recall_free(&recall);

    reply.credited = credits;
    reply.credited_capacity = 2;
    report.receipt = &receipt;
    OK(wisen_report(store, &report, &reply, &error));
    CHECK(reply.status == WISEN_NOT_CREDITED && reply.credited_count == 0);

    used[0] = far_id;
    report.outcome = WISEN_SUCCESS;
    report.used = used;
    report.used_count = 1;
    report.tokens = &tokens;
    report.cost_micros = &cost;
    report.key = wisen_text("attempt 1");
    report.note = wisen_text("it was the far one");
    OK(wisen_report(store, &report, &reply, &error));
    CHECK(reply.status == WISEN_CREDITED && reply.id > 0);
    CHECK(reply.credited_count == 1 && credits[0].memory == far_id);
    CHECK(fabs(credits[0].share - 1.0) < 1e-9);
    first = reply.id;
    OK(wisen_report(store, &report, &reply, &error));
    CHECK(reply.status == WISEN_DUPLICATE && reply.id == first);
    report.outcome = WISEN_FAILURE;
    FAILS(WISEN_KEY_CONFLICT, wisen_report(store, &report, &reply, &error));

    OK(wisen_recall(store, &query, &recall, &error));
    OK(wisen_recall_hit(recall, 0, &hit, &error));
    if (hit.id != far_id) {
        OK(wisen_recall_hit(recall, 1, &hit, &error));
    }
    CHECK(hit.id == far_id && hit.probability > before);
    CHECK(hit.reports == 1 && hit.successes > 0 && hit.failures == 0);
    CHECK(hit.has_supporting && hit.supporting.reports == 1 && hit.supporting.outcome > 0.5);
    CHECK(fabs(hit.supporting.similarity - 1.0) < 1e-3 && !hit.has_contradicting);
    wisen_recall_free(&recall);

    /* Failures of the near one: it goes down. */
    for (round = 0; round < 6; round++) {
        OK(wisen_recall(store, &query, &recall, &error));
        CHECK(wisen_recall_receipt(recall, &receipt));
        wisen_recall_free(&recall);
        report = wisen_report_init();
        report.receipt = &receipt;
        report.outcome = WISEN_FAILURE;
        used[0] = near_id;
        report.used = used;
        report.used_count = 1;
        OK(wisen_report(store, &report, NULL, &error));
    }
    OK(wisen_recall(store, &query, &recall, &error));
    OK(wisen_recall_hit(recall, 0, &hit, &error));
    CHECK(hit.id == far_id);
    OK(wisen_recall_hit(recall, 1, &hit, &error));
    CHECK(hit.id == near_id && hit.failures > 0 && hit.has_contradicting);
    CHECK(wisen_recall_receipt(recall, &receipt));
    wisen_recall_free(&recall);

    /* Two used, half a success; room for one credit. */
    report = wisen_report_init();
    report.receipt = &receipt;
    report.outcome = WISEN_GRADED;
    report.grade = 0.5;
    used[0] = near_id;
    used[1] = far_id;
    report.used = used;
    report.used_count = 2;
    report.reporter = wisen_text("a judge");
    credits[1].memory = 99;
    reply.credited_capacity = 1;
    OK(wisen_report(store, &report, &reply, &error));
    CHECK(reply.status == WISEN_CREDITED && reply.credited_count == 2 && credits[1].memory == 99);

    /* Without a recall. */
    report = wisen_report_init();
    report.outcome = WISEN_SUCCESS;
    report.memory = near_id;
    report.situation = up;
    report.situation_dimension = 4;
    OK(wisen_report(store, &report, &reply, &error));
    CHECK(reply.status == WISEN_CREDITED && credits[0].memory == near_id);
    wisen_store_free(&store);
}
