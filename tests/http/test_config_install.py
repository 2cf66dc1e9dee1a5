# SPDX-License-Identifier: Apache-2.0
"""make install and uninstall, and the demo of apxs-build.sh, tried as a user would."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.request

import pytest

from config_support import configtest
from support.conditions import wait_until
from support.httpd import ROOT, apxs, free_port, module_path, server_user


def make(*words, umask=-1):
    environment = {**os.environ, "MAKEFLAGS": "", "MFLAGS": ""}
    done = subprocess.run(
        ["make", "-s", "-C", str(ROOT), f"BUILD={module_path().parent}", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment,
        timeout=600,
        umask=umask,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def directory():
    path = pathlib.Path(tempfile.mkdtemp(prefix="wa-install-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def files_below(directory):
    return sorted(
        str(path.relative_to(directory)) for path in directory.rglob("*") if not path.is_dir()
    )


def conf_below(directory):
    """The configuration that httpd reads, not the copy of it as it was laid down."""
    return next(
        path
        for path in directory.rglob("whatsapp.conf")
        if path.parent.name in ("mods-available", "extra")
    )


def test_install_and_uninstall(directory):
    said = make("install", f"DESTDIR={directory}")
    assert "whatsapp-account.conf" in said
    libexec, sysconf = apxs("LIBEXECDIR").lstrip("/"), apxs("SYSCONFDIR").lstrip("/")
    conf = conf_below(directory)
    assert str(conf.relative_to(directory)) in (
        f"{sysconf}/mods-available/whatsapp.conf",
        f"{sysconf}/extra/whatsapp.conf",
    )
    assert (directory / libexec / "mod_whatsapp.so").read_bytes() == module_path().read_bytes()
    version = subprocess.run(
        [directory / apxs("SBINDIR").lstrip("/") / "whatsappctl", "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"},
    )
    assert version.returncode == 0, version.stderr
    load = (conf.parent / "whatsapp.load").read_text()
    assert load.strip() == f"LoadModule whatsapp_module /{libexec}/mod_whatsapp.so"
    frontend = next(path for path in directory.rglob("frontend") if path.is_dir())
    assert f'"/{frontend.relative_to(directory)}"' in conf.read_text()
    assert files_below(frontend) == files_below(ROOT / "frontend")
    status, output = configtest(
        conf.read_text().replace("/usr/", f"{directory}/usr/"), modules=["alias", "dir", "headers"]
    )
    assert status == 0, output

    make("install", f"DESTDIR={directory}")
    assert not (conf.parent / "whatsapp.conf.dist").exists()
    conf.write_text("# changed by the admin\n")
    make("install", f"DESTDIR={directory}")
    assert conf.read_text() == "# changed by the admin\n"
    assert "LoadModule" in load and (conf.parent / "whatsapp.conf.dist").exists()

    make("uninstall", f"DESTDIR={directory}")
    assert files_below(directory) == [str(conf.relative_to(directory))]
    conf.unlink()
    make("install", f"DESTDIR={directory}")
    make("uninstall", f"DESTDIR={directory}")
    assert files_below(directory) == []


def test_upgrade_keeps_what_was_changed_and_shows_what_is_new(directory):
    make("install", f"DESTDIR={directory}")
    conf = conf_below(directory)
    load = conf.with_name("whatsapp.load")
    for file in (load, conf):
        shipped = file.read_text()
        file.write_text("# of the admin\n" + shipped)
        for _ in range(2):
            said = make("install", f"DESTDIR={directory}")
            assert file.read_text() == "# of the admin\n" + shipped
            assert file.with_name(file.name + ".dist").read_text() == shipped
            # in the form of diff -u: what of the admin's is not in the new one
            assert (
                f"--- {file}\n+++ {file}.dist\n" in re.sub(r"\t.*", "", said)
                and "\n-# of the admin\n" in said
            )
            assert "restarted" in said and "a reload is not enough" in said
        # taken over by hand: nothing is left to be told
        file.write_text(shipped)
        said = make("install", f"DESTDIR={directory}")
        assert "@@" not in said and not file.with_name(file.name + ".dist").exists()

    load.write_text("# my own\n")
    make("install", f"DESTDIR={directory}")
    said = make("uninstall", f"DESTDIR={directory}")
    assert "whatsapp.load" in said and files_below(directory) == [str(load.relative_to(directory))]


def test_upgrade_replaces_what_nobody_changed(directory):
    """What an earlier version laid down is told from what the admin made of it."""
    make("install", f"DESTDIR={directory}")
    conf = conf_below(directory)
    shipped = conf.read_text()
    original = next(path for path in directory.rglob("installed/whatsapp.conf"))
    for file in (conf, original):
        file.write_text("# of an earlier version\n")
    said = make("install", f"DESTDIR={directory}")
    assert (
        conf.read_text() == shipped
        and not conf.with_name("whatsapp.conf.dist").exists()
        and "@@" not in said
    )


def test_a_link_of_the_admin_s_stays_a_link(directory):
    make("install", f"DESTDIR={directory}")
    conf = conf_below(directory)
    elsewhere = directory / "managed.conf"
    conf.rename(elsewhere)
    elsewhere.write_text("# managed elsewhere\n")
    conf.symlink_to(elsewhere)
    make("install", f"DESTDIR={directory}")
    assert conf.is_symlink() and elsewhere.read_text() == "# managed elsewhere\n"
    make("uninstall", f"DESTDIR={directory}")
    assert conf.is_symlink()


def test_a_changed_web_client_is_kept_beside_the_new_one(directory):
    make("install", f"DESTDIR={directory}")
    client = next(path for path in directory.rglob("mod_whatsapp/frontend"))
    (client / "index.html").write_text("our own page")
    (client / "logo.svg").write_text("our logo")
    said = make("install", f"DESTDIR={directory}")
    assert files_below(client) == files_below(ROOT / "frontend")
    kept = client.with_name("frontend.changed-1")
    assert (
        str(kept) in said
        and (kept / "index.html").read_text() == "our own page"
        and (kept / "logo.svg").exists()
    )
    make("install", f"DESTDIR={directory}")
    assert not client.with_name("frontend.changed-2").exists()
    (client / "index.html").unlink()
    make("uninstall", f"DESTDIR={directory}")
    assert (kept / "index.html").read_text() == "our own page" and client.with_name(
        "frontend.changed-2"
    ).is_dir()


def test_what_is_installed_can_be_read_whatever_the_umask(directory):
    make("install", f"DESTDIR={directory}", umask=0o077)
    make("install", f"DESTDIR={directory}", umask=0o077)
    found = [path for path in directory.rglob("*")]
    assert len(found) > 20
    for path in found:
        mode = path.stat().st_mode & 0o777
        assert mode in (
            (0o755,) if path.is_dir() or path.name == "whatsappctl" else (0o644, 0o755)
        ), (path, oct(mode))


@pytest.fixture
def tree(directory):
    """A copy of the source directory as it is built, of an ordinary user."""
    copy = directory / "source"
    copy.mkdir()
    kept = ("Makefile", "apxs-build.sh", "README.md", "LICENSE")
    parts = ("conf", "frontend", "mod_whatsapp", "tools")
    for name in [
        *kept,
        *(
            path.relative_to(ROOT)
            for part in parts
            for path in (ROOT / part).rglob("*")
            if path.is_file()
        ),
    ]:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    if (ROOT / "build" / "mod_whatsapp.so").exists():
        shutil.copytree(
            ROOT / "build",
            copy / "build",
            ignore=shutil.ignore_patterns("tests", "strict", "sanitized", "fuzz*"),
        )
    if os.geteuid() == 0:
        user = server_user()
        subprocess.run(["chown", "-R", f"{user.pw_uid}:{user.pw_gid}", str(copy)], check=True)
    else:
        (directory / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
        (directory / "sudo").chmod(0o755)
    yield copy


def run_in(tree, *words, **environment):
    owner = tree.stat()
    made = {
        **script_environment(),
        "SUDO_UID": str(owner.st_uid),
        "SUDO_GID": str(owner.st_gid),
        "PATH": f"{os.environ['PATH']}:{tree.parent}",
    }
    return subprocess.run(
        words,
        cwd=tree,
        env={**made, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
    )


def test_install_under_sudo_leaves_nothing_of_root_s_in_the_source_directory(tree):
    target = tree.parent / "target"
    (tree / "mod_whatsapp" / "mod_whatsapp.c").touch()
    done = run_in(tree, "./apxs-build.sh", "install", DESTDIR=str(target))
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(target.rglob("mod_whatsapp.so")) and list(target.rglob("whatsapp.conf"))
    owner = tree.stat().st_uid
    foreign = [str(path) for path in tree.rglob("*") if path.lstat().st_uid != owner]
    assert (
        foreign == []
        and (tree / "build" / "mod_whatsapp.so").stat().st_mtime
        >= (tree / "mod_whatsapp" / "mod_whatsapp.c").stat().st_mtime
    )


def test_a_build_by_root_that_is_in_the_way_is_named(tree):
    """As before this was mended: what root built, the user cannot build again."""
    if os.geteuid() == 0:
        (tree / "build").mkdir(exist_ok=True)
        subprocess.run(["chown", "-R", "0:0", str(tree / "build")], check=True)
    else:
        shutil.rmtree(tree / "build", ignore_errors=True)
        (tree / "build").mkdir(mode=0o555)
    (tree / "mod_whatsapp" / "mod_whatsapp.c").touch()
    done = run_in(tree, "./apxs-build.sh", "install", DESTDIR=str(tree.parent / "target"))
    assert (
        done.returncode == 1
        and "sudo rm -r build" in done.stderr
        and not (tree.parent / "target").exists()
    )
    (tree / "build").chmod(0o755)


def test_make_install_under_sudo_builds_nothing(tree):
    """Not even when there is something to build: it says what to do."""
    target = tree.parent / "target"
    shutil.rmtree(tree / "build", ignore_errors=True)
    done = run_in(tree, "make", "-s", "install", DESTDIR=str(target))
    assert done.returncode != 0 and "run make first, without sudo" in done.stderr
    assert not (tree / "build").exists() and not target.exists()
    (tree / "build").mkdir()
    for name in ("mod_whatsapp.so", "whatsappctl"):
        (tree / "build" / name).write_bytes(b"")
    assert "run make first" in run_in(tree, "make", "-s", "install", DESTDIR=str(target)).stderr
    assert files_below(tree / "build") == ["mod_whatsapp.so", "whatsappctl"]


def script_environment():
    # what `make test-asan` says to make is not said to the script's make
    dropped = ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "BUILD", "SANITIZE", "OPT")
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TWILIO_") and name not in dropped
    }


def script(*words, **environment):
    kept = script_environment()
    return subprocess.Popen(
        ["./apxs-build.sh", *words],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**kept, **environment},
        start_new_session=True,
        # Ctrl-C is ignored in what a shell starts in the background, and below
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_run_serves_client_and_api_and_ends_with_its_children(directory):
    port = free_port()
    process = script("run", "--port", str(port), "--state", str(directory))
    said = ""
    try:
        for line in process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        else:
            raise AssertionError(said + process.stderr.read())
        assert f"http://127.0.0.1:{port}/whatsapp-messenger/\n" in said
        with urllib.request.urlopen(
            f"http://127.0.0.1:{port}/whatsapp-messenger/", timeout=30
        ) as page:
            assert page.status == 200
        lines = re.findall(r"^  (curl .*)$", said, re.MULTILINE)
        assert len(lines) == 3
        for line in lines:
            answer = subprocess.run(
                ["bash", "-c", line.replace("curl ", "curl -fsS ", 1)],
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert answer.returncode == 0 and answer.stdout.startswith('{"success":true'), (
                line + answer.stdout + answer.stderr
            )
        assert '"body":"Hello"' in answer.stdout
        children = children_of(process.pid)
        assert len(children) == 2
        # what Ctrl-C sends
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 0
        wait_until(
            lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in children),
            "httpd and simulator to end",
        )
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)
        process.stdout.close()
        process.stderr.close()


def children_of(pid):
    return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_run_says_that_the_port_is_taken(directory):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = script("run", "--port", str(taken.getsockname()[1]), "--state", str(directory))
        _, said = process.communicate(timeout=600)
    assert process.returncode == 1 and "is taken" in said and "--port" in said


@pytest.mark.parametrize(
    "words, environment, told",
    [
        (["run", "--port", "0"], {}, "--port must be"),
        (["run", "--port"], {}, "a value is missing"),
        (["run", "--colour", "blue"], {}, "unknown option '--colour'"),
        (
            ["run"],
            {"TWILIO_ACCOUNT_SID": "AC00000000000000000000000000000001"},
            "TWILIO_AUTH_TOKEN",
        ),
        (["fly"], {}, "usage:"),
        ([], {}, "usage:"),
    ],
)
def test_refuses_what_it_does_not_know(words, environment, told):
    process = script(*words, **environment)
    _, said = process.communicate(timeout=60)
    assert process.returncode != 0 and told in said
