/* Who may report in whose name, and how far their word goes. */
#include <string.h>

#include "check.h"

static const float east[4] = {1, 0, 0, 0};

/* The owner and Ann judge the same recalls alike. */
static void agree(struct wisen_store *store, const char *token) {
    struct wisen_query query = query_of(east);
    struct wisen_recall *recall = NULL;
    struct wisen_receipt receipt;
    struct wisen_report report;
    int round;

    for (round = 0; round < 20; round++) {
        OK(wisen_recall(store, &query, &recall, &error));
        CHECK(wisen_recall_receipt(recall, &receipt));
        wisen_recall_free(&recall);
        report = wisen_report_init();
        report.receipt = &receipt;
        report.outcome = round % 2 ? WISEN_SUCCESS : WISEN_FAILURE;
        OK(wisen_report(store, &report, NULL, &error));
        report.reporter = wisen_text("ann");
        report.token = wisen_text(token);
        OK(wisen_report(store, &report, NULL, &error));
    }
}

static void tokens(struct wisen_store *store, uint64_t id, char token[WISEN_TOKEN_SIZE]) {
    struct wisen_report report = wisen_report_init();
    struct wisen_report_reply reply = wisen_report_reply_init();
    char first[WISEN_TOKEN_SIZE];

    OK(wisen_register(store, TEXT("ann"), NULL, 0, first, sizeof first, &error));
    CHECK(strlen(first) == WISEN_TOKEN_SIZE - 1);
    /* Too little room: the first token stays good. */
    FAILS(WISEN_INVALID_ARGUMENT,
          wisen_register(store, TEXT("ann"), NULL, 0, token, WISEN_TOKEN_SIZE - 1, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_register(store, TEXT("ann"), NULL, 0, NULL, 999, &error));

    report.memory = id;
    report.outcome = WISEN_SUCCESS;
    report.reporter = wisen_text("ann");
    FAILS(WISEN_BAD_TOKEN, wisen_report(store, &report, &reply, &error));
    report.token = wisen_text(first);
    OK(wisen_report(store, &report, &reply, &error));
    CHECK(reply.status == WISEN_CREDITED);
    OK(wisen_register(store, TEXT("ann"), NULL, 0, token, WISEN_TOKEN_SIZE, &error));
    CHECK(strcmp(first, token) != 0);
    FAILS(WISEN_BAD_TOKEN, wisen_report(store, &report, &reply, &error));
    report.token = wisen_text(token);
    OK(wisen_report(store, &report, &reply, &error));
    /* A token goes with a name. */
    report.reporter = wisen_text(NULL);
    FAILS(WISEN_INVALID_ARGUMENT, wisen_report(store, &report, &reply, &error));
    report.reporter = wisen_text("bob");
    FAILS(WISEN_BAD_TOKEN, wisen_report(store, &report, &reply, &error));
    report.token = wisen_text("\xFF");
    FAILS(WISEN_NOT_UTF8, wisen_report(store, &report, &reply, &error));
    /* An unknown name without a receipt counts for nothing. */
    report.token = wisen_text(NULL);
    OK(wisen_report(store, &report, &reply, &error));
    CHECK(reply.status == WISEN_NOT_CREDITED);
}

/* In a store that has an authority, its key registers, and nothing else. */
static void signed_trust(struct wisen_store *store) {
    struct wisen_texts *keys = NULL;
    struct wisen_principals *principals = NULL;
    struct wisen_principal eve = wisen_principal_init();
    char token[WISEN_TOKEN_SIZE];
    const char *key;
    bool revoked = false;

    OK(wisen_create_authority(store, TEXT("ops"), &keys, &error));
    key = wisen_texts_get(keys, 0).data;
    FAILS(WISEN_UNAUTHORISED, wisen_register(store, TEXT("eve"), NULL, 0, token, sizeof token, &error));
    OK(wisen_register(store, TEXT("eve"), TEXT(key), token, sizeof token, &error));
    FAILS(WISEN_UNAUTHORISED, wisen_revoke(store, TEXT("eve"), NULL, 0, &revoked, &error));
    OK(wisen_principals(store, &principals, &error));
    OK(wisen_principals_get(principals, 2, &eve, &error));
    CHECK(same(eve.name, "eve") && eve.registered_at_us > 0 && eve.disbelieved == 0);
    wisen_principals_free(&principals);
    OK(wisen_revoke(store, TEXT("eve"), TEXT(key), &revoked, &error));
    CHECK(revoked);
    wisen_texts_free(&keys);
}

void test_trust(const char *folder) {
    struct wisen_store *store = opened(inside(folder, "trust"));
    struct wisen_memory memory = memory_of("go east", east);
    struct wisen_principal ann = wisen_principal_init();
    struct wisen_principal bob = wisen_principal_init();
    struct wisen_principals *principals = NULL;
    char token[WISEN_TOKEN_SIZE];
    uint64_t id = 0;
    bool revoked = false;

    OK(wisen_principals(store, &principals, &error));
    CHECK(principals != NULL && wisen_principals_count(principals) == 0);
    wisen_principals_free(&principals);
    OK(wisen_remember(store, &memory, &id, &error));
    tokens(store, id, token);
    agree(store, token);

    OK(wisen_principals(store, &principals, &error));
    CHECK(wisen_principals_count(principals) == 2);
    OK(wisen_principals_get(principals, 0, &ann, &error));
    OK(wisen_principals_get(principals, 1, &bob, &error));
    CHECK(same(ann.name, "ann") && ann.registered_at_us > 0 && ann.reports == 22);
    CHECK(ann.judged_together == 20 && ann.reliability > 0.9 && ann.reliability < 1);
    CHECK(ann.interval_low < ann.reliability && ann.reliability < ann.interval_high);
    CHECK(same(bob.name, "bob") && bob.registered_at_us == 0 && bob.reports == 1);
    CHECK(bob.judged_together == 0 && bob.reliability < ann.reliability);
    FAILS(WISEN_INVALID_ARGUMENT, wisen_principals_get(principals, 2, &ann, &error));
    wisen_principals_free(&principals);
    CHECK(principals == NULL && wisen_principals_count(principals) == 0);
    wisen_principals_free(&principals);

    OK(wisen_revoke(store, TEXT("ann"), NULL, 0, &revoked, &error));
    CHECK(revoked);
    OK(wisen_revoke(store, TEXT("ann"), NULL, 0, &revoked, &error));
    CHECK(!revoked);
    OK(wisen_revoke(store, TEXT("nobody"), NULL, 0, NULL, &error));
    OK(wisen_principals(store, &principals, &error));
    OK(wisen_principals_get(principals, 0, &ann, &error));
    CHECK(same(ann.name, "ann") && ann.registered_at_us == 0);
    wisen_principals_free(&principals);

    FAILS(WISEN_INVALID_ARGUMENT, wisen_register(store, TEXT(""), NULL, 0, token, sizeof token, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_register(store, NULL, 0, NULL, 0, token, sizeof token, &error));
    FAILS(WISEN_NOT_UTF8, wisen_register(store, TEXT("\xFF"), NULL, 0, token, sizeof token, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_revoke(store, NULL, 0, NULL, 0, &revoked, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_principals(store, NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_register(store, TEXT("ann"), TEXT("no key"), token, sizeof token, &error));
    signed_trust(store);
    wisen_store_free(&store);
}
