/* Reports weighed, told together and taken back; evidence that fades. */
#include <math.h>

#include "check.h"

static const float east[4] = {1, 0, 0, 0};
static const float north[4] = {0, 1, 0, 0};

static bool near(double got, double wanted) { return fabs(got - wanted) < 1e-6; }

/* What experience says of a memory in the situation east. */
static struct wisen_hit told(struct wisen_store *store, uint64_t id) {
    struct wisen_query query = query_of(east);
    struct wisen_hit hit = wisen_hit_init();
    struct wisen_recall *recall = NULL;
    size_t at;

    query.no_receipt = 1;
    OK(wisen_recall(store, &query, &recall, &error));
    for (at = 0; at < wisen_recall_count(recall) && hit.id != id; at++) {
        OK(wisen_recall_hit(recall, at, &hit, &error));
    }
    CHECK(hit.id == id);
    wisen_recall_free(&recall);
    hit.content = hit.namespace_name = hit.reasons = wisen_text(NULL);
    return hit;
}

static struct wisen_report direct(uint64_t id, wisen_outcome outcome) {
    struct wisen_report report = wisen_report_init();
    report.memory = id;
    report.situation = east;
    report.situation_dimension = 4;
    report.outcome = outcome;
    return report;
}

static void weights(struct wisen_store *store, uint64_t id) {
    struct wisen_report report = direct(id, WISEN_SUCCESS);
    struct wisen_report_reply reply = wisen_report_reply_init();
    double weight = 0.25;
    bool retracted = false;

    report.weight = &weight;
    OK(wisen_report(store, &report, &reply, &error));
    CHECK(reply.status == WISEN_CREDITED && near(told(store, id).successes, 0.25));
    weight = 0;
    OK(wisen_report(store, &report, NULL, &error));
    CHECK(near(told(store, id).successes, 0.25));
    weight = 1.1;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_report(store, &report, NULL, &error));
    weight = NAN;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_report(store, &report, NULL, &error));
    /* A caller with an older header knows of no weight. */
    report.struct_size = offsetof(struct wisen_report, weight);
    OK(wisen_report(store, &report, NULL, &error));
    CHECK(near(told(store, id).successes, 1.25));

    /* Taken back, once. */
    OK(wisen_retract(store, reply.id, &retracted, &error));
    CHECK(retracted && near(told(store, id).successes, 1));
    OK(wisen_retract(store, reply.id, &retracted, &error));
    CHECK(!retracted);
    OK(wisen_retract(store, reply.id, NULL, &error));
    FAILS(WISEN_UNKNOWN_REPORT, wisen_retract(store, 999, &retracted, &error));
    FAILS(WISEN_UNKNOWN_REPORT, wisen_retract(store, 0, &retracted, &error));
}

static void severity(struct wisen_store *store, uint64_t id) {
    struct wisen_report report = direct(id, WISEN_SUCCESS);

    report.severe = 1;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_report(store, &report, NULL, &error));
    report.outcome = WISEN_GRADED;
    report.grade = 0.5;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_report(store, &report, NULL, &error));
    report.severe = 0;
    report.reserved = 1;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_report(store, &report, NULL, &error));
    report.reserved = 0;
    report.severe = 1;
    report.grade = 0.25;
    OK(wisen_report(store, &report, NULL, &error));
}

/* Several at once: all or none, each with its reply. */
static void batch(struct wisen_store *store, uint64_t one, uint64_t other) {
    struct wisen_report reports[3];
    struct wisen_report_reply replies[3];
    struct wisen_credit credits[3];
    int at;

    for (at = 0; at < 3; at++) {
        reports[at] = direct(at == 1 ? other : one, at == 2 ? WISEN_FAILURE : WISEN_SUCCESS);
        replies[at] = wisen_report_reply_init();
        replies[at].credited = &credits[at];
        replies[at].credited_capacity = 1;
    }
    reports[1].outcome = 7;
    CHECK(wisen_report_many(store, reports, 3, replies, &error) == WISEN_INVALID_ARGUMENT);
    CHECK(wisen_error_row(error) == 1);
    wisen_error_free(&error);
    reports[1].outcome = WISEN_SUCCESS;
    reports[2].memory = 999;
    CHECK(wisen_report_many(store, reports, 3, replies, &error) == WISEN_UNKNOWN_MEMORY);
    CHECK(wisen_error_row(error) == 2);
    wisen_error_free(&error);
    CHECK(told(store, one).reports == 0 && replies[0].id == 0);

    reports[2].memory = one;
    OK(wisen_report_many(store, reports, 3, replies, &error));
    CHECK(replies[0].status == WISEN_CREDITED && replies[0].id > 0);
    CHECK(replies[1].id == replies[0].id + 1 && replies[2].id == replies[0].id + 2);
    CHECK(credits[0].memory == one && credits[1].memory == other && credits[2].memory == one);
    CHECK(replies[2].credited_count == 1 && credits[2].share == 1);
    CHECK(near(told(store, one).successes, 1) && near(told(store, one).failures, 1));
    OK(wisen_report_many(store, reports, 2, NULL, &error));
    CHECK(near(told(store, one).successes, 2));
    OK(wisen_report_many(store, NULL, 0, NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_report_many(store, NULL, 1, NULL, &error));
    replies[2].struct_size = 0;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_report_many(store, reports, 3, replies, &error));
    CHECK(near(told(store, one).successes, 2));
}

