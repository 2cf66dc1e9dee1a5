# SPDX-License-Identifier: Apache-2.0
"""Twilio's rules for messages: which requests it refuses, and how a message looks as JSON."""

import datetime
import email.utils
import json
import mimetypes
import re
import secrets
import time
import urllib.parse

FIELDS = {
    "To",
    "From",
    "MessagingServiceSid",
    "Body",
    "MediaUrl",
    "ContentSid",
    "ContentVariables",
    "StatusCallback",
    "ValidityPeriod",
    "PersistentAction",
    "ApplicationSid",
    "Attempt",
    "ContentRetention",
    "AddressRetention",
    "SmartEncoded",
    "ShortenUrls",
    "ScheduleType",
    "SendAt",
    "SendAsMms",
    "ProvideFeedback",
    "RiskCheck",
    "FallbackFrom",
    "TrafficType",
    "ForceDelivery",
    "MaxPrice",
}
REPEATABLE = {"MediaUrl", "PersistentAction"}

ADDRESS = re.compile(r"whatsapp:\+[1-9][0-9]{1,14}")
USER_ID = re.compile(r"whatsapp:[A-Z]{2}\.[0-9A-Za-z]{1,128}")
HOST = re.compile(
    r"(?:[0-9A-Za-z](?:[0-9A-Za-z-]{0,61}[0-9A-Za-z])?\.)*[0-9A-Za-z](?:[0-9A-Za-z-]{0,61}"
    r"[0-9A-Za-z])?\.?|\[[0-9A-Fa-f:.]+\]"
)
CONTENT_SID = re.compile(r"HX[0-9a-fA-F]{32}")
BODY_LIMIT = 1600
CAPTION_LIMIT = 1024
CAPTIONED = {"image/jpeg", "image/png", "video/mp4"}

MESSAGES = {
    20001: "Invalid parameter",
    20003: "Authenticate",
    20404: "The requested resource was not found",
    20405: "Method not allowed",
    20429: "Too Many Requests",
    20500: "An internal server error has occurred",
    20503: "Service unavailable",
    21211: "The 'To' number is not a valid phone number.",
    21212: "The 'From' number is not a valid phone number.",
    21602: "Message body is required.",
    21603: "A 'From' phone number is required.",
    21604: "A 'To' phone number is required.",
    21608: "The number is unverified. Trial accounts cannot send messages to unverified numbers.",
    21609: "The 'StatusCallback' URL is not a valid URL.",
    21610: "Attempt to send to unsubscribed recipient",
    21617: "The concatenated message body exceeds the 1600 character limit.",
    21619: "A text message body or media urls must be specified.",
    21620: "Invalid media URL(s)",
    21623: "Number of media files exceeds allowed limit",
    21654: "ContentSid Required",
    21655: "The ContentSid is Invalid",
    21656: "The ContentVariables Parameter is invalid",
    21658: "Parameter exceeds the character limit",
    63007: "Twilio could not find a Channel with the specified From address",
    63016: "Failed to send freeform message because you are outside the allowed window.",
}


class Refusal(Exception):
    """An error that Twilio answers with."""

    def __init__(self, code: int, http: int = 400, message: str | None = None):
        super().__init__(code)
        self.code = code
        self.http = http
        self.message = message or MESSAGES.get(code, f"Error {code}")

    def body(self) -> bytes:
        return json.dumps(
            {
                "code": self.code,
                "message": self.message,
                "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
                "status": self.http,
            }
        ).encode()


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _is_url(url: str, hosts_with_underscore: bool) -> bool:
    match = re.fullmatch(
        r"https?://(?:[^/?#@\s]*@)?([^/?#@:\[\]]*|\[[^\]]*\])(:[0-9]{1,5})?" r"([/?#]\S*)?",
        url,
        re.IGNORECASE,
    )
    if not match:
        return False
    host = match[1].replace("_", "-") if hosts_with_underscore else match[1]
    return HOST.fullmatch(host) is not None


def has_caption(url: str) -> bool:
    """Whether WhatsApp shows a text with this attachment: as pictures and videos do. Twilio asks
    the file's server for its type; here the address ends in it."""
    path = urllib.parse.unquote(urllib.parse.urlsplit(url).path)
    return mimetypes.guess_type("file:" + path.rpartition("/")[2])[0] in CAPTIONED


