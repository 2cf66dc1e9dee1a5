/* SPDX-License-Identifier: Apache-2.0 */
/* Splits the text to load into its objects without reading more than one of them at a time. */
#include "load_input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

static int is_blank(int c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int get(load_input_t *in)
{
    int c = getc_unlocked(in->file);

    if (c != EOF) {
        in->read++;
        in->line += c == '\n';
    }
    return c;
}

static int get_visible(load_input_t *in)
{
    int c = get(in);

    while (is_blank(c)) {
        c = get(in);
    }
    return c;
}

static void unget(load_input_t *in, int c)
{
    if (c != EOF) {
        ungetc(c, in->file);
        in->read--;
        in->line -= c == '\n';
    }
}

apr_status_t load_input_open(load_input_t *in, const char *name)
{
    struct stat info;

    memset(in, 0, sizeof(*in));
    in->name = name;
    in->line = 1;
    wa_buffer_init(&in->text, 65536);
    in->file = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
    if (!in->file || fstat(fileno(in->file), &info)) {
        return APR_FROM_OS_ERROR(errno);
    }
    if (S_ISDIR(info.st_mode)) {
        return APR_FROM_OS_ERROR(EISDIR);
    }
    if (S_ISREG(info.st_mode) && in->file != stdin) {
        in->size = (apr_uint64_t)info.st_size;
        in->is_kept = 1;
    }
    return APR_SUCCESS;
}

apr_status_t load_input_spool(load_input_t *in, const char *directory, apr_pool_t *p)
{
    if (in->is_kept) {
        return APR_SUCCESS;
    }
    in->spool = fopen(apr_pstrcat(p, directory, "/input", NULL), "w+e");
    return in->spool ? APR_SUCCESS : APR_FROM_OS_ERROR(errno);
}

/* What the text begins with says which kind it is. A byte order mark is passed over. */
static void start(load_input_t *in)
{
    static const char mark[] = "\xEF\xBB\xBF";
    int c = get(in), i;

    in->is_started = 1;
    for (i = 0; mark[i] && c == (unsigned char)mark[i]; i++) {
        c = get(in);
    }
    while (is_blank(c)) {
        c = get(in);
    }
    if (c == '[') {
        in->is_array = 1;
    } else {
        unget(in, c);
    }
}

static apr_status_t text_add(load_input_t *in, int c, const char **pwrong)
{
    char byte = (char)c;

    if (in->text.len >= LOAD_PIECE_MAX) {
        *pwrong = "is longer than 16 MB";
        return APR_EINVAL;
    }
    wa_buffer_add(&in->text, &byte, 1);
    return in->text.failed ? APR_ENOMEM : APR_SUCCESS;
}

static apr_status_t line_read(load_input_t *in, load_piece_t *piece, const char **pwrong)
{
    int c = get_visible(in);
    apr_status_t rv = APR_SUCCESS;

    if (c == EOF) {
        return APR_EOF;
    }
    piece->offset = in->read - 1;
    piece->line = in->line;
    for (; rv == APR_SUCCESS && c != EOF && c != '\n'; c = get(in)) {
        rv = text_add(in, c, pwrong);
    }
    return rv;
}

/* Reads one element of the array: to the end of its object, or of whatever else stands there. */
static apr_status_t element_take(load_input_t *in, int c, const char **pwrong)
{
    int depth = 0, in_string = 0, is_escaped = 0;
    apr_status_t rv = APR_SUCCESS;

    for (;; c = get(in)) {
        if (c == EOF) {
            *pwrong = "the array ends within an element";
            return APR_EINVAL;
        }
        if (!in_string && depth == 0 && (c == ',' || c == ']')) {
            unget(in, c);
            return APR_SUCCESS;
        }
        rv = text_add(in, c, pwrong);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (in_string) {
            in_string = is_escaped || c != '"';
            is_escaped = !is_escaped && c == '\\';
        } else if (c == '"') {
            in_string = 1;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && --depth == 0) {
            return APR_SUCCESS;
        }
    }
}

static apr_status_t element_read(load_input_t *in, load_piece_t *piece, const char **pwrong)
{
    int c = get_visible(in);

    piece->line = in->line;
    if (c == ']') {
        if (get_visible(in) != EOF) {
            piece->line = in->line;
            *pwrong = "something stands after the end of the array";
            return APR_EINVAL;
        }
        return APR_EOF;
    }
    if (in->has_element) {
        if (c != ',') {
            *pwrong = c == EOF ? "the array has no end"
                               : "a comma is missing between elements of the array";
            return APR_EINVAL;
        }
        c = get_visible(in);
        piece->line = in->line;
    }
    if (c == EOF || c == ',' || c == ']') {
        *pwrong = c == EOF ? "the array has no end" : "an element of the array is missing";
        return APR_EINVAL;
    }
    in->has_element = 1;
    piece->offset = in->read - 1;
    return element_take(in, c, pwrong);
}

apr_status_t load_input_next(load_input_t *in, load_piece_t *piece, const char **pwrong)
{
    apr_status_t rv;

    memset(piece, 0, sizeof(*piece));
    *pwrong = NULL;
    in->text.len = 0;
    if (!in->is_started) {
        start(in);
    }
    piece->line = in->line;
    if (in->is_over) {
        return APR_EOF;
    }
    rv = in->is_array ? element_read(in, piece, pwrong) : line_read(in, piece, pwrong);
    in->is_over = rv != APR_SUCCESS;
    if (ferror(in->file)) {
        return APR_FROM_OS_ERROR(errno ? errno : EIO);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    piece->text = in->text.data;
    piece->len = in->text.len;
    if (in->spool) {
        piece->offset = in->spooled;
        in->spooled += piece->len;
        if (fwrite(piece->text, 1, piece->len, in->spool) != piece->len) {
            return APR_FROM_OS_ERROR(errno);
        }
    }
    return APR_SUCCESS;
}

apr_status_t load_input_again(load_input_t *in, load_piece_t *piece)
{
    apr_size_t got = 0;

    if (in->spool && fflush(in->spool)) {
        return APR_FROM_OS_ERROR(errno);
    }
    in->text.len = 0;
    if (wa_buffer_reserve(&in->text, piece->len) != APR_SUCCESS) {
        return APR_ENOMEM;
    }
    while (got < piece->len) {
        ssize_t n = pread(fileno(in->spool ? in->spool : in->file), in->text.data + got,
                          piece->len - got, (off_t)(piece->offset + got));

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? APR_FROM_OS_ERROR(errno) : APR_EGENERAL;
        }
        got += (apr_size_t)n;
    }
    piece->text = in->text.data;
    return APR_SUCCESS;
}

void load_input_release(load_input_t *in)
{
    if (in->file && in->file != stdin) {
        fclose(in->file);
    }
    if (in->spool) {
        fclose(in->spool);
    }
    wa_buffer_release(&in->text);
    memset(in, 0, sizeof(*in));
}
