# SPDX-License-Identifier: Apache-2.0
"""What a start is refused for configtest says first, a start says on the terminal, and a reload
survives: the messenger answers 503, every
other site goes on, and when the trouble is gone the next reload heals it."""

import base64
import contextlib
import fcntl
import hmac
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import urllib.parse

import pytest

from config_support import (
    ACCOUNT,
    HANDLER,
    NUMBER,
    OTHER_ACCOUNT,
    OTHER_TOKEN,
    SID,
    TOKEN,
    ask,
    httpd_with,
)
from support.conditions import wait_until
from support.httpd import MPM_SETTINGS, program, server_user

API = "/api/whatsapp-messenger"
URL = "WhatsAppPublicURL https://chat.example.org\n"
CONTACT = '{"phoneNumber":"+15551230001","displayName":"Ana"}'
FORM = "application/x-www-form-urlencoded"
# What a start that ends before httpd detaches writes to the error log: httpd puts neither time nor
# level before it.
REFUSED = r"(\(\d+\)[^:]+: )?(WA0121|WA0141|AH00016|AH00526)"
IS_ROOT = os.geteuid() == 0


def site(text):
    """The messenger on the main server, and a site that has nothing to do with it."""

    def configure(httpd):
        return (
            f"{text(httpd) if callable(text) else text}\n<VirtualHost *>\nServerName"
            " 127.0.0.1\n</VirtualHost>\n<VirtualHost *>\nServerName site.test\nDocumentRoot"
            f" {httpd.directory}/site\n<Location {API}>\nSetHandler"
            " none\n</Location>\n</VirtualHost>\n"
        )

    return configure


def messenger(httpd):
    return f"{ACCOUNT}{HANDLER}{URL}WhatsAppStore dbm:{httpd.directory}/parent/store\n"


@contextlib.contextmanager
def running(text=messenger, mpm="event", files=None):
    """A server with a contact in its store."""
    with httpd_with(site(text), files=files) as httpd:
        httpd.mpm = mpm
        # A child of prefork that a restart ends while it still starts may crash in its signal
        # handler, which is httpd's own: one child, that
        # has answered before, does not.
        httpd.mpm_settings = (
            MPM_SETTINGS[mpm]
            if mpm != "prefork"
            else "StartServers 1\nMinSpareServers 1\nMaxSpareServers 1\nMaxRequestWorkers 8\n"
        )
        for name in ("parent", "site"):
            (httpd.directory / name).mkdir()
        (httpd.directory / "site" / "page.txt").write_text("still here")
        httpd.start()
        assert ask(httpd, "POST", f"{API}/contacts", CONTACT).status == 200
        assert receive(httpd, "SM" + "1" * 32) == 200
        yield httpd


def receive(httpd, sid):
    """Brings a message, as Twilio signs it."""
    fields = {
        "AccountSid": SID,
        "Body": "Hello",
        "From": "whatsapp:+15551230001",
        "MessageSid": sid,
        "NumMedia": "0",
        "To": f"whatsapp:{NUMBER}",
    }
    signed = f"https://chat.example.org{API}/webhook" + "".join(
        name + fields[name] for name in sorted(fields)
    )
    signature = base64.b64encode(
        hmac.new(TOKEN.encode(), signed.encode(), "sha1").digest()
    ).decode()
    return ask(
        httpd,
        "POST",
        f"{API}/webhook",
        urllib.parse.urlencode(fields),
        Content_Type=FORM,
        X_Twilio_Signature=signature,
    ).status


def reload(httpd, how=signal.SIGUSR1):
    """A graceful restart or a restart; returns when the old children are gone too, so that
    every answer is the new generation's."""
    if how == signal.SIGUSR1:
        return httpd.graceful(wait_for_old=True)
    before, old = httpd._generations(), set(httpd.children())
    httpd.process.send_signal(how)
    wait_until(
        lambda: httpd._generations() > before and not old & set(httpd.children()),
        "the generation after a restart",
    )