/* A row of newer replies: the first one tells how far apart they are. */
static void newer_replies(struct wisen_store *store, uint64_t id) {
    struct newer_reply {
        struct wisen_report_reply known;
        uint64_t figure;
    } replies[2];
    struct wisen_report reports[2];
    int at;

    for (at = 0; at < 2; at++) {
        reports[at] = direct(id, WISEN_UNKNOWN);
        replies[at].known = wisen_report_reply_init();
        replies[at].known.struct_size = sizeof replies[at];
        replies[at].figure = 0;
    }
    OK(wisen_report_many(store, reports, 2, &replies[0].known, &error));
    CHECK(replies[0].known.status == WISEN_NOT_CREDITED && replies[0].known.id > 0);
    CHECK(replies[1].known.status == WISEN_NOT_CREDITED);
    CHECK(replies[1].known.id == replies[0].known.id + 1 && replies[1].figure == 0);
}

static void half_lives(struct wisen_store *store, uint64_t id) {
    struct wisen_half_life half_life = wisen_half_life_init();
    struct wisen_half_life_loss losses[16];
    struct wisen_report report = direct(id, WISEN_SUCCESS);
    int round;

    OK(wisen_half_life(store, TEXT("note"), &half_life, &error));
    CHECK(half_life.setting == WISEN_HALF_LIFE_NONE && half_life.days == 0);
    OK(wisen_set_half_life(store, TEXT("note"), WISEN_HALF_LIFE_DAYS, 30, &error));
    OK(wisen_half_life(store, TEXT("note"), &half_life, &error));
    CHECK(half_life.setting == WISEN_HALF_LIFE_DAYS && half_life.days == 30);
    CHECK(half_life.fitted_at_us == 0 && half_life.losses_count == 0);

    OK(wisen_set_half_life(store, TEXT("note"), WISEN_HALF_LIFE_AUTO, 0, &error));
    for (round = 0; round < 60; round++) {
        OK(wisen_report(store, &report, NULL, &error));
    }
    half_life.losses = losses;
    half_life.losses_capacity = 16;
    OK(wisen_half_life(store, TEXT("note"), &half_life, &error));
    CHECK(half_life.setting == WISEN_HALF_LIFE_AUTO && half_life.fitted_at_us > 0);
    CHECK(half_life.experiences >= 50 && half_life.losses_count == 7);
    CHECK(losses[0].days == 0 && losses[1].days == 7 && losses[6].days == 240);
    CHECK(losses[0].loss > 0 && half_life.days == 0);
    losses[1].days = -1;
    half_life.losses_capacity = 1;
    OK(wisen_half_life(store, TEXT("note"), &half_life, &error));
    CHECK(half_life.losses_count == 7 && losses[1].days == -1);
    half_life.losses = NULL;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_half_life(store, TEXT("note"), &half_life, &error));
    half_life.losses_capacity = 0;
    OK(wisen_half_life(store, TEXT("nothing"), &half_life, &error));
    CHECK(half_life.setting == WISEN_HALF_LIFE_NONE && half_life.losses_count == 0);

    FAILS(WISEN_INVALID_ARGUMENT, wisen_set_half_life(store, TEXT("note"), 3, 0, &error));
    FAILS(WISEN_INVALID_ARGUMENT,
          wisen_set_half_life(store, TEXT("note"), WISEN_HALF_LIFE_AUTO, 7, &error));
    FAILS(WISEN_INVALID_ARGUMENT,
          wisen_set_half_life(store, TEXT("note"), WISEN_HALF_LIFE_DAYS, 0.5, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_set_half_life(store, TEXT(""), 0, 0, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_set_half_life(store, NULL, 0, 0, 0, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_half_life(store, TEXT("note"), NULL, &error));
}

void test_learn(const char *folder) {
    struct wisen_store *store = opened(inside(folder, "learn"));
    struct wisen_memory many[4] = {memory_of("weighed", east), memory_of("one", east),
                                   memory_of("other", north), memory_of("severe", north)};
    uint64_t ids[4];

    OK(wisen_remember_many(store, many, 4, ids, &error));
    weights(store, ids[0]);
    batch(store, ids[1], ids[2]);
    newer_replies(store, ids[1]);
    half_lives(store, ids[2]);
    severity(store, ids[3]);
    wisen_store_free(&store);
}
