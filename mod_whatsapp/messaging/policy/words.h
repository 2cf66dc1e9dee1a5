/* SPDX-License-Identifier: Apache-2.0 */
/* Tells whether a message is one of some words and nothing else, as people write it. */
#ifndef WA_MESSAGING_POLICY_WORDS_H
#define WA_MESSAGING_POLICY_WORDS_H

#include <apr_pools.h>

#include "base/slice.h"

/* Looks for a text among words (or phrases). Upper and lower case are the same in every script that
 * has both, and so are two ways to write one character (wa_text_fold); accents count. What is not a
 * letter or a digit is passed over around the text, such as white space, quotes, dots, emoji and
 * what nobody sees, but no question mark of any script: to ask is not to tell.
 * @param words  valid UTF-8, a NULL at the end; NULL for none
 * @param text   valid UTF-8; one of over 1024 bytes is no word
 * @return 1 it is one of them | 0. Any thread that may use tmp. */
int wa_words_has(const char *const *words, wa_slice_t text, apr_pool_t *tmp);

#endif
