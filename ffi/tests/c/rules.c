/* Rules: who may change them, and what they say of actions. */
#include <string.h>

#include "check.h"

static const char *rules =
    "NEVER \"no-rm\" because \"it cannot be undone\" when tool is \"sh\" and args matches /rm/\n"
    "MUST \"tested\" because \"it broke\" when tool is \"deploy\" require fact \"tests\" is \"passed\"\n"
    "AVOID \"late\" because \"nobody is awake\" when args.hour >= 22\n";

static int32_t asked(struct wisen_store *store, const char *action) {
    int32_t answer = -1;
    OK(wisen_check(store, TEXT(action), &answer, NULL, &error));
    return answer;
}

void test_rules(const char *folder) {
    struct wisen_store *store = opened(inside(folder, "rules"));
    struct wisen_texts *keys = NULL, *pair = NULL, *list = NULL;
    const char *key, *rm = "{\"tool\": \"sh\", \"args\": {\"command\": \"rm -rf /\"}}";
    int32_t answer = -1;

    CHECK(asked(store, rm) == WISEN_ALLOW);
    OK(wisen_create_authority(store, TEXT("ann"), &keys, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_generate_key(NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_facts(store, NULL, &error));
    CHECK(wisen_texts_count(keys) == 2 && wisen_texts_get(keys, 2).data == NULL);
    FAILS(WISEN_UNAUTHORISED, wisen_create_authority(store, TEXT("eve"), &list, &error));
    CHECK(list == NULL);
    key = wisen_texts_get(keys, 0).data;
    OK(wisen_generate_key(&pair, &error));
    FAILS(WISEN_UNAUTHORISED, wisen_add_directives(store, TEXT(wisen_texts_get(pair, 0).data), TEXT(rules),
                                                   NULL, 0, NULL, &error));
    FAILS(WISEN_INVALID_ARGUMENT, wisen_add_directives(store, TEXT(key), TEXT("NEVER 1"), NULL, 0, NULL, &error));
    OK(wisen_add_directives(store, TEXT(key), TEXT(rules), NULL, 0, &list, &error));
    CHECK(wisen_texts_count(list) == 0);
    wisen_texts_free(&list);
    FAILS(WISEN_RULE_CONFLICT, wisen_add_directives(store, TEXT(key), TEXT(rules), NULL, 0, NULL, &error));

    OK(wisen_check(store, TEXT(rm), &answer, &list, &error));
    CHECK(answer == WISEN_DENY && holds(wisen_texts_get(list, 0), "it cannot be undone"));
    wisen_texts_free(&list);
    CHECK(asked(store, "{\"tool\": \"sh\", \"args\": {\"command\": \"ls\"}}") == WISEN_ALLOW);
    CHECK(asked(store, "{\"tool\": \"x\", \"args\": {\"hour\": 23}}") == WISEN_ASK);
    CHECK(asked(store, "{\"tool\": \"deploy\"}") == WISEN_DENY);
    OK(wisen_record_fact(store, TEXT("tests"), TEXT("\"passed\""), 60000, &error));
    CHECK(asked(store, "{\"tool\": \"deploy\"}") == WISEN_ALLOW);
    OK(wisen_facts(store, &list, &error));
    CHECK(wisen_texts_count(list) == 1 && holds(wisen_texts_get(list, 0), "passed"));
    wisen_texts_free(&list);
    answer = WISEN_ALLOW;
    FAILS(WISEN_INVALID_ARGUMENT, wisen_check(store, TEXT("{\"tol\": \"sh\"}"), &answer, NULL, &error));
    CHECK(answer == WISEN_DENY);

    OK(wisen_override_directive(store, TEXT(key), TEXT("no-rm"), TEXT("a test"), INT64_MAX, &error));
    CHECK(asked(store, rm) == WISEN_ALLOW);
    OK(wisen_remove_directive(store, TEXT(key), TEXT("no-rm"), TEXT("a test"), &error));
    FAILS(WISEN_UNKNOWN_DIRECTIVE, wisen_remove_directive(store, TEXT(key), TEXT("no-rm"), TEXT("x"), &error));
    OK(wisen_directives(store, NULL, 0, &list, &error));
    CHECK(wisen_texts_count(list) == 2);
    wisen_texts_free(&list);
    OK(wisen_lint_directives(store, &list, &error));
    CHECK(wisen_texts_count(list) == 0);
    wisen_texts_free(&list);
    OK(wisen_repair_rules(store, TEXT(key), TEXT("a drill"), NULL, &error));

    OK(wisen_add_authority(store, TEXT(key), TEXT("bob"), TEXT(wisen_texts_get(pair, 1).data), &error));
    OK(wisen_revoke_authority(store, TEXT(key), TEXT(wisen_texts_get(pair, 1).data), TEXT("left"), &error));
    OK(wisen_rotate_authority(store, TEXT(key), &list, &error));
    wisen_texts_free(&list);
    OK(wisen_recover_authority(store, TEXT(wisen_texts_get(keys, 1).data), TEXT("eve"), TEXT("lost"), &list, &error));
    CHECK(wisen_texts_count(list) == 2);
    wisen_texts_free(&list);
    OK(wisen_authorities(store, &list, &error));
    CHECK(wisen_texts_count(list) == 4 && holds(wisen_texts_get(list, 3), "eve"));
    wisen_texts_free(&list);
    wisen_texts_free(&keys);
    wisen_texts_free(&pair);
    wisen_store_free(&store);
}
