/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the journal file, and finds and checks records in it. */
#include "store/log/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "base/hash.h"

static const char journal_magic[16] = "mod_whatsapp\n\x1a\0";

/* The file's first block; the rest of it is zero. */
typedef struct journal_head_t {
    char magic[16];
    apr_uint32_t version;
    apr_uint32_t byte_order; /* 0x01020304 */
    apr_uint64_t salt;
    char account_sid[64];
    apr_uint32_t crc; /* of all before */
    apr_uint32_t reserved;
} journal_head_t;

static apr_uint32_t head_crc(const journal_head_t *head)
{
    return wa_crc32c(0, head, offsetof(journal_head_t, crc));
}

static apr_status_t head_write(int fd, const wa_journal_options_t *options)
{
    char block[WA_JOURNAL_START];
    journal_head_t head;
    apr_status_t rv;

    memset(&head, 0, sizeof(head));
    memcpy(head.magic, journal_magic, sizeof(head.magic));
    head.version = WA_JOURNAL_VERSION;
    head.byte_order = 0x01020304;
    apr_cpystrn(head.account_sid, options->account_sid, sizeof(head.account_sid));
    rv = apr_generate_random_bytes((unsigned char *)&head.salt, sizeof(head.salt));
    if (rv != APR_SUCCESS) {
        return rv;
    }
    head.crc = head_crc(&head);
    memset(block, 0, sizeof(block));
    memcpy(block, &head, sizeof(head));
    rv = wa_file_write(fd, block, sizeof(block), 0);
    if (rv == APR_SUCCESS && fsync(fd)) {
        rv = APR_FROM_OS_ERROR(errno);
    }
    return rv;
}

/* A journal gets its name when its first block is on the disk: one without it is no journal whose
 * making was cut short, it was cut itself. */
static apr_status_t journal_create(int *pfd, const wa_journal_options_t *options, apr_pool_t *p)
{
    const char *temporary = apr_pstrcat(p, options->path, ".new", NULL);
    const char *slash = strrchr(options->path, '/');
    apr_status_t rv;

    *pfd = -1;
    if (unlink(temporary) && errno != ENOENT) {
        return APR_FROM_OS_ERROR(errno);
    }
    rv = wa_file_open(pfd, temporary, O_RDWR | O_CREAT, options->uid, options->gid);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = head_write(*pfd, options);
    if (rv == APR_SUCCESS && rename(temporary, options->path)) {
        rv = APR_FROM_OS_ERROR(errno);
    }
    if (rv == APR_SUCCESS) {
        rv = wa_directory_sync(
            slash ? wa_slice_string(
                wa_slice_make(options->path, (apr_size_t)(slash - options->path)), p)
                  : ".");
    } else {
        unlink(temporary);
    }
    if (rv != APR_SUCCESS) {
        close(*pfd);
        *pfd = -1;
    }
    return rv;
}

/* What became of a journal that has no first block, NULL when it has something there. */
static const char *head_lost(int fd, apr_uint64_t size, apr_pool_t *p)
{
    char block[WA_JOURNAL_START];
    ssize_t n = pread(fd, block, sizeof(block), 0), i;

    if (n < 0) {
        return NULL;
    }
    for (i = 0; i < n && !block[i]; i++) {
        continue;
    }
    if (size == 0) {
        return "is empty";
    }
    if (i == n) {
        return "holds zeros where its first block should be";
    }
    return size < sizeof(block)
                   && memcmp(block, journal_magic,
                             (size_t)n < sizeof(journal_magic) ? (size_t)n : sizeof(journal_magic))
                          == 0
               ? apr_psprintf(p, "was cut to %" APR_UINT64_T_FMT " bytes", size)
               : NULL;
}

