/* Halts, triggers, the audit's chain, hooks, secrets, and where memories come from. */
#include <stdio.h>
#include <string.h>

#include "check.h"

static const float east[4] = {1, 0, 0, 0};

static void halts(struct wisen_store *store, struct wisen_store *other) {
    char reason[32];
    int32_t level = -1;
    bool recorded = false, was = false;
    struct wisen_memory memory = memory_of("two", east);
    struct wisen_query query = query_of(east);
    struct wisen_recall *recall = NULL;

    OK(wisen_halted(store, &level, reason, sizeof reason, &error));
    CHECK(level == WISEN_NOT_HALTED && reason[0] == 0);
    OK(wisen_halt(store, TEXT("a drill"), WISEN_NO_WRITES, &recorded, &error));
    CHECK(recorded);
    FAILS(WISEN_HALTED, wisen_remember(other, &memory, NULL, &error));
    OK(wisen_recall(other, &query, &recall, &error));
    wisen_recall_free(&recall);
    OK(wisen_halt(other, TEXT("a reason that does not fit into the room for it"), WISEN_DENY_ALL, NULL, &error));
    FAILS(WISEN_HALTED, wisen_recall(store, &query, &recall, &error));
    OK(wisen_halted(store, &level, reason, sizeof reason, &error));
    CHECK(level == WISEN_DENY_ALL && strcmp(reason, "a reason that does not fit into") == 0);
    OK(wisen_halted(store, &level, NULL, 0, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_halted(store, NULL, NULL, 0, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_halt(store, TEXT("x"), 5, NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_halt(store, NULL, 0, WISEN_NO_WRITES, NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_resume(store, TEXT("x"), TEXT("no key"), NULL, &error));
    OK(wisen_resume(store, TEXT("over"), NULL, 0, &was, &error));
    CHECK(was);
    OK(wisen_resume(other, TEXT("again"), NULL, 0, &was, &error));
    CHECK(!was);
    OK(wisen_remember(other, &memory, NULL, &error));
}

static void triggers(struct wisen_store *store) {
    struct wisen_triggers set = wisen_triggers_init();
    struct wisen_report report = wisen_report_init();
    int32_t level = 0;

    set.failures_in_a_row = 2;
    set.level = WISEN_NO_MEMORY;
    OK(wisen_set_triggers(store, &set, NULL, 0, &error));
    set = wisen_triggers_init();
    OK(wisen_triggers(store, &set, &error));
    CHECK(set.failures_in_a_row == 2 && set.level == WISEN_NO_MEMORY && set.repeats == 0);
    report.memory = 1;
    report.outcome = WISEN_FAILURE;
    OK(wisen_report(store, &report, NULL, &error));
    OK(wisen_report(store, &report, NULL, &error));
    OK(wisen_halted(store, &level, NULL, 0, &error));
    CHECK(level == WISEN_NO_MEMORY);
    OK(wisen_resume(store, TEXT("seen"), NULL, 0, NULL, &error));
    set.spend_per_hour_micros = -1;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_set_triggers(store, &set, NULL, 0, &error));
}

static void audit(struct wisen_store *store, const char *folder) {
    char anchor[WISEN_ANCHOR_SIZE], what[80];
    uint64_t entries = 0, faults = 9, count = 0;
    uint32_t decisions_only = 7;

    OK(wisen_anchor(store, anchor, sizeof anchor, &error));
    OK(wisen_audit_verify(store, TEXT(anchor), &entries, &faults, what, sizeof what, &error));
    CHECK(entries > 5 && faults == 0 && what[0] == 0);
    anchor[strlen(anchor) - 1] = anchor[strlen(anchor) - 1] == '0' ? '1' : '0';
    OK(wisen_audit_verify(store, TEXT(anchor), NULL, &faults, what, sizeof what, &error));
    CHECK(faults == 1 && strstr(what, "anchor") != NULL);
    OK(wisen_audit_verify(store, NULL, 0, NULL, &faults, NULL, 0, &error));
    CHECK(faults == 0);
    FAILS(WISEN_INVALID_ARGUMENT, wisen_anchor(store, anchor, 10, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_audit_verify(store, TEXT("x"), NULL, &faults, NULL, 0, &error));
    OK(wisen_audit_export(store, TEXT(inside(folder, "audit.jsonl")), &count, &error));
    CHECK(count == entries);
    FAILS(WISEN_IO, wisen_audit_export(store, TEXT(inside(folder, "nowhere/x")), NULL, &error));
    OK(wisen_audit_level(store, &decisions_only, &error));
    CHECK(decisions_only == 0);
    OK(wisen_set_audit_level(store, true, NULL, 0, &error));
    OK(wisen_audit_level(store, &decisions_only, &error));
    CHECK(decisions_only == 1);
}

/* Counts its calls, refuses poison, renames Bob. */
static void hook(void *data, const struct wisen_incoming *memory, struct wisen_ruling *ruling) {
    ++*(int *)data;
    if (strstr(memory->content.data, "poison")) ruling->refuse = wisen_text("it is poison");
    if (strcmp(memory->content.data, "Bob") == 0) {
        ruling->content = wisen_text("[name]");
        ruling->tag = wisen_text("personal");
    }
    if (memory->source == WISEN_SOURCE_WEB) ruling->tag = wisen_text("outside");
}

static void gate(void) {
    int calls = 0;
    uint64_t id = 0;
    struct wisen_options options = wisen_options_init();
    struct wisen_store *store = NULL;
    struct wisen_memory memory = memory_of("Bob", east);
    struct wisen_query query = query_of(east);
    struct wisen_recall *recall = NULL;
    struct wisen_receipt receipt;
    struct wisen_hit hit = wisen_hit_init();

    options.dimension = 4;
    options.hook = hook;
    options.hook_data = &calls;
    OK(wisen_open(TEXT(":memory:"), &options, &store, &error));
    OK(wisen_remember(store, &memory, &id, &error));
    memory.content = wisen_text("some poison");
    FAILS(WISEN_REFUSED, wisen_remember(store, &memory, NULL, &error));
    CHECK(calls == 2);
    OK(wisen_recall(store, &query, &recall, &error));
    CHECK(wisen_recall_receipt(recall, &receipt));
    OK(wisen_recall_hit(recall, 0, &hit, &error));
    CHECK(same(hit.content, "[name]") && hit.trust == 1 && hit.source == 0 && hit.author.data == NULL);
    wisen_recall_free(&recall);
    OK(wisen_forget(store, id, NULL, &error));
    memory = memory_of("postgres://app:s3cr3t-Pa55@db/app", east);
    memory.source = WISEN_SOURCE_WEB;
    memory.author = wisen_text("ann");
    memory.model = wisen_text("a model");
    memory.origin = &receipt;
    memory.parents = &id;
    memory.parents_count = 1;
    OK(wisen_remember(store, &memory, NULL, &error));
    OK(wisen_recall(store, &query, &recall, &error));
    OK(wisen_recall_hit(recall, 0, &hit, &error));
    CHECK(same(hit.content, "postgres://app:[redacted: dsn_password]@db/app"));
    CHECK(same(hit.author, "ann") && hit.source == WISEN_SOURCE_WEB && hit.flags == 2);
    CHECK(hit.trust > 0 && hit.trust < 1);
    wisen_recall_free(&recall);
    memory.source = 9;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_remember(store, &memory, NULL, &error));
    wisen_store_free(&store);

    options.secrets = WISEN_SECRETS_REFUSE;
    options.hook = NULL;
    memory.source = WISEN_SOURCE_UNKNOWN;
    memory.parents_count = 0;
    OK(wisen_open(TEXT(":memory:"), &options, &store, &error));
    FAILS(WISEN_REFUSED, wisen_remember(store, &memory, NULL, &error));
    wisen_store_free(&store);
    options.secrets = 17;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_open(TEXT(":memory:"), &options, &store, &error));
}

void test_guard(const char *folder) {
    struct wisen_store *store = opened(inside(folder, "store"));
    struct wisen_store *other = opened(inside(folder, "store"));
    struct wisen_memory memory = memory_of("one", east);

    OK(wisen_remember(store, &memory, NULL, &error));
    halts(store, other);
    triggers(store);
    audit(store, folder);
    wisen_store_free(&other);
    wisen_store_free(&store);
    gate();
}