class Form:
    """The fields of a request, each with all its values."""

    def __init__(self, pairs: list[tuple[bytes, bytes]]):
        self.values: dict[str, list[str]] = {}
        for name, value in pairs:
            try:
                self.values.setdefault(name.decode(), []).append(value.decode())
            except UnicodeDecodeError as error:
                raise Refusal(20001, message="A parameter is not UTF-8") from error

    def one(self, name: str) -> str | None:
        values = self.values.get(name)
        return values[-1] if values else None

    def all(self, name: str) -> list[str]:
        return self.values.get(name, [])

    def problems(self) -> list[str]:
        """What Twilio would pass over in silence, and a client should still not do."""
        found = [f"unknown field {name}" for name in self.values if name not in FIELDS]
        found += [
            f"field {name} repeated"
            for name, values in self.values.items()
            if len(values) > 1 and name not in REPEATABLE
        ]
        body, media = self.one("Body"), self.all("MediaUrl")
        if len(media) > 1:
            found.append("several MediaUrl: WhatsApp gets the first")
        if body and media and not self.shown()["text"]:
            found.append("Body that is not shown beside this MediaUrl")
        return found

    def shown(self) -> dict:
        """What the customer sees of it: one attachment, and a text where that takes one."""
        body, media = self.one("Body"), self.all("MediaUrl")
        if media and not (has_caption(media[0]) and utf16_length(body or "") <= CAPTION_LIMIT):
            body = None
        return {"text": body or None, "media": media[0] if media else None}


def _check_content(form: Form) -> None:
    body, media, content = form.one("Body"), form.all("MediaUrl"), form.one("ContentSid")
    if content is not None:
        if body is not None or media:
            raise Refusal(21655, message="ContentSid excludes Body and MediaUrl")
        if not CONTENT_SID.fullmatch(content):
            raise Refusal(21655)
    elif body is None and not media:
        raise Refusal(21619)
    elif not body and not media:
        raise Refusal(21602)
    if body is not None and utf16_length(body) > BODY_LIMIT:
        raise Refusal(21617)
    if len(media) > 10:
        raise Refusal(21623)
    if not all(_is_url(url, True) for url in media):
        raise Refusal(21620)
    _check_variables(form.one("ContentVariables"), content)


def _check_variables(variables: str | None, content: str | None) -> None:
    if variables is None:
        return
    if content is None:
        raise Refusal(21654)
    try:
        parsed = json.loads(variables)
    except ValueError as error:
        raise Refusal(21656) from error
    if not isinstance(parsed, dict) or not all(isinstance(v, str) for v in parsed.values()):
        raise Refusal(21656)
    if any(utf16_length(v) > BODY_LIMIT for v in parsed.values()):
        raise Refusal(21658)


def check_create(form: Form, numbers: list[str]) -> None:
    """Raises the Refusal that Twilio answers to such a request; `numbers` are the account's."""
    to, sender = form.one("To"), form.one("From")
    if not to:
        raise Refusal(21604)
    if not ADDRESS.fullmatch(to) and not USER_ID.fullmatch(to):
        raise Refusal(21211)
    if not sender and not form.one("MessagingServiceSid"):
        raise Refusal(21603)
    if sender and not re.fullmatch(r"(whatsapp:)?\+[1-9][0-9]{1,14}", sender):
        raise Refusal(21212)
    if sender and sender not in ["whatsapp:" + number for number in numbers]:
        raise Refusal(63007)
    _check_content(form)
    callback = form.one("StatusCallback")
    if callback is not None and (len(callback) > 4000 or not _is_url(callback, False)):
        raise Refusal(21609)
    validity = form.one("ValidityPeriod")
    if validity is not None and not (
        re.fullmatch("[0-9]{1,5}", validity) and 1 <= int(validity) <= 36000
    ):
        raise Refusal(20001, message="ValidityPeriod must be 1 to 36000")


def new_sid(prefix: str) -> str:
    return prefix + secrets.token_hex(16)


_dates: dict[int, str] = {}


def rfc2822(when: float) -> str:
    second = int(when)
    if second not in _dates:
        if len(_dates) > 1000:
            _dates.clear()
        _dates[second] = email.utils.format_datetime(
            datetime.datetime.fromtimestamp(second, datetime.timezone.utc)
        )
    return _dates[second]


