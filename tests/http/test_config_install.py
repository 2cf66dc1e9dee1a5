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
from support.httpd import ROOT, apxs, free_port, module_path


def make(*words):
    environment = {**os.environ, "MAKEFLAGS": "", "MFLAGS": ""}
    done = subprocess.run(["make", "-s", "-C", str(ROOT), f"BUILD={module_path().parent}", *words], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, env=environment, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="wa-install-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def test_install_and_uninstall(folder):
    said = make("install", f"DESTDIR={folder}")
    assert "whatsapp-account.conf" in said
    libexec, sysconf = apxs("LIBEXECDIR").lstrip("/"), apxs("SYSCONFDIR").lstrip("/")
    conf = next(path for path in folder.rglob("whatsapp.conf"))
    assert str(conf.relative_to(folder)) in (f"{sysconf}/mods-available/whatsapp.conf", f"{sysconf}/extra/whatsapp.conf")
    assert (folder / libexec / "mod_whatsapp.so").read_bytes() == module_path().read_bytes()
    version = subprocess.run([folder / apxs("SBINDIR").lstrip("/") / "whatsappctl", "--version"], capture_output=True, text=True, timeout=60,
                             env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    assert version.returncode == 0, version.stderr
    load = (conf.parent / "whatsapp.load").read_text()
    assert load.strip() == f"LoadModule whatsapp_module /{libexec}/mod_whatsapp.so"
    frontend = next(path for path in folder.rglob("frontend") if path.is_dir())
    assert f'"/{frontend.relative_to(folder)}"' in conf.read_text()
    assert files_below(frontend) == files_below(ROOT / "frontend")
    status, output = configtest(conf.read_text().replace("/usr/", f"{folder}/usr/"), modules=["alias", "dir", "headers"])
    assert status == 0, output

    make("install", f"DESTDIR={folder}")
    assert not (conf.parent / "whatsapp.conf.dist").exists()
    conf.write_text("# changed by the admin\n")
    make("install", f"DESTDIR={folder}")
    assert conf.read_text() == "# changed by the admin\n"
    assert "LoadModule" in load and (conf.parent / "whatsapp.conf.dist").exists()

    make("uninstall", f"DESTDIR={folder}")
    assert files_below(folder) == [str(conf.relative_to(folder))]
    conf.unlink()
    make("install", f"DESTDIR={folder}")
    make("uninstall", f"DESTDIR={folder}")
    assert files_below(folder) == []


def script(*words, **environment):
    # what `make test-asan` says to make is not said to the script's make
    dropped = ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "BUILD", "SANITIZE", "OPT")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TWILIO_") and name not in dropped}
    return subprocess.Popen(["./apxs-build.sh", *words], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env={**kept, **environment}, start_new_session=True,
                            # Ctrl-C is ignored in what a shell starts in the background, and below
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))


def test_run_serves_client_and_api_and_ends_with_its_children(folder):
    port = free_port()
    process = script("run", "--port", str(port), "--state", str(folder))
    said = ""
    try:
        for line in process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        else:
            raise AssertionError(said + process.stderr.read())
        assert f"http://127.0.0.1:{port}/whatsapp-messenger/\n" in said
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/whatsapp-messenger/", timeout=30) as page:
            assert page.status == 200
        lines = re.findall(r"^  (curl .*)$", said, re.MULTILINE)
        assert len(lines) == 3
        for line in lines:
            answer = subprocess.run(["bash", "-c", line.replace("curl ", "curl -fsS ", 1)], capture_output=True, text=True, timeout=60)
            assert answer.returncode == 0 and answer.stdout.startswith('{"success":true'), line + answer.stdout + answer.stderr
        assert '"body":"Hello"' in answer.stdout
        children = children_of(process.pid)
        assert len(children) == 2
        # what Ctrl-C sends
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 0
        wait_until(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in children), "httpd and simulator to end")
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)
        process.stdout.close()
        process.stderr.close()


def children_of(pid):
    return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_run_says_that_the_port_is_taken(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = script("run", "--port", str(taken.getsockname()[1]), "--state", str(folder))
        _, said = process.communicate(timeout=600)
    assert process.returncode == 1 and "is taken" in said and "--port" in said


@pytest.mark.parametrize("words, environment, told", [
    (["run", "--port", "0"], {}, "--port must be"),
    (["run", "--port"], {}, "a value is missing"),
    (["run", "--colour", "blue"], {}, "unknown option '--colour'"),
    (["run"], {"TWILIO_ACCOUNT_SID": "AC00000000000000000000000000000001"}, "TWILIO_AUTH_TOKEN"),
    (["fly"], {}, "usage:"),
    ([], {}, "usage:"),
])
def test_refuses_what_it_does_not_know(words, environment, told):
    process = script(*words, **environment)
    _, said = process.communicate(timeout=60)
    assert process.returncode != 0 and told in said