def is_well(httpd, host="127.0.0.1"):
    """All that was stored is there."""
    answer = ask(httpd, "GET", f"{API}/messages?counterpart=%2B15551230001", Host=host)
    assert answer.status == 200 and [
        message["body"] for message in json.loads(answer.text)["messages"]
    ] == ["Hello"], answer
    answer = ask(httpd, "GET", f"{API}/contacts", Host=host)
    assert answer.status == 200, answer
    assert [contact["displayName"] for contact in json.loads(answer.text)["contacts"]] == ["Ana"]


def is_unavailable(httpd, host="127.0.0.1"):
    """Every endpoint says so; the site beside it is served."""
    for method, path, body, kind in (
        ("GET", "/contacts", None, None),
        ("POST", "/webhook", "a=b", FORM),
        ("GET", "/no/such", None, None),
        ("POST", "/send", '{"phoneNumber":"+15551230001","message":"x"}', "application/json"),
    ):
        answer = ask(
            httpd, method, API + path, body, Host=host, **({"Content-Type": kind} if kind else {})
        )
        assert answer.status == 503, (path, answer)
        told = json.loads(answer.text)
        assert (
            sorted(told) == ["code", "error", "success"]
            and told["code"] == "UNAVAILABLE"
            and told["success"] is False
        )
        assert "error log" in told["error"] and str(httpd.directory) not in told["error"]
        assert (
            int(answer.headers["retry-after"]) > 0
            and answer.headers["content-type"] == "application/json"
        )
    site_lives(httpd)


def site_lives(httpd):
    assert httpd.process.poll() is None
    page = ask(httpd, "GET", "/page.txt", Host="site.test")
    assert (page.status, page.text) == (200, "still here")


