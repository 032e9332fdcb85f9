/* A small frame for checks: each is counted, each failure is printed with its place. */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "wisen.h"

/* Where the calls under test leave their errors. */
extern struct wisen_error *error;

bool check(bool good, const char *what, const char *file, int line);
bool check_status(wisen_status got, wisen_status wanted, const char *what, const char *file, int line);

/* Prints "N passed, M failed" and returns the exit status. */
int check_end(void);

/* Something is true. */
#define CHECK(condition) check((condition), #condition, __FILE__, __LINE__)
/* A call with `&error` succeeds and leaves no error. */
#define OK(call) check_status((call), WISEN_OK, #call, __FILE__, __LINE__)
/* A call with `&error` fails with this status and leaves an error with it and a message. */
#define FAILS(status, call) check_status((call), (status), #call, __FILE__, __LINE__)

#define TEXT(text) (text), WISEN_NUL_TERMINATED

/* Whether text handed out is this one, NUL included. */
bool same(struct wisen_text text, const char *wanted);
/* Whether text handed out contains this. */
bool holds(struct wisen_text text, const char *part);

/* A memory of four numbers in the default namespace. */
struct wisen_memory memory_of(const char *content, const float vector[4]);
/* A query for hits with content. */
struct wisen_query query_of(const float vector[4]);
/* "folder/name", in a buffer that the next call writes anew. */
const char *inside(const char *folder, const char *name);
/* Opens a store of four dimensions, which must go well. */
struct wisen_store *opened(const char *path);

/* The parts of the program; each gets a folder of its own. */
void test_life(const char *folder);
void test_recall(const char *folder);
void test_report(const char *folder);
void test_learn(const char *folder);
void test_trust(const char *folder);
void test_rules(const char *folder);
void test_quarantine(const char *folder);
void test_guard(const char *folder);
void test_distil(const char *folder);
void test_explore(const char *folder);
void test_figures(const char *folder);
void test_calibration(const char *folder);
void test_filters(const char *folder);
void test_records(const char *folder);
void test_keep(const char *folder);
void test_reembed(const char *folder);
void test_arguments(const char *folder);
void test_open(const char *folder);
void test_sizes(const char *folder);
void test_threads(const char *folder);
void test_panic(const char *folder);

#endif
