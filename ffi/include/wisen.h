/**
 * Wisen: an embedded memory engine for AI agents that learns what works.
 *
 * Link with libwisen. C99 and later, C++11 and later. Made by cbindgen from the crate wisen-ffi: do
 * not edit. Types are structure tags, so that a call and its argument may share their word, as stat
 * does.
 *
 * Rules that hold for every call:
 *
 * Status. A call that can fail returns a wisen_status, WISEN_OK being 0. Its last argument, `error`,
 *   may be NULL; otherwise `*error` is set to NULL, or, on failure, to a new wisen_error that the
 *   caller frees with wisen_error_free(). What `*error` held before is not freed. Places for results
 *   are written on success; places for handles are set to NULL on failure.
 * Pointers. A pointer is NULL or good for what its type and length say, until the call returns. NULL
 *   where something is needed answers WISEN_INVALID_ARGUMENT. The library copies what it keeps.
 * Text is UTF-8: a pointer and a number of bytes, which may be WISEN_NUL_TERMINATED. Other bytes
 *   answer WISEN_NOT_UTF8. Text handed out belongs to the handle that it was asked of, until that
 *   is freed.
 * Structures start with their size, so that they can grow. Make each with its function
 *   wisen_..._init(), then set fields; zero is the default of every field unless its comment says
 *   otherwise. A shorter structure of an older header is fine; a longer one of a newer header is
 *   fine as long as what this library does not know is zero.
 * Handles. `wisen_..._free(&handle)` frees one and sets the variable to NULL. Do not use a copy of
 *   the pointer after that. A handle of another type answers WISEN_INVALID_ARGUMENT.
 * Threads. A wisen_store may be used by any number of threads at once; only wisen_store_free() must
 *   be the last call on it. Other handles belong to one thread at a time.
 * Panics, which are defects of Wisen, never cross into C: the call answers WISEN_PANIC, and so does
 *   every later call on the same handle.
 */
#ifndef WISEN_H
#define WISEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The version of this header; wisen_version() is that of the library. */
#define WISEN_VERSION "0.1.0"
/* As the length of a text: it ends with a NUL. */
#define WISEN_NUL_TERMINATED SIZE_MAX
/* The answer of wisen_error_row() where no row is at fault. */
#define WISEN_NO_ROW SIZE_MAX
/* Room that wisen_receipt_to_text() needs, the NUL included. */
#define WISEN_RECEIPT_TEXT_SIZE 37
/* Room that wisen_register() needs for a token, the NUL included. */
#define WISEN_TOKEN_SIZE 65
/* Room for an anchor (wisen_anchor()). */
#define WISEN_ANCHOR_SIZE 128
/* The most bins that wisen_calibration() tells of. */
#define WISEN_CALIBRATION_BINS 20


/**
 * How a call ended. The numbers are stable, and the same in Rust, C and Python; a later version
 * may add some, so treat one you do not know as an error.
 */
enum wisen_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * All went well.
     */
    WISEN_OK = 0,
    /**
     * An argument is NULL, outside its range, or contradicts another one.
     */
    WISEN_INVALID_ARGUMENT = 101,
    /**
     * A vector has another number of dimensions than the store.
     */
    WISEN_WRONG_DIMENSION = 102,
    /**
     * A vector holds NaN or an infinity.
     */
    WISEN_NOT_FINITE = 103,
    /**
     * A vector of zeros, which has no cosine.
     */
    WISEN_ZERO_VECTOR = 104,
    /**
     * Text is not UTF-8.
     */
    WISEN_NOT_UTF8 = 105,
    /**
     * The store was closed.
     */
    WISEN_CLOSED = 106,
    /**
     * The store was opened by another process, before a fork.
     */
    WISEN_FORKED = 107,
    /**
     * A write on a store opened read-only.
     */
    WISEN_READ_ONLY = 108,
    /**
     * The store was created with other settings than those given.
     */
    WISEN_MISMATCH = 109,
    /**
     * No memory has this id, or it was forgotten.
     */
    WISEN_UNKNOWN_MEMORY = 201,
    /**
     * No receipt has this id.
     */
    WISEN_UNKNOWN_RECEIPT = 202,
    /**
     * A key was used before for something else.
     */
    WISEN_KEY_CONFLICT = 203,
    /**
     * A report names a memory that its recall had not shown.
     */
    WISEN_NOT_SHOWN = 204,
    /**
     * No report has this id.
     */
    WISEN_UNKNOWN_REPORT = 205,
    /**
     * A report names a reporter and does not prove it.
     */
    WISEN_BAD_TOKEN = 206,
    /**
     * No directive has this id.
     */
    WISEN_UNKNOWN_DIRECTIVE = 207,
    /**
     * A key, signature or authority is not good for what was asked.
     */
    WISEN_UNAUTHORISED = 208,
    /**
     * A directive contradicts, hides or repeats another one.
     */
    WISEN_RULE_CONFLICT = 209,
    /**
     * The file system refused.
     */
    WISEN_IO = 301,
    /**
     * Another process or thread held the write lock for too long.
     */
    WISEN_BUSY = 302,
    /**
     * The disk is full; nothing acknowledged is lost.
     */
    WISEN_DISK_FULL = 303,
    /**
     * The path holds something else than a store.
     */
    WISEN_NOT_A_STORE = 401,
    /**
     * The store was written by a newer Wisen.
     */
    WISEN_NEWER_SCHEMA = 402,
    /**
     * The store is damaged.
     */
    WISEN_CORRUPT = 403,
    /**
     * An export cannot be imported; nothing was.
     */
    WISEN_BAD_IMPORT = 404,
    /**
     * A file is no whole backup; nothing was restored.
     */
    WISEN_BAD_BACKUP = 405,
    /**
     * The store is halted, and the call is one that the halt forbids.
     */
    WISEN_HALTED = 501,
    /**
     * A memory was not let in, by the hook or because of a secret in it.
     */
    WISEN_REFUSED = 502,
    /**
     * A defect of Wisen itself.
     */
    WISEN_INTERNAL = 901,
    /**
     * A defect of Wisen itself that stopped a call half-way: the handle it was made on answers
     * every later call with this, and can only be freed.
     */
    WISEN_PANIC = 902,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wisen_status wisen_status;
#else
typedef int32_t wisen_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How much of a store is halted. Two halts add up.
 */
enum wisen_halt_level
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Not halted.
     */
    WISEN_NOT_HALTED = 0,
    /**
     * Nothing may be remembered, changed, reported or decided. Recalls go on.
     */
    WISEN_NO_WRITES = 1,
    /**
     * Nothing may be recalled.
     */
    WISEN_NO_RECALLS = 2,
    /**
     * Neither.
     */
    WISEN_NO_MEMORY = 3,
    /**
     * As WISEN_NO_MEMORY; besides, every check of an action denies, and nothing is shown but how the store
     * stands.
     */
    WISEN_DENY_ALL = 7,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wisen_halt_level wisen_halt_level;
#else
typedef int32_t wisen_halt_level;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What happens to keys, tokens and passwords in what is remembered.
 */
enum wisen_secret_action
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * The default: WISEN_SECRETS_REDACT.
     */
    WISEN_SECRETS_DEFAULT = 0,
    /**
     * Nothing is looked for.
     */
    WISEN_SECRETS_ALLOW = 1,
    /**
     * The memory is stored as it is and flagged.
     */
    WISEN_SECRETS_TAG = 2,
    /**
     * The secret is replaced by its kind, and the memory is flagged.
     */
    WISEN_SECRETS_REDACT = 3,
    /**
     * The memory is refused with WISEN_REFUSED.
     */
    WISEN_SECRETS_REFUSE = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wisen_secret_action wisen_secret_action;
#else
typedef int32_t wisen_secret_action;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What kind of source a memory comes from.
 */
enum wisen_source
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Not told.
     */
    WISEN_SOURCE_UNKNOWN = 0,
    /**
     * A person said or wrote it.
     */
    WISEN_SOURCE_HUMAN = 1,
    /**
     * The output of a tool.
     */
    WISEN_SOURCE_TOOL = 2,
    /**
     * A page or message from outside.
     */
    WISEN_SOURCE_WEB = 3,
    /**
     * An agent concluded it.
     */
    WISEN_SOURCE_AGENT = 4,
    /**
     * It was brought in from another store or file.
     */
    WISEN_SOURCE_IMPORT = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wisen_source wisen_source;
#else
typedef int32_t wisen_source;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How vectors are compared.
 */
enum wisen_metric
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * That of the store; cosine for a new one.
     */
    WISEN_METRIC_OF_STORE = 0,
    /**
     * Cosine of the angle; vectors are normalised.
     */
    WISEN_METRIC_COSINE = 1,
    /**
     * Inner product.
     */
    WISEN_METRIC_DOT = 2,
    /**
     * Minus the squared Euclidean distance.
     */
    WISEN_METRIC_L2 = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wisen_metric wisen_metric;
#else
typedef int32_t wisen_metric;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How the numbers of memories' vectors are stored.
 */
enum wisen_storage
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * As in the store; f32 for a new one.
     */
    WISEN_STORAGE_OF_STORE = 0,
    /**
     * As they are given, four bytes a number.
     */
    WISEN_STORAGE_F32 = 1,
    /**
     * In two bytes a number (IEEE 754 binary16); under cosine it is the unit vector that is kept.
     */
    WISEN_STORAGE_F16 = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wisen_storage wisen_storage;
#else
typedef int32_t wisen_storage;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What an acknowledged write survives.
 */
enum wisen_durability
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Kill -9 and panic; a power loss costs at most the last writes, never their order.
     */
    WISEN_DURABILITY_NORMAL = 0,
    /**
     * Power loss too: every write is synced before it is acknowledged.
     */
    WISEN_DURABILITY_FULL = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wisen_durability wisen_durability;
#else
typedef int32_t wisen_durability;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How an attempt went.
 */
enum wisen_outcome
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Nobody knows. Logged; moves nothing.
     */
    WISEN_UNKNOWN = 0,
    /**
     * It worked.
     */
    WISEN_SUCCESS = 1,
    /**
     * It did not.
     */
    WISEN_FAILURE = 2,
    /**
     * It worked in part: wisen_report.grade tells how well.
     */
    WISEN_GRADED = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wisen_outcome wisen_outcome;
#else
typedef int32_t wisen_outcome;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What became of a report.
 */
enum wisen_report_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * It counts from now on.
     */
    WISEN_CREDITED = 1,
    /**
     * It is kept, and moves nothing: the outcome is unknown, the hits were withheld, or several were
     * shown and none was named as used.
     */
    WISEN_NOT_CREDITED = 2,
    /**
     * Its receipt has not arrived yet: it is kept and counts as soon as it does.
     */
    WISEN_PENDING = 3,
    /**
     * The same report was here before, under the same key: nothing changed.
     */
    WISEN_DUPLICATE = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wisen_report_status wisen_report_status;
#else
typedef int32_t wisen_report_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * After how long evidence is worth half.
 */
enum wisen_half_life_setting
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Evidence never fades. So it is for every kind until another setting is made.
     */
    WISEN_HALF_LIFE_NONE = 0,
    /**
     * After a number of days, at least 1.
     */
    WISEN_HALF_LIFE_DAYS = 1,
    /**
     * Chosen by which half-life would have predicted the reports so far best, and chosen anew as they
     * become more.
     */
    WISEN_HALF_LIFE_AUTO = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wisen_half_life_setting wisen_half_life_setting;
#else
typedef int32_t wisen_half_life_setting;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Whether a memory can be a hit.
 */
enum wisen_standing_state
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * It can be a hit.
     */
    WISEN_ACTIVE = 0,
    /**
     * It failed too often, or severely: no hit, but it may be tried again.
     */
    WISEN_QUARANTINED = 1,
    /**
     * It is being tried: its next outcomes decide.
     */
    WISEN_PROBATION = 2,
    /**
     * It was tried again in vain, or the owner took it out of use.
     */
    WISEN_RETIRED = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wisen_standing_state wisen_standing_state;
#else
typedef int32_t wisen_standing_state;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Whether an action may be taken. The numbers are exit statuses of the program `wisen check`.
 */
enum wisen_answer
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Nothing speaks against it.
     */
    WISEN_ALLOW = 0,
    /**
     * It must not be done.
     */
    WISEN_DENY = 2,
    /**
     * Somebody has to be asked first.
     */
    WISEN_ASK = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wisen_answer wisen_answer;
#else
typedef int32_t wisen_answer;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What can be said of the worth of something.
 */
enum wisen_verdict
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * There are fewer than 20 outcomes with it, or fewer than 20 without.
     */
    WISEN_INSUFFICIENT_DATA = 0,
    /**
     * Things go better with it: the whole interval lies above 0.
     */
    WISEN_HELPS = 1,
    /**
     * Things go worse with it: the whole interval lies below 0.
     */
    WISEN_HARMS = 2,
    /**
     * The interval holds 0.
     */
    WISEN_UNCLEAR = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wisen_verdict wisen_verdict;
#else
typedef int32_t wisen_verdict;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What texts are, for models that embed the two in different ways.
 */
enum wisen_text_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Contents of memories: what is found.
     */
    WISEN_TEXT_MEMORY = 1,
    /**
     * Texts of queries: what it is found by.
     */
    WISEN_TEXT_QUERY = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wisen_text_kind wisen_text_kind;
#else
typedef int32_t wisen_text_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * A list of audit entries. Handle, to be freed with wisen_audit_entries_free(); one thread at a time.
 * It needs the store no longer.
 */
