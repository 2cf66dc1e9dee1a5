/* SPDX-License-Identifier: Apache-2.0 */
/* Takes WhatsAppStore apart as this driver means it: "dbm:/directory type=db|gdbm|sdbm|default". */
#include "store/dbm/lifecycle/uri.h"

#include <string.h>

#include <apr_file_info.h>
#include <apr_strings.h>

#include "store/view/checkpoint.h"

apr_status_t wa_dbm_uri_type(const wa_store_uri_t *uri, const char **ptype, const char **perror,
                             apr_pool_t *p)
{
    const char *type = "default";

    if (*uri->arguments) {
        if (strncmp(uri->arguments, "type=", 5) != 0 || strpbrk(uri->arguments, " \t")) {
            *perror = apr_psprintf(p,
                                   "'%s' after the directory is not known; allowed is type=db, "
                                   "type=gdbm, type=sdbm or type=default",
                                   uri->arguments);
            return APR_EINVAL;
        }
        type = uri->arguments + 5;
    }
    if (strcmp(type, "default") == 0) {
        type = wa_checkpoint_type_is_available("db", p) ? "db" : "sdbm";
    }
    if (strcmp(type, "db") != 0 && strcmp(type, "gdbm") != 0 && strcmp(type, "sdbm") != 0) {
        *perror = apr_psprintf(
            p, "type=%s is not known; allowed is type=db, type=gdbm, type=sdbm or type=default",
            type);
        return APR_EINVAL;
    }
    if (!wa_checkpoint_type_is_available(type, p)) {
        *perror = apr_psprintf(p,
                               "type=%s is not available in this APR-util; another type, or the "
                               "package that brings it, is needed",
                               type);
        return APR_EINVAL;
    }
    *ptype = type;
    return APR_SUCCESS;
}

apr_status_t wa_dbm_uri_directory(const wa_store_uri_t *uri, const char **pdirectory,
                                  const char **perror, apr_pool_t *p)
{
    char *path;

    if (uri->location[0] != '/'
        || apr_filepath_merge(&path, NULL, uri->location, APR_FILEPATH_NOTRELATIVE, p)
               != APR_SUCCESS) {
        *perror =
            apr_psprintf(p, "'%s' is not an absolute path to the store's directory", uri->location);
        return APR_EINVAL;
    }
    while (strlen(path) > 1 && path[strlen(path) - 1] == '/') {
        path[strlen(path) - 1] = '\0';
    }
    if (strlen(path) > 3900) {
        *perror = apr_psprintf(p, "the path of the store's directory is longer than 3900 bytes");
        return APR_EINVAL;
    }
    *pdirectory = path;
    return APR_SUCCESS;
}

apr_status_t wa_dbm_check(const wa_store_uri_t *uri, const char **perror, const char **pkey,
                          apr_pool_t *p)
{
    const char *type, *directory;
    apr_status_t rv = wa_dbm_uri_directory(uri, &directory, perror, p);

    if (rv == APR_SUCCESS) {
        rv = wa_dbm_uri_type(uri, &type, perror, p);
    }
    if (rv == APR_SUCCESS) {
        *pkey = apr_pstrcat(p, "dbm:", directory, NULL);
    }
    return rv;
}
