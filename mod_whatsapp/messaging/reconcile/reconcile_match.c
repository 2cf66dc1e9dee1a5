/* SPDX-License-Identifier: Apache-2.0 */
/* Which of Twilio's messages is which of ours. */
#include "messaging/reconcile/reconcile_match.h"

#include "base/text.h"

typedef wa_reconcile_run_t run_t;
typedef wa_reconcile_pending_t pending_t;
typedef wa_reconcile_listed_t listed_t;
typedef wa_reconcile_group_t group_t;

static int body_is_same(const pending_t *pending, const listed_t *listed)
{
    return pending->has_any_body
           || wa_slice_is_equal(wa_text_trim(pending->body),
                                wa_text_trim(wa_slice_of(listed->body)));
}

static int media_is_same(const pending_t *pending, const listed_t *listed)
{
    return pending->has_any_body || (pending->media_url.len > 0) == (listed->media_count > 0);
}

static int time_fits(const pending_t *pending, const listed_t *listed)
{
    if (listed->created_ms == 0) {
        return 1; /* nobody can read when it was made: rather ours than said to be not sent */
    }
    return listed->created_ms >= pending->from_ms && listed->created_ms >= pending->after_ms
           && listed->created_ms <= pending->until_ms;
}

/* 1 when the pending one looks like this, whoever's it is. */
static int fits(const pending_t *pending, const listed_t *listed)
{
    return time_fits(pending, listed) && media_is_same(pending, listed)
           && body_is_same(pending, listed);
}

/* 1 for a message of Twilio's that is nobody's. */
static int is_free(const run_t *run, listed_t *listed)
{
    wa_message_t ours;

    if (!listed->is_looked_up && !listed->is_claimed) {
        listed->is_claimed =
            wa_store_message_find(run->messenger->store, listed->sid, &ours, run->p)
            != APR_NOTFOUND;
        listed->is_looked_up = 1;
    }
    return !listed->is_claimed;
}

static int is_open(const pending_t *pending)
{
    return !pending->is_done && !pending->sid;
}

/* 1 when Twilio's list tells the two apart by nothing but time, and it matters which is which:
 * attachments of two messages that go without a text, or with the same, but for the same file
 * twice; and whatever is alike where one is under way, as the other would take its sid away. */
static int are_rivals(const pending_t *a, const pending_t *b, int is_under_way)
{
    return strcmp(a->id, b->id) != 0 && (a->media_url.len > 0) == (b->media_url.len > 0)
           && (is_under_way || !wa_slice_is_equal(a->media_url, b->media_url))
           && wa_slice_is_equal(wa_text_trim(a->body), wa_text_trim(b->body));
}

/* How many free messages of Twilio's look like the pending one, and like the other where there is
 * one. */
static int free_count(const run_t *run, const pending_t *pending, const pending_t *other,
                      apr_array_header_t *listed)
{
    int count = 0, i;

    for (i = 0; i < listed->nelts; i++) {
        listed_t *one = &APR_ARRAY_IDX(listed, i, listed_t);

        count += fits(pending, one) && (!other || fits(other, one)) && is_free(run, one);
    }
    return count;
}

/* 1 when there are fewer of Twilio's messages than of ours that they could be. */
static int is_ambiguous(const run_t *run, const group_t *group, const pending_t *pending,
                        apr_array_header_t *listed)
{
    const int theirs = free_count(run, pending, NULL, listed);
    int ours = 0, has_rival = 0, i;

    for (i = 0; i < group->count + group->rival_count && theirs > 0; i++) {
        const pending_t *other = group->pending[i];
        const int is_rival = are_rivals(pending, other, i >= group->count);

        if (is_open(other) && (is_rival || strcmp(other->id, pending->id) == 0)
            && free_count(run, pending, other, listed) > 0) {
            ours++;
            has_rival |= is_rival;
        }
    }
    return has_rival && theirs < ours;
}

/* 1 when another one of ours, of which more is known than of a template, may be this one, or one
 * that is under way. */
static int is_wanted(const group_t *group, const listed_t *listed)
{
    int i;

    for (i = 0; i < group->count + group->rival_count; i++) {
        const pending_t *other = group->pending[i];

        if (is_open(other) && (!other->has_any_body || i >= group->count) && fits(other, listed)) {
            return 1;
        }
    }
    return 0;
}

wa_reconcile_listed_t *wa_reconcile_match(const run_t *run, const group_t *group,
                                          const pending_t *pending, apr_array_header_t *listed)
{
    int i;

    if (!pending->sid && is_ambiguous(run, group, pending, listed)) {
        return NULL;
    }
    for (i = listed->nelts - 1; i >= 0; i--) {
        listed_t *one = &APR_ARRAY_IDX(listed, i, listed_t);

        if (pending->sid) {
            if (strcmp(pending->sid, one->sid) == 0) {
                return one;
            }
        } else if (fits(pending, one) && is_free(run, one)
                   && !(pending->has_any_body && is_wanted(group, one))) {
            return one;
        }
    }
    return NULL;
}

int wa_reconcile_has_match(const run_t *run, const group_t *group, apr_array_header_t *listed)
{
    int i;

    for (i = 0; i < group->count; i++) {
        const pending_t *pending = group->pending[i];

        if (!pending->is_done && (pending->sid || free_count(run, pending, NULL, listed) > 0)) {
            return 1;
        }
    }
    return 0;
}

int wa_reconcile_is_doubtful(const run_t *run, const pending_t *pending, apr_array_header_t *listed)
{
    int i;

    for (i = 0; i < listed->nelts; i++) {
        listed_t *one = &APR_ARRAY_IDX(listed, i, listed_t);

        if (time_fits(pending, one) && body_is_same(pending, one) && is_free(run, one)) {
            return 1;
        }
    }
    return 0;
}
