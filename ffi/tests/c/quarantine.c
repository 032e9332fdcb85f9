/* Memories that fail are taken out of recall; policies, standings, warnings, the audit table. */
#include <math.h>
#include <string.h>

#include "check.h"

static const float east[4] = {1, 0, 0, 0};
static const float mostly_east[4] = {0.9f, 0.1f, 0, 0};

/* How a memory stands; its texts are gone. */
static struct wisen_standing standing_of(struct wisen_store *store, uint64_t id) {
    struct wisen_standing standing = wisen_standing_init();
    struct wisen_standings *standings = NULL;

    OK(wisen_standing(store, id, &standings, &error));
    CHECK(wisen_standings_count(standings) == 1);
    OK(wisen_standings_get(standings, 0, &standing, &error));
    CHECK(standing.id == id && same(standing.namespace_name, "default"));
    wisen_standings_free(&standings);
    standing.namespace_name = standing.reason = wisen_text(NULL);
    return standing;
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

static void policies(struct wisen_store *store) {
    struct wisen_policy standard = wisen_policy_init();
    struct wisen_policy policy = wisen_policy_init();

    /* What the header sets is what the engine goes by. */
    memset(&policy, 0x55, sizeof policy);
    policy.struct_size = sizeof policy;
    OK(wisen_policy(store, TEXT("nowhere"), &policy, &error));
    CHECK(memcmp(&policy, &standard, sizeof policy) == 0);

    policy.quarantine = 1;
    policy.floor = 0.3;
    policy.tail = 0.9;
    policy.prior_mean = 0.7;
    policy.prior_weight = 5;
    policy.local_evidence = 2;
    policy.local_mean = 0.45;
    policy.probation_share = 0.1;
    policy.probation_outcomes = 7;
    policy.release_below = 0.4;
    policy.hold_out = 0.25;
    policy.has_distil_at = 1;
    policy.distil_at = 0.5;
    OK(wisen_set_policy(store, TEXT("other"), &policy, &error));
    standard = wisen_policy_init();
    OK(wisen_policy(store, TEXT("other"), &standard, &error));
    CHECK(memcmp(&policy, &standard, sizeof policy) == 0);

    /* What an older caller does not know of stays as it is. */
    policy = wisen_policy_init();
    policy.struct_size = offsetof(struct wisen_policy, hold_out);
    OK(wisen_set_policy(store, TEXT("other"), &policy, &error));
    OK(wisen_policy(store, TEXT("other"), &standard, &error));
    CHECK(standard.quarantine == 0 && standard.floor == 0.4 && standard.release_below == 0.5);
    CHECK(standard.hold_out == 0.25 && standard.has_distil_at && standard.distil_at == 0.5);
    policy.struct_size = sizeof policy;
    OK(wisen_set_policy(store, TEXT("other"), &policy, &error));
    OK(wisen_policy(store, TEXT("other"), &standard, &error));
    CHECK(memcmp(&policy, &standard, sizeof policy) == 0);

    policy.hold_out = 0.6;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_set_policy(store, TEXT("other"), &policy, &error));
    policy = wisen_policy_init();
    policy.floor = 0;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_set_policy(store, TEXT("other"), &policy, &error));
    policy = wisen_policy_init();
    policy.has_distil_at = 1;
    policy.distil_at = NAN;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_set_policy(store, TEXT("other"), &policy, &error));
    policy.has_distil_at = 0;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_set_policy(store, TEXT(""), &policy, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_set_policy(store, NULL, 0, &policy, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_set_policy(store, TEXT("other"), NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_policy(store, TEXT("other"), NULL, &error));
}

/* A severe failure quarantines at once, and a recall can warn of it. */
static void quarantined(struct wisen_store *store, uint64_t id) {
    struct wisen_query query = query_of(east);
    struct wisen_report report = wisen_report_init();
    struct wisen_warning warning = wisen_warning_init();
    struct wisen_standing standing = standing_of(store, id);
    struct wisen_recall *recall = NULL;

    CHECK(standing.state == WISEN_ACTIVE && standing.since_us == 0 && !standing.pinned);
    CHECK(standing.reports == 0 && standing.doubt > 0 && standing.doubt < 0.5 && hits(store) == 2);
    report.memory = id;
    report.situation = east;
    report.situation_dimension = 4;
    report.outcome = WISEN_FAILURE;
    report.severe = 1;
    OK(wisen_report(store, &report, NULL, &error));
    standing = standing_of(store, id);
    CHECK(standing.state == WISEN_QUARANTINED && standing.since_us > 0 && hits(store) == 1);
    CHECK(standing.reports == 1 && standing.failures == 1 && standing.successes == 0);

    OK(wisen_recall(store, &query, &recall, &error));
    CHECK(wisen_recall_warning_count(recall) == 0);
    FAILS(WISEN_INVALID_ARGUMENT, wisen_recall_warning(recall, 0, &warning, &error));
    wisen_recall_free(&recall);
    query.warnings = 3;
    OK(wisen_recall(store, &query, &recall, &error));
    CHECK(wisen_recall_count(recall) == 1 && wisen_recall_warning_count(recall) == 1);
    OK(wisen_recall_warning(recall, 0, &warning, &error));
    CHECK(warning.id == id && warning.state == WISEN_QUARANTINED && warning.failures > 0);
    CHECK(warning.successes == 0 && fabs(warning.similarity - 1) < 1e-3);
    CHECK(same(warning.namespace_name, "default") && same(warning.content, "bad"));
    CHECK(holds(warning.text, "failed 1 of 1") && warning.metadata.data == NULL);
    wisen_recall_free(&recall);
    CHECK(wisen_recall_warning_count(recall) == 0);
}

/* What the owner decides. */
static void decided(struct wisen_store *store, uint64_t bad, uint64_t good) {
    struct wisen_standing standing = wisen_standing_init();
    struct wisen_standings *standings = NULL;

    OK(wisen_release(store, bad, TEXT("try it again"), &error));
    CHECK(standing_of(store, bad).state == WISEN_PROBATION);
    OK(wisen_retire(store, bad, TEXT("of no use"), &error));
    CHECK(standing_of(store, bad).state == WISEN_RETIRED && hits(store) == 1);
    FAILS(WISEN_INVALID_ARGUMENT, wisen_release(store, good, TEXT("it is active"), &error));
    OK(wisen_pin(store, good, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_retire(store, good, TEXT("it is pinned"), &error));

    OK(wisen_review(store, NULL, 0, &standings, &error));
    CHECK(wisen_standings_count(standings) == 2);
    OK(wisen_standings_get(standings, 0, &standing, &error));
    CHECK(standing.id == bad && standing.state == WISEN_RETIRED && same(standing.reason, "of no use"));
    OK(wisen_standings_get(standings, 1, &standing, &error));
    CHECK(standing.id == good && standing.state == WISEN_ACTIVE && standing.pinned);
    FAILS(WISEN_INVALID_ARGUMENT, wisen_standings_get(standings, 2, &standing, &error));
    wisen_standings_free(&standings);
    CHECK(standings == NULL && wisen_standings_count(standings) == 0);
    wisen_standings_free(&standings);
    OK(wisen_review(store, TEXT("nowhere"), &standings, &error));
    CHECK(standings != NULL && wisen_standings_count(standings) == 0);
    wisen_standings_free(&standings);

    OK(wisen_unpin(store, good, &error));
    CHECK(!standing_of(store, good).pinned);
    OK(wisen_pin(store, bad, &error));
    CHECK(standing_of(store, bad).state == WISEN_ACTIVE && hits(store) == 2);

    FAILS(WISEN_UNKNOWN_MEMORY, wisen_standing(store, 999, &standings, &error));
    FAILS(WISEN_UNKNOWN_MEMORY, wisen_pin(store, 999, &error));
    FAILS(WISEN_UNKNOWN_MEMORY, wisen_unpin(store, 999, &error));
    FAILS(WISEN_UNKNOWN_MEMORY, wisen_release(store, 999, TEXT("why not"), &error));
    FAILS(WISEN_UNKNOWN_MEMORY, wisen_retire(store, 999, TEXT("why not"), &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_retire(store, good, NULL, 0, &error));
    FAILS(WISEN_NOT_UTF8, wisen_release(store, good, TEXT("\xFF"), &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_review(store, NULL, 0, NULL, &error));
    CHECK(standings == NULL);
}

/* All of it is written down. */
static void audited(struct wisen_store *store, uint64_t bad) {
    static const char *const ops[] = {"audit_level", "policy", "policy",     "policy",  "policy", "quarantine",
                                      "release", "retire", "pin",     "unpin",  "pin"};
    struct wisen_audit_entry entry = wisen_audit_entry_init();
    struct wisen_audit_entries *entries = NULL;
    size_t at;

    OK(wisen_audit_entries(store, 0, 100, &entries, &error));
    CHECK(wisen_audit_entries_count(entries) == 11);
    for (at = 0; at < wisen_audit_entries_count(entries); at++) {
        OK(wisen_audit_entries_get(entries, at, &entry, &error));
        CHECK(entry.id == at + 1 && entry.at_us > 0 && same(entry.op, ops[at]));
        CHECK(same(entry.actor, at == 5 ? "engine" : "owner"));
        CHECK((entry.memory == 0) == (at < 5) && entry.detail.data[0] == '{');
    }
    CHECK(entry.memory == bad && same(entry.namespace_name, "default"));
    CHECK(holds(entry.detail, "\"to\":\"active\""));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_audit_entries_get(entries, 11, &entry, &error));
    wisen_audit_entries_free(&entries);
    CHECK(entries == NULL && wisen_audit_entries_count(entries) == 0);
    wisen_audit_entries_free(&entries);
    OK(wisen_audit_entries(store, 5, 1, &entries, &error));
    CHECK(wisen_audit_entries_count(entries) == 1);
    OK(wisen_audit_entries_get(entries, 0, &entry, &error));
    CHECK(entry.id == 6 && entry.memory == bad);
    wisen_audit_entries_free(&entries);
    FAILS(WISEN_INVALID_ARGUMENT, wisen_audit_entries(store, 0, 100, NULL, &error));
    OK(wisen_close(store, &error));
    FAILS(WISEN_CLOSED, wisen_audit_entries(store, 0, 100, &entries, &error));
    CHECK(entries == NULL);
}

void test_quarantine(const char *folder) {
    struct wisen_store *store = opened(inside(folder, "quarantine"));
    struct wisen_memory many[2] = {memory_of("bad", east), memory_of("good", mostly_east)};
    struct wisen_policy policy = wisen_policy_init();
    uint64_t ids[2] = {0, 0};

    OK(wisen_set_audit_level(store, true, NULL, 0, &error));
    OK(wisen_remember_many(store, many, 2, ids, &error));
    policies(store);
    /* No recall of this test tries a memory again by chance. */
    policy.probation_share = 0;
    OK(wisen_set_policy(store, TEXT("default"), &policy, &error));
    quarantined(store, ids[0]);
    decided(store, ids[0], ids[1]);
    audited(store, ids[0]);
    wisen_store_free(&store);
}
