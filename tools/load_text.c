/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the characters of the text to load, and adds values, whole and unread, to what is kept. */
#include "load_text.h"

int load_text_is_blank(int c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int load_text_get(load_input_t *in)
{
    int c = getc_unlocked(in->file);

    if (c != EOF) {
        in->read++;
        in->line += c == '\n';
    }
    return c;
}

int load_text_visible(load_input_t *in)
{
    int c = load_text_get(in);

    while (load_text_is_blank(c)) {
        c = load_text_get(in);
    }
    return c;
}

void load_text_unget(load_input_t *in, int c)
{
    if (c != EOF) {
        ungetc(c, in->file);
        in->read--;
        in->line -= c == '\n';
    }
}

apr_status_t load_text_add(load_input_t *in, int c, const char **pwrong)
{
    char byte = (char)c;

    if (in->text.len >= LOAD_PIECE_MAX) {
        *pwrong = LOAD_TOO_LONG;
        return APR_EINVAL;
    }
    wa_buffer_add(&in->text, &byte, 1);
    return in->text.failed ? APR_ENOMEM : APR_SUCCESS;
}

apr_status_t load_text_refuse(const char **pwrong, const char *what)
{
    *pwrong = what;
    return APR_EINVAL;
}

static apr_status_t end_refuse(const load_input_t *in, const char **pwrong)
{
    return load_text_refuse(pwrong,
                            in->depth > 0 && in->frames[in->depth - 1].place == LOAD_IN_ARRAY
                                ? "the array ends within an element"
                                : "the object ends within a member");
}

apr_status_t load_text_string(load_input_t *in, int is_line, const char **pwrong)
{
    int is_escaped = 0, is_end = 0, c;
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS && !is_end) {
        c = load_text_get(in);
        if (is_line && (c == EOF || c == '\n')) {
            return APR_INCOMPLETE;
        }
        if (c == EOF) {
            return end_refuse(in, pwrong);
        }
        is_end = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        rv = load_text_add(in, c, pwrong);
    }
    return rv;
}

apr_status_t load_text_container(load_input_t *in, int c, int depth, const char **pwrong)
{
    apr_status_t rv = APR_SUCCESS;

    for (;; c = load_text_get(in)) {
        if (c == EOF) {
            return end_refuse(in, pwrong);
        }
        rv = load_text_add(in, c, pwrong);
        if (rv == APR_SUCCESS && c == '"') {
            rv = load_text_string(in, 0, pwrong);
        }
        if (rv != APR_SUCCESS) {
            return rv;
        }
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        if (depth == 0) {
            return APR_SUCCESS;
        }
    }
}

apr_status_t load_text_value(load_input_t *in, int c, const char **pwrong)
{
    apr_status_t rv = APR_SUCCESS;

    if (c == '{' || c == '[') {
        return load_text_container(in, c, 0, pwrong);
    }
    if (c == '"') {
        rv = load_text_add(in, c, pwrong);
        return rv == APR_SUCCESS ? load_text_string(in, 0, pwrong) : rv;
    }
    for (; rv == APR_SUCCESS && c != ',' && c != ']' && c != '}' && !load_text_is_blank(c);
         c = load_text_get(in)) {
        rv = c == EOF ? end_refuse(in, pwrong) : load_text_add(in, c, pwrong);
    }
    load_text_unget(in, c);
    return rv;
}

apr_status_t load_text_line(load_input_t *in, int c, const char **pwrong)
{
    apr_status_t rv = APR_SUCCESS;

    for (; rv == APR_SUCCESS && c != EOF && c != '\n'; c = load_text_get(in)) {
        rv = load_text_add(in, c, pwrong);
    }
    return rv;
}
