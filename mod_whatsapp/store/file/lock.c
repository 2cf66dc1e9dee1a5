/* SPDX-License-Identifier: Apache-2.0 */
/* The lock of a store's directory, which one server or tool holds as long as it has the store. */
#include "store/file/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include <apr_time.h>

#include "store/file/directory.h"
#include "store/file/mapping.h"

/* Who asks whether a store is owned holds its lock for a moment: so long is waited for that. */
#define LOCK_TRIES 20
#define LOCK_PAUSE apr_time_from_msec(5)

apr_status_t wa_lock_take(int *pfd, const char *directory, apr_uid_t uid, apr_gid_t gid)
{
    int fd, i;
    apr_status_t rv = wa_directory_file_open(&fd, directory, "lock", uid, gid);

    *pfd = -1;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    for (i = 0; flock(fd, LOCK_EX | LOCK_NB); i++) {
        if (errno != EWOULDBLOCK || i == LOCK_TRIES) {
            rv = errno == EWOULDBLOCK ? APR_EEXIST : APR_FROM_OS_ERROR(errno);
            close(fd);
            return rv;
        }
        apr_sleep(LOCK_PAUSE);
    }
    *pfd = fd;
    return APR_SUCCESS;
}

int wa_lock_is_taken(const char *directory)
{
    char path[4096];
    int fd, is_taken;

    snprintf(path, sizeof(path), "%s/lock", directory);
    if (wa_file_open(&fd, path, O_RDONLY, 0, 0) != APR_SUCCESS) {
        return 0;
    }
    /* Another's lock shows in that it cannot be shared. It is held for no longer than the question
     * takes. */
    is_taken = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd);
    return is_taken;
}
