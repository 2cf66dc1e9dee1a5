/* SPDX-License-Identifier: Apache-2.0 */
/* The text to load, piece by piece, in every form that dumps and Cloudflare's tools give it. */
#ifndef WA_TOOLS_LOAD_INPUT_H
#define WA_TOOLS_LOAD_INPUT_H

#include <stdio.h>

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/buffer.h"

/* The longest line, element, or key with its value. */
#define LOAD_PIECE_MAX ((apr_size_t)16 << 20)

/* What it takes, one after the other and mixed:
 * - lines, each with one object {"key":..., "value":...};
 * - an array of such objects, whose "key" may be called "name";
 * - an object of keys, {"msg:...": value, ...}, over many lines or in one;
 * - an answer of Cloudflare's REST API, {"success":true, "result":{"values":{...}}}; with "success"
 *   false, or with errors, it is refused.
 * Before the first of them and after all but lines may stand lines of prose, which the tools print:
 * "Success!", banners, warnings. What says ERROR is refused, and what looks like a piece of
 * JSON. */

/* How deep arrays, answers and objects of keys may lie in each other. */
#define LOAD_DEPTH_MAX 8

typedef enum {
    LOAD_IN_ARRAY,
    LOAD_IN_KEYS,   /* {"msg:...": value} */
    LOAD_IN_ANSWER, /* {"success":..., "result":...} */
    LOAD_IN_RESULT  /* {"values":...} */
} load_place_e;

/* An array or object that was begun. */
typedef struct load_frame_t {
    load_place_e place;
    unsigned line;
    int has_member; /* so a comma or the end has to come */
    int has_values; /* of an answer: what it is for */
} load_frame_t;

typedef struct load_input_t {
    FILE *file;
    const char *name;  /* for messages: the file's, or "-" */
    FILE *spool;       /* a copy of the pieces of what can be read only once; NULL for a file */
    apr_uint64_t size; /* of the file, 0 when nobody knows */
    apr_uint64_t read; /* bytes so far */
    apr_uint64_t spooled;
    apr_uint64_t prose; /* lines of it that were passed over */
    unsigned line;      /* where `read` is */
    int is_kept;        /* it can be read again */
    int is_lines;  /* a line was read as an object's: what is no JSON is an error from now on */
    int has_begun; /* something but prose was read */
    int is_member; /* the text is of an object of keys */
    int is_over;
    int depth;
    load_frame_t frames[LOAD_DEPTH_MAX];
    wa_buffer_t text; /* as it stands in the input */
    wa_buffer_t pair; /* made of it */
} load_input_t;

typedef struct load_piece_t {
    char *text;          /* {"key":..., "value":...}; valid until the next call */
    apr_size_t size;     /* in the input, for load_input_again */
    apr_uint64_t offset; /* for load_input_again */
    unsigned line;       /* where it begins */
    apr_size_t len;      /* of text */
} load_piece_t;

/* Opens a file, or stdin for "-". @return APR_SUCCESS | the operating system's status. */
apr_status_t load_input_open(load_input_t *in, const char *name);

/* Makes the file `input` in the directory for a copy of what can be read only once; nothing when it
 * can be read again. Before the first piece.
 * @return APR_SUCCESS | the operating system's status */
apr_status_t load_input_spool(load_input_t *in, const char *directory, apr_pool_t *p);

/* Gives the next piece. One piece is in memory at a time, as it stands and as it is given.
 * @param pwrong  out: NULL, or with APR_EINVAL what is wrong in line piece->line: nothing after it
 *     can be read
 * @return APR_SUCCESS | APR_EOF | APR_EINVAL | the operating system's status */
apr_status_t load_input_next(load_input_t *in, load_piece_t *piece, const char **pwrong);

/* Reads a piece again by its offset and size, in any order.
 * @return APR_SUCCESS | APR_EGENERAL the file was changed | the operating system's status */
apr_status_t load_input_again(load_input_t *in, load_piece_t *piece);

/* Closes the files. */
void load_input_release(load_input_t *in);

#endif
