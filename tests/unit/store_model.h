/* SPDX-License-Identifier: Apache-2.0 */
/* A slow, simple model of what a store must hold, to hold the real one against, and snapshots of a
 * store's directory. */
#ifndef WA_TESTS_STORE_MODEL_H
#define WA_TESTS_STORE_MODEL_H

#include "store_support.h"

typedef enum {
    OP_IN,    /* a: id, b: sid, c: counterpart, d: filler text; WORD_STOP opts out, WORD_START in */
    OP_OUT,   /* a: id, b: idempotency key or NULL, c: counterpart */
    OP_STATE, /* a: id, b: new sid or NULL, c: state text */
    OP_READ,  /* a: counterpart */
    OP_FLAGS, /* a: counterpart; sets WA_THREAD_BLOCKED */
    OP_NAME,  /* a: contact id, b: number, c: name: adds or renames */
    OP_FORGET, /* a: contact id */
    OP_PARK    /* a: key, b: value */
} op_type_e;

typedef struct op_t {
    op_type_e type;
    const char *a, *b, *c, *d;
} op_t;

#define WORD_STOP "STOP"
#define WORD_START "START"

enum { MODEL_RECORDS = 512 };

/* One record that was stored, with the absolute values that it holds. */
typedef struct model_record_t {
    op_t op;
    const char *counterpart; /* of OP_STATE's message */
    const char *value;       /* of OP_PARK: joined; of OP_STATE: the sid from now on */
    apr_uint64_t row;        /* of messages, and up to where OP_READ read */
    apr_uint64_t begin, end; /* where it is in the journal */
} model_record_t;

typedef struct model_t {
    apr_pool_t *p;
    model_record_t records[MODEL_RECORDS];
    int count;
    apr_uint64_t rows;
} model_t;

model_t *model_create(apr_pool_t *p);

/* Does one operation on the store and, when it was stored, in the model. */
apr_status_t model_run(model_t *m, fixture_t *f, const op_t *op);

/* The same, but in the model whenever a record was made, whatever the answer was. */
apr_status_t model_run_all(model_t *m, fixture_t *f, const op_t *op);

/* Does one operation in the model only. */
void model_note(model_t *m, const op_t *op, apr_uint64_t begin, apr_uint64_t end);

/* What a store holds after these records, as text; those whose `lost` is set are as if they had
 * never been. `lost` may be NULL. */
const char *model_image(const model_t *m, int count, const char *lost, apr_pool_t *p);

/* The same text made by reading the store in every way there is; fails the test where two ways
 * disagree. */
const char *store_image(const model_t *m, fixture_t *f, apr_pool_t *p);

/* The text of everything a store can be asked, or NULL and its status when it answers with an
 * error. */
const char *store_image_try(const model_t *m, fixture_t *f, apr_status_t *prv, apr_pool_t *p);

/* Several dozen operations of every type. @param count  out: how many */
const op_t *model_ops(int *count);

/* The files of a store's directory, in memory. */
typedef struct snapshot_t {
    struct {
        const char *name;
        char *bytes;
        apr_size_t length; /* what is not zero at the end */
        apr_size_t size;
    } files[64];
    int count;
} snapshot_t;

snapshot_t *snapshot_take(const fixture_t *f, apr_pool_t *p);

/* Makes the directory what it was; the store must be closed. */
void snapshot_restore(const snapshot_t *s, const fixture_t *f);

/* The bytes of a file of a snapshot that may be changed before it is restored.
 * @param psize  out: may be NULL */
char *snapshot_file(const snapshot_t *s, const char *name, apr_size_t *psize);

#endif
