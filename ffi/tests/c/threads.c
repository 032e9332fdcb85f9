/* One store, several threads: each with its own recalls and errors. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>

#include "check.h"

enum { THREADS = 4, ROUNDS = 20 };

struct worker {
    struct wisen_store *store;
    pthread_t thread;
    float vector[4];
    int good;
};

static void *work(void *argument) {
    struct worker *worker = argument;
    int round;
    for (round = 0; round < ROUNDS; round++) {
        struct wisen_memory memory = memory_of("met on the way", worker->vector);
        struct wisen_query query = query_of(worker->vector);
        struct wisen_hit hit = wisen_hit_init();
        struct wisen_report report = wisen_report_init();
        struct wisen_receipt receipt;
        struct wisen_recall *recall = NULL;
        struct wisen_error *mine = NULL;
        uint64_t id = 0;
        if (wisen_remember(worker->store, &memory, &id, &mine) == WISEN_OK &&
            wisen_recall(worker->store, &query, &recall, &mine) == WISEN_OK &&
            wisen_recall_hit(recall, 0, &hit, &mine) == WISEN_OK && wisen_recall_receipt(recall, &receipt)) {
            report.receipt = &receipt;
            report.outcome = WISEN_SUCCESS;
            report.used = &hit.id;
            report.used_count = 1;
            worker->good += wisen_report(worker->store, &report, NULL, &mine) == WISEN_OK;
        }
        wisen_recall_free(&recall);
        wisen_error_free(&mine);
    }
    return NULL;
}

void test_threads(const char *folder) {
    struct wisen_store *store = opened(inside(folder, "threads"));
    struct worker workers[THREADS];
    uint64_t count = 0;
    int index, other;

    for (index = 0; index < THREADS; index++) {
        workers[index].store = store;
        workers[index].good = 0;
        for (other = 0; other < 4; other++) {
            workers[index].vector[other] = other == index ? 1.0f : 0.25f;
        }
        CHECK(pthread_create(&workers[index].thread, NULL, work, &workers[index]) == 0);
    }
    for (index = 0; index < THREADS; index++) {
        CHECK(pthread_join(workers[index].thread, NULL) == 0);
        CHECK(workers[index].good == ROUNDS);
    }
    OK(wisen_count(store, NULL, 0, &count, &error));
    CHECK(count == THREADS * ROUNDS);
    wisen_store_free(&store);
}