struct wisen_audit_entries;

/**
 * What went wrong in a call. Owned by the caller: free it with wisen_error_free(). Handle; one
 * thread at a time.
 */
struct wisen_error;

/**
 * Figures of a window, as a whole and for each of its slices. Handle, to be freed with
 * wisen_figures_free(); one thread at a time. It needs the store no longer.
 */
struct wisen_figures;

/**
 * A list of mergers. Handle, to be freed with wisen_merges_free(); one thread at a time. It needs the
 * store no longer.
 */
struct wisen_merges;

/**
 * A list of namespaces. Handle, to be freed with wisen_namespaces_free(); one thread at a time. It
 * needs the store no longer.
 */
struct wisen_namespaces;

/**
 * A list of principals. Handle, to be freed with wisen_principals_free(); one thread at a time. It
 * needs the store no longer.
 */
struct wisen_principals;

/**
 * The answer to a query. Handle, to be freed with wisen_recall_free(); one thread at a time. It
 * needs the store no longer.
 */
struct wisen_recall;

/**
 * A list of records. Handle, to be freed with wisen_records_free(); one thread at a time. It needs
 * the store no longer.
 */
struct wisen_records;

/**
 * A list of standings. Handle, to be freed with wisen_standings_free(); one thread at a time. It needs
 * the store no longer.
 */
struct wisen_standings;

/**
 * A store, opened. Handle; any thread, also several at once, but for wisen_store_free(). Do not use
 * it in a process forked from the one that opened it: it answers WISEN_FORKED.
 */
struct wisen_store;

/**
 * A list of texts. Handle, to be freed with wisen_texts_free(); one thread at a time. It needs the store
 * no longer.
 */
struct wisen_texts;

/**
 * The outcome of a check. Handle, to be freed with wisen_verification_free(); one thread at a
 * time. It needs the store no longer.
 */
struct wisen_verification;

/**
 * A piece of UTF-8 text: a pointer and a number of bytes.
 *
 * Handed in: `data` NULL means that nothing is given; `size` may be WISEN_NUL_TERMINATED. The
 * library copies what it keeps.
 *
 * Handed out: `data` is NULL if there is no such text; otherwise a NUL follows the text (which
 * may contain others), and both belong to the handle they were asked of: they stay as long as it.
 */
struct wisen_text {
    /**
     * The first byte, or NULL.
     */
    const char *data;
    /**
     * How many bytes, without the NUL behind them.
     */
    size_t size;
};

/**
 * A memory on its way in, as a hook sees it. Its texts end with a NUL and stay until the hook returns.
 */
struct wisen_incoming {
    /**
     * Its text, after secrets were redacted, if they are.
     */
    struct wisen_text content;
    /**
     * Its metadata, as JSON; "null" if it has none.
     */
    struct wisen_text metadata;
    /**
     * Its namespace; empty for a change to a stored memory.
     */
    struct wisen_text namespace_name;
    /**
     * Its kind; empty for a change to a stored memory.
     */
    struct wisen_text kind;
    /**
     * Who wrote it; NULL if that is not told.
     */
    struct wisen_text author;
    /**
     * A wisen_source.
     */
    int32_t source;
    /**
     * 0.
     */
    uint32_t reserved;
};

/**
 * What a hook decides: all NULL as it comes, which lets the memory in as it is. Texts that the hook sets have to
 * stay as they are until it is called again on the same thread.
 */
struct wisen_ruling {
    /**
     * Why the memory is refused. NULL: it is not.
     */
    struct wisen_text refuse;
    /**
     * The text that is stored instead. NULL: as it is.
     */
    struct wisen_text content;
    /**
     * A tag that is kept with the memory (up to 255 bytes). NULL: none.
     */
    struct wisen_text tag;
};

/**
 * Looks at a memory that is remembered or changed through a handle, on the thread that does so; several threads
 * may be in it at once. `data` is wisen_options.hook_data. Must return, and throw nothing.
 */
typedef void (*wisen_hook)(void *data,
                           const struct wisen_incoming *memory,
                           struct wisen_ruling *ruling);

/**
 * Options of wisen_open(). Make it with wisen_options_init(). Zero in a field is its default.
 * Dimension, metric, storage and model are fixed when a store is created; given again later they are
 * checked, left out they are taken from the store.
 */
struct wisen_options {
    /**
     * Size of this structure, for growth: set by wisen_options_init().
     */
    uint32_t struct_size;
    /**
     * A wisen_metric.
     */
    int32_t metric;
    /**
     * How many numbers a vector has (1 to 4096). 0: the store exists.
     */
    size_t dimension;
    /**
     * Name of the embedding model, recorded at creation. NULL: none.
     */
    struct wisen_text model;
    /**
     * A wisen_durability.
     */
    int32_t durability;
    /**
     * Not 0: opens for recall only; nothing is written, not even receipts.
     */
    uint32_t read_only;
    /**
     * How long a write waits for other writers, in milliseconds. 0: 5000.
     */
    uint64_t busy_timeout_ms;
    /**
     * Threads that build segments. 0: as many as the machine has cores.
     */
    size_t threads;
    /**
     * Default width (ef) of a graph search: larger finds more and touches more bytes. 0: that of
     * this version of the index.
     */
    size_t width;
    /**
     * A namespace with fewer distinct vectors in a segment is scanned, not given a graph.
     * 0: 1024. 1 gives every one a graph, which is for tests.
     */
    size_t scan_below;
    /**
     * Vectors that may wait unsealed before a segment is built in the background. 0: 2048.
     */
    size_t seal_at;
    /**
     * What happens to keys, tokens and passwords in what is remembered: a wisen_secret_action. 0: redacted.
     */
    int32_t secrets;
    /**
     * A wisen_storage.
     */
    int32_t storage;
    /**
     * Looks at every memory that this handle remembers or changes. NULL: none.
     */
    wisen_hook hook;
    /**
     * Handed to the hook. Has to be good for any thread, until the store is freed.
     */
    void *hook_data;
    /**
     * The public key, as text, with which the authorities of the store have to begin, that of
     * wisen_create_authority(): of any other store wisen_check() denies everything. NULL: what the store says.
     */
    struct wisen_text authority_key;
};

/**
 * Names one recall in a report: the 16 bytes of a UUID, most significant first. A plain value:
 * copy it as you like.
 */
struct wisen_receipt {
    /**
     * The bytes; all zero is no receipt.
     */
    uint8_t bytes[16];
};

/**
 * A memory to be stored. Make it with wisen_memory_init(), then set at least content and vector.
 * Zero in a field is its default.
 */
struct wisen_memory {
    /**
     * Size of this structure, for growth: set by wisen_memory_init().
     */
    uint32_t struct_size;
    /**
     * Must be 0.
     */
    uint32_t reserved;
    /**
     * Its text. Needed.
     */
    struct wisen_text content;
    /**
     * Its embedding. Needed.
     */
    const float *vector;
    /**
     * How many numbers `vector` has: as many as the store's dimension.
     */
    size_t dimension;
    /**
     * The partition it belongs to (1 to 255 bytes). NULL: "default".
     */
    struct wisen_text namespace_name;
    /**
     * A free label that recalls can ask for (1 to 255 bytes). NULL: "note".
     */
    struct wisen_text kind;
    /**
     * A JSON object kept with it, as text. NULL: none.
     */
    struct wisen_text metadata;
    /**
     * Who wrote it (1 to 255 bytes). NULL: nobody in particular.
     */
    struct wisen_text author;
    /**
     * The caller's own name for it, unique in its namespace: remembering the same memory under
     * the same key again stores nothing and returns the id it has. NULL: none.
     */
    struct wisen_text key;
    /**
     * The memory this one replaces. 0: none.
     */
    uint64_t supersedes;
    /**
     * How long it may be recalled, in microseconds. 0: for ever.
     */
    uint64_t time_to_live_us;
    /**
     * What kind of source it comes from: a wisen_source. 0: not told.
     */
    int32_t source;
    /**
     * Must be 0.
     */
    uint32_t reserved2;
    /**
     * The recall in which it came about. NULL: not told.
     */
    const struct wisen_receipt *origin;
    /**
     * The memories that it was made of, at most 64; may be NULL if there are none.
     */
    const uint64_t *parents;
    /**
     * How many parents there are.
     */
    size_t parents_count;
    /**
     * The model that wrote it (1 to 255 bytes). NULL: not told.
     */
    struct wisen_text model;
    /**
     * The model that made `vector`: WISEN_MISMATCH if those of the store were made with another one
     * (wisen_options.model). NULL: not told.
     */
    struct wisen_text embedding_model;
};

/**
 * A change to a stored memory: what is not named stays. Make it with wisen_update_init().
 */
struct wisen_update {
    /**
     * Size of this structure, for growth: set by wisen_update_init().
     */
    uint32_t struct_size;
    /**
     * Not 0: it may be recalled for ever from now on.
     */
    uint32_t no_time_to_live;
    /**
     * New text. NULL: stays.
     */
    struct wisen_text content;
    /**
     * New embedding. NULL: stays.
     */
    const float *vector;
    /**
     * How many numbers `vector` has.
     */
    size_t dimension;
    /**
     * New kind. NULL: stays.
     */
    struct wisen_text kind;
    /**
     * New metadata: a JSON object as text, or "null" for none. NULL: stays.
     */
    struct wisen_text metadata;
    /**
     * How long it may be recalled from now on, in microseconds. 0: stays.
     */
    uint64_t time_to_live_us;
    /**
     * The model that made `vector`, as wisen_memory.embedding_model.
     */
    struct wisen_text embedding_model;
};

/**
 * A question to the memory. Make it with wisen_query_init(), which sets k to 10, then set at least
 * the vector. Zero in every other field is its default.
 */
struct wisen_query {
    /**
     * Size of this structure, for growth: set by wisen_query_init().
     */
    uint32_t struct_size;
    /**
     * Not 0: hits carry content and metadata. 0 reads fewer bytes.
     */
    uint32_t content;
    /**
     * How many hits at most. 0 gives none.
     */
    size_t k;
    /**
     * Embedding of the present situation. Needed.
     */
    const float *vector;
    /**
     * How many numbers `vector` has: as many as the store's dimension.
     */
    size_t dimension;
    /**
     * The text of the situation; kept with the receipt. NULL: none.
     */
    struct wisen_text text;
    /**
     * The namespaces to search; one that does not exist holds nothing.
     */
    const struct wisen_text *namespaces;
    /**
     * How many `namespaces` there are. 0: only "default".
     */
    size_t namespace_count;
    /**
     * Only memories of this kind. NULL: of any.
     */
    struct wisen_text kind;
    /**
     * Not 0: the recall will not be reported on and needs no receipt.
     */
    uint32_t no_receipt;
    /**
     * Width (ef) of the graph search for this recall. 0: that of the store.
     */
    uint32_t width;
    /**
     * How many of the `k` places, the last ones, go to memories drawn by Thompson sampling, so that
     * those of which little is known get their chance; wisen_hit.propensity says how likely that was.
     * 0: nothing is left to chance.
     */
    size_t explore;
    /**
     * Share of recalls, in 0 to 0.5, on which memory is withheld at random, so that wisen_uplift() can
     * tell what it is worth: such a recall has no hits and says so (wisen_recall_withheld()). On a
     * further share of the same size (less above a third) one hit is left out silently. Only recalls
     * with a receipt are held out. 0: none.
     */
    double hold_out;
    /**
     * Makes all that chance decides repeatable: the same store, query and seed give the same hits.
     * NULL: the random bits of the receipt.
     */
    const uint64_t *seed;
    /**
     * Up to how many quarantined or retired memories to warn of, if they are among the `k` nearest
     * (wisen_recall_warning()). 0: none.
     */
    size_t warnings;
    /**
     * Only memories that this lets through, `k` of them wherever so many exist. JSON: {"kind": "recipe"},
     * {"author": "ann"}, {"created": {"from": t, "before": t}} (in microseconds since 1970),
     * {"field": {"name": "lang", "equals": "rust"}} (or "one_of": [...], "range": {"from": 1, "to": 5},
     * "exists": true) for fields declared with wisen_declare_field(), {"all": [...]}, {"any": [...]},
     * {"not": {...}}. NULL: all.
     */
    struct wisen_text filter;
    /**
     * The model that made `vector`: WISEN_MISMATCH if those of the store were made with another one
     * (wisen_options.model). NULL: not told.
     */
    struct wisen_text embedding_model;
};

/**
 * A remembered attempt in a situation like this one.
 */
struct wisen_precedent {
    /**
     * Similarity of that situation to this one, in the measure of wisen_hit.similarity.
     */
    double similarity;
    /**
     * Mean outcome of the reports made there, in 0 to 1.
     */
    double outcome;
    /**
     * How many reports were made there.
     */
    uint64_t reports;
};

/**
 * A memory that fits, and why. Make it with wisen_hit_init(); wisen_recall_hit() fills it. Its
 * texts belong to the recall.
 */
