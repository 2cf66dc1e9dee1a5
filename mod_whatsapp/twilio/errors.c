/* SPDX-License-Identifier: Apache-2.0 */
/* The table of Twilio's error codes (docs/TWILIO.md section 1.5). */
#include "twilio/errors.h"

#include <stdlib.h>

#include <apr_strings.h>

#include "base/line.h"

typedef struct error_row_t {
    int code;
    wa_twilio_error_kind_e kind;
    const char *sentence;
} error_row_t;

/* Ascending by code: it is searched by halves. */
static const error_row_t table[] = {
    {11200, WA_TWILIO_ERROR_OTHER,
     "Twilio called our webhook and got no good answer within 15 seconds. Check the webhook URL "
     "and this server's error log."},
    {11205, WA_TWILIO_ERROR_OTHER,
     "Twilio could not connect to our webhook. Check that its URL can be reached from the "
     "internet."},
    {11210, WA_TWILIO_ERROR_OTHER,
     "Twilio could not find our webhook's host name. Check the webhook URL and its DNS entry."},
    {11220, WA_TWILIO_ERROR_OTHER,
     "Twilio could not make a TLS connection to our webhook. Check the server's TLS settings."},
    {11235, WA_TWILIO_ERROR_OTHER,
     "Twilio does not accept our webhook's certificate because its host name differs. Check the "
     "certificate."},
    {11237, WA_TWILIO_ERROR_OTHER,
     "Twilio does not trust our webhook's certificate. Install the full certificate chain of a "
     "public authority."},
    {11750, WA_TWILIO_ERROR_OTHER,
     "Our webhook's answer was too long for Twilio. Check what answers at the webhook URL."},
    {12100, WA_TWILIO_ERROR_OTHER,
     "Twilio could not parse our webhook's answer. Check what answers at the webhook URL."},
    {12200, WA_TWILIO_ERROR_OTHER,
     "Twilio found unknown instructions in our webhook's answer. Check what answers at the webhook "
     "URL."},
    {12300, WA_TWILIO_ERROR_OTHER,
     "Our webhook answered with a content type that Twilio does not take. Check what answers at "
     "the webhook URL."},
    {20003, WA_TWILIO_ERROR_CREDENTIALS,
     "Twilio refused our credentials. The administrator has to check the account SID and the auth "
     "token."},
    {20005, WA_TWILIO_ERROR_CREDENTIALS,
     "The Twilio account is not active. The administrator has to look at it in Twilio's console."},
    {20403, WA_TWILIO_ERROR_CREDENTIALS,
     "The Twilio account may not do this. The administrator has to check its permissions in "
     "Twilio's console."},
    {20404, WA_TWILIO_ERROR_OTHER,
     "Twilio does not know what we asked for. The administrator has to check the account SID."},
    {20429, WA_TWILIO_ERROR_BUSY,
     "Too many messages are being sent at once. Try again in a moment."},
    {20500, WA_TWILIO_ERROR_BUSY,
     "Twilio had an internal problem. Check whether the message arrived before you send it again."},
    {20503, WA_TWILIO_ERROR_BUSY,
     "Twilio is not available at the moment. Check whether the message arrived before you send it "
     "again."},
    {21211, WA_TWILIO_ERROR_RECIPIENT,
     "The recipient's number is not valid. Check it, country code included."},
    {21212, WA_TWILIO_ERROR_CREDENTIALS,
     "Our sender number is not valid. The administrator has to check the configured WhatsApp "
     "number."},
    {21408, WA_TWILIO_ERROR_RECIPIENT,
     "Sending to the recipient's country is not enabled. The administrator can enable it in "
     "Twilio's console."},
    {21602, WA_TWILIO_ERROR_CONTENT,
     "The message has no content. Write something or attach a file."},
    {21603, WA_TWILIO_ERROR_CREDENTIALS,
     "No sender was given. The administrator has to check the configured WhatsApp number."},
    {21604, WA_TWILIO_ERROR_RECIPIENT, "No recipient was given. Enter the recipient's number."},
    {21606, WA_TWILIO_ERROR_CREDENTIALS,
     "Our sender number cannot send messages. The administrator has to check the configured "
     "WhatsApp number."},
    {21608, WA_TWILIO_ERROR_RECIPIENT,
     "This is a trial account: verify the recipient's number in Twilio's console first, or upgrade "
     "the account."},
    {21609, WA_TWILIO_ERROR_CREDENTIALS,
     "Twilio does not accept our callback URL. The administrator has to check the configured "
     "public URL."},
    {21610, WA_TWILIO_ERROR_OPTED_OUT,
     "The recipient has opted out of our messages. They must write START before we can write to "
     "them again."},
    {21611, WA_TWILIO_ERROR_BUSY,
     "Too many messages are waiting to go out from our number. Try again later."},
    {21614, WA_TWILIO_ERROR_RECIPIENT, "The recipient's number is not a mobile number. Check it."},
    {21617, WA_TWILIO_ERROR_CONTENT,
     "The message is too long: Twilio takes at most 1600 characters. Shorten or split it."},
    {21619, WA_TWILIO_ERROR_CONTENT,
     "The message has no content. Write something or attach a file."},
    {21620, WA_TWILIO_ERROR_CONTENT,
     "The media URL is not valid. Check that it is a full, public web address."},
    {21623, WA_TWILIO_ERROR_CONTENT, "Too many files are attached: at most 10 are allowed."},
    {21654, WA_TWILIO_ERROR_CONTENT,
     "Template variables were given without a template. Choose a template."},
    {21655, WA_TWILIO_ERROR_CONTENT,
     "The template does not exist in this account. Check its ContentSid."},
    {21656, WA_TWILIO_ERROR_CONTENT,
     "The template's variables are not valid. Check their names and values."},
    {21658, WA_TWILIO_ERROR_CONTENT,
     "A part of the message is too long: the text and each template variable may have at most 1600 "
     "characters."},
    {21701, WA_TWILIO_ERROR_CREDENTIALS,
     "The messaging service does not exist. The administrator has to check it in Twilio's "
     "console."},
    {21702, WA_TWILIO_ERROR_CREDENTIALS,
     "The messaging service is not available. The administrator has to check it in Twilio's "
     "console."},
    {21703, WA_TWILIO_ERROR_CREDENTIALS,
     "The messaging service has no sender. The administrator has to add one in Twilio's console."},
    {21704, WA_TWILIO_ERROR_CREDENTIALS,
     "The messaging service has no usable sender. The administrator has to add one in Twilio's "
     "console."},
    {21705, WA_TWILIO_ERROR_CREDENTIALS,
     "The messaging service is not usable. The administrator has to check it in Twilio's console."},
    {30001, WA_TWILIO_ERROR_BUSY,
     "Too many messages were waiting to go out and this one was dropped. Send it again later."},
    {30003, WA_TWILIO_ERROR_RECIPIENT, "The recipient's phone cannot be reached. Try again later."},
    {30005, WA_TWILIO_ERROR_RECIPIENT,
     "The recipient's number is unknown or no longer in use. Check it."},
    {30007, WA_TWILIO_ERROR_CONTENT, "The message was filtered out as unwanted. Change its text."},
    {30008, WA_TWILIO_ERROR_OTHER,
     "The message was not delivered and nobody said why. Try again, or reach the recipient another "
     "way."},
    {30016, WA_TWILIO_ERROR_OTHER,
     "Sender and recipient are not on the same channel. The administrator has to check the "
     "configured WhatsApp number."},
    {30036, WA_TWILIO_ERROR_BUSY, "The message waited too long and has expired. Send it again."},
    {30500, WA_TWILIO_ERROR_BUSY,
     "Twilio had an internal problem and did not deliver the message. Send it again later."},
    {63001, WA_TWILIO_ERROR_CREDENTIALS,
     "WhatsApp did not accept our account. The administrator has to check the WhatsApp sender in "
     "Twilio's console."},
    {63002, WA_TWILIO_ERROR_CREDENTIALS,
     "WhatsApp does not know our sender number. The administrator has to check the configured "
     "WhatsApp number."},
    {63003, WA_TWILIO_ERROR_RECIPIENT, "The recipient's number is not on WhatsApp. Check it."},
    {63005, WA_TWILIO_ERROR_CONTENT, "WhatsApp refused the content of the message. Change it."},
    {63006, WA_TWILIO_ERROR_CONTENT,
     "The message could not be put into WhatsApp's format. Change it."},
    {63007, WA_TWILIO_ERROR_CREDENTIALS,
     "Our number is no WhatsApp sender of this Twilio account. The administrator has to check the "
     "configured WhatsApp number."},
    {63008, WA_TWILIO_ERROR_CREDENTIALS,
     "The WhatsApp sender is not set up correctly. The administrator has to check it in Twilio's "
     "console."},
    {63009, WA_TWILIO_ERROR_BUSY,
     "WhatsApp had a problem and did not deliver the message. Send it again later."},
    {63010, WA_TWILIO_ERROR_BUSY,
     "Twilio had an internal problem and did not deliver the message. Send it again later."},
    {63012, WA_TWILIO_ERROR_BUSY,
     "WhatsApp had an internal problem and did not deliver the message. Send it again later."},
    {63013, WA_TWILIO_ERROR_CONTENT, "The message is against WhatsApp's policies. Change it."},
    {63014, WA_TWILIO_ERROR_RECIPIENT, "The recipient has blocked us or this kind of message."},
    {63015, WA_TWILIO_ERROR_RECIPIENT,
     "The recipient has not joined the Twilio sandbox, or their 3 days are over. They must send "
     "the join code first."},
    {63016, WA_TWILIO_ERROR_WINDOW_CLOSED,
     "The recipient has not written to us in the last 24 hours, so only an approved template can "
     "be sent."},
    {63017, WA_TWILIO_ERROR_BUSY,
     "The account is sending too many messages a second. Try again in a moment."},
    {63018, WA_TWILIO_ERROR_BUSY,
     "WhatsApp's rate limit for our number is reached. Try again in a moment."},
    {63019, WA_TWILIO_ERROR_CONTENT,
     "WhatsApp could not download the file. Check that its address is public and works."},
    {63020, WA_TWILIO_ERROR_CREDENTIALS,
     "There is a problem with our Meta business account. The administrator has to look at it in "
     "Meta's Business Manager."},
    {63021, WA_TWILIO_ERROR_CONTENT,
     "WhatsApp does not take this content. A template's text may have at most 1024 characters."},
    {63022, WA_TWILIO_ERROR_CREDENTIALS,
     "Our WhatsApp display name is not certified. The administrator has to look at the WhatsApp "
     "sender in Twilio's console."},
    {63024, WA_TWILIO_ERROR_RECIPIENT,
     "The recipient's number cannot get WhatsApp messages. Check it."},
    {63027, WA_TWILIO_ERROR_CONTENT,
     "The template does not exist in this language. Choose another one."},
    {63028, WA_TWILIO_ERROR_CONTENT,
     "The template needs another number of variables. Fill in all of them."},
    {63030, WA_TWILIO_ERROR_CONTENT,
     "The template was given a variable that it does not take. Check its variables."},
    {63032, WA_TWILIO_ERROR_RECIPIENT,
     "WhatsApp does not deliver to this recipient at the moment because they are part of an "
     "experiment. Try again later."},
    {63033, WA_TWILIO_ERROR_RECIPIENT,
     "The recipient cannot get our messages: they may have blocked us."},
    {63034, WA_TWILIO_ERROR_CONTENT,
     "The file is too large for WhatsApp. Send a smaller one: 16 MB in all, images 5 MB."},
    {63037, WA_TWILIO_ERROR_CONTENT,
     "The file could not be uploaded to WhatsApp. Send it again, or another one."},
    {63038, WA_TWILIO_ERROR_BUSY,
     "The account has sent all the messages that it may send today. Try again tomorrow, or raise "
     "the limit in Twilio's console."},
    {63040, WA_TWILIO_ERROR_CONTENT, "WhatsApp has rejected this template. Choose another one."},
    {63041, WA_TWILIO_ERROR_CONTENT,
     "WhatsApp has paused this template because of complaints. Choose another one."},
    {63042, WA_TWILIO_ERROR_CONTENT, "WhatsApp has disabled this template. Choose another one."},
    {63049, WA_TWILIO_ERROR_RECIPIENT,
     "WhatsApp chose not to deliver this marketing message to this recipient. Wait before you send "
     "them another one."},
    {63051, WA_TWILIO_ERROR_CREDENTIALS,
     "Our WhatsApp Business account is locked. The administrator has to look at it in Meta's "
     "Business Manager."},
};