def control(httpd, *arguments):
    """What the admin's command says."""
    done = subprocess.run(
        [program(), "-d", str(httpd.directory), "-f", str(httpd._write()), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=httpd._environment(),
        cwd=httpd.directory,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def processes(httpd):
    """Those whose command line names the test's directory."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if (
                entry.name.isdigit()
                and str(httpd.directory).encode() in (entry / "cmdline").read_bytes()
            ):
                found.append(int(entry.name))
    return found


# ---- what may become of a store's directory: name: (break it, mend it, what is said) ----


def store(httpd):
    return httpd.directory / "parent" / "store"


def away(path):
    return path.with_name(path.name + ".away")


def moved(part, put=None):
    """Moves a part of the store away, and puts something else in its place."""

    def break_it(httpd):
        path = part(httpd)
        path.rename(away(path))
        if put:
            put(path)

    def mend_it(httpd):
        path = part(httpd)
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        elif os.path.lexists(path):
            path.unlink()
        away(path).rename(path)

    return break_it, mend_it


def patched(name, offset, data):
    """Overwrites bytes of a file."""
    kept = {}

    def break_it(httpd):
        path = store(httpd) / name
        kept["bytes"] = path.read_bytes()
        with open(path, "r+b") as file:
            file.seek(offset)
            file.write(data)

    def mend_it(httpd):
        with open(store(httpd) / name, "r+b") as file:
            file.write(kept["bytes"])

    return break_it, mend_it


def cut(name):
    """Cuts a file, which server processes have mapped."""
    kept = {}

    def break_it(httpd):
        kept["bytes"] = (store(httpd) / name).read_bytes()
        os.truncate(store(httpd) / name, 0)

    def mend_it(httpd):
        with open(store(httpd) / name, "r+b") as file:
            file.write(kept["bytes"])

    return break_it, mend_it


def mode(part, bits):
    kept = {}

    def break_it(httpd):
        kept["mode"] = part(httpd).stat().st_mode & 0o777
        part(httpd).chmod(bits)

    def mend_it(httpd):
        part(httpd).chmod(kept["mode"])

    return break_it, mend_it


def owner(part):
    return (lambda httpd: os.chown(part(httpd), 0, 0)), (
        lambda httpd: os.chown(part(httpd), server_user().pw_uid, server_user().pw_gid)
    )


def copy_owned(old, new):
    shutil.copy2(old, new)
    os.chown(new, old.stat().st_uid, old.stat().st_gid)


def mounted_read_only(httpd):
    subprocess.run(["mount", "--bind", store(httpd), store(httpd)], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", store(httpd)], check=True)


def unmounted(httpd):
    subprocess.run(["umount", "-l", store(httpd)], check=True)


def can_mount():
    with tempfile.TemporaryDirectory() as directory:
        if (
            subprocess.run(
                ["mount", "--bind", directory, directory], capture_output=True, check=False
            ).returncode
            != 0
        ):
            return False
        return (
            subprocess.run(["umount", "-l", directory], capture_output=True, check=False).returncode
            == 0
        )


def inside(name):
    return lambda httpd: store(httpd) / name


TROUBLES = {
    "the directory is a file": (
        *moved(store, lambda path: path.write_text("x")),
        "is not a directory",
    ),
    "the directory is a link to nothing": (
        *moved(store, lambda path: path.symlink_to("no-such")),
        "symbolic link to something that is not there",
    ),
    "the directory is a link to itself": (
        *moved(store, lambda path: path.symlink_to(path)),
        "cannot be reached",
    ),
    "the parent is missing": (
        *moved(lambda httpd: httpd.directory / "parent"),
        "there is no directory",
    ),
    "the parent is a file": (
        *moved(lambda httpd: httpd.directory / "parent", lambda path: path.write_text("x")),
        "cannot be reached",
    ),
    "the directory is closed to its owner": (
        *mode(store, 0),
        "chmod 700" if IS_ROOT else "ermission denied",
    ),
    "the directory cannot be written to": (
        *mode(store, 0o500),
        "chmod 700" if IS_ROOT else "ermission denied",
    ),
    "the journal is a link": (
        *moved(inside("journal"), lambda path: path.symlink_to(away(path))),
        "is a symbolic link",
    ),
    "the journal is a pipe": (*moved(inside("journal"), os.mkfifo), "is no regular file"),
    "the journal is a directory": (
        *moved(inside("journal"), lambda path: path.mkdir()),
        "is no regular file",
    ),
    "the lock is a pipe": (*moved(inside("lock"), os.mkfifo), "is no regular file"),
    "rows is a link": (
        *moved(inside("rows"), lambda path: path.symlink_to(away(path))),
        "is a symbolic link",
    ),
    "keys.0 is a pipe": (*moved(inside("keys.0"), os.mkfifo), "is no regular file"),
    "the journal is no journal": (*patched("journal", 0, b"something else!!"), "is not a journal"),
    "the journal is of a newer version": (
        *patched("journal", 16, (99).to_bytes(4, "little")),
        "has format version 99",
    ),
    "the journal's head is damaged": (*patched("journal", 24, b"\xff" * 8), "first block"),
}
if IS_ROOT:
    TROUBLES["the directory is root's"] = (*owner(store), "does not belong to the server's user")
    TROUBLES["the journal is root's"] = (*owner(inside("journal")), "belongs to user 0")
    TROUBLES["the way there is closed to the server's user"] = (
        *mode(lambda httpd: httpd.directory / "parent", 0o700),
        "may not enter",
    )
    if can_mount():
        TROUBLES["the file system is read-only"] = (mounted_read_only, unmounted, "read-only")

# What matters only to a server that has these files open: a start makes anew what is derived.
LIVE_TROUBLES = {
    "the journal is gone": moved(inside("journal")),
    "the lock is gone": moved(inside("lock")),
    "rows is gone": moved(inside("rows")),
    "keys.0 is gone": moved(inside("keys.0")),
    "the journal was replaced by a copy": moved(
        inside("journal"), lambda path: copy_owned(away(path), path)
    ),
    "the journal was cut": cut("journal"),
    "rows was cut": cut("rows"),
    "times was cut": cut("times"),
    "keys.0 was cut": cut("keys.0"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_reload_survives_what_a_start_is_refused_for(trouble):
    survives(trouble, "event")


@pytest.mark.parametrize("model", ["worker", "prefork"])
@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_reload_survives_under_the_other_mpms(trouble, model):
    survives(trouble, model)


def survives(trouble, mpm):
    break_it, mend_it, said = TROUBLES[trouble]
    with running(mpm=mpm) as httpd:
        httpd.claim("WA0140", "WA0420", "WA0442", required=False)
        httpd.noise = REFUSED
        break_it(httpd)
        try:
            status, output = httpd.check_config()
            assert status == 1 and "WA0121" in output and said in output, output
            for how in (signal.SIGUSR1, signal.SIGHUP):
                mark = httpd.mark()
                reload(httpd, how)
                is_unavailable(httpd)
                lines = httpd.lines(mark, "WA0140")
                assert len(lines) == 1 and said in lines[0] and ":crit]" in lines[0], lines
        finally:
            mend_it(httpd)
        assert httpd.check_config()[0] == 0
        reload(httpd)
        is_well(httpd)
        site_lives(httpd)
        httpd.stop()
        break_it(httpd)
        try:
            status, output = control(httpd, "-k", "start")
            assert status != 0 and "WA0121" in output and said in output, output
            assert not processes(httpd) and not (httpd.directory / "run" / "httpd.pid").exists()
        finally:
            mend_it(httpd)
        httpd.start()
        is_well(httpd)


@pytest.mark.parametrize("model", ["event", "worker", "prefork"])
@pytest.mark.parametrize("trouble", LIVE_TROUBLES)
def test_a_reload_does_not_join_files_that_were_tampered_with(trouble, model):
    break_it, mend_it = LIVE_TROUBLES[trouble]
    with running(mpm=model) as httpd:
        httpd.claim("WA0140", "WA0441", "WA0442", required=False)
        break_it(httpd)
        mark = httpd.mark()
        reload(httpd)
        is_unavailable(httpd)
        assert "removed, cut or replaced" in httpd.lines(mark, "WA0140")[0]
        mend_it(httpd)
        reload(httpd)
        is_well(httpd)


def test_a_directory_that_was_replaced_as_a_whole_is_opened_anew():
    with running() as httpd:
        backup = httpd.directory / "backup"
        shutil.copytree(store(httpd), backup, copy_function=shutil.copy2)
        for path in (backup, *backup.iterdir()):
            if IS_ROOT:
                os.chown(path, server_user().pw_uid, server_user().pw_gid)
        shutil.rmtree(store(httpd))
        backup.rename(store(httpd))
        httpd.claim("WA04*", required=False)
        reload(httpd)
        is_well(httpd)
        assert ask(httpd, "POST", f"{API}/contacts", CONTACT.replace("0001", "0002")).status == 200


def empty_owned(path):
    path.mkdir(mode=0o700)
    os.chown(path, away(path).stat().st_uid, away(path).stat().st_gid)


@pytest.mark.parametrize("model", ["event", "worker", "prefork"])
@pytest.mark.parametrize(
    "instead", [None, empty_owned], ids=["nothing there", "an empty directory there"]
)
def test_a_reload_makes_no_new_store_where_one_was(instead, model):
    """It would answer as if there had never been a message. A start makes one: there nobody was
    told otherwise."""
    break_it, mend_it = moved(store, *([instead] if instead else []))
    with running(mpm=model) as httpd:
        httpd.claim("WA0140", "WA0420", "WA0442", required=False)
        httpd.noise = REFUSED
        break_it(httpd)
        for how in (signal.SIGUSR1, signal.SIGHUP):
            mark = httpd.mark()
            reload(httpd, how)
            is_unavailable(httpd)
            assert "is gone since the server used it" in httpd.lines(mark, "WA0140")[0]
        assert not store(httpd).exists() or not any(store(httpd).iterdir())
        mend_it(httpd)
        reload(httpd)
        is_well(httpd)


# ---- what is mounted over a live store ----


def mounted(part, options, prepare=None):
    """Mounts something over a part of the live store's path, and takes it away again."""

    def break_it(httpd):
        subprocess.run(["mount", *options(httpd), part(httpd)], check=True)
        if prepare:
            prepare(httpd)

    def mend_it(httpd):
        subprocess.run(["umount", "-l", part(httpd)], check=True)

    return break_it, mend_it


def empty(bits, uid):
    return lambda httpd: ["-t", "tmpfs", "-o", f"size=4m,mode={bits:o},uid={uid}", "none"]


def another(httpd):
    """An empty directory of the server's user, bound over it."""
    path = httpd.directory / "another"
    path.mkdir(mode=0o700, exist_ok=True)
    os.chown(path, server_user().pw_uid, server_user().pw_gid)
    return ["--bind", path]


def above(httpd):
    return httpd.directory / "parent"


MOUNTS = {}
if IS_ROOT and can_mount():
    MOUNTS = {
        "an empty file system of root's over the directory": mounted(store, empty(0o755, 0)),
        "an empty file system of the user's over the directory": mounted(
            store, empty(0o700, server_user().pw_uid)
        ),
        "an empty file system over the directory above": mounted(above, empty(0o755, 0)),
        "a closed file system over the directory above": mounted(above, empty(0o700, 0)),
        "an empty directory over the directory": mounted(store, another),
        "an empty directory over the directory above": mounted(above, another),
    }


@pytest.mark.parametrize("model", ["event", "worker", "prefork"])
@pytest.mark.parametrize("what", MOUNTS)
def test_what_is_mounted_over_a_live_store_is_no_new_store(what, model):
    """Reloads serve nothing from there and make nothing there; when it is taken away the next one
    finds what was stored."""
    break_it, mend_it = MOUNTS[what]
    with running(mpm=model) as httpd:
        httpd.claim("WA0140", "WA0420", "WA0442", required=False)
        httpd.noise = REFUSED
        break_it(httpd)
        try:
            for how in (signal.SIGUSR1, signal.SIGHUP):
                mark = httpd.mark()
                reload(httpd, how)
                is_unavailable(httpd)
                assert len(httpd.lines(mark, "WA0140")) == 1
            assert not [
                path
                for path in (store(httpd), httpd.directory / "another")
                if path.exists() and any(path.iterdir())
            ]
        finally:
            mend_it(httpd)
        reload(httpd)
        is_well(httpd)
        httpd.stop()
        httpd.start()
        is_well(httpd)


@pytest.mark.skipif(not MOUNTS, reason="nobody but root may mount")
@pytest.mark.parametrize("model", ["event", "worker", "prefork"])
def test_a_copy_that_is_mounted_over_a_live_store_is_another_store(model):
    """As if the directory had been replaced as a whole; below it the old one is as it was."""
    with running(mpm=model) as httpd:
        httpd.claim("WA04*", required=False)
        copy = httpd.directory / "copy"
        shutil.copytree(store(httpd), copy)
        for path in (copy, *copy.iterdir()):
            os.chown(path, server_user().pw_uid, server_user().pw_gid)
        copy.chmod(0o700)
        subprocess.run(["mount", "--bind", copy, store(httpd)], check=True)
        try:
            reload(httpd)
            is_well(httpd)
            assert (
                ask(httpd, "POST", f"{API}/contacts", CONTACT.replace("0001", "0002")).status == 200
            )
        finally:
            subprocess.run(["umount", "-l", store(httpd)], check=True)
        reload(httpd)
        is_well(httpd)
        assert ask(httpd, "POST", f"{API}/contacts", CONTACT.replace("0001", "0003")).status == 200


def test_a_store_of_another_account_costs_a_reload_only_that_host():
    with running() as httpd:
        httpd.claim("WA0140")
        mine = httpd.configure
        httpd.configure = site(lambda made: messenger(made).replace(ACCOUNT, OTHER_ACCOUNT))
        status, output = httpd.check_config()
        assert status == 1 and "another Twilio account" in output
        reload(httpd)
        is_unavailable(httpd)
        httpd.configure = mine
        assert httpd.check_config()[0] == 0
        reload(httpd)
        is_well(httpd)


def test_a_module_that_a_reload_brings_costs_nobody_else():
    """The server runs already, though the module is new to it."""
    with httpd_with(site(lambda httpd: "")) as httpd:
        (httpd.directory / "site").mkdir()
        (httpd.directory / "site" / "page.txt").write_text("still here")
        httpd.start()
        httpd.claim("WA0140")
        httpd.configure = site(messenger)
        httpd._write()
        reload(httpd)
        is_unavailable(httpd)
        (httpd.directory / "parent").mkdir()
        reload(httpd)
        assert ask(httpd, "GET", f"{API}/contacts").status == 200


def test_a_start_on_a_locked_store_says_so_on_the_terminal():
    with running() as httpd:
        httpd.noise = REFUSED
        httpd.stop()
        with open(store(httpd) / "lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            status, output = control(httpd, "-k", "start")
            assert (
                status != 0
                and "in use by another server or a tool" in output
                and not processes(httpd)
            )
        httpd.start()
        is_well(httpd)


def test_the_admins_commands_work_whatever_became_of_the_directory():
    with running() as httpd:
        httpd.claim("WA0140", "WA0442", required=False)
        httpd._claim_race_of_ending_children()
        shutil.move(store(httpd), away(store(httpd)))
        store(httpd).write_text("a file")
        for command in ("graceful", "restart"):
            before = httpd._generations()
            assert control(httpd, "-k", command)[0] == 0
            wait_until(
                lambda: httpd._generations() > before, "the generation after it"
            )  # noqa: B023
            wait_until(
                lambda: ask(httpd, "GET", f"{API}/contacts").status == 503,
                "the old children to be gone",
            )
            is_unavailable(httpd)
        assert control(httpd, "-k", "graceful-stop")[0] == 0
        httpd.process.wait(60)
        httpd.process = None


# ---- one directory under two names ----


def two(second, account=OTHER_ACCOUNT):
    def configure(httpd):
        return (
            f"{messenger(httpd)}<VirtualHost *>\nServerName 127.0.0.1\n</VirtualHost>\n<VirtualHost"
            f" *>\nServerName two.test\n{account}WhatsAppStore"
            f" dbm:{httpd.directory}/{second}\n</VirtualHost>\n<VirtualHost *>\nServerName"
            f" site.test\nDocumentRoot {httpd.directory}/site\n</VirtualHost>\n"
        )

    return configure


NAMES = [
    "link",
    "link-to-parent/store",
    "parent//store",
    "parent/../parent/./store/",
    "link-to-link",
]


def make_links(httpd):
    (httpd.directory / "parent").mkdir()
    (httpd.directory / "site").mkdir()
    (httpd.directory / "site" / "page.txt").write_text("still here")
    (httpd.directory / "link").symlink_to("parent/store")
    (httpd.directory / "link-to-parent").symlink_to("parent")
    (httpd.directory / "link-to-link").symlink_to("link")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("is_there", [True, False])
def test_two_accounts_in_one_directory_under_two_names_are_refused(name, is_there):
    with httpd_with(two(name)) as httpd:
        httpd.noise = REFUSED
        make_links(httpd)
        if is_there:
            store(httpd).mkdir(mode=0o700)
            if IS_ROOT:
                os.chown(store(httpd), server_user().pw_uid, server_user().pw_gid)
        status, output = httpd.check_config()
        assert status == 1, output
        if is_there or "link" not in name or name.startswith("link-to-parent"):
            assert "WA0112" in output and "two.test" in output
        status, output = control(httpd, "-k", "start")
        assert status != 0 and not processes(httpd), output


@pytest.mark.parametrize("name", NAMES)
def test_one_account_may_name_its_directory_twice(name):
    with httpd_with(two(name, account="")) as httpd:
        make_links(httpd)
        store(httpd).mkdir(mode=0o700)
        if IS_ROOT:
            os.chown(store(httpd), server_user().pw_uid, server_user().pw_gid)
        assert httpd.check_config()[0] == 0
        httpd.start()
        assert (
            ask(httpd, "POST", f"{API}/contacts", CONTACT).status == 200
            and receive(httpd, "SM" + "1" * 32) == 200
        )
        is_well(httpd, "two.test")
        links = [
            os.readlink(link) for link in pathlib.Path(f"/proc/{httpd.process.pid}/fd").iterdir()
        ]
        assert sum(link == str(store(httpd) / "journal") for link in links) == 1
        # the path's text changes in a reload, the directory does not
        httpd.configure = site(lambda made: messenger(made).replace("parent/store", name))
        reload(httpd)
        is_well(httpd)


def test_a_reload_that_finds_two_accounts_in_one_directory_serves_the_first():
    with httpd_with(two("second")) as httpd:
        make_links(httpd)
        httpd.claim("WA0140")
        httpd.start()
        assert (
            ask(httpd, "POST", f"{API}/contacts", CONTACT).status == 200
            and receive(httpd, "SM" + "1" * 32) == 200
        )
        shutil.rmtree(httpd.directory / "second")
        (httpd.directory / "second").symlink_to("parent/store")
        mark = httpd.mark()
        reload(httpd)
        is_well(httpd)
        is_unavailable(httpd, "two.test")
        lines = httpd.lines(mark, "WA0140")
        assert len(lines) == 1 and "have different accounts but the same WhatsAppStore" in lines[0]


# ---- the token ----

BEGIN = f"WhatsAppAccountSID {SID}\nWhatsAppNumber {NUMBER}\n{HANDLER}{URL}"


def token_of(value):
    return lambda httpd: (
        f"{BEGIN}WhatsAppStore dbm:{httpd.directory}/parent/store\nWhatsAppAuthToken"
        f" {value.replace('DIRECTORY', str(httpd.directory))}\n"
    )


TOKEN_TROUBLES = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_text(""),
    "something else": lambda path: path.write_text("-----BEGIN KEY-----\nx\n"),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "a directory": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("trouble", TOKEN_TROUBLES)
def test_a_reload_without_the_token_costs_only_the_messenger(trouble):
    with running(token_of("file:t"), files={"t": TOKEN}) as httpd:
        httpd.claim("WA0141", required=False)
        httpd.noise = REFUSED
        path = httpd.directory / "t"
        TOKEN_TROUBLES[trouble](path)
        status, output = httpd.check_config()
        assert status == 1 and "WhatsAppAuthToken: the first token 'file:t'" in output, output
        for how in (signal.SIGUSR1, signal.SIGHUP):
            mark = httpd.mark()
            reload(httpd, how)
            is_unavailable(httpd)
            lines = httpd.lines(mark, "WA0141")
            assert (
                len(lines) == 1
                and "httpd.conf:" in lines[0]
                and "the first token 'file:t'" in lines[0]
            )
        # a command that only signals is not held up
        before = httpd._generations()
        assert control(httpd, "-k", "graceful") == (0, "")
        wait_until(lambda: httpd._generations() > before, "the generation after it")
        httpd.stop()
        status, output = control(httpd, "-k", "start")
        assert status != 0 and "the first token 'file:t'" in output and not processes(httpd), output
        if path.is_dir():
            path.rmdir()
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        path.write_text(TOKEN)
        path.chmod(0o600)
        httpd.start()
        is_well(httpd)


def test_a_reload_without_the_old_token_goes_on_with_the_new_one():
    with running(token_of("file:t file:old"), files={"t": TOKEN, "old": OTHER_TOKEN}) as httpd:
        httpd.claim("WA0142")
        (httpd.directory / "old").unlink()
        reload(httpd)
        is_well(httpd)
        site_lives(httpd)


def test_a_reload_with_a_command_that_fails_costs_only_the_messenger():
    with running(token_of('"exec:/bin/cat DIRECTORY/t"'), files={"t": TOKEN}) as httpd:
        httpd.claim("WA0141")
        httpd.claim("AH00488", required=False)  # httpd does not wait for the command
        (httpd.directory / "t").unlink()
        reload(httpd)
        is_unavailable(httpd)
        (httpd.directory / "t").write_text(TOKEN)
        reload(httpd)
        is_well(httpd)


# ---- the configuration itself ----


@pytest.mark.parametrize(
    "flawed, tag",
    [
        (lambda text: text.replace(f"WhatsAppNumber {NUMBER}\n", ""), "WA0110"),
        (lambda text: text + "WhatsAppBasePath /elsewhere\n", "WA0143"),
        (lambda text: text.replace(HANDLER, ""), "WA0144"),
        (
            lambda text: text + f"WhatsAppPublicURL https://chat.example.org{API}/webhook\n",
            "WA0145",
        ),
    ],
)
def test_a_reload_that_skipped_configtest_costs_no_other_site(flawed, tag):
    with running() as httpd:
        httpd.claim(tag)
        mine = httpd.configure
        httpd.configure = site(lambda made: flawed(messenger(made)))
        status, output = httpd.check_config()
        assert status == 1 and tag in output
        mark = httpd.mark()
        reload(httpd)
        site_lives(httpd)
        assert len(httpd.lines(mark, tag)) == 1
        httpd.configure = mine
        httpd._write()
        reload(httpd)
        is_well(httpd)
