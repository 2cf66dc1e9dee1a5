/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets in the configuration: literal, from a file, from a command. */
#include "httpd/secrets.h"

#include <apr_file_io.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>

/* Copies the printable word in `text` to *psecret.
 * @return NULL | what is wrong, without the text. */
static const char *secret_take(const char *text, apr_size_t len, wa_secret_t *psecret,
                               apr_pool_t *p)
{
    apr_size_t i;

    while (len > 0 && apr_isspace(text[len - 1])) {
        len--;
    }
    while (len > 0 && apr_isspace(text[0])) {
        text++;
        len--;
    }
    if (len == 0) {
        return "is empty";
    }
    if (len > WA_SECRET_MAX) {
        return apr_psprintf(p, "is longer than %d characters", WA_SECRET_MAX);
    }
    for (i = 0; i < len; i++) {
        if (!apr_isgraph(text[i])) {
            return "must be one word of printable ASCII characters";
        }
    }
    *psecret = wa_secret_make(text, len, p);
    return NULL;
}

static const char *secret_from_file(const char *name, wa_secret_t *psecret, const char **popen_file,
                                    apr_pool_t *p)
{
    const char *path = ap_server_root_relative(p, name);
    const char *wrong = NULL;
    char text[WA_SECRET_MAX * 4];
    apr_size_t len = 0;
    apr_finfo_t info;
    apr_file_t *file = NULL;
    apr_status_t rv;

    if (!path || *name == '\0') {
        return apr_psprintf(p, "'file:%s' is no valid path", name);
    }
    /* Reading from a pipe could wait for ever. */
    rv = apr_stat(&info, path, APR_FINFO_TYPE, p);
    if (rv == APR_SUCCESS && info.filetype != APR_REG) {
        return apr_psprintf(p, "'file:%s': %s is no regular file", name, path);
    }
    rv = apr_file_open(&file, path, APR_FOPEN_READ | APR_FOPEN_BINARY, APR_FPROT_OS_DEFAULT, p);
    if (rv == APR_SUCCESS) {
        rv = apr_file_read_full(file, text, sizeof(text), &len);
        if (APR_STATUS_IS_EOF(rv)) {
            rv = APR_SUCCESS;
        }
        if (apr_file_info_get(&info, APR_FINFO_PROT, file) == APR_SUCCESS
            && (info.protection & APR_FPROT_WREAD)) {
            *popen_file = path;
        }
        apr_file_close(file);
    }
    if (rv != APR_SUCCESS) {
        char reason[120];

        wrong = apr_psprintf(p, "'file:%s': %s cannot be read: %s", name, path,
                             apr_strerror(rv, reason, sizeof(reason)));
    } else {
        const char *flaw = secret_take(text, len, psecret, p);

        if (flaw) {
            wrong = apr_psprintf(p, "'file:%s': what %s holds %s", name, path, flaw);
        }
    }
    wa_secret_wipe(text, sizeof(text));
    return wrong;
}

static const char *secret_from_command(const char *command, wa_secret_t *psecret, apr_pool_t *p)
{
    const char *flaw;
    char **argv;
    char *line;

    if (apr_tokenize_to_argv(command, &argv, p) != APR_SUCCESS || !argv[0]) {
        return "'exec:' needs a command after it";
    }
    line = ap_get_exec_line(p, argv[0], (const char *const *)argv);
    if (!line) {
        return apr_psprintf(p, "'exec:%s ...' cannot be run or printed nothing", argv[0]);
    }
    flaw = secret_take(line, strlen(line), psecret, p);
    wa_secret_wipe(line, strlen(line));
    return flaw ? apr_psprintf(p, "'exec:%s ...': what it prints %s", argv[0], flaw) : NULL;
}

const char *wa_secret_read(const char *value, wa_secret_t *psecret, const char **popen_file,
                           apr_pool_t *p)
{
    const char *flaw;

    psecret->bytes = NULL;
    psecret->len = 0;
    *popen_file = NULL;
    if (strncmp(value, "file:", 5) == 0) {
        return secret_from_file(value + 5, psecret, popen_file, p);
    }
    if (strncmp(value, "exec:", 5) == 0) {
        return secret_from_command(value + 5, psecret, p);
    }
    flaw = secret_take(value, strlen(value), psecret, p);
    return flaw ? apr_pstrcat(p, flaw, "; write the token, file:PATH or exec:COMMAND", NULL) : NULL;
}
