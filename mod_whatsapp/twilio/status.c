/* SPDX-License-Identifier: Apache-2.0 */
/* The table of Twilio's message statuses and the rule by which one replaces another. */
#include "twilio/status.h"

#include <string.h>

typedef struct delivery_row_t {
    const char *name;
    int rank;
    wa_status_e status;
} delivery_row_t;

/* docs/TWILIO.md sections 1.3 and 3. */
static const delivery_row_t table[] = {
    [WA_DELIVERY_UNKNOWN] = {NULL, -1, WA_STATUS_PENDING},
    [WA_DELIVERY_ACCEPTED] = {"accepted", 0, WA_STATUS_SUCCESS},
    [WA_DELIVERY_SCHEDULED] = {"scheduled", 0, WA_STATUS_SUCCESS},
    [WA_DELIVERY_QUEUED] = {"queued", 1, WA_STATUS_SUCCESS},
    [WA_DELIVERY_SENDING] = {"sending", 2, WA_STATUS_SUCCESS},
    [WA_DELIVERY_SENT] = {"sent", 3, WA_STATUS_SUCCESS},
    [WA_DELIVERY_CANCELED] = {"canceled", 4, WA_STATUS_FAILED},
    [WA_DELIVERY_UNDELIVERED] = {"undelivered", 4, WA_STATUS_FAILED},
    [WA_DELIVERY_FAILED] = {"failed", 4, WA_STATUS_FAILED},
    [WA_DELIVERY_DELIVERED] = {"delivered", 5, WA_STATUS_SUCCESS},
    [WA_DELIVERY_READ] = {"read", 6, WA_STATUS_SUCCESS},
    [WA_DELIVERY_RECEIVING] = {"receiving", -1, WA_STATUS_NONE},
    [WA_DELIVERY_RECEIVED] = {"received", -1, WA_STATUS_NONE},
};

#define TABLE_LENGTH (sizeof(table) / sizeof(table[0]))

/* A stored value may come from a newer version: it counts as unknown. */
static const delivery_row_t *row_of(wa_delivery_e delivery)
{
    return &table[(unsigned)delivery < TABLE_LENGTH ? delivery : WA_DELIVERY_UNKNOWN];
}

wa_delivery_e wa_delivery_parse(const char *word)
{
    unsigned i;

    for (i = 1; word && i < TABLE_LENGTH; i++) {
        if (strcmp(table[i].name, word) == 0) {
            return (wa_delivery_e)i;
        }
    }
    return WA_DELIVERY_UNKNOWN;
}

const char *wa_delivery_name(wa_delivery_e delivery)
{
    return row_of(delivery)->name;
}

int wa_delivery_rank(wa_delivery_e delivery)
{
    return row_of(delivery)->rank;
}

int wa_delivery_is_newer(wa_delivery_e now, wa_delivery_e incoming)
{
    int from = wa_delivery_rank(now);
    int to = wa_delivery_rank(incoming);

    return to > from || (to == from && to >= 0 && incoming > now);
}

int wa_delivery_is_failure(wa_delivery_e delivery)
{
    return row_of(delivery)->status == WA_STATUS_FAILED;
}

wa_status_e wa_delivery_status(wa_delivery_e delivery)
{
    return row_of(delivery)->status;
}
