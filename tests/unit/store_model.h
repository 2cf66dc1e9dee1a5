/* SPDX-License-Identifier: Apache-2.0 */
/* A slow, simple model of what a store must hold, to hold the real one against (store_image.h). */
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

/* 1 for a received message that says this. */
int model_is_word(const op_t *op, const char *word);

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

/* The record that made this message; NULL for none. */
const model_record_t *model_message_find(const model_t *m, const char *id);

/* Several dozen operations of every type. @param count  out: how many */
const op_t *model_ops(int *count);

#endif