static int row_compare(const void *key, const void *row)
{
    int code = *(const int *)key;
    int other = ((const error_row_t *)row)->code;

    return (code > other) - (code < other);
}

static const error_row_t *row_find(int code)
{
    return bsearch(&code, table, sizeof(table) / sizeof(table[0]), sizeof(table[0]), row_compare);
}

const char *wa_twilio_error_told(int code, const char *said, apr_pool_t *p)
{
    const error_row_t *row = row_find(code);
    const char *sentence;

    if (row) {
        return row->sentence;
    }
    if (code <= 0) {
        return said ? apr_pstrcat(p, "Twilio could not deliver the message. It says: ", said, NULL)
                    : "Twilio could not deliver the message and did not say why.";
    }
    sentence = apr_psprintf(p,
                            "Twilio could not deliver the message (error %d: see "
                            "https://www.twilio.com/docs/errors/%d).",
                            code, code);
    return said ? apr_pstrcat(p, sentence, " It says: ", said, NULL) : sentence;
}

const char *wa_twilio_error_sentence(int code, apr_pool_t *p)
{
    return wa_twilio_error_told(code, NULL, p);
}

const char *wa_twilio_words(wa_slice_t text, apr_pool_t *p)
{
    const wa_slice_t line = wa_line_clean(text, WA_TWILIO_WORDS_CHARACTERS, p);

    return line.len > 0 ? wa_slice_string(line, p) : NULL;
}

wa_twilio_error_kind_e wa_twilio_error_kind(int code)
{
    const error_row_t *row = row_find(code);

    return row ? row->kind : WA_TWILIO_ERROR_OTHER;
}
