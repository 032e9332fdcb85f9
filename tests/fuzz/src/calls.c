/* Any sequence of calls: bytes decide which, and with which arguments. Arguments are NULL, of wrong length, out of
   range or stale wherever the header promises an error for that; a handle is used until it is freed. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wisen.h>

static const uint8_t *at, *end;

static unsigned next(unsigned below) { return at < end ? *at++ % below : 0; }

static struct wisen_text text(void) {
    struct wisen_text text = {NULL, 0};
    size_t size = next(12);
    if (size == 11 || (size_t)(end - at) < size) return text;
    text.data = (const char *)at, text.size = size;
    at += size;
    return text;
}

static const float *vector(float *room, size_t *dimension) {
    *dimension = next(8) ? 3 : next(6);
    for (size_t i = 0; i < 5; i++) {
        unsigned byte = next(256);
        room[i] = byte == 255 ? 0.0f / 0.0f : byte == 254 ? 3e38f : (float)byte - 100;
    }
    return next(16) ? room : NULL;
}

enum { STORES = 2, RECALLS = 3 };

void run_calls(const uint8_t *bytes, size_t size) {
    at = bytes, end = bytes + size;
    struct wisen_store *stores[STORES] = {NULL};
    struct wisen_recall *recalls[RECALLS] = {NULL};
    struct wisen_error *error = NULL;
    struct wisen_receipt receipt;
    memset(&receipt, 0, sizeof receipt);
    uint64_t ids[4] = {0, 1, 2, 3}, report_id = 0;
    float room[8], second[8];
    size_t dimension;
    for (int calls = 0; at < end && calls < 64; calls++) {
        struct wisen_store **slot = &stores[next(STORES)], *store = *slot;
        struct wisen_recall **held = &recalls[next(RECALLS)];
        struct wisen_error **tell = next(8) ? &error : NULL;
        uint64_t id = ids[next(4)];
        wisen_status status = WISEN_OK;
        switch (next(24)) {
        case 0: case 1: {
            struct wisen_options options = wisen_options_init();
            options.dimension = next(8) ? 3 : next(6), options.metric = (int32_t)next(4) - (int32_t)next(2);
            options.scan_below = next(3), options.seal_at = 1 + next(40), options.threads = 1;
            options.model = next(6) ? options.model : text();
            if (store == NULL)
                status = wisen_open(next(16) ? ":memory:" : NULL, WISEN_NUL_TERMINATED, next(9) ? &options : NULL, slot, tell);
            break;
        }
        case 2: case 3: case 4: {
            struct wisen_memory memory = wisen_memory_init();
            memory.content = text(), memory.vector = vector(room, &dimension), memory.dimension = dimension;
            if (next(3) == 0) memory.key = text();
            if (next(4) == 0) memory.namespace_name = text();
            if (next(4) == 0) memory.kind = text();
            if (next(4) == 0) memory.metadata = next(2) ? wisen_text("{\"a\":[1,{}]}") : text();
            if (next(4) == 0) memory.author = text();
            if (next(5) == 0) memory.supersedes = id;
            if (next(5) == 0) memory.time_to_live_us = next(3) ? next(9) : UINT64_MAX;
            if (next(16) == 0) memory.struct_size = next(255);
            status = wisen_remember(store, next(16) ? &memory : NULL, next(4) ? &ids[next(4)] : NULL, tell);
            break;
        }
        case 5: {
            struct wisen_memory many[3];
            uint64_t got[3];
            for (int i = 0; i < 3; i++) {
                many[i] = wisen_memory_init();
                many[i].content = text(), many[i].vector = vector(i % 2 ? room : second, &dimension);
                many[i].dimension = dimension;
            }
            status = wisen_remember_many(store, next(9) ? many : NULL, next(4), next(4) ? got : NULL, tell);
            break;
        }
        case 6: case 7: case 8: {
            struct wisen_query query = wisen_query_init();
            struct wisen_text names[2];
            uint64_t seed = next(9);
            names[0] = text(), names[1] = text();
            query.vector = vector(room, &dimension), query.dimension = dimension, query.k = next(9) ? next(8) : SIZE_MAX;
            query.content = next(2), query.no_receipt = next(4) == 0, query.width = next(4) ? 0 : next(200);
            query.explore = next(4) ? 0 : next(9), query.hold_out = next(4) ? 0 : next(9) / 8.0;
            query.seed = next(2) ? &seed : NULL, query.warnings = next(3);
            if (next(4) == 0) query.namespaces = next(9) ? names : NULL, query.namespace_count = next(3);
            if (next(5) == 0) query.kind = text();
            if (next(5) == 0) query.text = text();
            if (*held == NULL) status = wisen_recall(store, next(16) ? &query : NULL, held, tell);
            break;
        }
        case 9: {
            struct wisen_hit hit = wisen_hit_init();
            size_t index = next(4) ? next((unsigned)wisen_recall_count(*held) % 200 + 1) : next(255);
            status = wisen_recall_hit(*held, index, &hit, tell);
            if (status == WISEN_OK && hit.content.data) (void)strlen(hit.content.data);
            if (status == WISEN_OK) ids[next(4)] = hit.id;
            struct wisen_warning warning = wisen_warning_init();
            status = wisen_recall_warning(*held, next(4), &warning, NULL);
            (void)wisen_recall_fit(*held), (void)wisen_recall_withheld(*held), (void)wisen_recall_bytes_touched(*held);
            break;
        }
        case 10: (void)wisen_recall_receipt(*held, &receipt); break;
        case 11: wisen_recall_free(next(9) ? held : NULL); break;
        case 12: case 13: case 14: {
            struct wisen_report report = wisen_report_init();
            struct wisen_report_reply reply = wisen_report_reply_init();
            struct wisen_credit room_for[2];
            uint64_t used[2] = {id, ids[next(4)]}, tokens = next(9);
            double weight = next(9) / 7.0;
            if (next(2)) report.receipt = &receipt;
            if (next(3) == 0) report.memory = id;
            if (next(5) == 0) report.situation = vector(room, &dimension), report.situation_dimension = dimension;
            report.outcome = (int32_t)next(6) - (int32_t)next(2), report.grade = next(9) / 6.0;
            report.used = next(3) ? used : NULL, report.used_count = next(3);
            report.tokens = next(3) ? NULL : &tokens, report.weight = next(3) ? NULL : &weight;
            if (next(4) == 0) report.key = text();
            if (next(5) == 0) report.reporter = text();
            if (next(6) == 0) report.token = text();
            report.severe = next(5) == 0;
            if (next(3) == 0) reply.credited = room_for, reply.credited_capacity = next(3);
            status = wisen_report(store, next(16) ? &report : NULL, next(4) ? &reply : NULL, tell);
            if (status == WISEN_OK) report_id = reply.id;
            break;
        }
        case 15: { bool done; status = wisen_retract(store, next(4) ? report_id : next(9), next(4) ? &done : NULL, tell); break; }
        case 16: { bool done; status = wisen_forget(store, id, next(4) ? &done : NULL, tell); break; }
        case 17: {
            struct wisen_update update = wisen_update_init();
            if (next(2)) update.content = text();
            if (next(2)) update.vector = vector(room, &dimension), update.dimension = dimension;
            if (next(4) == 0) update.metadata = text();
            update.no_time_to_live = next(3) == 0, update.time_to_live_us = next(4) ? 0 : next(9);
            status = wisen_update(store, id, &update, tell);
            break;
        }
        case 18: status = next(2) ? wisen_pin(store, id, tell) : wisen_unpin(store, id, tell); break;
        case 19: status = next(3) ? wisen_seal(store, tell) : wisen_flush(store, tell); break;
        case 20: {
            struct wisen_text name = text();
            bool done;
            char token[128];
            status = next(2) ? wisen_register(store, name.data, name.size, NULL, 0, token, next(9) ? sizeof token : next(9), tell)
                             : wisen_revoke(store, name.data, name.size, NULL, 0, &done, tell);
            break;
        }
        case 21: {
            struct wisen_text words = text();
            char back[64];
            status = wisen_receipt_from_text(words.data, words.size, &receipt, tell);
            status = wisen_receipt_to_text(&receipt, back, next(9) ? sizeof back : next(40), NULL);
            break;
        }
        case 22:
            if (next(4) == 0) status = wisen_close(store, tell);
            break;
        default:
            if (next(4) == 0) wisen_store_free(slot);
            break;
        }
        if (status == WISEN_INTERNAL) abort();
        if (error) (void)strlen(wisen_error_message(error)), (void)wisen_error_row(error), (void)wisen_error_code(error);
        if (next(3)) wisen_error_free(&error);
    }
    wisen_error_free(&error);
    for (int i = 0; i < STORES; i++) wisen_store_free(&stores[i]);
    for (int i = 0; i < RECALLS; i++) wisen_recall_free(&recalls[i]);
}
