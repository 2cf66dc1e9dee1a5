/* SPDX-License-Identifier: Apache-2.0 */
/* What store.h promises of messages: as they came, once, changed as one, in pages. */
#include "seam_conformance.h"

/* ---- short ways, for all tables ---- */

seam_list_t *seam_list_create(seam_t *seam)
{
    seam_list_t *list = apr_pcalloc(seam->p, sizeof(*list));

    list->messages = apr_array_make(seam->p, 16, sizeof(wa_message_t));
    list->updates = apr_array_make(seam->p, 16, sizeof(int));
    return list;
}

apr_status_t seam_list_visit(void *baton, const wa_message_t *message, int is_update)
{
    seam_list_t *list = baton;

    APR_ARRAY_PUSH(list->messages, wa_message_t) = *message;
    APR_ARRAY_PUSH(list->updates, int) = is_update;
    return list->messages->nelts == list->stop_at ? list->stop : APR_SUCCESS;
}

const wa_message_t *seam_list_at(const seam_list_t *list, int i)
{
    assert_in_range(i, 0, list->messages->nelts - 1);
    return &APR_ARRAY_IDX(list->messages, i, wa_message_t);
}

void seam_list_assert(const seam_list_t *list, const char *ids)
{
    char all[4096] = "";
    int i;

    for (i = 0; i < list->messages->nelts; i++) {
        const wa_slice_t id = seam_list_at(list, i)->id;

        assert_true(strlen(all) + id.len + 3 < sizeof(all));
        sprintf(all + strlen(all), "%s%.*s%s", i ? " " : "", (int)id.len, id.ptr,
                APR_ARRAY_IDX(list->updates, i, int) ? "'" : "");
    }
    assert_string_equal(all, ids);
}

static wa_message_t new_add(seam_t *seam, wa_message_new_t new)
{
    wa_message_t m;

    assert_int_equal(wa_store_message_add(seam->store, &new, &m, seam->p), APR_SUCCESS);
    return m;
}

wa_message_t seam_add(seam_t *seam, const char *id, const char *sid, const char *counterpart,
                      wa_direction_e direction)
{
    return new_add(seam, message_new(id, sid, counterpart, direction, NULL));
}

wa_message_t seam_keyed_add(seam_t *seam, const char *id, const char *sid, const char *counterpart,
                            const char *key)
{
    return new_add(seam, message_new(id, sid, counterpart, WA_DIRECTION_SENT, key));
}

wa_message_t seam_find(seam_t *seam, const char *key)
{
    wa_message_t m;

    assert_int_equal(wa_store_message_find(seam->store, key, &m, seam->p), APR_SUCCESS);
    return m;
}

static apr_status_t state_give(void *baton, const wa_message_t *now, wa_message_state_t *next,
                               apr_pool_t *p)
{
    (void)now;
    (void)p;
    *next = *(wa_message_state_t *)baton;
    return APR_SUCCESS;
}

void seam_state_set(seam_t *seam, const char *key, wa_status_e status, const char *sid,
                    const char *delivery)
{
    wa_message_state_t state = {status, sid, wa_slice_of(delivery)};
    wa_message_t m;

    assert_int_equal(
        wa_store_message_update(seam->store, UPDATE_OF(key, state_give, &state), &m, seam->p),
        APR_SUCCESS);
    assert_int_equal(m.status, status);
}

/* ---- as they came ---- */

static void slice_same(wa_slice_t a, wa_slice_t b)
{
    assert_int_equal(a.len, b.len);
    if (a.len) {
        assert_memory_equal(a.ptr, b.ptr, a.len);
    }
}

static void message_same(const wa_message_t *m, const wa_message_new_t *new)
{
    slice_same(m->id, wa_slice_of(new->id));
    slice_same(m->sid, wa_slice_of(new->sid));
    slice_same(m->counterpart, wa_slice_of(new->counterpart));
    slice_same(m->phone_number, wa_slice_of(new->phone_number));
    slice_same(m->body, new->body);
    slice_same(m->attributes, new->attributes);
    slice_same(m->delivery, new->delivery);
    assert_int_equal(m->direction, new->direction);
    assert_int_equal(m->status, new->status);
    assert_int_equal(m->unread, new->direction == WA_DIRECTION_RECEIVED);
    assert_int_equal(m->changed_ms, m->timestamp_ms);
    assert_int_equal(m->contact_id.len, 0);
}

