/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the answers that a process remembers: which one is given, which go, and that no reader
 * loses one. */
#include "test_base.h"

#include <stdio.h>

#include <apr_buckets.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>

#include "api/cache.h"

static void assert_slice_is(wa_slice_t slice, const char *text)
{
    assert_int_equal(slice.len, strlen(text));
    assert_memory_equal(slice.ptr, text, slice.len);
}

static wa_cache_t *cache_of(apr_size_t max_entries, apr_size_t max_bytes, apr_pool_t *p)
{
    wa_cache_t *cache;

    assert_int_equal(wa_cache_create(&cache, max_entries, max_bytes, p), APR_SUCCESS);
    return cache;
}

static wa_cache_key_t page_key(const char *name, apr_int64_t limit)
{
    const wa_cache_key_t key = {WA_CACHE_MESSAGES, wa_slice_of(name), limit};

    return key;
}

/* Puts an answer and lets it go. */
static void put(wa_cache_t *cache, wa_cache_key_t key, apr_uint64_t version, const char *text)
{
    wa_cache_entry_t *entry;
    wa_buffer_t b;

    wa_buffer_init(&b, 0);
    wa_buffer_add_slice(&b, wa_slice_of(text));
    entry = wa_cache_put(cache, &key, version, 7, &b);
    assert_non_null(entry);
    assert_slice_is(wa_cache_entry_bytes(entry), text);
    wa_cache_entry_release(entry);
}

/* Asks: the answer must be `text`, NULL for none. */
static void ask(wa_cache_t *cache, wa_cache_key_t key, apr_uint64_t version, const char *text)
{
    wa_cache_entry_t *entry = wa_cache_get(cache, &key, version);

    if (!text) {
        assert_null(entry);
        return;
    }
    assert_non_null(entry);
    assert_slice_is(wa_cache_entry_bytes(entry), text);
    assert_true(wa_cache_entry_stamp(entry) == 7);
    wa_cache_entry_release(entry);
}

static void test_an_answer_is_given_to_its_question_only(void **state)
{
    static const struct {
        wa_cache_kind_e kind;
        const char *name;
        apr_int64_t number;
    } questions[] = {
        {WA_CACHE_THREADS, "", 0},       {WA_CACHE_CONTACTS, "", 0},
        {WA_CACHE_SINCE, "", 0},         {WA_CACHE_SINCE, "", 1},
        {WA_CACHE_MESSAGES, "+1555", 1}, {WA_CACHE_MESSAGES, "+1555", 2},
        {WA_CACHE_MESSAGES, "+1556", 1}, {WA_CACHE_MESSAGES, "+155", 1},
        {WA_CACHE_MESSAGES, "", 0},
    };
    wa_cache_t *cache = cache_of(64, 1 << 20, *state);
    size_t i;

    for (i = 0; i < COUNT(questions); i++) {
        const wa_cache_key_t key = {questions[i].kind, wa_slice_of(questions[i].name),
                                    questions[i].number};

        ask(cache, key, 1, NULL);
        put(cache, key, 1, apr_psprintf(*state, "answer %d", (int)i));
    }
    for (i = 0; i < COUNT(questions); i++) {
        const wa_cache_key_t key = {questions[i].kind, wa_slice_of(questions[i].name),
                                    questions[i].number};

        ask(cache, key, 1, apr_psprintf(*state, "answer %d", (int)i));
    }
}

/* More questions than there are slots in the table: chains are walked to the right one. */
static void test_many_questions(void **state)
{
    enum { MANY = 3000 };
    wa_cache_t *cache = cache_of(MANY, 1 << 24, *state);
    int i;

    for (i = 0; i < MANY; i++) {
        put(cache, page_key("+1555", i), 1, apr_psprintf(*state, "answer %d", i));
    }
    for (i = 0; i < MANY; i++) {
        ask(cache, page_key("+1555", i), 1, apr_psprintf(*state, "answer %d", i));
    }
}

static void test_an_answer_of_another_version_is_none(void **state)
{
    wa_cache_t *cache = cache_of(64, 1 << 20, *state);

    put(cache, page_key("a", 1), 5, "five");
    ask(cache, page_key("a", 1), 4, NULL);
    ask(cache, page_key("a", 1), 6, NULL);
    ask(cache, page_key("a", 1), 5, "five");
    put(cache, page_key("a", 1), 6, "six");
    ask(cache, page_key("a", 1), 5, NULL);
    ask(cache, page_key("a", 1), 6, "six");
}

