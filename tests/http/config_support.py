# SPDX-License-Identifier: Apache-2.0
"""What the configuration tests share: configtest of a piece of configuration, and the shipped
files made to work in a test's directory."""

import base64
import collections
import contextlib
import functools
import http.client
import shutil
import subprocess

from support.httpd import ROOT, Httpd, free_port

SID = "AC00000000000000000000000000000001"
OTHER_SID = "AC00000000000000000000000000000002"
TOKEN = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
OTHER_TOKEN = "1a2b3c4d5e6f708192a3b4c5d6e7f809"
NUMBER = "+14155238886"

ACCOUNT = f"WhatsAppAccountSID {SID}\nWhatsAppAuthToken {TOKEN}\nWhatsAppNumber {NUMBER}\n"
OTHER_ACCOUNT = (
    f"WhatsAppAccountSID {OTHER_SID}\nWhatsAppAuthToken {OTHER_TOKEN}\nWhatsAppNumber"
    " +14155238887\n"
)
HANDLER = '<Location "/api/whatsapp-messenger">\nSetHandler whatsapp-messenger\n</Location>\n'


@contextlib.contextmanager
def httpd_with(text, modules=(), environment=None, files=None):
    """An httpd, not started, whose own part of the configuration is `text` (a string, or a
    function of the httpd), with `files`
    (name: text) in its ServerRoot. It is ended and its directory removed at the end."""
    # Nothing here is Twilio: virtual hosts take this from the main server.
    configure = text if callable(text) else lambda _: text
    quiet = lambda made: "WhatsAppReconcile off\n" + configure(made)  # noqa: E731
    httpd = Httpd(quiet, None, modules=modules, environment=environment)
    httpd.secrets.update((TOKEN, OTHER_TOKEN))
    try:
        for name, content in (files or {}).items():
            path = httpd.directory / name
            path.write_text(content, encoding="utf-8")
            path.chmod(0o600)
        yield httpd
        if httpd.process is not None:
            httpd.close()
    finally:
        if httpd.process is not None:
            httpd.kill_all()
        shutil.rmtree(httpd.directory, ignore_errors=True)


def configtest(text, **more):
    """The exit status and the output of configtest for this configuration."""
    with httpd_with(text, **more) as httpd:
        return httpd.check_config()


def refusal(text, **more):
    """What configtest says of a configuration that it must refuse; no secret may be in it."""
    status, output = configtest(text, **more)
    assert status != 0, f"accepted:\n{text}\n{output}"
    assert TOKEN not in output and OTHER_TOKEN not in output, output
    return output


def warning(text, tag, **more):
    """What configtest says of a configuration that it accepts with one warning of this tag, which a
    start writes to the error log, too."""
    with httpd_with(text, **more) as httpd:
        status, output = httpd.check_config()
        lines = [line for line in output.splitlines() if " WA0" in line]
        assert (
            status == 0
            and len(lines) == 1
            and "[whatsapp:warn] " in lines[0]
            and f"{tag}: " in lines[0]
        ), output
        assert TOKEN not in output and OTHER_TOKEN not in output, output
        httpd.claim("AH*", required=False)
        httpd.claim(tag)
        httpd.start()
    return lines[0]


def accept(text, **more):
    """Fails unless configtest accepts the configuration without a word. Gives nothing. An
    account is served at the usual place where
    the text does not say how."""
    if "WhatsAppAccountSID" in text and "SetHandler" not in text:
        text += "\n" + HANDLER
    status, output = configtest(text, **more)
    assert status == 0 and output.strip() == "Syntax OK", output


def shipped(name, httpd):
    """A configuration file of conf/ with its paths and addresses those of the test."""
    text = (ROOT / "conf" / name).read_text(encoding="utf-8")
    for old, new in (
        ("/usr/share/mod_whatsapp/frontend", str(httpd.directory / "frontend")),
        ("dbm:/var/lib/apache2/", f"dbm:{httpd.directory}/"),
        ("<VirtualHost *:80>", f"<VirtualHost *:{httpd.port}>"),
    ):
        text = text.replace(old, new)
    if "127.0.0.1:8081" in text:
        httpd.own_port = getattr(httpd, "own_port", None) or free_port()
        text = text.replace("127.0.0.1:8081", f"127.0.0.1:{httpd.own_port}")
    return text


LOGIN_MODULES = ["auth_basic", "authn_core", "authn_file", "authz_user"]


@functools.lru_cache(maxsize=None)
def users(*names):
    """A file of users whose password is "open sesame", as htpasswd makes it."""
    made = ""
    for name in names:
        secret = subprocess.run(
            ["openssl", "passwd", "-apr1", "open sesame"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        made += f"{name}:{secret}\n"
    return made


def login(name, password="open sesame"):
    """What a browser sends for it in Authorization."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def make_readable(httpd):
    """The files of users and groups are httpd's own user's to read."""
    for kind in ("users", "groups"):
        for path in httpd.directory.glob(f"*.{kind}"):
            path.chmod(0o644)


Answer = collections.namedtuple("Answer", "status headers text")


def ask(httpd, method, path, body=None, **headers):
    """One request on a connection of its own. JSON unless the headers say otherwise; an
    underscore in a name stands for a hyphen."""
    connection = http.client.HTTPConnection("127.0.0.1", httpd.port, timeout=60)
    try:
        sent = {"Content-Type": "application/json"} if body is not None else {}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        connection.request(method, path, body=body, headers=sent)
        response = connection.getresponse()
        data = response.read()
        kept = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, kept, data.decode("utf-8", errors="replace"))
    finally:
        connection.close()
