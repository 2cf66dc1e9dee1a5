/* SPDX-License-Identifier: Apache-2.0 */
/* The text to load, piece by piece: JSON lines, or the elements of one JSON array. */
#ifndef WA_TOOLS_LOAD_INPUT_H
#define WA_TOOLS_LOAD_INPUT_H

#include <stdio.h>

#include <apr_errno.h>
#include <apr_pools.h>

#include "base/buffer.h"

/* The longest line or element. */
#define LOAD_PIECE_MAX ((apr_size_t)16 << 20)

typedef struct load_input_t {
    FILE *file;
    const char *name;  /* for messages: the file's, or "-" */
    FILE *spool;       /* a copy of the pieces of what can be read only once; NULL for a file */
    apr_uint64_t size; /* of the file, 0 when nobody knows */
    apr_uint64_t read; /* bytes so far */
    apr_uint64_t spooled;
    unsigned line; /* where `read` is */
    int is_kept;   /* it can be read again */
    int is_array;
    int is_started;
    int is_over;
    int has_element; /* an element of the array was read, so a comma or the end has to come */
    wa_buffer_t text;
} load_input_t;

typedef struct load_piece_t {
    char *text; /* valid until the next call */
    apr_size_t len;
    apr_uint64_t offset; /* for load_input_again */
    unsigned line;       /* where it begins */
} load_piece_t;

/* Opens a file, or stdin for "-". @return APR_SUCCESS | the operating system's status. */
apr_status_t load_input_open(load_input_t *in, const char *name);

/* Makes the file `input` in the directory for a copy of what can be read only once; nothing when it
 * can be read again. Before the first piece.
 * @return APR_SUCCESS | the operating system's status */
apr_status_t load_input_spool(load_input_t *in, const char *directory, apr_pool_t *p);

/* Gives the next piece that is not blank.
 * @param pwrong  out: NULL, or with APR_EINVAL what is wrong in line piece->line: nothing after it
 *     can be read
 * @return APR_SUCCESS | APR_EOF | APR_EINVAL | the operating system's status */
apr_status_t load_input_next(load_input_t *in, load_piece_t *piece, const char **pwrong);

/* Reads a piece again by its offset and length, in any order.
 * @return APR_SUCCESS | APR_EGENERAL the file was changed | the operating system's status */
apr_status_t load_input_again(load_input_t *in, load_piece_t *piece);

/* Closes the files. */
void load_input_release(load_input_t *in);

#endif