struct wisen_hit {
    /**
     * Size of this structure, for growth: set by wisen_hit_init().
     */
    uint32_t struct_size;
    /**
     * Not 0: it was found through situations in which it worked, not through its own words.
     */
    uint32_t nominated;
    /**
     * Not 0: `supporting` is filled.
     */
    uint32_t has_supporting;
    /**
     * Not 0: `contradicting` is filled.
     */
    uint32_t has_contradicting;
    /**
     * The memory.
     */
    uint64_t id;
    /**
     * What hits are ranked by. It orders the hits of one recall and means nothing across recalls.
     */
    double score;
    /**
     * Cosine, dot product, or minus the squared Euclidean distance to the query.
     */
    double similarity;
    /**
     * Probability that using it here succeeds: mean of the posterior, in 0 to 1.
     */
    double probability;
    /**
     * Lower end of the central 90 % credible interval of `probability`.
     */
    double interval_low;
    /**
     * Upper end of the central 90 % credible interval of `probability`.
     */
    double interval_high;
    /**
     * Weight of the memory's own fit to the query: one pseudo-success at its own place.
     */
    double own_fit;
    /**
     * Weight of successes in situations like this one.
     */
    double successes;
    /**
     * Weight of failures in situations like this one.
     */
    double failures;
    /**
     * Reports behind these two sums.
     */
    uint64_t reports;
    /**
     * The nearest situation in which it mostly worked.
     */
    struct wisen_precedent supporting;
    /**
     * The nearest situation in which it mostly failed.
     */
    struct wisen_precedent contradicting;
    /**
     * Its namespace.
     */
    struct wisen_text namespace_name;
    /**
     * Its text; NULL unless the query asked for contents.
     */
    struct wisen_text content;
    /**
     * Its metadata, as JSON; NULL unless the query asked for contents and it has some.
     */
    struct wisen_text metadata;
    /**
     * Why it is a hit, in sentences for people, one a line.
     */
    struct wisen_text reasons;
    /**
     * The probability with which it was shown: 1, unless chance put it there. For a quarantined memory
     * that is tried again in the last place, the share of recalls on which that happens. For one that
     * was explored (wisen_query.explore), the probability of being drawn into any of the explored
     * places, estimated from 256 draws: its standard error is at most 0.031, and it is never below
     * 1/258.
     */
    double propensity;
    /**
     * Who wrote it, as whoever remembered it told; NULL: nobody named, or the query asked for no contents.
     */
    struct wisen_text author;
    /**
     * How far the word of its author is good, in 0 to 1: 1 if it names none, else its reliability
     * (wisen_principal). 0 unless the query asked for contents.
     */
    double trust;
    /**
     * How long ago it was stored, in microseconds. 0 unless the query asked for contents.
     */
    uint64_t age_us;
    /**
     * A wisen_source. 0: not told, or the query asked for no contents.
     */
    int32_t source;
    /**
     * What was noticed when it came, added up: 1 it holds a secret, 2 a secret was taken out, 4 a word is too
     * random for one, 8 invisible characters, 16 bidirectional marks. 0 unless the query asked for contents.
     */
    uint32_t flags;
    /**
     * The recall in which it came about; all zero: not told, or the query asked for no contents.
     */
    struct wisen_receipt origin;
    /**
     * The memories that it was made of; none unless the query asked for contents.
     */
    const uint64_t *parents;
    /**
     * How many parents there are.
     */
    size_t parents_count;
    /**
     * The model that wrote it; NULL: not told, or the query asked for no contents.
     */
    struct wisen_text model;
    /**
     * What the hook of a handle has called it; none unless the query asked for contents.
     */
    const struct wisen_text *tags;
    /**
     * How many tags there are.
     */
    size_t tags_count;
    /**
     * The PREFER or AVOID directive that has shifted its rank; NULL: none has.
     */
    struct wisen_text rule;
    /**
     * By how much it has shifted the score: in -1.8 to 0.7; 0 without one. It moves the place and not the
     * probability.
     */
    double shift;
};

/**
 * A memory that would be near, and is kept from the hits because it failed. Make it with
 * wisen_warning_init(); wisen_recall_warning() fills it. Its texts belong to the recall.
 */
struct wisen_warning {
    /**
     * Size of this structure, for growth: set by wisen_warning_init().
     */
    uint32_t struct_size;
    /**
     * A wisen_standing_state: quarantined, on probation or retired.
     */
    int32_t state;
    /**
     * The memory.
     */
    uint64_t id;
    /**
     * Cosine, dot product, or minus the squared Euclidean distance to the query.
     */
    double similarity;
    /**
     * Weight of its successes in situations like this one, in outcomes.
     */
    double successes;
    /**
     * Weight of its failures in situations like this one, in outcomes.
     */
    double failures;
    /**
     * Its namespace.
     */
    struct wisen_text namespace_name;
    /**
     * That in a sentence, such as "Quarantined; tried in situations like this one: failed 7 of 8."
     */
    struct wisen_text text;
    /**
     * Its text; NULL unless the query asked for contents.
     */
    struct wisen_text content;
    /**
     * Its metadata, as JSON; NULL unless the query asked for contents and it has some.
     */
    struct wisen_text metadata;
};

/**
 * A directive that comes with a recall, because what is done with the hits has to heed it. Make it with
 * wisen_rule_note_init(); wisen_recall_rule() fills it. Its texts belong to the recall.
 */
struct wisen_rule_note {
    /**
     * Size of this structure, for growth: set by wisen_rule_note_init().
     */
    uint32_t struct_size;
    /**
     * Its priority.
     */
    int32_t priority;
    /**
     * Its id.
     */
    struct wisen_text id;
    /**
     * Why there is this rule.
     */
    struct wisen_text reason;
    /**
     * The directive as text.
     */
    struct wisen_text text;
};

/**
 * How a recall, or a memory used without one, turned out. Make it with wisen_report_init(), then
 * set the outcome and either receipt or memory. Zero in every other field is its default.
 */
struct wisen_report {
    /**
     * Size of this structure, for growth: set by wisen_report_init().
     */
    uint32_t struct_size;
    /**
     * A wisen_outcome.
     */
    int32_t outcome;
    /**
     * With WISEN_GRADED: how well it worked, in 0 to 1. Otherwise 0.
     */
    double grade;
    /**
     * The recall it is about. NULL: it is about `memory`.
     */
    const struct wisen_receipt *receipt;
    /**
     * The memories that were used, all of them shown by the recall.
     */
    const uint64_t *used;
    /**
     * How many `used` there are. 0: a recall that showed one hit credits that one, and a recall
     * that showed several credits nothing.
     */
    size_t used_count;
    /**
     * Without receipt: the memory it is about. It counts as evidence, but never nominates the
     * memory where its own words do not fit.
     */
    uint64_t memory;
    /**
     * Without receipt: embedding of the situation in which the memory was used. NULL: the
     * memory's own vector.
     */
    const float *situation;
    /**
     * How many numbers `situation` has.
     */
    size_t situation_dimension;
    /**
     * Tokens spent on the attempt. NULL: not told.
     */
    const uint64_t *tokens;
    /**
     * Money spent on the attempt, in millionths of the owner's currency. NULL: not told.
     */
    const int64_t *cost_micros;
    /**
     * Who reports. NULL: the owner of the store, whose word counts whole. What others say counts as
     * far as it has agreed with the owner's on the same receipts, and within a cap per memory and day.
     * A name that is not registered (wisen_register()) shares the standing of all such names, and
     * counts for nothing without a receipt.
     */
    struct wisen_text reporter;
    /**
     * The caller's own name for the report: the same report under the same key counts once.
     * NULL: none.
     */
    struct wisen_text key;
    /**
     * A remark kept with the report. NULL: none.
     */
    struct wisen_text note;
    /**
     * How much the verdict is worth, in 0 to 1: multiplies its credit. With 0 the report is kept and
     * moves nothing. NULL: 1.
     */
    const double *weight;
    /**
     * The token of the reporter, if its name is registered: wisen_register() wrote it. NULL: none.
     */
    struct wisen_text token;
    /**
     * Not 0: the failure (an outcome below 0.5) was so bad that what caused it should not be tried
     * again before somebody has looked at it.
     */
    uint32_t severe;
    /**
     * Must be 0.
     */
    uint32_t reserved;
};

/**
 * A memory that a report counts for.
 */
struct wisen_credit {
    /**
     * The memory.
     */
    uint64_t memory;
    /**
     * Its share of the one unit of credit.
     */
    double share;
};

/**
 * The reply to a report. Make it with wisen_report_reply_init(); wisen_report() fills it.
 */
struct wisen_report_reply {
    /**
     * Size of this structure, for growth: set by wisen_report_reply_init().
     */
    uint32_t struct_size;
    /**
     * A wisen_report_status.
     */
    int32_t status;
    /**
     * Names the report.
     */
    uint64_t id;
    /**
     * Set by the caller: where to write the memories it counts for. NULL: not wanted.
     */
    struct wisen_credit *credited;
    /**
     * Set by the caller: how many of them there is room for at `credited`; as many as the report
     * names, and at least one, is always enough.
     */
    size_t credited_capacity;
    /**
     * How many memories it counts for, which may be more than there was room for.
     */
    size_t credited_count;
};

/**
 * Somebody other than the owner who reports. Make it with wisen_principal_init();
 * wisen_principals_get() fills it. Its name belongs to the principals.
 */
struct wisen_principal {
    /**
     * Size of this structure, for growth: set by wisen_principal_init().
     */
    uint32_t struct_size;
    /**
     * 1: the table has a registration for it that is not believed, because the registrations of the store
     * are not those that its authority signed; it counts as one that is not registered. Otherwise 0.
     */
    uint32_t disbelieved;
    /**
     * Its name.
     */
    struct wisen_text name;
    /**
     * When it was last registered, in microseconds since 1970-01-01 00:00 UTC; 0: it is not, and then
     * shares the standing of all names that are not.
     */
    int64_t registered_at_us;
    /**
     * Reports made in its name, registered or not.
     */
    uint64_t reports;
    /**
     * Mean of the posterior of its agreement with the owner, in 0 to 1. At 0.5 or below, its word
     * counts for nothing; at 1, as much as the owner's.
     */
    double reliability;
    /**
     * Lower end of the central 90 % credible interval of `reliability`.
     */
    double interval_low;
    /**
     * Upper end of the central 90 % credible interval of `reliability`.
     */
    double interval_high;
    /**
     * Receipts that both it and the owner judged, of which this is learnt.
     */
    uint64_t judged_together;
};

/**
 * How well a half-life would have predicted the reports so far.
 */
struct wisen_half_life_loss {
    /**
     * The half-life, in days; 0: nothing fades.
     */
    double days;
    /**
     * Mean log loss of its predictions, in nats.
     */
    double loss;
};

/**
 * The half-life of a kind, and how it came about. Make it with wisen_half_life_init();
 * wisen_half_life() fills it.
 */
struct wisen_half_life {
    /**
     * Size of this structure, for growth: set by wisen_half_life_init().
     */
    uint32_t struct_size;
    /**
     * A wisen_half_life_setting: what was set.
     */
    int32_t setting;
    /**
     * The half-life in force, in days; 0: nothing fades.
     */
    double days;
    /**
     * Under WISEN_HALF_LIFE_AUTO, when it was last fitted, in microseconds since 1970-01-01 00:00
     * UTC; 0: not yet, as there are fewer than 50 reports.
     */
    int64_t fitted_at_us;
    /**
     * How many experiences of the kind there were then; it was fitted to the newest 4096.
     */
    uint64_t experiences;
    /**
     * Set by the caller: where to write the half-lives that were tried. NULL: not wanted.
     */
    struct wisen_half_life_loss *losses;
    /**
     * Set by the caller: how many of them there is room for at `losses`; 16 is enough.
     */
    size_t losses_capacity;
    /**
     * How many were tried, which may be more than there was room for.
     */
    size_t losses_count;
};

/**
 * The policy of a namespace: when memories that fail are quarantined, and what is opt-in. Make it with
 * wisen_policy_init(), which sets the defaults named here (they are not 0), or fill it with
 * wisen_policy().
 */
struct wisen_policy {
    /**
     * Size of this structure, for growth: set by wisen_policy_init().
     */
    uint32_t struct_size;
    /**
     * Not 0: memories that keep failing are quarantined by the rule below. Default: 0; a severe failure
     * quarantines whatever is set here.
     */
    uint32_t quarantine;
    /**
     * A memory is bad if it succeeds less often than this. Between 0 and 1; default 0.4.
     */
    double floor;
    /**
     * How probable that has to be before it is quarantined. Between 0 and 1; default 0.95.
     */
    double tail;
    /**
     * Mean of the prior of a memory's success rate. Between 0 and 1; default 0.6.
     */
    double prior_mean;
    /**
     * Weight of that prior, in outcomes. Above 0; default 4.
     */
    double prior_weight;
    /**
     * Evidence that a situation needs to speak for a memory, in outcomes. At least 0; default 3.
     */
    double local_evidence;
    /**
     * Mean outcome there from which on the memory works there and is not quarantined. In 0 to 1;
     * default 0.5.
     */
    double local_mean;
    /**
     * Share of the recalls for more than one hit whose last one may be a quarantined memory on probation.
     * In 0 to 0.99; default 0.05; 0: nothing is tried. All of them it cannot be: a trial is known by its
     * propensity, which has to lie below 1, and no probation would ever begin.
     */
    double probation_share;
    /**
     * Outcomes after which a probation ends. Of a day, at most 3 count of what a registered principal tells, 1 of
     * what all unregistered ones tell. 1 to 1000000; default 10.
     */
    uint32_t probation_outcomes;
    /**
     * Not 0: new memories are merged from `distil_at` on. Default: 0.
     */
    uint32_t has_distil_at;
    /**
     * A probation ends well if the probability that the memory is bad, by the outcomes since it began,
     * is below this. In 0 to 1; default 0.5.
     */
    double release_below;
    /**
     * Share of the recalls whose hits are withheld, to learn how things go without memory, as
     * wisen_query.hold_out has it; of the shares of a query and of all namespaces that it searches, the
     * largest holds. In 0 to 0.5; default 0.
     */
    double hold_out;
    /**
     * Similarity from which on a new memory is merged into the nearest one of its kind.
     */
    double distil_at;
};