static void test_the_oldest_goes_but_for_one_that_is_asked_for(void **state)
{
    wa_cache_t *cache = cache_of(3, 1 << 20, *state);

    put(cache, page_key("a", 1), 1, "a");
    put(cache, page_key("b", 1), 1, "b");
    put(cache, page_key("c", 1), 1, "c");
    ask(cache, page_key("a", 1), 1, "a");
    put(cache, page_key("d", 1), 1, "d"); /* a is spared, b goes */
    put(cache, page_key("e", 1), 1, "e"); /* c goes: a is newer now */
    put(cache, page_key("f", 1), 1, "f"); /* d was not asked for since it came */
    ask(cache, page_key("b", 1), 1, NULL);
    ask(cache, page_key("c", 1), 1, NULL);
    ask(cache, page_key("d", 1), 1, NULL);
    ask(cache, page_key("e", 1), 1, "e");
    ask(cache, page_key("f", 1), 1, "f");
    /* a was spared once */
    ask(cache, page_key("a", 1), 1, "a");
}

/* One that is put anew takes its own place and nobody else's. */
static void test_an_answer_in_anothers_place_counts_once(void **state)
{
    wa_cache_t *cache = cache_of(3, 1 << 20, *state);
    int i;

    put(cache, page_key("a", 1), 1, "a");
    put(cache, page_key("b", 1), 1, "b");
    for (i = 2; i < 20; i++) {
        put(cache, page_key("c", 1), (apr_uint64_t)i, "c");
    }
    ask(cache, page_key("a", 1), 1, "a");
    ask(cache, page_key("b", 1), 1, "b");
    ask(cache, page_key("c", 1), 19, "c");
}

static char *text_of_length(size_t len, apr_pool_t *p)
{
    char *text = apr_palloc(p, len + 1);

    memset(text, 'x', len);
    text[len] = '\0';
    return text;
}

static void test_bytes_are_bounded_too(void **state)
{
    enum { ROOM = 40000 };
    wa_cache_t *cache = cache_of(1000, ROOM, *state);
    char *text = text_of_length(ROOM / 8, *state);
    int i, found = 0;

    for (i = 0; i < 50; i++) {
        put(cache, page_key("a", i), 1, text);
    }
    for (i = 0; i < 50; i++) {
        const wa_cache_key_t key = page_key("a", i);
        wa_cache_entry_t *entry = wa_cache_get(cache, &key, 1);

        found += entry != NULL;
        if (entry) {
            wa_cache_entry_release(entry);
        }
    }
    assert_int_equal(found, 7); /* eight and what is kept beside them are over it */
    ask(cache, page_key("a", 49), 1, text);
}

static void test_one_giant_empties_nothing(void **state)
{
    enum { ROOM = 40000 };
    wa_cache_t *cache = cache_of(1000, ROOM, *state);
    char *giant = text_of_length(ROOM / 4, *state), *large = text_of_length(ROOM / 4 - 500, *state);

    put(cache, page_key("small", 1), 1, "small");
    put(cache, page_key("giant", 1), 1, giant);
    ask(cache, page_key("giant", 1), 1, NULL);
    ask(cache, page_key("small", 1), 1, "small");
    put(cache, page_key("large", 1), 1, large);
    ask(cache, page_key("large", 1), 1, large);
}

/* Whoever got an answer has it until it lets go, whatever becomes of the cache. */
static void test_a_reader_keeps_what_it_got(void **state)
{
    wa_cache_t *cache;
    apr_pool_t *p;
    const wa_cache_key_t key = page_key("a", 1);
    wa_cache_entry_t *first, *second;

    assert_int_equal(apr_pool_create(&p, *state), APR_SUCCESS);
    cache = cache_of(1, 1 << 20, p);
    put(cache, key, 1, "first");
    first = wa_cache_get(cache, &key, 1);
    put(cache, key, 2, "second");
    second = wa_cache_get(cache, &key, 2);
    put(cache, page_key("b", 1), 1, "another");
    put(cache, page_key("c", 1), 1, "another");
    ask(cache, key, 2, NULL);
    apr_pool_destroy(p);
    assert_slice_is(wa_cache_entry_bytes(first), "first");
    assert_slice_is(wa_cache_entry_bytes(second), "second");
    wa_cache_entry_release(first);
    wa_cache_entry_release(second);
}

static void test_a_buffer_that_failed_is_no_answer(void **state)
{
    wa_cache_t *cache = cache_of(8, 1 << 20, *state);
    const wa_cache_key_t key = page_key("a", 1);
    wa_buffer_t b;

    wa_buffer_init(&b, 0);
    wa_buffer_add_slice(&b, wa_slice_of("half of an answer"));
    b.failed = 1;
    assert_null(wa_cache_put(cache, &key, 1, 0, &b));
    ask(cache, key, 1, NULL);
}