class Message:
    """One message of the account."""

    __slots__ = (
        "sid",
        "account",
        "to",
        "sender",
        "body",
        "direction",
        "status",
        "error_code",
        "error_message",
        "media",
        "media_urls",
        "content_sid",
        "content_variables",
        "callback",
        "created",
        "sent",
        "service",
        "statuses",
        "listed",
        "media_listed",
        "shown",
    )

    def __init__(
        self,
        account: str,
        direction: str,
        to: str,
        sender: str | None,
        body: str,
        status: str,
        sid: str | None = None,
    ):
        self.account = account
        self.direction = direction
        self.to = to
        self.sender = sender
        self.body = body
        self.status = status
        self.sid = sid or new_sid("SM")
        self.error_code: int | None = None
        self.error_message: str | None = None  # in words that the code does not have
        self.media: list[tuple[str, str, bytes]] = []  # sid, content type, bytes
        self.media_urls: list[str] = []  # as sent; one at most
        self.shown: dict | None = None
        self.content_sid: str | None = None
        self.content_variables: str | None = None
        self.callback: str | None = None
        self.service: str | None = None
        self.created = time.time()
        self.sent: float | None = None
        self.statuses = [status]
        self.listed: dict = {}  # what lists say of it instead
        self.media_listed: list | None = None  # the same of its media; None: what there is

    @classmethod
    def from_form(cls, account: str, form: Form) -> "Message":
        media = form.all("MediaUrl")
        rich = bool(media or form.one("ContentSid"))
        service = form.one("MessagingServiceSid")
        message = cls(
            account,
            "outbound-api",
            form.one("To") or "",
            form.one("From"),
            form.one("Body") or "",
            "accepted" if service else "queued",
            new_sid("MM" if rich else "SM"),
        )
        message.media_urls = media[:1]
        message.shown = form.shown()
        message.content_sid = form.one("ContentSid")
        message.content_variables = form.one("ContentVariables")
        message.callback = form.one("StatusCallback")
        message.service = service
        return message

    def json(self) -> dict:
        uri = f"/2010-04-01/Accounts/{self.account}/Messages/{self.sid}"
        return {
            "account_sid": self.account,
            "api_version": "2010-04-01",
            "body": self.body,
            "date_created": rfc2822(self.created),
            "date_sent": rfc2822(self.sent) if self.sent is not None else None,
            "date_updated": rfc2822(self.sent if self.sent is not None else self.created),
            "direction": self.direction,
            "error_code": self.error_code,
            "error_message": self.error_message or MESSAGES.get(self.error_code or 0),
            "from": self.sender,
            "messaging_service_sid": self.service,
            "num_media": str(len(self.media) or len(self.media_urls)),
            "num_segments": "1",
            "price": None,
            "price_unit": None,
            "sid": self.sid,
            "status": self.status,
            "subresource_uris": {"media": uri + "/Media.json"},
            "to": self.to,
            "uri": uri + ".json",
            **self.listed,
        }

    def media_json(self, index: int) -> dict:
        sid, content_type, _ = self.media[index]
        return {
            "sid": sid,
            "account_sid": self.account,
            "parent_sid": self.sid,
            "content_type": content_type,
            "date_created": rfc2822(self.created),
            "date_updated": rfc2822(self.created),
            "uri": f"/2010-04-01/Accounts/{self.account}/Messages/{self.sid}/Media/{sid}.json",
        }


# ---- hooks of Twilio's other products ----

_HOOKS = {
    "conversations": {
        "EventType": "onMessageAdded",
        "ConversationSid": "CH" + "0" * 32,
        "ChatServiceSid": "IS" + "0" * 32,
        "MessageSid": "IM" + "0" * 32,
        "ParticipantSid": "MB" + "0" * 32,
        "Author": "whatsapp:+15551230001",
        "Body": "hello",
        "Index": "0",
        "Source": "WHATSAPP",
        "DateCreated": "2026-01-01T00:00:00.000Z",
    },
    "voice": {
        "CallSid": "CA" + "0" * 32,
        "CallStatus": "ringing",
        "Direction": "inbound",
        "From": "+15551230001",
        "To": "+14155238886",
        "Caller": "+15551230001",
        "Called": "+14155238886",
        "ApiVersion": "2010-04-01",
    },
    "studio": {
        "FlowSid": "FW" + "0" * 32,
        "ExecutionSid": "FN" + "0" * 32,
        "Body": "hello",
    },
    "taskrouter": {
        "EventType": "task.created",
        "WorkspaceSid": "WS" + "0" * 32,
        "TaskSid": "WT" + "0" * 32,
    },
    "debugger": {
        "Sid": "NO" + "0" * 32,
        "Level": "ERROR",
        "PayloadType": "application/json",
        "Payload": "{}",
        "Timestamp": "2026-01-01T00:00:00.000Z",
    },
    "unknown": {"Something": "else"},
}


def hook_of(product: str, account: str) -> tuple[dict, object]:
    """The fields of a hook, or the document that it has instead."""
    if product == "event_streams":
        return {}, [
            {
                "specversion": "1.0",
                "type": "com.twilio.messaging.inbound-message.received",
                "source": f"/{account}/Services/MG0/Messages/SM0",
                "id": "EZ" + "0" * 32,
                "datacontenttype": "application/json",
                "data": {"accountSid": account, "from": "whatsapp:+15551230001"},
            }
        ]
    if product == "verify":
        return {}, {"account_sid": account, "type": "factor.verified", "factor_sid": "YF0"}
    return {**_HOOKS[product], "AccountSid": account}, None