/**
 * How a memory stands, and on what evidence. Make it with wisen_standing_init(); wisen_standings_get()
 * fills it. Its texts belong to the standings.
 */
struct wisen_standing {
    /**
     * Size of this structure, for growth: set by wisen_standing_init().
     */
    uint32_t struct_size;
    /**
     * A wisen_standing_state.
     */
    int32_t state;
    /**
     * Not 0: it is exempt from quarantine.
     */
    uint32_t pinned;
    /**
     * 0.
     */
    uint32_t reserved;
    /**
     * The memory.
     */
    uint64_t id;
    /**
     * Its namespace.
     */
    struct wisen_text namespace_name;
    /**
     * When it came into this state, in microseconds since 1970-01-01 00:00 UTC; 0: it was never in
     * another.
     */
    int64_t since_us;
    /**
     * Why it is in this state.
     */
    struct wisen_text reason;
    /**
     * Weight of its successes, in outcomes: in all, or since its last probation began.
     */
    double successes;
    /**
     * Weight of its failures, likewise.
     */
    double failures;
    /**
     * Reports behind these two.
     */
    uint64_t reports;
    /**
     * Probability that its success rate lies below the floor of the policy, by these.
     */
    double doubt;
};

/**
 * An entry of the audit table; never changed or deleted. Make it with wisen_audit_entry_init();
 * wisen_audit_entries_get() fills it. Its texts belong to the entries.
 */
struct wisen_audit_entry {
    /**
     * Size of this structure, for growth: set by wisen_audit_entry_init().
     */
    uint32_t struct_size;
    /**
     * 0.
     */
    uint32_t reserved;
    /**
     * Its number: 1, 2, 3, ... without gaps.
     */
    uint64_t id;
    /**
     * When it was decided, in microseconds since 1970-01-01 00:00 UTC.
     */
    int64_t at_us;
    /**
     * "engine": by a rule; "owner": by a call; "principal:NAME": proven by its token; "unproven:NAME": a name
     * that anybody may use; "authority:NAME": proven by its signature.
     */
    struct wisen_text actor;
    /**
     * What was done, such as "quarantine" or "policy".
     */
    struct wisen_text op;
    /**
     * The namespace it is about; NULL if that is gone.
     */
    struct wisen_text namespace_name;
    /**
     * The memory it is about; 0: none.
     */
    uint64_t memory;
    /**
     * The figures and reasons behind it: a JSON object.
     */
    struct wisen_text detail;
    /**
     * Its hash in the chain, in hexadecimal digits: wisen_anchor() ends with it if it is the last. NULL: somebody has
     * taken it away.
     */
    struct wisen_text hash;
};

/**
 * What halts a store by itself. Make it with wisen_triggers_init(), or fill it with wisen_triggers(). 0 turns a
 * trigger off; after a resumption all of them begin anew.
 */
struct wisen_triggers {
    /**
     * Size of this structure, for growth: set by wisen_triggers_init().
     */
    uint32_t struct_size;
    /**
     * How much a trigger halts: a wisen_halt_level; 0: WISEN_DENY_ALL.
     */
    int32_t level;
    /**
     * What the reports of the last 60 minutes say was spent, in millionths of the owner's currency.
     */
    int64_t spend_per_hour_micros;
    /**
     * Actions denied within a minute, by all processes together.
     */
    uint32_t denials_per_minute;
    /**
     * How often in a row one handle may check the same action.
     */
    uint32_t repeats;
    /**
     * Failures (outcomes below 0.5) reported in a row.
     */
    uint32_t failures_in_a_row;
    /**
     * Must be 0.
     */
    uint32_t reserved;
};

/**
 * A merger. Make it with wisen_merge_init(); wisen_merges_get() fills it.
 */
struct wisen_merge {
    /**
     * Size of this structure, for growth: set by wisen_merge_init().
     */
    uint32_t struct_size;
    /**
     * 0.
     */
    uint32_t reserved;
    /**
     * The memory that stays.
     */
    uint64_t survivor;
    /**
     * The memory that is no hit any more; its id still stands for the survivor.
     */
    uint64_t absorbed;
    /**
     * Similarity of the two, in the store's metric.
     */
    double similarity;
};

/**
 * Everything stored about a memory. Make it with wisen_record_init(); wisen_records_get() fills
 * it. Its texts and its vector belong to the records.
 */
struct wisen_record {
    /**
     * Size of this structure, for growth: set by wisen_record_init().
     */
    uint32_t struct_size;
    /**
     * 0.
     */
    uint32_t reserved;
    /**
     * Its id.
     */
    uint64_t id;
    /**
     * Its namespace.
     */
    struct wisen_text namespace_name;
    /**
     * Its kind.
     */
    struct wisen_text kind;
    /**
     * Its text.
     */
    struct wisen_text content;
    /**
     * Its embedding, as it was given; in a store with f16 as that keeps it.
     */
    const float *vector;
    /**
     * How many numbers `vector` has.
     */
    size_t dimension;
    /**
     * Its metadata, as JSON; NULL if it has none.
     */
    struct wisen_text metadata;
    /**
     * Who wrote it; NULL if nobody in particular.
     */
    struct wisen_text author;
    /**
     * The caller's own name for it; NULL if it has none.
     */
    struct wisen_text key;
    /**
     * When it was stored, in microseconds since 1970-01-01 00:00 UTC.
     */
    int64_t created_at_us;
    /**
     * When it was last changed, likewise.
     */
    int64_t updated_at_us;
    /**
     * When it stops being recalled, likewise; 0: never.
     */
    int64_t expires_at_us;
    /**
     * The memory that replaced it, or that it was merged into; 0: none.
     */
    uint64_t superseded_by;
    /**
     * The memory that stands for it since it was merged (wisen_distil()); 0: none.
     */
    uint64_t merged_into;
    /**
     * How far the word of its author is good, in 0 to 1: 1 if it names none, else its reliability
     * (wisen_principal).
     */
    double trust;
    /**
     * How long ago it was stored, in microseconds.
     */
    uint64_t age_us;
    /**
     * A wisen_source. 0: not told.
     */
    int32_t source;
    /**
     * What was noticed when it came, added up, as in wisen_hit.flags.
     */
    uint32_t flags;
    /**
     * The recall in which it came about; all zero: not told.
     */
    struct wisen_receipt origin;
    /**
     * The memories that it was made of.
     */
    const uint64_t *parents;
    /**
     * How many parents there are.
     */
    size_t parents_count;
    /**
     * The model that wrote it; NULL: not told.
     */
    struct wisen_text model;
    /**
     * What the hook of a handle has called it.
     */
    const struct wisen_text *tags;
    /**
     * How many tags there are.
     */
    size_t tags_count;
};

/**
 * A namespace and what it holds. Make it with wisen_namespace_init(); wisen_namespaces_get() fills
 * it. Its name belongs to the namespaces.
 */
struct wisen_namespace {
    /**
     * Size of this structure, for growth: set by wisen_namespace_init().
     */
    uint32_t struct_size;
    /**
     * 0.
     */
    uint32_t reserved;
    /**
     * Its name.
     */
    struct wisen_text name;
    /**
     * Memories in it that were neither forgotten nor superseded.
     */
    uint64_t memories;
    /**
     * When the first memory came, in microseconds since 1970-01-01 00:00 UTC.
     */
    int64_t created_at_us;
};

/**
 * Figures of a store. Make it with wisen_stats_init(); wisen_stats() fills it. Counters since
 * opening are those of this handle.
 */
struct wisen_stats {
    /**
     * Size of this structure, for growth: set by wisen_stats_init().
     */
    uint32_t struct_size;
    /**
     * A wisen_metric: that of the vectors.
     */
    int32_t metric;
    /**
     * Dimension of the vectors.
     */
    size_t dimension;
    /**
     * Name of the embedding model; NULL if none was recorded. Belongs to the store.
     */
    struct wisen_text model;
    /**
     * Memories neither forgotten nor superseded.
     */
    uint64_t memories;
    /**
     * Reports received.
     */
    uint64_t reports;
    /**
     * Points of experience: distinct pairs of memory and situation with evidence.
     */
    uint64_t experiences;
    /**
     * Namespaces.
     */
    uint64_t namespaces;
    /**
     * Segments in use.
     */
    uint64_t segments;
    /**
     * Segment files that were set aside as damaged, since opening.
     */
    uint64_t segments_set_aside;
    /**
     * Bytes of the segments in use.
     */
    uint64_t segment_bytes;
    /**
     * Vectors (memories and experiences) not yet in a segment.
     */
    uint64_t unsealed;
    /**
     * Recalls since opening.
     */
    uint64_t recalls;
    /**
     * Graph searches since opening.
     */
    uint64_t graph_searches;
    /**
     * Exact scans since opening.
     */
    uint64_t scans;
    /**
     * Bytes touched by recalls since opening.
     */
    uint64_t bytes_touched;
    /**
     * Segments built by this handle.
     */
    uint64_t seals;
    /**
     * Weight of the hits whose promised probability was reported on, in units of credit. This and the
     * following are those of all namespaces: wisen_calibration() tells more.
     */
    double calibration_weight;
    /**
     * Mean promised probability, in 0 to 1; 0 without reports, like the following.
     */
    double calibration_promised;
    /**
     * Mean outcome, in 0 to 1.
     */
    double calibration_outcome;
    /**
     * Brier score of the promises, in 0 to 1; lower is better.
     */
    double calibration_brier;
    /**
     * Expected calibration error of the promises, in 0 to 1.
     */
    double calibration_error;
    /**
     * Full vectors compared by recalls since opening, beyond their codes.
     */
    uint64_t reranked;
    /**
     * A wisen_storage: how the vectors of memories are stored.
     */
    int32_t storage;
    /**
     * 0.
     */
    uint32_t reserved;
};

/**
 * What wisen_verify() found. Make it with wisen_findings_init(); wisen_verification_get() fills it.
 */
struct wisen_findings {
    /**
     * Size of this structure, for growth: set by wisen_findings_init().
     */
    uint32_t struct_size;
    /**
     * Not 0: nothing is wrong.
     */
    uint32_t is_ok;
    /**
     * Memories whose row and payload were checked.
     */
    uint64_t memories;
    /**
     * Reports whose rows were checked.
     */
    uint64_t reports;
    /**
     * Cells of evidence that were recomputed from the raw reports.
     */
    uint64_t cells;
    /**
     * Segments that were checked in full.
     */
    uint64_t segments;
    /**
     * Vectors in them.
     */
    uint64_t sealed;
    /**
     * Vectors that a graph search can never reach.
     */
    uint64_t unreachable;
    /**
     * How many faults there are.
     */
    uint64_t fault_count;
    /**
     * Everything that is wrong, a sentence a line; empty when all is well. Belongs to the
     * verification.
     */
    struct wisen_text faults;
};

/**
 * Outcomes on one side of a comparison.
 */
struct wisen_rate {
    /**
     * How many outcomes this rests on, one for each attempt; with a fraction where they count
     * differently.
     */
    double outcomes;
    /**
     * How many of them are successes: a graded outcome counts as much as it says.
     */
    double successes;
    /**
     * Mean outcome, in 0 to 1; one half where there is none.
     */
    double mean;
};

/**
 * What showing a memory, or those of a namespace, has changed. Make it with wisen_uplift_init();
 * wisen_uplift() fills it.
 */
struct wisen_uplift {
    /**
     * Size of this structure, for growth: set by wisen_uplift_init().
     */
    uint32_t struct_size;
    /**
     * A wisen_verdict: what follows.
     */
    int32_t verdict;
    /**
     * How it went with it.
     */
    struct wisen_rate with;
    /**
     * How it went without it, on recalls where chance alone kept it back.
     */
    struct wisen_rate without;
    /**
     * with.mean - without.mean, in -1 to 1.
     */
    double difference;
    /**
     * Lower end of the 95 % confidence interval of the difference, in -1 to 1.
     */
    double interval_low;
    /**
     * Its upper end, likewise.
     */
    double interval_high;
};

/**
 * The stretch of time that wisen_figures() looks at, and how. Make it with wisen_window_init(), then
 * set its beginning and its end.
 */
struct wisen_window {
    /**
     * Size of this structure, for growth: set by wisen_window_init().
     */
    uint32_t struct_size;
    /**
     * Must be 0.
     */
    uint32_t reserved;
    /**
     * Its beginning, in microseconds since 1970-01-01 00:00 UTC.
     */
    int64_t from_us;
    /**
     * Its end, which does not belong to it, likewise.
     */
    int64_t to_us;
    /**
     * Days within which a success must not be contradicted to be durable, in 0 to 36500: set to 7 by
     * wisen_window_init(). 0 is no default.
     */
    double durable_days;
    /**
     * Into how many equal slices it is cut for wisen_figures_over_time(), at most 10000. 0: 1.
     */
    size_t slices;
};

/**
 * Figures of a stretch of time. Make it with wisen_stretch_init(); wisen_figures_get() and
 * wisen_figures_over_time() fill it.
 */