/* Every way to it gives the same. */
static void given_back(seam_t *seam, const wa_message_new_t *new)
{
    seam_list_t *page = seam_list_create(seam), *news = seam_list_create(seam);
    const apr_int64_t since = seam_time(seam);
    wa_changes_t changes;
    wa_page_t info;
    wa_message_t m;

    assert_int_equal(wa_store_message_add(seam->store, new, &m, seam->p), APR_SUCCESS);
    message_same(&m, new);
    seam_time(seam);
    seam->reopen(seam);
    m = seam_find(seam, new->id);
    message_same(&m, new);
    if (new->sid) {
        m = seam_find(seam, new->sid);
        message_same(&m, new);
    }
    if (new->idempotency_key) {
        m = seam_find(seam, apr_pstrcat(seam->p, WA_KEY_IDEMPOTENCY, new->idempotency_key, NULL));
        message_same(&m, new);
    }
    assert_int_equal(wa_store_messages_list(
                         seam->store, MESSAGES_OF(new->counterpart, NULL, 1, seam_list_visit, page),
                         &info, seam->p),
                     APR_SUCCESS);
    message_same(seam_list_at(page, 0), new);
    seam_poll(seam, since, 10, news, &changes);
    message_same(seam_list_at(news, 0), new);
    slice_same(seam_thread(seam, new->counterpart).preview, new->preview);
}

static void a_message_is_given_as_it_came(seam_t *seam)
{
    static const char zeros[] = "\0tag\0\0\x80\xff value\0";
    wa_message_new_t new = message_new("a", "SMa", SEAM_ANA, WA_DIRECTION_SENT, "key {\"\\~");

    new.body = wa_slice_of("¿Qué? \"x\" \\ \n\t\x01 👋 e\xcc\x81");
    new.preview = wa_slice_of("another text than the body's");
    new.attributes = wa_slice_make(zeros, sizeof(zeros) - 1);
    new.delivery = wa_slice_make(zeros, 1);
    given_back(seam, &new);
    new = message_new("b", "SMb", "a name that is no number", WA_DIRECTION_RECEIVED, NULL);
    new.status = WA_STATUS_NONE;
    given_back(seam, &new);
}

static void what_is_empty_stays_empty(seam_t *seam)
{
    wa_message_new_t new = {.id = "a", .counterpart = "c", .direction = WA_DIRECTION_RECEIVED};
    wa_message_t m;

    given_back(seam, &new);
    /* no sid and no key are nobody's */
    new.id = "b";
    given_back(seam, &new);
    assert_int_equal(wa_store_message_find(seam->store, "", &m, seam->p), APR_NOTFOUND);
    assert_int_equal(wa_store_message_find(seam->store, WA_KEY_IDEMPOTENCY, &m, seam->p),
                     APR_NOTFOUND);
    assert_int_equal(m.id.len, 0);
}

static const char *of_length(seam_t *seam, apr_size_t len, char c)
{
    char *text = apr_palloc(seam->p, len + 1);

    memset(text, c, len);
    text[len] = '\0';
    return text;
}

static wa_message_new_t longest(seam_t *seam)
{
    wa_message_new_t new =
        message_new(of_length(seam, WA_STORE_ID_MAX, 'i'), of_length(seam, WA_STORE_ID_MAX, 's'),
                    of_length(seam, WA_STORE_NAME_MAX, '1'), WA_DIRECTION_SENT,
                    of_length(seam, WA_STORE_NAME_MAX, 'k'));
    apr_size_t left = WA_STORE_MESSAGE_MAX - 2 * WA_STORE_ID_MAX - 3 * WA_STORE_NAME_MAX;

    new.phone_number = of_length(seam, WA_STORE_NAME_MAX, '2');
    new.preview = wa_slice_of(of_length(seam, WA_STORE_TEXT_MAX, 'p'));
    new.attributes = wa_slice_of(of_length(seam, 200000, 'a'));
    new.delivery = wa_slice_of(of_length(seam, 300000, 'd'));
    new.profile_name = wa_slice_of(of_length(seam, WA_STORE_TEXT_MAX, 'n'));
    left -= new.preview.len + new.attributes.len + new.delivery.len + new.profile_name.len;
    new.body = wa_slice_of(of_length(seam, left, 'b'));
    return new;
}

