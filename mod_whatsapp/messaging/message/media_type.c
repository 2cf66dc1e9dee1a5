/* SPDX-License-Identifier: Apache-2.0 */
/* What kind of file an address leads to, as far as it says, and which kinds WhatsApp shows with a
 * text. */
#include "messaging/message/media_type.h"

#include <strings.h>

#include "base/percent.h"

/* No caption: stickers (webp); documents, audio and contacts; 3gp, which is sound or video; gif,
 * which WhatsApp does not take for a picture. */
static const struct {
    const char *ending, *type;
    int has_caption;
} types[] = {
    {".jpg", "image/jpeg", 1},
    {".jpeg", "image/jpeg", 1},
    {".png", "image/png", 1},
    {".webp", "image/webp", 0},
    {".gif", "image/gif", 0},
    {".mp4", "video/mp4", 1},
    {".3gp", "video/3gpp", 0},
    {".3gpp", "video/3gpp", 0},
    {".aac", "audio/aac", 0},
    {".amr", "audio/amr", 0},
    {".m4a", "audio/mp4", 0},
    {".mp3", "audio/mpeg", 0},
    {".oga", "audio/ogg", 0},
    {".ogg", "audio/ogg", 0},
    {".opus", "audio/ogg", 0},
    {".csv", "text/csv", 0},
    {".doc", "application/msword", 0},
    {".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", 0},
    {".pdf", "application/pdf", 0},
    {".ppt", "application/vnd.ms-powerpoint", 0},
    {".pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation", 0},
    {".txt", "text/plain", 0},
    {".xls", "application/vnd.ms-excel", 0},
    {".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", 0},
    {".vcard", "text/vcard", 0},
    {".vcf", "text/vcard", 0},
};

#define TYPES (sizeof(types) / sizeof(types[0]))

const char *wa_media_type_of_path(const char *path, apr_pool_t *p)
{
    char *decoded = apr_palloc(p, strlen(path) + 1);
    const apr_size_t len = wa_percent_decode(decoded, wa_slice_of(path), WA_PERCENT_PLUS_IS_PLUS);
    apr_size_t i;

    for (i = 0; i < TYPES; i++) {
        const apr_size_t ending = strlen(types[i].ending);

        if (len > ending && strncasecmp(decoded + len - ending, types[i].ending, ending) == 0) {
            return types[i].type;
        }
    }
    return "application/octet-stream";
}

int wa_media_type_has_caption(wa_slice_t type)
{
    apr_size_t i;

    for (i = 0; i < TYPES; i++) {
        if (wa_slice_is_equal(type, wa_slice_of(types[i].type))) {
            return types[i].has_caption;
        }
    }
    return 0;
}