struct wisen_stretch {
    /**
     * Size of this structure, for growth: set by wisen_stretch_init().
     */
    uint32_t struct_size;
    /**
     * Not 0: `success_rate` is filled, as there were attempts.
     */
    uint32_t has_success_rate;
    /**
     * Not 0: `hit_rate` is filled, as there were recalls.
     */
    uint32_t has_hit_rate;
    /**
     * Not 0: `tokens_per_durable_success` is filled: somebody told tokens, and a success is durable.
     */
    uint32_t has_tokens_per_durable_success;
    /**
     * Not 0: `micros_per_durable_success` is filled: somebody told money, and a success is durable.
     */
    uint32_t has_micros_per_durable_success;
    /**
     * 0.
     */
    uint32_t reserved;
    /**
     * Its beginning, in microseconds since 1970-01-01 00:00 UTC.
     */
    int64_t from_us;
    /**
     * Its end, which does not belong to it, likewise.
     */
    int64_t to_us;
    /**
     * Attempts whose outcome is known: successes + failures.
     */
    uint64_t attempts;
    /**
     * Of them, those that worked (outcome at least 0.5).
     */
    uint64_t successes;
    /**
     * Of them, those that did not.
     */
    uint64_t failures;
    /**
     * Attempts that were reported on without a known outcome, or with retracted ones only. They count
     * in the costs and nowhere else.
     */
    uint64_t unknown;
    /**
     * successes / attempts, in 0 to 1.
     */
    double success_rate;
    /**
     * Successes that nothing has contradicted within wisen_window.durable_days.
     */
    uint64_t durable_successes;
    /**
     * Of the durable ones, those that are younger than that and can still be contradicted.
     */
    uint64_t maturing;
    /**
     * Tokens told, over all attempts, unknown ones included.
     */
    uint64_t tokens;
    /**
     * Money told, in millionths of the owner's currency, over all attempts, unknown ones included.
     */
    int64_t cost_micros;
    /**
     * Attempts, unknown ones included, that told their tokens: where some did not, the costs are too
     * low.
     */
    uint64_t told_tokens;
    /**
     * Attempts, unknown ones included, that told their money.
     */
    uint64_t told_cost;
    /**
     * tokens / durable_successes.
     */
    double tokens_per_durable_success;
    /**
     * cost_micros / durable_successes.
     */
    double micros_per_durable_success;
    /**
     * Attempts that began with a recall on which memory was not withheld.
     */
    uint64_t recalls;
    /**
     * Of these, those that worked and used a memory.
     */
    uint64_t hits;
    /**
     * hits / recalls, in 0 to 1: how often memory was asked and had what it took.
     */
    double hit_rate;
    /**
     * Attempts that used memory. Beside the next, a comparison that confounders may spoil:
     * wisen_uplift() has one that they cannot.
     */
    struct wisen_rate with_memory;
    /**
     * Attempts that used none, withheld ones included.
     */
    struct wisen_rate without_memory;
};

/**
 * One bin of a reliability diagram.
 */
struct wisen_calibration_bin {
    /**
     * Weight of the hits in it, in units of credit.
     */
    double weight;
    /**
     * Their mean promised probability, in 0 to 1.
     */
    double promised;
    /**
     * Their mean outcome, in 0 to 1.
     */
    double outcome;
};

/**
 * How well the promised probabilities have come true. Make it with wisen_calibration_init();
 * wisen_calibration() fills it.
 */
struct wisen_calibration {
    /**
     * Size of this structure, for growth: set by wisen_calibration_init().
     */
    uint32_t struct_size;
    /**
     * 0.
     */
    uint32_t reserved;
    /**
     * Weight of the hits that were reported on, in units of credit.
     */
    double weight;
    /**
     * Mean promised probability, in 0 to 1; 0 without reports, like the following.
     */
    double promised;
    /**
     * Mean outcome, in 0 to 1.
     */
    double outcome;
    /**
     * Brier score: mean squared difference of promise and outcome, in 0 to 1; lower is better.
     */
    double brier;
    /**
     * Expected calibration error: mean over the bins, by weight, of the difference between mean
     * promise and mean outcome, in 0 to 1.
     */
    double error;
    /**
     * Set by the caller: where to write the reliability diagram, bins of the promised probability that
     * hold any, in rising order. NULL: not wanted.
     */
    struct wisen_calibration_bin *bins;
    /**
     * Set by the caller: how many bins there is room for at `bins`; WISEN_CALIBRATION_BINS is enough.
     */
    size_t bins_capacity;
    /**
     * How many bins there are, which may be more than there was room for.
     */
    size_t bins_count;
};

/**
 * Texts to be embedded, as an embedding function sees them. All of it stays until the function returns.
 */
struct wisen_batch {
    /**
     * A wisen_text_kind.
     */
    int32_t kind;
    /**
     * 0.
     */
    uint32_t reserved;
    /**
     * The texts, each followed by a NUL.
     */
    const struct wisen_text *texts;
    /**
     * How many there are, at most 256.
     */
    size_t count;
    /**
     * How many numbers each vector has.
     */
    size_t dimension;
    /**
     * Where the function writes the vectors, one after the other: `count` times `dimension` numbers, all 0 as
     * they come.
     */
    float *vectors;
    /**
     * One byte for each text, 1 as it comes: the function sets it to 0 for a text that cannot be embedded.
     */
    uint8_t *embedded;
};

/**
 * Gives vectors for texts, on the thread that re-embeds. `data` is what wisen_reembed() was handed. Returns 0 if
 * it has, and any other number if it could not, which the error of wisen_reembed() then tells. Must return, and
 * throw nothing.
 */
typedef int32_t (*wisen_embed)(void *data, const struct wisen_batch *batch);

/**
 * What wisen_reembed() did. Make it with wisen_reembedded_init().
 */
struct wisen_reembedded {
    /**
     * Size of this structure, for growth: set by wisen_reembedded_init().
     */
    uint32_t struct_size;
    /**
     * Must be 0.
     */
    uint32_t reserved;
    /**
     * Memories that have a new vector.
     */
    uint64_t memories;
    /**
     * Reports that teach something, and whose situation was placed in the new space.
     */
    uint64_t placed;
    /**
     * Reports that teach something, and whose situation could not be placed: no text of the query was kept.
     */
    uint64_t unplaced;
    /**
     * Set by the caller: where to write the ids of the memories that are not in the new store, because they
     * have no content, or none that can be embedded. NULL: not wanted.
     */
    uint64_t *left_out;
    /**
     * Set by the caller: how many of them there is room for at `left_out`.
     */
    size_t left_out_capacity;
    /**
     * How many memories are left out, which may be more than there was room for.
     */
    size_t left_out_count;
};

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The name of a status, as this header spells it; "unknown status" for any other number.
 * Static text; any thread.
 */
const char *wisen_status_name(int32_t code);

/**
 * The version of the library that is loaded, such as "0.1.0"; WISEN_VERSION is that of the
 * header. Static text; any thread.
 */
const char *wisen_version(void);

/**
 * The status that came with the error; WISEN_OK for NULL.
 */
wisen_status wisen_error_code(const struct wisen_error *error);

/**
 * What went wrong and the way out, in a sentence; the empty text for NULL. The text belongs to
 * the error.
 */
const char *wisen_error_message(const struct wisen_error *error);

/**
 * Which memory or report of a batch is at fault, counted from 0; WISEN_NO_ROW if it was no batch.
 */
size_t wisen_error_row(const struct wisen_error *error);

/**
 * Frees the error and sets the variable to NULL. A NULL variable, or NULL in it, is fine.
 */
void wisen_error_free(struct wisen_error **error);

/**
 * Opens the store in the directory `path`, or creates it; ":memory:" opens one of its own that
 * lives in memory. `options` may be NULL: those of a store that exists. On success `*store` is a
 * handle to be freed with wisen_store_free(), on failure NULL. WISEN_NOT_A_STORE where something
 * else is, WISEN_MISMATCH if the options contradict what was fixed at creation. Any thread.
 */
wisen_status wisen_open(const char *path,
                        size_t path_size,
                        const struct wisen_options *options,
                        struct wisen_store **store,
                        struct wisen_error **error);

/**
 * The directory of the store, or ":memory:"; NULL for no store. The text belongs to the store.
 * Any thread.
 */
const char *wisen_path(const struct wisen_store *store);

/**
 * Makes durable whatever was acknowledged, receipts included. Any thread.
 */
wisen_status wisen_flush(struct wisen_store *store, struct wisen_error **error);

/**
 * Builds segments of what is in none yet, now, however little it is. Recalls go on meanwhile. Any
 * thread.
 */
wisen_status wisen_seal(struct wisen_store *store, struct wisen_error **error);

/**
 * Flushes, seals what is due, stops the threads. The handle stays: every later call on it answers
 * WISEN_CLOSED (closing again is fine), until wisen_store_free(), which closes the files. What
 * recalls and pages have handed out stays good. Any thread.
 */
wisen_status wisen_close(struct wisen_store *store, struct wisen_error **error);

/**
 * Frees the handle and sets the variable to NULL. A store that was not closed is closed first, but
 * nobody hears whether that went well, and what was due to be sealed is left to the next opening. A NULL variable, or NULL in it, is fine. No other thread
 * may be in a call on this store, nor make one later.
 */
void wisen_store_free(struct wisen_store **store);

/**
 * Stores a memory; `*id` (may be NULL) becomes its id, a positive number, or that of the memory it was
 * merged into (wisen_policy.distil_at). It can be recalled at once. Any thread.
 */
wisen_status wisen_remember(struct wisen_store *store,
                            const struct wisen_memory *memory,
                            uint64_t *id,
                            struct wisen_error **error);

/**
 * Stores `count` memories that lie side by side in one transaction: all of them, or none and an
 * error that names the row (wisen_error_row()). `ids` has room for `count` ids, or is NULL. Any
 * thread.
 */
wisen_status wisen_remember_many(struct wisen_store *store,
                                 const struct wisen_memory *memories,
                                 size_t count,
                                 uint64_t *ids,
                                 struct wisen_error **error);

/**
 * Changes a stored memory; its evidence stays with it. Any thread.
 */
wisen_status wisen_update(struct wisen_store *store,
                          uint64_t id,
                          const struct wisen_update *change,
                          struct wisen_error **error);

/**
 * Forgets a memory: its content and vector are deleted and it is never recalled again; reports on it
 * stay as a record. `*forgotten` (may be NULL)
 * tells whether there was one. Any thread.
 */
wisen_status wisen_forget(struct wisen_store *store,
                          uint64_t id,
                          bool *forgotten,
                          struct wisen_error **error);

/**
 * Finds what fits: the memories near the query and those that worked in situations near it, ranked
 * by what experience says of them. Without reports the order is that of similarity. On success
 * `*recall` is a handle to be freed with wisen_recall_free(), on failure NULL. Any thread.
 */
wisen_status wisen_recall(struct wisen_store *store,
                          const struct wisen_query *query,
                          struct wisen_recall **recall,
                          struct wisen_error **error);

/**
 * Answers `count` queries that lie side by side, on up to `threads` threads (0: one per core; at most 256),
 * which end with the call. On success `recalls[i]` is the answer to `queries[i]`, as wisen_recall() gives it,
 * with a receipt of its own: `count` handles, each to be freed with wisen_recall_free(). On failure all of them
 * are NULL; if a query is at fault, the error names its row (wisen_error_row()). Any thread.
 */
wisen_status wisen_recall_many(struct wisen_store *store,
                               const struct wisen_query *queries,
                               size_t count,
                               size_t threads,
                               struct wisen_recall **recalls,
                               struct wisen_error **error);

/**
 * How many hits there are; 0 for NULL.
 */
size_t wisen_recall_count(const struct wisen_recall *recall);

/**
 * Probability that one of the hits succeeds here, in 0 to 1: that of the likeliest one, and so a lower
 * bound where several could. Low means that nothing fits; 0 without hits and for NULL.
 */
double wisen_recall_fit(const struct wisen_recall *recall);

/**
 * Whether the hits were withheld at random (wisen_query.hold_out): there are none then, and the report
 * on this recall can name none. false for NULL.
 */
bool wisen_recall_withheld(const struct wisen_recall *recall);

/**
 * How many bytes of codes, graph rows, vectors, samples and contents were read for it.
 */
uint64_t wisen_recall_bytes_touched(const struct wisen_recall *recall);

/**
 * Copies the receipt that names this recall in a report; false if it has none, and then
 * `*receipt` is all zero. It stays good after wisen_recall_free().
 */
bool wisen_recall_receipt(const struct wisen_recall *recall, struct wisen_receipt *receipt);

/**
 * Frees the recall, and with it every text of its hits and warnings, and sets the variable to NULL. A NULL
 * variable, or NULL in it, is fine.
 */
void wisen_recall_free(struct wisen_recall **recall);

/**
 * Fills `*hit` with hit number `index`, the best being 0; `hit->struct_size` must be set, as
 * wisen_hit_init() does.
 */
wisen_status wisen_recall_hit(const struct wisen_recall *recall,
                              size_t index,
                              struct wisen_hit *hit,
                              struct wisen_error **error);

/**
 * How many warnings there are, at most wisen_query.warnings; 0 for NULL.
 */
size_t wisen_recall_warning_count(const struct wisen_recall *recall);

/**
 * Fills `*warning` with warning number `index`, the nearest being 0; `warning->struct_size` must be
 * set, as wisen_warning_init() does.
 */
