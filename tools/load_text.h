/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the characters of the text to load, and adds values, whole and unread, to what is kept. */
#ifndef WA_TOOLS_LOAD_TEXT_H
#define WA_TOOLS_LOAD_TEXT_H

#include "load_input.h"

#define LOAD_TOO_LONG "is longer than 16 MB"

/* Characters are as getc gives them, EOF included; load_input_t counts bytes and lines. What adds
 * gives APR_SUCCESS | APR_EINVAL, and in *pwrong what is wrong | APR_ENOMEM. No JSON is checked
 * here but for where it ends. */

/* 1 for JSON's white space. */
int load_text_is_blank(int c);

/* The next character. */
int load_text_get(load_input_t *in);

/* The next that is not blank. */
int load_text_visible(load_input_t *in);

/* Puts the last one back; one at a time. Nothing for EOF. */
void load_text_unget(load_input_t *in, int c);

/* Says what is wrong. @return APR_EINVAL */
apr_status_t load_text_refuse(const char **pwrong, const char *what);

/* Adds one character to in->text. */
apr_status_t load_text_add(load_input_t *in, int c, const char **pwrong);

/* Adds a string from behind its first quote to its last.
 * @param is_line  it ends with the line at the latest
 * @return APR_INCOMPLETE too: the line has ended */
apr_status_t load_text_string(load_input_t *in, int is_line, const char **pwrong);

/* Adds the rest of an object or array of which something was added, from c on.
 * @param depth  how many brackets are open before c */
apr_status_t load_text_container(load_input_t *in, int c, int depth, const char **pwrong);

/* Adds the value that begins with c, or whatever stands in its place. */
apr_status_t load_text_value(load_input_t *in, int c, const char **pwrong);

/* Adds the rest of the line, from c on, without its end. */
apr_status_t load_text_line(load_input_t *in, int c, const char **pwrong);

#endif