static void refused(seam_t *seam, const wa_message_new_t *new)
{
    const apr_uint64_t version = wa_store_version(seam->store, WA_VERSION_ALL);
    wa_message_t m;

    assert_int_equal(wa_store_message_add(seam->store, new, &m, seam->p), APR_EINVAL);
    assert_int_equal(wa_store_version(seam->store, WA_VERSION_ALL), version);
}

static void the_longest_is_taken_and_what_is_longer_refused(seam_t *seam)
{
    wa_message_new_t new;
    int i;

    for (i = 0; i < 10; i++) {
        new = longest(seam);
        new.id = i == 0 ? of_length(seam, WA_STORE_ID_MAX + 1, 'i') : new.id;
        new.sid = i == 1 ? of_length(seam, WA_STORE_ID_MAX + 1, 's') : new.sid;
        new.counterpart = i == 2 ? of_length(seam, WA_STORE_NAME_MAX + 1, '1') : new.counterpart;
        new.phone_number = i == 3 ? of_length(seam, WA_STORE_NAME_MAX + 1, '2') : new.phone_number;
        new.idempotency_key =
            i == 4 ? of_length(seam, WA_STORE_NAME_MAX + 1, 'k') : new.idempotency_key;
        new.preview =
            i == 5 ? wa_slice_of(of_length(seam, WA_STORE_TEXT_MAX + 1, 'p')) : new.preview;
        new.body =
            i == 6 ? wa_slice_of(of_length(seam, WA_STORE_MESSAGE_MAX / 10 * 11, 'b')) : new.body;
        new.id = i == 7 ? "" : new.id;
        new.counterpart = i == 8 ? "" : new.counterpart;
        new.profile_name =
            i == 9 ? wa_slice_of(of_length(seam, WA_STORE_TEXT_MAX + 1, 'n')) : new.profile_name;
        refused(seam, &new);
    }
    new = longest(seam);
    given_back(seam, &new);
    /* one byte too many at another's end is another */
    assert_int_equal(seam_find(seam, new.sid).body.len, new.body.len);
}

/* ---- once ---- */

static void stored_once(seam_t *seam, const char *id, const char *sid, const char *key)
{
    const wa_message_new_t new = message_new(id, sid, SEAM_BEA, WA_DIRECTION_SENT, key);
    const apr_uint64_t version = wa_store_version(seam->store, WA_VERSION_ALL);
    wa_message_t m;

    assert_int_equal(wa_store_message_add(seam->store, &new, &m, seam->p), APR_EEXIST);
    assert_slice(m.id, "a");
    assert_int_equal(wa_store_message_add(seam->store, &new, NULL, seam->p), APR_EEXIST);
    assert_int_equal(wa_store_version(seam->store, WA_VERSION_ALL), version);
}

static void an_id_a_sid_and_a_key_are_taken_once(seam_t *seam)
{
    wa_message_t m;

    seam_keyed_add(seam, "a", "SMa", SEAM_ANA, "key");
    stored_once(seam, "a", NULL, NULL);
    stored_once(seam, "b", "SMa", NULL);
    stored_once(seam, "b", NULL, "key");
    stored_once(seam, "b", "SMb", "key");
    /* also a sid that it had, and all of it after an opening */
    seam_state_set(seam, "a", WA_STATUS_SUCCESS, "SMa2", "d");
    seam->reopen(seam);
    stored_once(seam, "a", NULL, NULL);
    stored_once(seam, "b", "SMa", NULL);
    stored_once(seam, "b", "SMa2", NULL);
    stored_once(seam, "b", NULL, "key");
    /* an id is no sid and no key, and what was refused left nothing */
    seam_keyed_add(seam, "SMz", NULL, SEAM_ANA, "a");
    assert_int_equal(wa_store_message_find(seam->store, "b", &m, seam->p), APR_NOTFOUND);
    assert_int_equal(wa_store_message_find(seam->store, "SMb", &m, seam->p), APR_NOTFOUND);
    assert_slice(seam_find(seam, WA_KEY_IDEMPOTENCY "a").id, "SMz");
    assert_slice(seam_find(seam, "a").id, "a");
}