static apr_status_t head_check(wa_journal_t *j, int fd, const wa_journal_options_t *options,
                               const char **perror, apr_pool_t *p)
{
    journal_head_t head;
    struct stat info;
    const char *lost;

    if (fstat(fd, &info)) {
        return APR_FROM_OS_ERROR(errno);
    }
    if ((apr_uint64_t)info.st_size > WA_MAPPING_MAX) {
        *perror = apr_psprintf(p, "%s is longer than any journal can be", options->path);
        return APR_EINVAL;
    }
    lost = head_lost(fd, (apr_uint64_t)info.st_size, p);
    if (lost) {
        *perror =
            apr_psprintf(p, "%s %s, so all that it held is gone from it. " WA_JOURNAL_LOST_HINT,
                         options->path, lost);
        return APR_EINVAL;
    }
    if (pread(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head)
        || memcmp(head.magic, journal_magic, sizeof(head.magic)) != 0) {
        *perror = apr_psprintf(p, "%s is not a journal of mod_whatsapp", options->path);
        return APR_EINVAL;
    }
    if (head.byte_order != 0x01020304) {
        *perror = apr_psprintf(p,
                               "%s was written on a machine of the other byte order; move it with "
                               "whatsappctl dump and load",
                               options->path);
        return APR_EINVAL;
    }
    if (head.version != WA_JOURNAL_VERSION) {
        head.account_sid[sizeof(head.account_sid) - 1] = '\0';
        *perror = apr_psprintf(
            p,
            "%s has format version %u, this module reads version %u; carry it over with the "
            "whatsappctl that came with the module that wrote it, \"whatsappctl --store STORE dump "
            "--output FILE\", and this one's \"whatsappctl --store NEW-STORE load FILE "
            "--account-sid %s --user USER\", where USER is the one that httpd runs as",
            options->path, head.version, WA_JOURNAL_VERSION,
            head.crc == head_crc(&head) ? head.account_sid : "SID");
        return APR_EINVAL;
    }
    if (head.crc != head_crc(&head)) {
        *perror = apr_psprintf(p, "the first block of %s is damaged; restore it from a backup",
                               options->path);
        return APR_EINVAL;
    }
    head.account_sid[sizeof(head.account_sid) - 1] = '\0';
    if (options->account_sid && *options->account_sid
        && strcmp(head.account_sid, options->account_sid) != 0) {
        *perror = apr_psprintf(p, "%s holds the messages of another Twilio account (%s)",
                               options->path, head.account_sid);
        return APR_EINVAL;
    }
    j->salt = head.salt;
    j->account_sid = apr_pstrdup(p, head.account_sid);
    return APR_SUCCESS;
}

apr_status_t wa_journal_inspect(int fd, const wa_journal_options_t *options, const char **perror,
                                apr_pool_t *p)
{
    wa_journal_t j;

    *perror = NULL;
    return head_check(&j, fd, options, perror, p);
}

apr_status_t wa_journal_open(wa_journal_t *j, const wa_journal_options_t *options,
                             const char **perror, apr_pool_t *p)
{
    struct stat info;
    char why[120];
    apr_status_t rv;
    int fd;

    memset(j, 0, sizeof(*j));
    j->map.fd = -1;
    j->log = options->log;
    j->path = apr_pstrdup(p, options->path);
    *perror = NULL;
    rv = wa_file_open(&fd, options->path, options->is_read_only ? O_RDONLY : O_RDWR, options->uid,
                      options->gid);
    if (APR_STATUS_IS_ENOENT(rv) && !options->is_read_only) {
        rv = journal_create(&fd, options, p);
    }
    if (rv != APR_SUCCESS) {
        *perror = apr_psprintf(p, "%s cannot be opened: %s", options->path,
                               apr_strerror(rv, why, sizeof(why)));
        return rv;
    }
    if (fstat(fd, &info)) {
        rv = APR_FROM_OS_ERROR(errno);
        goto out;
    }
    rv = head_check(j, fd, options, perror, p);
    if (rv != APR_SUCCESS) {
        goto out;
    }
    rv = wa_mapping_init(&j->map, fd, 0, (apr_uint64_t)info.st_size);
out:
    if (rv != APR_SUCCESS) {
        close(fd);
        j->map.fd = -1;
    }
    return rv;
}

void wa_journal_release(wa_journal_t *j)
{
    wa_mapping_release(&j->map);
}

