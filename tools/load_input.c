/* SPDX-License-Identifier: Apache-2.0 */
/* Splits the text to load into its keys and values without reading more than one of them at a
 * time. */
#include "load_input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/slice.h"
#include "load_text.h"

#define BYTE_ORDER_MARK "\xEF\xBB\xBF"

apr_status_t load_input_open(load_input_t *in, const char *name)
{
    struct stat info;

    memset(in, 0, sizeof(*in));
    in->name = name;
    in->line = 1;
    wa_buffer_init(&in->text, 65536);
    wa_buffer_init(&in->pair, 0);
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

/* ---- names ---- */

/* Of an object with a key and its value; and of a value that has lost its key, which is wrong, but
 * no key of the namespace. */
static const char *const names_of_items[] = {
    "key",       "name",        "value",       "metadata",  "base64",      "expiration",
    "id",        "direction",   "phoneNumber", "body",      "counterpart", "timestamp",
    "createdAt", "displayName", "status",      "updatedAt", NULL};

static const char *const names_of_answers[] = {"success",  "result",      "errors",
                                               "messages", "result_info", NULL};

/* The name whose first quote stands at `at` in the text; to the text's end when it has no other. */
static wa_slice_t name_of(const load_input_t *in, apr_size_t at)
{
    const char *text = in->text.data;
    apr_size_t end = at + 1;

    while (end < in->text.len && text[end] != '"') {
        end += text[end] == '\\' ? 2 : 1;
    }
    end = end < in->text.len ? end : in->text.len;
    return wa_slice_make(text + at + 1, end - at - 1);
}

static int is_one_of(wa_slice_t name, const char *const *names)
{
    while (*names && !wa_slice_is_equal(name, wa_slice_of(*names))) {
        names++;
    }
    return *names != NULL;
}

static int is_ours(wa_slice_t name)
{
    static const wa_slice_t kinds[] = {WA_SLICE_LITERAL("msg:"), WA_SLICE_LITERAL("thread:"),
                                       WA_SLICE_LITERAL("contact:")};
    size_t i;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (name.len >= kinds[i].len && memcmp(name.ptr, kinds[i].ptr, kinds[i].len) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Finds what an object is by its first name and the first character of the value.
 * @param is_line  it stands in a line that began with it
 * @return 0 an object with a key and a value, or what is to be refused as one */
static int is_container(const load_input_t *in, wa_slice_t name, int value, int is_line,
                        load_place_e *pplace)
{
    *pplace = LOAD_IN_KEYS;
    if (is_ours(name)) {
        return 1;
    }
    if (is_one_of(name, names_of_answers)) {
        *pplace = LOAD_IN_ANSWER;
        return 1;
    }
    if (wa_slice_is_equal(name, WA_SLICE_LITERAL("values")) && value == '{') {
        *pplace = LOAD_IN_RESULT;
        return 1;
    }
    if (is_one_of(name, names_of_items) || (is_line && in->is_lines)) {
        return 0;
    }
    return value == '{' || (!is_line && in->depth == 0);
}

/* ---- arrays and objects ---- */

static apr_status_t frame_push(load_input_t *in, load_place_e place, unsigned line,
                               const char **pwrong)
{
    if (in->depth == LOAD_DEPTH_MAX) {
        return load_text_refuse(pwrong, "is nested too deeply");
    }
    in->has_begun = 1;
    in->frames[in->depth++] = (load_frame_t){.place = place, .line = line};
    return APR_INCOMPLETE;
}

static apr_status_t frame_pop(load_input_t *in)
{
    in->depth--;
    if (in->depth == 0) {
        in->is_lines = 0;
    }
    return APR_INCOMPLETE;
}

/* Makes the pair {"key":..., "value":...} of the member of an object of keys in the text. What has
 * no key gets none, and so is refused. */
static apr_status_t pair_make(load_input_t *in, load_piece_t *piece)
{
    const wa_slice_t name = name_of(in, 0);
    apr_size_t at = name.len + 1;
    wa_buffer_t *b = &in->pair;

    b->len = 0;
    if (is_one_of(name, names_of_items)) {
        WA_BUFFER_ADD_LITERAL(b, "{");
        wa_buffer_add(b, in->text.data, in->text.len);
    } else {
        while (at < in->text.len && in->text.data[at++] != ':') {
        }
        WA_BUFFER_ADD_LITERAL(b, "{\"key\":\"");
        wa_buffer_add_slice(b, name);
        WA_BUFFER_ADD_LITERAL(b, "\",\"value\":");
        wa_buffer_add(b, in->text.data + at, in->text.len - at);
    }
    WA_BUFFER_ADD_LITERAL(b, "}");
    piece->text = b->data;
    piece->len = b->len;
    return b->failed ? APR_ENOMEM : APR_SUCCESS;
}

static int text_is(const load_input_t *in, const char *text)
{
    return wa_slice_is_equal(wa_slice_make(in->text.data, in->text.len), wa_slice_of(text));
}

static int text_is_empty_list(const load_input_t *in)
{
    apr_size_t i = 1;

    while (i + 1 < in->text.len && load_text_is_blank(in->text.data[i])) {
        i++;
    }
    return i + 1 == in->text.len && in->text.data[0] == '[';
}

/* Reads a member of an answer whose name is known and whose value begins with c. */
static apr_status_t answer_member_read(load_input_t *in, wa_slice_t name, int c,
                                       const char **pwrong)
{
    const int is_result = wa_slice_is_equal(name, WA_SLICE_LITERAL("result"));
    const int is_success = wa_slice_is_equal(name, WA_SLICE_LITERAL("success"));
    const int is_errors = wa_slice_is_equal(name, WA_SLICE_LITERAL("errors"));
    apr_status_t rv;

    if (is_result && (c == '{' || c == '[')) {
        in->frames[in->depth - 1].has_values = 1;
        return frame_push(in, c == '{' ? LOAD_IN_RESULT : LOAD_IN_ARRAY, in->line, pwrong);
    }
    in->text.len = 0;
    rv = load_text_value(in, c, pwrong);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if ((is_success && !text_is(in, "true"))
        || (is_errors && !text_is_empty_list(in) && !text_is(in, "null"))) {
        return load_text_refuse(pwrong, "the answer says that the request failed");
    }
    return APR_INCOMPLETE;
}

/* Reads the member whose name, with what stands before its value, is the text, and whose value
 * begins with c. */
static apr_status_t member_read(load_input_t *in, load_piece_t *piece, int c, const char **pwrong)
{
    load_frame_t *frame = &in->frames[in->depth - 1];
    const wa_slice_t name = name_of(in, 0);
    apr_status_t rv;

    frame->has_member = 1;
    if (frame->place == LOAD_IN_ANSWER) {
        return answer_member_read(in, name, c, pwrong);
    }
    if (frame->place == LOAD_IN_RESULT && !is_ours(name)) {
        if (wa_slice_is_equal(name, WA_SLICE_LITERAL("values")) && c == '{') {
            frame->has_values = 1;
            return frame_push(in, LOAD_IN_KEYS, in->line, pwrong);
        }
        in->text.len = 0;
        rv = load_text_value(in, c, pwrong);
        return rv == APR_SUCCESS ? APR_INCOMPLETE : rv;
    }
    frame->has_values = 1;
    in->is_member = 1;
    rv = load_text_value(in, c, pwrong);
    piece->size = (apr_size_t)(in->read - piece->offset); /* what is blank before the value too */
    return rv == APR_SUCCESS && piece->size > LOAD_PIECE_MAX
               ? load_text_refuse(pwrong, LOAD_TOO_LONG)
               : rv;
}

/* Adds a name from its first quote on, the colon, and what is blank around it.
 * @param pc  out: what the value begins with */
static apr_status_t name_take(load_input_t *in, int *pc, const char **pwrong)
{
    apr_status_t rv = load_text_add(in, '"', pwrong);

    if (rv == APR_SUCCESS) {
        rv = load_text_string(in, 0, pwrong);
    }
    *pc = load_text_visible(in);
    if (rv == APR_SUCCESS && *pc != ':') {
        return load_text_refuse(pwrong, "a colon is missing after a name");
    }
    if (rv == APR_SUCCESS) {
        rv = load_text_add(in, ':', pwrong);
    }
    *pc = load_text_visible(in);
    return rv;
}

/* Reads the next member of an object whose members are not pieces of one. */
static apr_status_t object_read(load_input_t *in, load_piece_t *piece, const char **pwrong)
{
    load_frame_t *frame = &in->frames[in->depth - 1];
    int c = load_text_visible(in);
    apr_status_t rv;

    if (c == '}') {
        piece->line = frame->line;
        return frame->place == LOAD_IN_KEYS || frame->has_values
                   ? frame_pop(in)
                   : load_text_refuse(pwrong, "the answer has no result with values");
    }
    if (frame->has_member && c == ',') {
        c = load_text_visible(in);
    } else if (frame->has_member && c != EOF) {
        return load_text_refuse(pwrong, "a comma is missing between members of the object");
    }
    piece->line = in->line;
    if (c != '"') {
        return load_text_refuse(pwrong, c == EOF ? "the object has no end"
                                                 : "a name is missing in the object");
    }
    piece->offset = in->read - 1;
    rv = name_take(in, &c, pwrong);
    return rv == APR_SUCCESS ? member_read(in, piece, c, pwrong) : rv;
}

/* Adds what is blank. @param pis_line  in: the object ends with the line at the latest; out: not
 * when its first line has nothing in it. @return the character behind, not added */
static int blank_take(load_input_t *in, int is_first, int *pis_line, apr_status_t *prv,
                      const char **pwrong)
{
    int c = load_text_get(in);

    while (*prv == APR_SUCCESS && load_text_is_blank(c) && (c != '\n' || is_first || !*pis_line)) {
        *pis_line = *pis_line && c != '\n';
        *prv = load_text_add(in, c, pwrong);
        c = load_text_get(in);
    }
    return c;
}

/* Adds an object from its bracket to its first value.
 * @param pc  out: what the value begins with; or what stands where the name or so should, or '\n'
 * @return APR_SUCCESS | APR_INCOMPLETE it does not begin as objects do */
static apr_status_t head_take(load_input_t *in, int *pis_line, int *pc, const char **pwrong)
{
    apr_status_t rv = load_text_add(in, '{', pwrong);

    *pc = blank_take(in, 1, pis_line, &rv, pwrong);
    if (rv != APR_SUCCESS || *pc != '"') {
        return rv == APR_SUCCESS ? APR_INCOMPLETE : rv;
    }
    rv = load_text_add(in, *pc, pwrong);
    if (rv == APR_SUCCESS) {
        rv = load_text_string(in, *pis_line, pwrong);
    }
    if (rv != APR_SUCCESS) {
        *pc = '\n';
        return rv;
    }
    *pc = blank_take(in, 0, pis_line, &rv, pwrong);
    if (rv != APR_SUCCESS || *pc != ':') {
        return rv == APR_SUCCESS ? APR_INCOMPLETE : rv;
    }
    rv = load_text_add(in, *pc, pwrong);
    *pc = blank_take(in, 0, pis_line, &rv, pwrong);
    return rv == APR_SUCCESS && (*pc == EOF || *pc == '\n') ? APR_INCOMPLETE : rv;
}

/* Goes on with an object of which the text has the beginning, and which is one piece.
 * @param is_head  its first name was found; c is what the value begins with */
static apr_status_t item_take(load_input_t *in, int is_head, int is_line, int c,
                              const char **pwrong)
{
    if (in->depth > 0) {
        return load_text_container(in, c, 1, pwrong);
    }
    if (c == '}' && !is_head && !in->is_lines) {
        in->has_begun = 1; /* an object of no keys */
        return APR_INCOMPLETE;
    }
    in->is_lines = in->has_begun = 1;
    if (is_line) {
        return load_text_line(in, c, pwrong);
    }
    if (is_head) {
        return load_text_container(in, c, 1, pwrong);
    }
    if (memchr(in->text.data, '"', in->text.len)) {
        return load_text_refuse(pwrong, "a colon is missing after a name");
    }
    load_text_unget(in, c); /* a bracket that stands alone */
    in->text.len = 1;
    return APR_SUCCESS;
}

/* Begins the object whose bracket was read. */
static apr_status_t object_begin(load_input_t *in, load_piece_t *piece, const char **pwrong)
{
    int is_line = in->depth == 0, c;
    apr_status_t rv = head_take(in, &is_line, &c, pwrong);
    const int is_head = rv == APR_SUCCESS;
    const char *quote = memchr(in->text.data, '"', in->text.len);
    load_place_e place;
    apr_size_t at;

    if (is_head && quote) {
        at = (apr_size_t)(quote - in->text.data);
        if (is_container(in, name_of(in, at), c, is_line, &place)) {
            rv = frame_push(in, place, piece->line, pwrong);
            memmove(in->text.data, quote, in->text.len -= at);
            piece->offset += at;
            piece->line = in->line;
            return rv == APR_INCOMPLETE ? member_read(in, piece, c, pwrong) : rv;
        }
    }
    if (!is_head && rv != APR_INCOMPLETE) {
        return rv;
    }
    rv = item_take(in, is_head, is_line, c, pwrong);
    piece->size = in->text.len;
    return rv;
}

static apr_status_t array_read(load_input_t *in, load_piece_t *piece, const char **pwrong)
{
    load_frame_t *frame = &in->frames[in->depth - 1];
    int c = load_text_visible(in);
    apr_status_t rv;

    piece->line = in->line;
    if (c == ']') {
        return frame_pop(in);
    }
    if (frame->has_member && c == ',') {
        c = load_text_visible(in);
        piece->line = in->line;
    } else if (frame->has_member && c != EOF) {
        return load_text_refuse(pwrong, "a comma is missing between elements of the array");
    }
    if (c == EOF || c == ',' || c == ']') {
        return load_text_refuse(pwrong, c == EOF ? "the array has no end"
                                                 : "an element of the array is missing");
    }
    frame->has_member = 1;
    piece->offset = in->read - 1;
    if (c == '{') {
        return object_begin(in, piece, pwrong);
    }
    rv = load_text_value(in, c, pwrong);
    piece->size = in->text.len;
    return rv;
}

/* ---- between them ---- */

static int text_has(const load_input_t *in, const char *what)
{
    return memmem(in->text.data, in->text.len, what, strlen(what)) != NULL;
}

/* 1 for a line that may be a piece of JSON, the rest of one that was cut, or no text at all. */
static int is_like_json(const load_input_t *in)
{
    const char *text = in->text.data;
    apr_size_t i, len = in->text.len;

    while (len > 1 && load_text_is_blank(text[len - 1])) {
        len--;
    }
    for (i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)text[i];

        if ((c < ' ' && c != '\t' && c != 0x1b) || c == 0x7f) {
            return 1;
        }
    }
    return strchr("{}],:\"", text[0]) != NULL || strchr("{}", text[len - 1]) != NULL
           || text_has(in, "\":") || text_has(in, "\"}");
}

/* Reads a line that begins, behind what the text has of it, with c, where no JSON begins. */
static apr_status_t prose_read(load_input_t *in, load_piece_t *piece, int c, const char **pwrong)
{
    apr_status_t rv = load_text_line(in, c, pwrong);

    piece->size = in->text.len;
    if (rv != APR_SUCCESS || in->is_lines) {
        return rv;
    }
    if (in->text.len > 1
        && (memcmp(in->text.data, "\xff\xfe", 2) == 0
            || memcmp(in->text.data, "\xfe\xff", 2) == 0)) {
        return load_text_refuse(pwrong,
                                "is UTF-16, as PowerShell writes it: iconv -f UTF-16 -t UTF-8");
    }
    if (text_has(in, "ERROR") || text_has(in, "npm error") || text_has(in, "npm ERR!")) {
        return load_text_refuse(pwrong,
                                "says that something failed: what was printed is not all there is");
    }
    if (!is_like_json(in)) {
        in->prose++;
        return APR_INCOMPLETE;
    }
    if (in->has_begun) {
        return load_text_refuse(pwrong,
                                "something stands after the end that is neither JSON nor a text");
    }
    in->is_lines = in->has_begun = 1;
    return APR_SUCCESS;
}

/* 1 when an array begins with the [ that was read: "[WARNING]" is prose. */
static int is_array_begin(load_input_t *in)
{
    const int c = load_text_get(in);

    load_text_unget(in, c);
    return in->is_lines ? c == '{' || c == '\r' || c == '\n' : !(c < 0x80 && apr_isalpha(c));
}

static apr_status_t top_read(load_input_t *in, load_piece_t *piece, const char **pwrong)
{
    apr_status_t rv = APR_SUCCESS;
    int c = load_text_visible(in), i;

    piece->line = in->line;
    piece->offset = in->read - 1;
    for (i = 0; rv == APR_SUCCESS && i < 3 && c == (unsigned char)BYTE_ORDER_MARK[i]; i++) {
        rv = load_text_add(in, c, pwrong);
        c = load_text_get(in);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (i == 3 || (i > 0 && c == EOF)) {
        load_text_unget(in, c);
        return APR_INCOMPLETE;
    }
    if (c == EOF) {
        return in->prose && !in->has_begun
                   ? load_text_refuse(pwrong, "there is no JSON in it, only lines of text")
                   : APR_EOF;
    }
    if (i == 0 && c == '{') {
        return object_begin(in, piece, pwrong);
    }
    if (i == 0 && c == '[' && is_array_begin(in)) {
        return frame_push(in, LOAD_IN_ARRAY, in->line, pwrong);
    }
    return prose_read(in, piece, c, pwrong);
}

static apr_status_t step(load_input_t *in, load_piece_t *piece, const char **pwrong)
{
    in->text.len = 0;
    in->is_member = 0;
    if (in->depth == 0) {
        return top_read(in, piece, pwrong);
    }
    return in->frames[in->depth - 1].place == LOAD_IN_ARRAY ? array_read(in, piece, pwrong)
                                                            : object_read(in, piece, pwrong);
}

/* Gives the text as it is, or the pair of a member. */
static apr_status_t piece_give(load_input_t *in, load_piece_t *piece, int is_member)
{
    piece->text = in->text.data;
    piece->len = in->text.len;
    return is_member ? pair_make(in, piece) : APR_SUCCESS;
}

apr_status_t load_input_next(load_input_t *in, load_piece_t *piece, const char **pwrong)
{
    apr_status_t rv;

    memset(piece, 0, sizeof(*piece));
    *pwrong = NULL;
    piece->line = in->line;
    if (in->is_over) {
        return APR_EOF;
    }
    do {
        rv = step(in, piece, pwrong);
    } while (rv == APR_INCOMPLETE);
    in->is_over = rv != APR_SUCCESS;
    if (ferror(in->file)) {
        return APR_FROM_OS_ERROR(errno ? errno : EIO);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (in->spool) {
        piece->offset = in->spooled;
        piece->size = in->text.len;
        in->spooled += piece->size;
        if (fwrite(in->text.data, 1, piece->size, in->spool) != piece->size) {
            return APR_FROM_OS_ERROR(errno);
        }
    }
    return piece_give(in, piece, in->is_member);
}

apr_status_t load_input_again(load_input_t *in, load_piece_t *piece)
{
    apr_size_t got = 0;

    if (in->spool && fflush(in->spool)) {
        return APR_FROM_OS_ERROR(errno);
    }
    in->text.len = 0;
    if (wa_buffer_reserve(&in->text, piece->size) != APR_SUCCESS) {
        return APR_ENOMEM;
    }
    while (got < piece->size) {
        ssize_t n = pread(fileno(in->spool ? in->spool : in->file), in->text.data + got,
                          piece->size - got, (off_t)(piece->offset + got));

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? APR_FROM_OS_ERROR(errno) : APR_EGENERAL;
        }
        got += (apr_size_t)n;
    }
    in->text.len = piece->size;
    return piece_give(in, piece, piece->size > 0 && in->text.data[0] == '"');
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
    wa_buffer_release(&in->pair);
    memset(in, 0, sizeof(*in));
}