/* Taking it and finding it agree to the millisecond. */
static void an_idempotency_key_counts_as_long_as_is_said(seam_t *seam)
{
    const wa_message_new_t again = message_new("b", NULL, SEAM_ANA, WA_DIRECTION_SENT, "key");
    const wa_message_t first = seam_keyed_add(seam, "a", NULL, SEAM_ANA, "key");
    wa_message_t m;

    seam->clock_set(first.date_ms + WA_STORE_IDEMPOTENCY_MS);
    assert_slice(seam_find(seam, WA_KEY_IDEMPOTENCY "key").id, "a");
    stored_once(seam, "b", NULL, "key");
    seam->clock_set(first.date_ms + WA_STORE_IDEMPOTENCY_MS + 1);
    assert_int_equal(wa_store_message_find(seam->store, WA_KEY_IDEMPOTENCY "key", &m, seam->p),
                     APR_NOTFOUND);
    assert_int_equal(m.id.len, 0);
    assert_int_equal(wa_store_message_add(seam->store, &again, &m, seam->p), APR_SUCCESS);
    assert_slice(seam_find(seam, WA_KEY_IDEMPOTENCY "key").id, "b");
    seam->clock_set(0);
}

/* ---- changed as one ---- */

/* Adds a letter to what is known of the delivery, and notes what it was called with. */
typedef struct adder_t {
    seam_t *seam;
    const char *letter;
    struct adder_t *meanwhile; /* what another one does at the first call; NULL: nothing */
    int calls;
    apr_status_t rv;
} adder_t;

static apr_status_t letter_add(void *baton, const wa_message_t *now, wa_message_state_t *next,
                               apr_pool_t *p)
{
    adder_t *adder = baton;
    adder_t *other = adder->meanwhile;
    wa_message_t m;

    adder->calls++;
    adder->meanwhile = NULL;
    if (other) {
        assert_int_equal(wa_store_message_update(adder->seam->store,
                                                 UPDATE_OF("a", letter_add, other), &m,
                                                 adder->seam->p),
                         APR_SUCCESS);
    }
    assert_int_equal(next->status, now->status);
    next->delivery =
        wa_slice_of(apr_pstrcat(p, wa_slice_string(now->delivery, p), adder->letter, NULL));
    return adder->rv;
}

static void an_update_is_merged_with_what_came_meanwhile(seam_t *seam)
{
    adder_t other = {.seam = seam, .letter = "X"};
    adder_t adder = {.seam = seam, .letter = "Y", .meanwhile = &other};
    wa_message_t m;

    seam_add(seam, "a", "SMa", SEAM_ANA, WA_DIRECTION_SENT);
    assert_int_equal(
        wa_store_message_update(seam->store, UPDATE_OF("SMa", letter_add, &adder), &m, seam->p),
        APR_SUCCESS);
    assert_slice(m.delivery, "pendingXY");
    assert_true(adder.calls >= 2);
    m = seam_find(seam, "a");
    assert_slice(m.delivery, "pendingXY");
    assert_int_equal(m.status, WA_STATUS_PENDING);
    assert_slice(m.sid, "SMa");
    assert_true(m.changed_ms >= m.timestamp_ms);
}