wisen_status wisen_recall_warning(const struct wisen_recall *recall,
                                  size_t index,
                                  struct wisen_warning *warning,
                                  struct wisen_error **error);

/**
 * How many MUST rules come with the recall, those that apply where it searched; 0 for NULL.
 */
size_t wisen_recall_rule_count(const struct wisen_recall *recall);

/**
 * Fills `*rule` with rule number `index`, in the order in which they decide; `rule->struct_size` must be set,
 * as wisen_rule_note_init() does.
 */
wisen_status wisen_recall_rule(const struct wisen_recall *recall,
                               size_t index,
                               struct wisen_rule_note *rule,
                               struct wisen_error **error);

/**
 * Writes the usual text of a receipt (36 characters and a NUL) to `text`, which has room for
 * `capacity` bytes: WISEN_RECEIPT_TEXT_SIZE suffices. Any thread.
 */
wisen_status wisen_receipt_to_text(const struct wisen_receipt *receipt,
                                   char *text,
                                   size_t capacity,
                                   struct wisen_error **error);

/**
 * Reads a receipt from its text. WISEN_UNKNOWN_RECEIPT if it is none. Any thread.
 */
wisen_status wisen_receipt_from_text(const char *text,
                                     size_t text_size,
                                     struct wisen_receipt *receipt,
                                     struct wisen_error **error);

/**
 * Tells how it went. The next recall of any process takes it into account. `reply` may be NULL;
 * otherwise `reply->struct_size` must be set, as wisen_report_reply_init() does. WISEN_NOT_SHOWN if a
 * memory named as used was not among the hits, WISEN_BAD_TOKEN if a registered reporter does not
 * prove its name, WISEN_INVALID_ARGUMENT if a severe report tells no failure. Any thread.
 */
wisen_status wisen_report(struct wisen_store *store,
                          const struct wisen_report *report,
                          struct wisen_report_reply *reply,
                          struct wisen_error **error);

/**
 * Tells how several attempts went: `count` reports that lie side by side, in one transaction: all of
 * them are kept, or none and an error that names the row (wisen_error_row()). They may share receipts.
 * `replies` has room for `count` replies side by side, each with its `struct_size` set, or is NULL.
 * Any thread.
 */
wisen_status wisen_report_many(struct wisen_store *store,
                               const struct wisen_report *reports,
                               size_t count,
                               struct wisen_report_reply *replies,
                               struct wisen_error **error);

/**
 * Takes a report back: it stays as a record and counts no more; what its receipt had to give goes to
 * the reports left on it. Its key stays taken. `*retracted` (may be NULL) becomes false if it was
 * retracted before. WISEN_UNKNOWN_REPORT if there is none with this id. Any thread.
 */
wisen_status wisen_retract(struct wisen_store *store,
                           uint64_t report,
                           bool *retracted,
                           struct wisen_error **error);

/**
 * Registers a principal, whose reports then count for themselves and not among those of all unknown
 * names. Writes the token by which it proves its name (wisen_report.token), and a NUL, to `token`,
 * which has room for `capacity` bytes: WISEN_TOKEN_SIZE suffices. It is told this once: the store
 * keeps only its hash. Registering a name (1 to 255 bytes) again replaces its token. `key` as in
 * wisen_resume(). Registrations that the authority of the store has not signed are not believed, none of
 * them, until wisen_repair_rules() has taken them away. Any thread.
 */
wisen_status wisen_register(struct wisen_store *store,
                            const char *name,
                            size_t name_size,
                            const char *key,
                            size_t key_size,
                            char *token,
                            size_t capacity,
                            struct wisen_error **error);

/**
 * Takes a registration away: the token is void, and what was reported with it counts no more, until
 * the name is registered again. (To end a principal's reports and keep what they taught, register it
 * again and throw the token away.) `key` as in wisen_resume(). `*revoked` (may be NULL) tells whether it
 * was registered. Any thread.
 */
wisen_status wisen_revoke(struct wisen_store *store,
                          const char *name,
                          size_t name_size,
                          const char *key,
                          size_t key_size,
                          bool *revoked,
                          struct wisen_error **error);

/**
 * Everybody who is registered or has reported under a name, by name, with how far their word has been
 * found good. On success `*principals` is a handle to be freed with wisen_principals_free(), on
 * failure NULL. Any thread.
 */
wisen_status wisen_principals(struct wisen_store *store,
                              struct wisen_principals **principals,
                              struct wisen_error **error);

/**
 * How many principals there are in the list; 0 for NULL.
 */
size_t wisen_principals_count(const struct wisen_principals *principals);

/**
 * Fills `*principal` with principal number `index`, counted from 0; `principal->struct_size` must be
 * set, as wisen_principal_init() does.
 */
wisen_status wisen_principals_get(const struct wisen_principals *principals,
                                  size_t index,
                                  struct wisen_principal *principal,
                                  struct wisen_error **error);

/**
 * Frees the list, and with it the names, and sets the variable to NULL. A NULL variable, or NULL in
 * it, is fine.
 */
void wisen_principals_free(struct wisen_principals **principals);

/**
 * Sets after how many days evidence on memories of a kind is worth half: `setting` is a
 * wisen_half_life_setting, `days` goes with WISEN_HALF_LIFE_DAYS (at least 1) and is 0 otherwise.
 * Evidence fades toward what is expected without any, never past it. Any thread.
 */
wisen_status wisen_set_half_life(struct wisen_store *store,
                                 const char *kind,
                                 size_t kind_size,
                                 int32_t setting,
                                 double days,
                                 struct wisen_error **error);

/**
 * Fills `*half_life` with the half-life of a kind; `half_life->struct_size` must be set, as
 * wisen_half_life_init() does. Nothing of a kind that does not exist fades. Any thread.
 */
wisen_status wisen_half_life(struct wisen_store *store,
                             const char *kind,
                             size_t kind_size,
                             struct wisen_half_life *half_life,
                             struct wisen_error **error);

/**
 * Sets the policy of a namespace, which is created if it is missing. Every process goes by it from its
 * next call on. WISEN_INVALID_ARGUMENT if a field is out of range. Any thread.
 */
wisen_status wisen_set_policy(struct wisen_store *store,
                              const char *namespace_name,
                              size_t namespace_size,
                              const struct wisen_policy *policy,
                              struct wisen_error **error);

/**
 * Fills `*policy` with the policy of a namespace, the default one where none was set;
 * `policy->struct_size` must be set, as wisen_policy_init() does. Any thread.
 */
wisen_status wisen_policy(struct wisen_store *store,
                          const char *namespace_name,
                          size_t namespace_size,
                          struct wisen_policy *policy,
                          struct wisen_error **error);

/**
 * How a memory stands: a list of one. WISEN_UNKNOWN_MEMORY if there is none with this id or it was
 * forgotten. On success `*standings` is a handle to be freed with wisen_standings_free(), on failure
 * NULL. Any thread.
 */
wisen_status wisen_standing(struct wisen_store *store,
                            uint64_t id,
                            struct wisen_standings **standings,
                            struct wisen_error **error);

/**
 * The memories of a namespace, or of all if its name is NULL, that are quarantined, on probation,
 * retired or pinned; by id. On success `*standings` is a handle to be freed with
 * wisen_standings_free(), on failure NULL. Any thread.
 */
wisen_status wisen_review(struct wisen_store *store,
                          const char *namespace_name,
                          size_t namespace_size,
                          struct wisen_standings **standings,
                          struct wisen_error **error);

/**
 * How many standings there are in the list; 0 for NULL.
 */
size_t wisen_standings_count(const struct wisen_standings *standings);

/**
 * Fills `*standing` with standing number `index`, counted from 0; `standing->struct_size` must be set,
 * as wisen_standing_init() does.
 */
wisen_status wisen_standings_get(const struct wisen_standings *standings,
                                 size_t index,
                                 struct wisen_standing *standing,
                                 struct wisen_error **error);

/**
 * Frees the list, and with it its texts, and sets the variable to NULL. A NULL variable, or NULL in it,
 * is fine.
 */
void wisen_standings_free(struct wisen_standings **standings);

/**
 * Exempts a memory from quarantine; one that is in it, or retired, is a hit again.
 * WISEN_UNKNOWN_MEMORY if there is none with this id or it was forgotten. Any thread.
 */
wisen_status wisen_pin(struct wisen_store *store, uint64_t id, struct wisen_error **error);

/**
 * Ends the exemption: from the next report on the memory the rule applies again.
 * WISEN_UNKNOWN_MEMORY if there is none with this id or it was forgotten. Any thread.
 */
wisen_status wisen_unpin(struct wisen_store *store, uint64_t id, struct wisen_error **error);

/**
 * Puts a quarantined or retired memory on probation: its next outcomes decide whether it is a hit
 * again. The reason is kept with it. WISEN_INVALID_ARGUMENT if it is active, WISEN_UNKNOWN_MEMORY if
 * there is none with this id or it was forgotten. Any thread.
 */
wisen_status wisen_release(struct wisen_store *store,
                           uint64_t id,
                           const char *reason,
                           size_t reason_size,
                           struct wisen_error **error);

/**
 * Takes a memory out of use without forgetting it; it can be released again. The reason is kept with
 * it. WISEN_INVALID_ARGUMENT if it is pinned, WISEN_UNKNOWN_MEMORY if there is none with this id or it
 * was forgotten. Any thread.
 */
wisen_status wisen_retire(struct wisen_store *store,
                          uint64_t id,
                          const char *reason,
                          size_t reason_size,
                          struct wisen_error **error);

/**
 * Up to `limit` entries of the audit table after number `after`, oldest first. Start with 0, go on
 * with the number of the last entry; fewer than `limit` entries mean the end. On success `*entries` is
 * a handle to be freed with wisen_audit_entries_free(), on failure NULL. Any thread.
 */
wisen_status wisen_audit_entries(struct wisen_store *store,
                                 uint64_t after,
                                 size_t limit,
                                 struct wisen_audit_entries **entries,
                                 struct wisen_error **error);

/**
 * How many entries there are in the list; 0 for NULL.
 */
size_t wisen_audit_entries_count(const struct wisen_audit_entries *entries);

/**
 * Fills `*entry` with entry number `index` of the list, counted from 0; `entry->struct_size` must be
 * set, as wisen_audit_entry_init() does.
 */
wisen_status wisen_audit_entries_get(const struct wisen_audit_entries *entries,
                                     size_t index,
                                     struct wisen_audit_entry *entry,
                                     struct wisen_error **error);

/**
 * Frees the list, and with it its texts, and sets the variable to NULL. A NULL variable, or NULL in it,
 * is fine.
 */
void wisen_audit_entries_free(struct wisen_audit_entries **entries);

/**
 * Halts the store: once this returns, every call of any process that begins answers WISEN_HALTED if `level` (a
 * wisen_halt_level) forbids it, until somebody who may do so resumes it. Survives restarts, works on a full disk.
 * Anybody may halt; halting again adds to what is halted. `*recorded` (may be NULL) tells whether the halt is in
 * the database too: if that cannot be written, the control file alone has it. Any thread.
 */
wisen_status wisen_halt(struct wisen_store *store,
                        const char *reason,
                        size_t reason_size,
                        int32_t level,
                        bool *recorded,
                        struct wisen_error **error);

/**
 * `*level` becomes the wisen_halt_level in force, WISEN_NOT_HALTED if there is none. The reason, and a NUL, goes
 * to `reason`, which has room for `capacity` bytes (it is cut off if that does not suffice) or is NULL. Any thread.
 */
wisen_status wisen_halted(struct wisen_store *store,
                          int32_t *level,
                          char *reason,
                          size_t capacity,
                          struct wisen_error **error);

/**
 * Ends the halt in force, all of it. `key` is the secret key of an authority, as text, if the store has one, else
 * NULL: WISEN_UNAUTHORISED if it is none that is valid now. `*was` (may be NULL) tells whether it was halted. Any
 * thread.
 */
wisen_status wisen_resume(struct wisen_store *store,
                          const char *reason,
                          size_t reason_size,
                          const char *key,
                          size_t key_size,
                          bool *was,
                          struct wisen_error **error);

/**
 * Sets what halts the store by itself. `key` as in wisen_resume(). Any thread.
 */
wisen_status wisen_set_triggers(struct wisen_store *store,
                                const struct wisen_triggers *triggers,
                                const char *key,
                                size_t key_size,
                                struct wisen_error **error);

/**
 * Fills `*triggers` with what halts the store by itself; `triggers->struct_size` must be set. Any thread.
 */
wisen_status wisen_triggers(struct wisen_store *store,
                            struct wisen_triggers *triggers,
                            struct wisen_error **error);

/**
 * Sets what the audit keeps from now on: everything (the default), or, if `decisions_only`, nothing of single
 * memories and reports but of those that the audit knows already. `key` as in wisen_resume(). Any thread.
 */
wisen_status wisen_set_audit_level(struct wisen_store *store,
                                   bool decisions_only,
                                   const char *key,
                                   size_t key_size,
                                   struct wisen_error **error);

/**
 * What the audit keeps: `*decisions_only` becomes 1 if nothing of single memories and reports, 0 if everything. Any
 * thread.
 */
wisen_status wisen_audit_level(struct wisen_store *store,
                               uint32_t *decisions_only,
                               struct wisen_error **error);