/* Buckets of one answer: split and copied ones hold it until the last is gone. */
static void test_buckets_hold_the_answer(void **state)
{
    apr_bucket_alloc_t *list = apr_bucket_alloc_create(*state);
    wa_cache_t *cache = cache_of(1, 1 << 20, *state);
    const wa_cache_key_t key = page_key("a", 1);
    apr_bucket *whole, *rest, *copy;
    const char *bytes;
    apr_size_t len;

    put(cache, key, 1, "0123456789");
    whole = wa_cache_bucket_create(wa_cache_get(cache, &key, 1), list);
    put(cache, page_key("b", 1), 1, "another"); /* the cache holds it no more */
    assert_int_equal(whole->length, 10);
    assert_int_equal(apr_bucket_split(whole, 4), APR_SUCCESS);
    rest = APR_BUCKET_NEXT(whole);
    assert_int_equal(apr_bucket_copy(rest, &copy), APR_SUCCESS);
    assert_int_equal(apr_bucket_read(whole, &bytes, &len, APR_BLOCK_READ), APR_SUCCESS);
    assert_slice_is(wa_slice_make(bytes, len), "0123");
    apr_bucket_destroy(whole);
    assert_int_equal(apr_bucket_read(rest, &bytes, &len, APR_BLOCK_READ), APR_SUCCESS);
    assert_slice_is(wa_slice_make(bytes, len), "456789");
    apr_bucket_destroy(rest);
    assert_int_equal(apr_bucket_setaside(copy, *state), APR_SUCCESS);
    assert_int_equal(apr_bucket_read(copy, &bytes, &len, APR_BLOCK_READ), APR_SUCCESS);
    assert_slice_is(wa_slice_make(bytes, len), "456789");
    apr_bucket_destroy(copy);
    apr_bucket_alloc_destroy(list);
}

/* ---- many at once ---- */

enum { THREADS = 4, ROUNDS = 20000, KEYS = 6 };

static void *APR_THREAD_FUNC reader_main(apr_thread_t *thread, void *data)
{
    wa_cache_t *cache = data;
    int i;

    (void)thread;
    for (i = 0; i < ROUNDS; i++) {
        const int n = i % KEYS;
        const apr_uint64_t version = (apr_uint64_t)(i / 100);
        const wa_cache_key_t key = page_key("a", n);
        wa_cache_entry_t *entry = wa_cache_get(cache, &key, version);
        char text[64];
        wa_buffer_t b;

        snprintf(text, sizeof(text), "%d of version %d", n, (int)version);
        if (!entry) {
            wa_buffer_init(&b, 0);
            wa_buffer_add_slice(&b, wa_slice_of(text));
            entry = wa_cache_put(cache, &key, version, 0, &b);
        }
        if (!entry || !wa_slice_is_equal(wa_cache_entry_bytes(entry), wa_slice_of(text))) {
            return data;
        }
        wa_cache_entry_release(entry);
    }
    return NULL;
}

static void test_many_readers(void **state)
{
    wa_cache_t *cache = cache_of(KEYS - 2, 1 << 20, *state);
    apr_thread_t *threads[THREADS];
    int i;

    for (i = 0; i < THREADS; i++) {
        assert_int_equal(apr_thread_create(&threads[i], NULL, reader_main, cache, *state),
                         APR_SUCCESS);
    }
    for (i = 0; i < THREADS; i++) {
        apr_status_t rv;

        apr_thread_join(&rv, threads[i]);
    }
    put(cache, page_key("a", 0), 1000000, "after");
    ask(cache, page_key("a", 0), 1000000, "after");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_an_answer_is_given_to_its_question_only),
        POOL_TEST(test_many_questions),
        POOL_TEST(test_an_answer_of_another_version_is_none),
        POOL_TEST(test_the_oldest_goes_but_for_one_that_is_asked_for),
        POOL_TEST(test_an_answer_in_anothers_place_counts_once),
        POOL_TEST(test_bytes_are_bounded_too),
        POOL_TEST(test_one_giant_empties_nothing),
        POOL_TEST(test_a_reader_keeps_what_it_got),
        POOL_TEST(test_a_buffer_that_failed_is_no_answer),
        POOL_TEST(test_buckets_hold_the_answer),
        POOL_TEST(test_many_readers),
    };

    return cmocka_run_group_tests(tests, apr_setup, apr_teardown);
}