static void an_update_ends_as_its_merge_says(seam_t *seam)
{
    adder_t adder = {.seam = seam, .letter = "X"};
    apr_uint64_t version;
    wa_message_t m;

    seam_keyed_add(seam, "a", "SMa", SEAM_ANA, "key");
    version = wa_store_version(seam->store, WA_VERSION_ALL);
    adder.rv = APR_EEXIST;
    assert_int_equal(
        wa_store_message_update(seam->store, UPDATE_OF("a", letter_add, &adder), &m, seam->p),
        APR_SUCCESS);
    assert_slice(m.delivery, "pending");
    adder.rv = APR_EACCES;
    assert_int_equal(
        wa_store_message_update(seam->store, UPDATE_OF("a", letter_add, &adder), &m, seam->p),
        APR_EACCES);
    adder.calls = 0;
    assert_int_equal(
        wa_store_message_update(seam->store, UPDATE_OF("b", letter_add, &adder), &m, seam->p),
        APR_NOTFOUND);
    assert_int_equal(
        wa_store_message_update(
            seam->store, UPDATE_OF(WA_KEY_IDEMPOTENCY "key", letter_add, &adder), &m, seam->p),
        APR_NOTFOUND);
    assert_int_equal(adder.calls, 0);
    assert_slice(seam_find(seam, "a").delivery, "pending");
    assert_int_equal(wa_store_version(seam->store, WA_VERSION_ALL), version);
}

static void a_state_has_limits_too(seam_t *seam)
{
    wa_message_state_t state = {
        WA_STATUS_SUCCESS, of_length(seam, WA_STORE_ID_MAX + 1, 's'), {NULL, 0}};
    apr_uint64_t version;
    wa_message_t m;

    seam_add(seam, "a", "SMa", SEAM_ANA, WA_DIRECTION_SENT);
    version = wa_store_version(seam->store, WA_VERSION_ALL);
    assert_int_equal(
        wa_store_message_update(seam->store, UPDATE_OF("a", state_give, &state), &m, seam->p),
        APR_EINVAL);
    assert_int_equal(wa_store_version(seam->store, WA_VERSION_ALL), version);
    seam_state_set(seam, "a", WA_STATUS_FAILED, of_length(seam, WA_STORE_ID_MAX, 's'), "");
    m = seam_find(seam, of_length(seam, WA_STORE_ID_MAX, 's'));
    assert_slice(m.id, "a");
    assert_int_equal(m.delivery.len, 0);
}

static void every_sid_that_it_had_finds_a_message(seam_t *seam)
{
    char sid[8];
    int i;

    seam_add(seam, "a", NULL, SEAM_ANA, WA_DIRECTION_SENT);
    for (i = 0; i < 30; i++) {
        sprintf(sid, "SM%d", i);
        seam_state_set(seam, i ? "SM0" : "a", WA_STATUS_PENDING, sid, "d");
    }
    seam_state_set(seam, "SM7", WA_STATUS_SUCCESS, NULL, "d");
    seam->reopen(seam);
    for (i = 0; i < 30; i++) {
        sprintf(sid, "SM%d", i);
        assert_slice(seam_find(seam, sid).id, "a");
    }
    assert_slice(seam_find(seam, "a").sid, "SM29");
    assert_int_equal(seam_find(seam, "a").status, WA_STATUS_SUCCESS);
}

/* ---- in pages ---- */

static const char *page_read(seam_t *seam, const char *counterpart, const char *cursor,
                             apr_size_t limit, const char *ids)
{
    seam_list_t *list = seam_list_create(seam);
    wa_page_t page;

    assert_int_equal(
        wa_store_messages_list(seam->store,
                               MESSAGES_OF(counterpart, cursor, limit, seam_list_visit, list),
                               &page, seam->p),
        APR_SUCCESS);
    seam_list_assert(list, ids);
    assert_int_equal(page.count, list->messages->nelts);
    return page.next_cursor;
}