/**
 * Follows the chain of hashes over the whole audit, and holds every memory against the last hash recorded of it;
 * with an anchor (wisen_anchor(), kept elsewhere since; may be NULL) also finds a rewritten chain and a cut tail.
 * `*entries` (may be NULL) becomes the number of entries, `*faults` that of faults found (0: all is well), and the
 * first of them, and a NUL, goes to `what`, which has room for `capacity` bytes or is NULL. Any thread.
 */
wisen_status wisen_audit_verify(struct wisen_store *store,
                                const char *anchor,
                                size_t anchor_size,
                                uint64_t *entries,
                                uint64_t *faults,
                                char *what,
                                size_t capacity,
                                struct wisen_error **error);

/**
 * Writes the number of entries and the hash of the last one, as one text and a NUL, to `anchor`, which has room
 * for `capacity` bytes: WISEN_ANCHOR_SIZE suffices. Any thread.
 */
wisen_status wisen_anchor(struct wisen_store *store,
                          char *anchor,
                          size_t capacity,
                          struct wisen_error **error);

/**
 * Writes the whole audit to the file `path` as JSON lines, oldest first. It appears whole or not at all, and takes the
 * place of one that is there; none in the directory of the store is. `*count` (may be NULL) becomes the number of
 * entries. Any thread.
 */
wisen_status wisen_audit_export(struct wisen_store *store,
                                const char *path,
                                size_t path_size,
                                uint64_t *count,
                                struct wisen_error **error);

/**
 * How many texts there are in the list; 0 for NULL.
 */
size_t wisen_texts_count(const struct wisen_texts *texts);

/**
 * Text number `index` of the list, counted from 0; it belongs to the list. `data` is NULL if there is none.
 */
struct wisen_text wisen_texts_get(const struct wisen_texts *texts,
                                  size_t index);

/**
 * Frees the list, and with it its texts, and sets the variable to NULL. A NULL variable, or NULL in it,
 * is fine.
 */
void wisen_texts_free(struct wisen_texts **texts);

/**
 * Makes a key pair for an authority: on success `*keys` is a list of the secret key, which its owner keeps,
 * and the public key, which wisen_add_authority() admits. Any thread.
 */
wisen_status wisen_generate_key(struct wisen_texts **keys,
                                struct wisen_error **error);

/**
 * Makes the first authority of the store: on success `*keys` is a list of its secret key, which signs rules,
 * and of the recovery key, which signs nothing but a recovery. They are told this once. WISEN_UNAUTHORISED
 * if the store has an authority. Any thread.
 */
wisen_status wisen_create_authority(struct wisen_store *store,
                                    const char *name,
                                    size_t name_size,
                                    struct wisen_texts **keys,
                                    struct wisen_error **error);

/**
 * Admits another public key, signed with the secret key `key` of a valid authority. Any thread.
 */
wisen_status wisen_add_authority(struct wisen_store *store,
                                 const char *key,
                                 size_t key_size,
                                 const char *name,
                                 size_t name_size,
                                 const char *public_key,
                                 size_t public_key_size,
                                 struct wisen_error **error);

/**
 * Puts a new key in the place of `key`: on success `*keys` is a list of the new secret key, told this once.
 * Any thread.
 */
wisen_status wisen_rotate_authority(struct wisen_store *store,
                                    const char *key,
                                    size_t key_size,
                                    struct wisen_texts **keys,
                                    struct wisen_error **error);

/**
 * Revokes another authority's public key. What it signed stays in force. Any thread.
 */
wisen_status wisen_revoke_authority(struct wisen_store *store,
                                    const char *key,
                                    size_t key_size,
                                    const char *public_key,
                                    size_t public_key_size,
                                    const char *reason,
                                    size_t reason_size,
                                    struct wisen_error **error);

/**
 * Revokes all authorities and makes a new one, signed with the recovery key: on success `*keys` is a list of
 * the new secret key and a new recovery key, told this once. Any thread.
 */
wisen_status wisen_recover_authority(struct wisen_store *store,
                                     const char *recovery,
                                     size_t recovery_size,
                                     const char *name,
                                     size_t name_size,
                                     const char *reason,
                                     size_t reason_size,
                                     struct wisen_texts **keys,
                                     struct wisen_error **error);

/**
 * Everybody who is or was an authority, in the order of admission: `*authorities` is a list of JSON objects
 * with `name`, `key`, `added_at_us`, `revoked_at_us` (null while it is valid) and `admitted_by`. Any thread.
 */
wisen_status wisen_authorities(struct wisen_store *store,
                               struct wisen_texts **authorities,
                               struct wisen_error **error);

/**
 * Puts directives in force that `text` holds, one or several, signed with the secret key `key`: all of them,
 * or none. With a reason in `force` (NULL: none) even if they conflict with others; otherwise
 * WISEN_RULE_CONFLICT. `*lints` (`lints` may be NULL) is a list of sentences on what may be wrong with them
 * beside the others. WISEN_INVALID_ARGUMENT names line and column where the text is wrong. Any thread.
 */
wisen_status wisen_add_directives(struct wisen_store *store,
                                  const char *key,
                                  size_t key_size,
                                  const char *text,
                                  size_t text_size,
                                  const char *force,
                                  size_t force_size,
                                  struct wisen_texts **lints,
                                  struct wisen_error **error);

/**
 * Takes a directive out of force for good, with the overrides of it. WISEN_UNKNOWN_DIRECTIVE if there is none
 * with this id. Any thread.
 */
wisen_status wisen_remove_directive(struct wisen_store *store,
                                    const char *key,
                                    size_t key_size,
                                    const char *id,
                                    size_t id_size,
                                    const char *reason,
                                    size_t reason_size,
                                    struct wisen_error **error);

/**
 * Lifts a directive until `until_us` (microseconds since 1970-01-01 00:00 UTC), for everybody. Any thread.
 */
wisen_status wisen_override_directive(struct wisen_store *store,
                                      const char *key,
                                      size_t key_size,
                                      const char *id,
                                      size_t id_size,
                                      const char *reason,
                                      size_t reason_size,
                                      int64_t until_us,
                                      struct wisen_error **error);

/**
 * The directives, in the order in which they decide; of a namespace (NULL: all), those that may apply in it.
 * `*directives` is a list of their texts, which wisen_add_directives() reads. WISEN_CORRUPT if they are not
 * what an authority signed. Any thread.
 */
wisen_status wisen_directives(struct wisen_store *store,
                              const char *namespace_name,
                              size_t namespace_size,
                              struct wisen_texts **directives,
                              struct wisen_error **error);

/**
 * Compares all directives with each other: `*lints` is a list of a sentence for each conflict. Any thread.
 */
wisen_status wisen_lint_directives(struct wisen_store *store,
                                   struct wisen_texts **lints,
                                   struct wisen_error **error);

/**
 * Makes the rules good again that somebody has changed by other means: drops the rows that no authority
 * signed, and signs what is left. `*dropped` (`dropped` may be NULL) is a list of a sentence for each. Any
 * thread.
 */
wisen_status wisen_repair_rules(struct wisen_store *store,
                                const char *key,
                                size_t key_size,
                                const char *reason,
                                size_t reason_size,
                                struct wisen_texts **dropped,
                                struct wisen_error **error);

/**
 * Records a fact (`value`: JSON, not null) for `ttl_ms` milliseconds, for directives to require. Any thread.
 */
wisen_status wisen_record_fact(struct wisen_store *store,
                               const char *name,
                               size_t name_size,
                               const char *value,
                               size_t value_size,
                               uint64_t ttl_ms,
                               struct wisen_error **error);

/**
 * The facts that hold, by name: `*facts` is a list of JSON objects with `name`, `value` and `expires_at_us`.
 * Any thread.
 */
wisen_status wisen_facts(struct wisen_store *store,
                         struct wisen_texts **facts,
                         struct wisen_error **error);

/**
 * Whether an action may be taken; to be asked before it is, by the program that takes it. `action` is a JSON
 * object: `tool` (needed), `args`, `text`, `tags` (a list), `namespace`, `kind`, `agent`, `vector` (a list).
 * Writes a wisen_answer to `*answer`, and to `*decision` (`decision` may be NULL) a list of one text: a JSON
 * object with `answer`, `rule`, `reason` and `matched`. If the rules cannot be read, or are not as an authority
 * signed them, the answer is WISEN_DENY; so it is whenever the call fails. Any thread.
 */
wisen_status wisen_check(struct wisen_store *store,
                         const char *action,
                         size_t action_size,
                         int32_t *answer,
                         struct wisen_texts **decision,
                         struct wisen_error **error);

/**
 * Merges near-duplicates of a namespace: memories of one kind whose similarity is at least `threshold`
 * (cosine, dot product, or minus the squared distance). The oldest survives and has the evidence of
 * all; what is reported on the others counts for it. Memories that expire, and pinned ones, are merged
 * into no other. `*merges` tells what was merged: a handle to be freed with wisen_merges_free(), on
 * failure NULL. wisen_separate() undoes it. WISEN_INVALID_ARGUMENT if the threshold is not finite. Any
 * thread.
 */
wisen_status wisen_distil(struct wisen_store *store,
                          const char *namespace_name,
                          size_t namespace_size,
                          double threshold,
                          struct wisen_merges **merges,
                          struct wisen_error **error);

/**
 * How many mergers there are in the list; 0 for NULL.
 */
size_t wisen_merges_count(const struct wisen_merges *merges);

/**
 * Fills `*merge` with merger number `index`, counted from 0; `merge->struct_size` must be set, as
 * wisen_merge_init() does.
 */
wisen_status wisen_merges_get(const struct wisen_merges *merges,
                              size_t index,
                              struct wisen_merge *merge,
                              struct wisen_error **error);

/**
 * Frees the list and sets the variable to NULL. A NULL variable, or NULL in it, is fine.
 */
void wisen_merges_free(struct wisen_merges **merges);

/**
 * Undoes the merger of a memory: it is a hit again and has its own evidence, as if it had never been
 * merged. WISEN_UNKNOWN_MEMORY if there is none with this id or it was forgotten,
 * WISEN_INVALID_ARGUMENT if it is merged into no other. Any thread.
 */
wisen_status wisen_separate(struct wisen_store *store,
                            uint64_t id,
                            struct wisen_error **error);

/**
 * Everything stored about a memory: a list of one record, or of none if there is none with this
 * id or it was forgotten. On success `*records` is a handle to be freed with wisen_records_free(),
 * on failure NULL. Any thread.
 */
wisen_status wisen_get(struct wisen_store *store,
                       uint64_t id,
                       struct wisen_records **records,
                       struct wisen_error **error);

/**
 * Up to `limit` records with ids above `after`, in the order of ids, of one namespace, or of all
 * if its name is NULL. Start with 0, go on with the id of the last record; fewer than `limit`
 * records mean the end. On success `*records` is a handle to be freed with wisen_records_free(), on
 * failure NULL. Any thread.
 */
wisen_status wisen_page(struct wisen_store *store,
                        const char *namespace_name,
                        size_t namespace_size,
                        uint64_t after,
                        size_t limit,
                        struct wisen_records **records,
                        struct wisen_error **error);

/**
 * How many records there are in the list; 0 for NULL.
 */
size_t wisen_records_count(const struct wisen_records *records);

/**
 * Fills `*record` with record number `index`, counted from 0; `record->struct_size` must be set, as
 * wisen_record_init() does.
 */
wisen_status wisen_records_get(const struct wisen_records *records,
                               size_t index,
                               struct wisen_record *record,
                               struct wisen_error **error);

/**
 * Frees the records, and with them their texts and vectors, and sets the variable to NULL. A NULL
 * variable, or NULL in it, is fine.
 */
void wisen_records_free(struct wisen_records **records);

/**
 * All namespaces, by name. On success `*namespaces` is a handle to be freed with
 * wisen_namespaces_free(), on failure NULL. Any thread.
 */
wisen_status wisen_namespaces(struct wisen_store *store,
                              struct wisen_namespaces **namespaces,
                              struct wisen_error **error);

/**
 * How many namespaces there are in the list; 0 for NULL.
 */
size_t wisen_namespaces_count(const struct wisen_namespaces *namespaces);

/**
 * Fills `*entry` with namespace number `index`, counted from 0; `entry->struct_size` must be set,
 * as wisen_namespace_init() does.
 */
wisen_status wisen_namespaces_get(const struct wisen_namespaces *namespaces,
                                  size_t index,
                                  struct wisen_namespace *entry,
                                  struct wisen_error **error);

/**
 * Frees the list, and with it the names, and sets the variable to NULL. A NULL variable, or NULL
 * in it, is fine.
 */
void wisen_namespaces_free(struct wisen_namespaces **namespaces);

/**
 * How many memories there are in a namespace, or in all if its name is NULL, that were neither
 * forgotten nor superseded. Any thread.
 */
wisen_status wisen_count(struct wisen_store *store,
                         const char *namespace_name,
                         size_t namespace_size,
                         uint64_t *memories,
                         struct wisen_error **error);

/**
 * Forgets everything in a namespace, and the namespace. `*dropped` (may be NULL) becomes the
 * number of memories that were in it. Any thread.
 */
wisen_status wisen_drop_namespace(struct wisen_store *store,
                                  const char *namespace_name,
                                  size_t namespace_size,
                                  uint64_t *dropped,
                                  struct wisen_error **error);

/**
 * Declares a field of the metadata, by which recalls can then be filtered (wisen_query.filter): a name at
 * its top, or a path into it ("a.b"). What the memories hold there is indexed, now and as they come. `*was_new`
 * (may be NULL) becomes 1, or 0 if it was declared before. Any thread.
 */
