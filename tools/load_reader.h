/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the members of a JSON object, as loading wants them: what is wrong first stays. */
#ifndef WA_TOOLS_LOAD_READER_H
#define WA_TOOLS_LOAD_READER_H

#include <apr_pools.h>
#include <jansson.h>

/* What an object is read with. What it gives is good as long as the object, or in p. */
typedef struct load_reader_t {
    json_t *object;
    const char *wrong; /* NULL, or the first thing that is, in p */
    apr_pool_t *p;
    apr_int64_t now_ms;
    unsigned unknown; /* members that are not known */
} load_reader_t;

/* Notes that a member is wrong, unless something was before. */
void load_wrong(load_reader_t *r, const char *name, const char *what);

/* The member; NULL where there is none, and for null, which JavaScript writes for nothing. */
json_t *load_member(const load_reader_t *r, const char *name);

/* A text; NULL where there is none. */
const char *load_text_optional(load_reader_t *r, const char *name);

/* A text that has to be there, else it is wrong and "". */
const char *load_text(load_reader_t *r, const char *name);

/* A whole number; JavaScript may write one as 1.7e12. */
apr_int64_t load_number_optional(load_reader_t *r, const char *name, apr_int64_t fallback);

/* A time that has to be there, in unix milliseconds, and no more than a day after now. */
apr_int64_t load_time(load_reader_t *r, const char *name);

/* Counts the members that are none of `known`, which NULL ends. */
void load_members_count(load_reader_t *r, const char *const *known);

/* 1 where the key begins with the prefix. @param prest  out: what comes after it */
int load_key_rest(const char *key, const char *prefix, const char **prest);

/* The member "counterpart": a phone number as we write it, or as it is.
 * @param praw  out: as it is */
const char *load_counterpart(load_reader_t *r, const char **praw);

#endif