const wa_record_t *wa_journal_record(wa_journal_t *j, apr_uint64_t offset, apr_uint64_t end)
{
    const wa_record_t *r;

    if (offset < WA_JOURNAL_START || offset % 8 || offset > end || end - offset < WA_RECORD_MIN) {
        return NULL;
    }
    r = wa_mapping_at(&j->map, offset, sizeof(*r));
    if (!r || r->length > end - offset) {
        return NULL;
    }
    r = wa_mapping_at(&j->map, offset, r->length);
    return r && wa_record_header_is_valid(r, end - offset, offset, j->salt) ? r : NULL;
}

const wa_record_t *wa_journal_record_checked(wa_journal_t *j, apr_uint64_t offset, apr_uint64_t end)
{
    const wa_record_t *r = wa_journal_record(j, offset, end);

    if (!r || !wa_record_payload_is_valid(r)) {
        WA_LOG(j->log, WA_LOG_ERR, "WA0403", APR_EGENERAL,
               "%s is damaged at byte %" APR_UINT64_T_FMT ": what stands there is not served",
               j->path, offset);
        return NULL;
    }
    return r;
}

/* Whether to go on is asked once in so many bytes. */
#define STOP_STEP ((apr_uint64_t)1 << 16)

static int is_stopping(const wa_journal_t *j)
{
    return j->stop && *j->stop;
}

apr_status_t wa_journal_resync(wa_journal_t *j, apr_uint64_t offset, apr_uint64_t end,
                               apr_uint64_t *poffset)
{
    *poffset = end;
    for (; offset < end && end - offset >= WA_RECORD_MIN; offset += 8) {
        const apr_uint32_t *magic = wa_mapping_at(&j->map, offset, sizeof(*magic));
        const wa_record_t *r;

        if (!magic) {
            break;
        }
        if (offset % STOP_STEP == 0 && is_stopping(j)) {
            return APR_EINTR;
        }
        if (*magic != WA_RECORD_MAGIC) {
            continue;
        }
        /* Many that look right, each with much to check, are the other way to make this last. */
        if (is_stopping(j)) {
            return APR_EINTR;
        }
        r = wa_journal_record(j, offset, end);
        if (r && wa_record_is_sound(r)) {
            *poffset = offset;
            break;
        }
    }
    return APR_SUCCESS;
}

apr_status_t wa_journal_content_end(wa_journal_t *j, apr_uint64_t from, apr_uint64_t to,
                                    apr_uint64_t *pend)
{
    const char *bytes = to > from ? wa_mapping_at(&j->map, from, to - from) : NULL;

    *pend = from;
    if (to > from && !bytes) {
        return APR_ENOMEM;
    }
    while (to > from && !bytes[to - from - 1]) {
        if (--to % STOP_STEP == 0 && is_stopping(j)) {
            return APR_EINTR;
        }
    }
    *pend = to > from ? to : from;
    return APR_SUCCESS;
}

apr_status_t wa_journal_size(wa_journal_t *j, apr_uint64_t *psize)
{
    struct stat info;

    *psize = 0;
    if (fstat(j->map.fd, &info)) {
        return APR_FROM_OS_ERROR(errno);
    }
    *psize = (apr_uint64_t)info.st_size;
    return APR_SUCCESS;
}

apr_status_t wa_journal_refuse(const wa_journal_t *j, apr_status_t why)
{
    static apr_int64_t last_ms;
    apr_int64_t now = wa_clock_steady_us() / 1000;
    apr_int64_t last = __atomic_load_n(&last_ms, __ATOMIC_RELAXED);

    if ((!last || now - last >= 1000)
        && __atomic_compare_exchange_n(&last_ms, &last, now, 0, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED)) {
        WA_LOG(j->log, WA_LOG_ERR, "WA0412", why,
               "%s cannot grow: no space, or not writable; messages are refused until it can",
               j->path);
    }
    return APR_STATUS_IS_ENOSPC(why) || APR_STATUS_IS_EACCES(why) || why == EROFS || why == EDQUOT
               ? APR_ENOSPC
               : APR_EGENERAL;
}

apr_status_t wa_journal_cut(wa_journal_t *j, apr_uint64_t offset)
{
    return ftruncate(j->map.fd, (off_t)offset) ? APR_FROM_OS_ERROR(errno) : APR_SUCCESS;
}