wisen_status wisen_declare_field(struct wisen_store *store,
                                 const char *field_name,
                                 size_t field_size,
                                 uint32_t *was_new,
                                 struct wisen_error **error);

/**
 * Takes the declaration of a field back; the metadata stays. `*was_declared` (may be NULL) becomes 1, or 0
 * if it was not. Any thread.
 */
wisen_status wisen_drop_field(struct wisen_store *store,
                              const char *field_name,
                              size_t field_size,
                              uint32_t *was_declared,
                              struct wisen_error **error);

/**
 * The declared fields, by name: on success `*fields` is a list to be freed with wisen_texts_free(), on failure NULL.
 * Any thread.
 */
wisen_status wisen_fields(struct wisen_store *store,
                          struct wisen_texts **fields,
                          struct wisen_error **error);

/**
 * Fills `*stats` with the figures of the store; `stats->struct_size` must be set, as
 * wisen_stats_init() does. Any thread.
 */
wisen_status wisen_stats(struct wisen_store *store,
                         struct wisen_stats *stats,
                         struct wisen_error **error);

/**
 * Checks everything stored: every row and what it refers to, payloads, evidence, segments and whether they
 * hold what the rows say. Reads all of it. Faults are no failure of this
 * call: ask wisen_verification_get(). On success `*verification` is a handle to be freed with
 * wisen_verification_free(), on failure NULL. Any thread.
 */
wisen_status wisen_verify(struct wisen_store *store,
                          struct wisen_verification **verification,
                          struct wisen_error **error);

/**
 * Checks what can be checked without reading everything: the structure of the database, the control file,
 * the heads, codes and links of the segments, and whether what is counted is there. Otherwise like
 * wisen_verify(). Any thread.
 */
wisen_status wisen_verify_quick(struct wisen_store *store,
                                struct wisen_verification **verification,
                                struct wisen_error **error);

/**
 * Whether nothing is wrong; false for NULL.
 */
bool wisen_verification_is_ok(const struct wisen_verification *verification);

/**
 * Fills `*findings`; `findings->struct_size` must be set, as wisen_findings_init() does.
 */
wisen_status wisen_verification_get(const struct wisen_verification *verification,
                                    struct wisen_findings *findings,
                                    struct wisen_error **error);

/**
 * Frees the verification, and with it the text of its faults, and sets the variable to NULL. A
 * NULL variable, or NULL in it, is fine.
 */
void wisen_verification_free(struct wisen_verification **verification);

/**
 * Fills `*uplift` with what showing a memory has changed, or, with `memory` 0, showing those of the
 * namespace named; `uplift->struct_size` must be set, as wisen_uplift_init() does. Compares the
 * outcomes of recalls on which it was shown with those on which chance kept it back
 * (wisen_query.hold_out): recalls without a hold-out do not count, nor do outcomes told by others
 * than the owner. It takes that recalls are reported on alike whether they had hits or not. The
 * memory may have been forgotten since: WISEN_UNKNOWN_MEMORY if there never was one; a namespace that
 * does not exist has no outcomes. Reads every receipt that was reported on. Any thread.
 */
wisen_status wisen_uplift(struct wisen_store *store,
                          uint64_t memory,
                          const char *namespace_name,
                          size_t namespace_size,
                          struct wisen_uplift *uplift,
                          struct wisen_error **error);

/**
 * The figures an owner asks for, of one namespace, or of all if its name is NULL: how many attempts
 * succeeded, for how long, at what cost, and with what share of memory.
 *
 * An attempt is a recall that was reported on, or a report on a memory without a recall. It is judged
 * by its first report with a known outcome that was not retracted; if the owner reported one, only the
 * owner's reports are looked at. The time of that report decides whether it lies in the window. A
 * success is contradicted by a later such report below 0.5, or when a memory used in it is quarantined
 * or forgotten; it is durable if nothing contradicts it within wisen_window.durable_days, or has so
 * far. Tokens and money are those of all reports on the attempts.
 *
 * On success `*figures` is a handle to be freed with wisen_figures_free(), on failure NULL. A
 * namespace that does not exist has no attempts. WISEN_INVALID_ARGUMENT if the window ends before it
 * begins, or a field of it is out of range. Reads every report of the window. Any thread.
 */
wisen_status wisen_figures(struct wisen_store *store,
                           const char *namespace_name,
                           size_t namespace_size,
                           const struct wisen_window *window,
                           struct wisen_figures **figures,
                           struct wisen_error **error);

/**
 * Fills `*stretch` with the figures of the whole window; `stretch->struct_size` must be set, as
 * wisen_stretch_init() does.
 */
wisen_status wisen_figures_get(const struct wisen_figures *figures,
                               struct wisen_stretch *stretch,
                               struct wisen_error **error);

/**
 * How many slices wisen_figures_over_time() has; 0 if one was asked for, and for NULL.
 */
size_t wisen_figures_count(const struct wisen_figures *figures);

/**
 * Fills `*stretch` with the figures of slice number `index` of the window, the first being 0;
 * `stretch->struct_size` must be set, as wisen_stretch_init() does.
 */
wisen_status wisen_figures_over_time(const struct wisen_figures *figures,
                                     size_t index,
                                     struct wisen_stretch *stretch,
                                     struct wisen_error **error);

/**
 * Frees the figures and sets the variable to NULL. A NULL variable, or NULL in it, is fine.
 */
void wisen_figures_free(struct wisen_figures **figures);

/**
 * Fills `*calibration` with how the probabilities promised by recalls of a namespace, or of all if its
 * name is NULL, have come true: over the hits that were reported on, by whoever proved to be who they
 * are. A retracted report counts no more. `calibration->struct_size` must be set, as
 * wisen_calibration_init() does. A namespace that does not exist has no reports. Any thread.
 */
wisen_status wisen_calibration(struct wisen_store *store,
                               const char *namespace_name,
                               size_t namespace_size,
                               struct wisen_calibration *calibration,
                               struct wisen_error **error);

/**
 * Copies the store to one file, while others go on reading and writing. The file appears whole under its
 * name, or not at all; one that exists is replaced if `replace` is not 0, and answers
 * WISEN_INVALID_ARGUMENT otherwise. It holds everything but segments, which are derived, and receipts that
 * nobody has reported on. `*bytes`, which may be NULL, is its size. WISEN_CORRUPT if the store is damaged.
 * Any thread.
 */
wisen_status wisen_backup(struct wisen_store *store,
                          const char *file,
                          size_t file_size,
                          int32_t replace,
                          uint64_t *bytes,
                          struct wisen_error **error);

/**
 * Makes a store in `directory`, which must be empty or missing, from a file that wisen_backup() wrote. The
 * file is checked whole before: WISEN_BAD_BACKUP says what is wrong with it, and nothing is restored. The
 * restored store begins another life: files of the one it comes from are of no account in it, and it gives
 * out no id that the other may have given out since. Any thread.
 */
wisen_status wisen_restore(const char *file,
                           size_t file_size,
                           const char *directory,
                           size_t directory_size,
                           struct wisen_error **error);

/**
 * Merges all segments into one without what is gone, drops what nobody needs any more, rewrites both
 * databases and empties their logs: what was forgotten is in no file then. Others may go on. `*before` and
 * `*after`, which may be NULL, are the bytes of all files. WISEN_BUSY if another process seals, or reads
 * from the log, for longer than the busy timeout. Any thread.
 */
wisen_status wisen_compact(struct wisen_store *store,
                           uint64_t *before,
                           uint64_t *after,
                           struct wisen_error **error);

/**
 * Writes everything that is not derived to one file of JSON lines, as of one moment. The file appears whole
 * or not at all; one that exists is replaced if `replace` is not 0, and answers WISEN_INVALID_ARGUMENT
 * otherwise. `*rows`, which may be NULL, is the number of rows. WISEN_CORRUPT if the store is damaged. Any
 * thread.
 */
wisen_status wisen_export(struct wisen_store *store,
                          const char *file,
                          size_t file_size,
                          int32_t replace,
                          uint64_t *rows,
                          struct wisen_error **error);

/**
 * Makes a store in `directory`, which must be empty or missing, from a file that wisen_export() wrote. A
 * file that is cut, changed or no export answers WISEN_BAD_IMPORT, whose message names the line, and
 * nothing is imported. Any thread.
 */
wisen_status wisen_import(const char *file,
                          size_t file_size,
                          const char *directory,
                          size_t directory_size,
                          struct wisen_error **error);

/**
 * Remembers the memories of an export in this store, in one transaction, with new ids, and without
 * reports, standings and whatever else was learnt. `*count`, which may be NULL, is how many.
 * WISEN_BAD_IMPORT names the line at fault, also where a memory does not fit in here; nothing is imported
 * then. Any thread.
 */
wisen_status wisen_import_memories(struct wisen_store *store,
                                   const char *file,
                                   size_t file_size,
                                   uint64_t *count,
                                   struct wisen_error **error);

/**
 * Forgets a memory and everything that holds its words or its vector: its experiences, notes of reports in
 * which it was used, texts of recalls and notes that quote it, recalls whose query was its vector (in f16:
 * rounds to it), and the
 * memories merged into it. After wisen_compact() nothing of it is in any byte of any file of the store;
 * backups and exports made before are out of reach. `*forgotten` (may be NULL) tells whether
 * there was one. Any thread.
 */
wisen_status wisen_forget_hard(struct wisen_store *store,
                               uint64_t id,
                               bool *forgotten,
                               struct wisen_error **error);

/**
 * Makes the same store in `directory`, which must be empty or missing, with vectors of another embedding model:
 * `model` is its name, `dimension` (1 to 4096) the length of its vectors. Ids, keys, contents, metadata, rules,
 * the audit and above all the outcomes stay; this store is only read. `embed` is called with up to 256 texts at a
 * time, first with the contents of memories, then with the texts of queries.
 *
 * A memory without content, or whose content cannot be embedded, is left out. A report whose query was kept
 * without a text is counted in `unplaced`, and its outcome is kept where it claims least: at the new vectors of
 * the memories that it is about. Receipts that nobody has reported on are not in the new store. The directory
 * appears whole or not at all.
 *
 * `reembedded` may be NULL; otherwise its `struct_size` must be set. WISEN_INVALID_ARGUMENT if `embed` fails, or if
 * a rule compares with an example vector, which has no text; what is wrong with a vector names its text within the
 * batch (wisen_error_row()); WISEN_CORRUPT if the store is damaged. Any thread.
 */
wisen_status wisen_reembed(struct wisen_store *store,
                           const char *directory,
                           size_t directory_size,
                           const char *model,
                           size_t model_size,
                           size_t dimension,
                           wisen_embed embed,
                           void *data,
                           struct wisen_reembedded *reembedded,
                           struct wisen_error **error);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

/* For the fields of structures: text that ends with a NUL; NULL is no text. */
static inline struct wisen_text wisen_text(const char *data) {
    struct wisen_text text;
    text.data = data;
    text.size = data ? WISEN_NUL_TERMINATED : 0;
    return text;
}

/* wisen_options_init() and so on: a structure with its size set and all else zero. */
#define WISEN_INIT(name)                              \
    static inline struct name name##_init(void) {     \
        struct name made;                             \
        memset(&made, 0, sizeof made);                \
        made.struct_size = (uint32_t)sizeof made;     \
        return made;                                  \
    }
WISEN_INIT(wisen_options)
WISEN_INIT(wisen_memory)
WISEN_INIT(wisen_update)
WISEN_INIT(wisen_hit)
WISEN_INIT(wisen_warning)
WISEN_INIT(wisen_report)
WISEN_INIT(wisen_report_reply)
WISEN_INIT(wisen_record)
WISEN_INIT(wisen_namespace)
WISEN_INIT(wisen_stats)
WISEN_INIT(wisen_findings)
WISEN_INIT(wisen_principal)
WISEN_INIT(wisen_half_life)
WISEN_INIT(wisen_standing)
WISEN_INIT(wisen_audit_entry)
WISEN_INIT(wisen_triggers)
WISEN_INIT(wisen_merge)
WISEN_INIT(wisen_uplift)
WISEN_INIT(wisen_stretch)
WISEN_INIT(wisen_calibration)
WISEN_INIT(wisen_rule_note)
WISEN_INIT(wisen_reembedded)
#undef WISEN_INIT

/* A query for 10 hits. */
static inline struct wisen_query wisen_query_init(void) {
    struct wisen_query made;
    memset(&made, 0, sizeof made);
    made.struct_size = (uint32_t)sizeof made;
    made.k = 10;
    return made;
}

/* The policy of a namespace for which none was set. */
static inline struct wisen_policy wisen_policy_init(void) {
    struct wisen_policy made;
    memset(&made, 0, sizeof made);
    made.struct_size = (uint32_t)sizeof made;
    made.floor = 0.4;
    made.tail = 0.95;
    made.prior_mean = 0.6;
    made.prior_weight = 4;
    made.local_evidence = 3;
    made.local_mean = 0.5;
    made.probation_share = 0.05;
    made.probation_outcomes = 10;
    made.release_below = 0.5;
    return made;
}

/* A stretch of time that has still to be given; successes have to last 7 days. */
static inline struct wisen_window wisen_window_init(void) {
    struct wisen_window made;
    memset(&made, 0, sizeof made);
    made.struct_size = (uint32_t)sizeof made;
    made.durable_days = 7;
    return made;
}

#endif /* WISEN_H */