static void pages_go_on_where_they_ended(seam_t *seam)
{
    const char *cursor, *second;

    assert_null(page_read(seam, SEAM_ANA, NULL, 5, ""));
    seam_add(seam, "a", NULL, SEAM_ANA, WA_DIRECTION_RECEIVED);
    seam_add(seam, "x", NULL, SEAM_BEA, WA_DIRECTION_RECEIVED);
    seam_add(seam, "b", NULL, SEAM_ANA, WA_DIRECTION_SENT);
    seam_add(seam, "c", NULL, SEAM_ANA, WA_DIRECTION_RECEIVED);
    seam_add(seam, "d", NULL, SEAM_ANA, WA_DIRECTION_RECEIVED);
    assert_null(page_read(seam, SEAM_ANA, NULL, 5, "d c b a"));
    assert_null(page_read(seam, SEAM_ANA, NULL, 4, "d c b a"));
    cursor = page_read(seam, SEAM_ANA, NULL, 1, "d");
    assert_non_null(cursor);
    /* whatever comes or changes meanwhile, and as often as one likes */
    seam_add(seam, "e", NULL, SEAM_ANA, WA_DIRECTION_RECEIVED);
    seam_state_set(seam, "b", WA_STATUS_FAILED, NULL, "d");
    seam_add(seam, "y", NULL, SEAM_BEA, WA_DIRECTION_RECEIVED);
    second = page_read(seam, SEAM_ANA, cursor, 2, "c b");
    seam->reopen(seam);
    assert_string_equal(page_read(seam, SEAM_ANA, cursor, 2, "c b"), second);
    assert_null(page_read(seam, SEAM_ANA, second, 2, "a"));
    assert_non_null(page_read(seam, SEAM_ANA, NULL, 2, "e d"));
}

static void a_cursor_is_of_its_thread_and_whole(seam_t *seam)
{
    seam_list_t *list = seam_list_create(seam);
    const char *wrong[8];
    char *cursor;
    wa_page_t page;
    int i;

    seam_add(seam, "a", NULL, SEAM_ANA, WA_DIRECTION_RECEIVED);
    seam_add(seam, "b", NULL, SEAM_ANA, WA_DIRECTION_RECEIVED);
    seam_add(seam, "x", NULL, SEAM_BEA, WA_DIRECTION_RECEIVED);
    seam_add(seam, "y", NULL, SEAM_BEA, WA_DIRECTION_RECEIVED);
    cursor = apr_pstrdup(seam->p, page_read(seam, SEAM_ANA, NULL, 1, "b"));
    wrong[0] = page_read(seam, SEAM_BEA, NULL, 1, "y");
    wrong[1] = "";
    wrong[2] = "0";
    wrong[3] = "b";
    wrong[4] = apr_pstrcat(seam->p, cursor, "0", NULL);
    wrong[5] = apr_pstrcat(seam->p, " ", cursor, NULL);
    wrong[6] = apr_pstrmemdup(seam->p, cursor, strlen(cursor) - 1);
    wrong[7] = of_length(seam, 5000, 'f');
    for (i = 0; i < 8; i++) {
        assert_int_equal(wa_store_messages_list(
                             seam->store, MESSAGES_OF(SEAM_ANA, wrong[i], 5, seam_list_visit, list),
                             &page, seam->p),
                         APR_EINVAL);
    }
    assert_int_equal(wa_store_messages_list(seam->store,
                                            MESSAGES_OF("nobody", cursor, 5, seam_list_visit, list),
                                            &page, seam->p),
                     APR_EINVAL);
    seam_list_assert(list, "");
    assert_null(page_read(seam, SEAM_ANA, cursor, 5, "a"));
}

const seam_case_t seam_cases_messages[] = {
    {"a message is given as it came", a_message_is_given_as_it_came},
    {"what is empty stays empty", what_is_empty_stays_empty},
    {"the longest is taken and what is longer refused",
     the_longest_is_taken_and_what_is_longer_refused},
    {"an id, a sid and a key are taken once", an_id_a_sid_and_a_key_are_taken_once},
    {"an idempotency key counts as long as is said", an_idempotency_key_counts_as_long_as_is_said},
    {"an update is merged with what came meanwhile", an_update_is_merged_with_what_came_meanwhile},
    {"an update ends as its merge says", an_update_ends_as_its_merge_says},
    {"a state has limits too", a_state_has_limits_too},
    {"every sid that it had finds a message", every_sid_that_it_had_finds_a_message},
    {"pages go on where they ended", pages_go_on_where_they_ended},
    {"a cursor is of its thread and whole", a_cursor_is_of_its_thread_and_whole},
    {NULL, NULL},
};
