/* SPDX-License-Identifier: Apache-2.0 */
/* Which of Twilio's channels an address is of: WhatsApp's are kept without one. */
#include "messaging/message/channel.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/hash.h"
#include "base/phone.h"
#include "base/text.h"
#include "messaging/message/validate.h"

#define WHATSAPP WA_SLICE_LITERAL("whatsapp")

/* Longer than any name of a channel. */
#define CHANNEL_BYTES_MAX 32

/* How much of an address is kept before its hash. */
#define HASHED_BYTES 100

/* 1 for what stands before a number that was copied from a link (RFC 3966). */
static int is_scheme(const char *prefix, apr_size_t len)
{
    return len == 3 && strncasecmp(prefix, "tel", len) == 0;
}

wa_slice_t wa_channel_prefix(wa_slice_t address)
{
    apr_size_t i;

    for (i = 0; i < address.len && i <= CHANNEL_BYTES_MAX; i++) {
        const char c = address.ptr[i];

        if (c == ':' && i > 0) {
            return wa_slice_make(address.ptr, is_scheme(address.ptr, i) ? 0 : i);
        }
        if (!apr_isascii(c) || !apr_isalpha(c)) {
            break;
        }
    }
    return wa_slice_make(address.ptr, 0);
}

int wa_channel_is_whatsapp(wa_slice_t channel)
{
    const wa_slice_t whatsapp = WHATSAPP;

    return channel.len == whatsapp.len && strncasecmp(channel.ptr, whatsapp.ptr, channel.len) == 0;
}

wa_slice_t wa_channel_of(wa_slice_t counterpart)
{
    const wa_slice_t channel = wa_channel_prefix(counterpart);

    return wa_channel_is_whatsapp(channel) ? wa_slice_make(channel.ptr, 0) : channel;
}

/* As the store can keep it: cut where it is too long, with a hash that keeps two of them apart. */
static const char *bounded(const char *address, apr_pool_t *p)
{
    const apr_size_t size = strlen(address);
    apr_size_t len = 0, used;

    if (size <= WA_COUNTERPART_BYTES_MAX) {
        return address;
    }
    while (len < HASHED_BYTES) {
        wa_text_char(address + len, size - len, &used);
        len += used;
    }
    return apr_psprintf(p, "%.*s~%016" APR_UINT64_T_HEX_FMT, (int)len, address,
                        wa_hash64(0, address, size));
}

const char *wa_channel_keep(wa_slice_t address, wa_slice_t channel, apr_pool_t *p)
{
    const wa_slice_t prefix = wa_channel_prefix(wa_text_trim(address));
    const char *name, *number, *rest;
    char *c;

    address = wa_text_trim(address);
    if (prefix.len > 0) {
        channel = prefix;
        address =
            wa_text_trim(wa_slice_make(address.ptr + prefix.len + 1, address.len - prefix.len - 1));
    }
    if (address.len == 0) {
        return NULL;
    }
    rest = wa_slice_string(address, p);
    number = wa_phone_normalize(rest, p);
    if (channel.len == 0 || wa_channel_is_whatsapp(channel)) {
        if (number) {
            return number;
        }
        /* What looks like an address of another channel must not be taken for one. */
        return bounded(
            wa_channel_prefix(address).len > 0 ? apr_pstrcat(p, "whatsapp:", rest, NULL) : rest, p);
    }
    name = wa_slice_string(channel, p);
    for (c = (char *)(apr_uintptr_t)name; *c; c++) {
        *c = (char)apr_tolower(*c);
    }
    return bounded(apr_pstrcat(p, name, ":", number ? number : rest, NULL), p);
}
