# SPDX-License-Identifier: Apache-2.0
"""Behind ChrootDir there is no library to be loaded late, and only what is reachable by one
path on both sides."""

import os
import subprocess

from support.httpd import Account, messenger, module_path, server_user


def test_a_jail_without_any_library_serves_sends_and_reloads(make_server, simulator, fresh):
    # what glibc would load when the first thread ends, if the module did not bring it
    needed = subprocess.run(
        ["readelf", "-d", module_path()], check=True, capture_output=True, text=True
    ).stdout
    assert "[libgcc_s.so.1]" in needed
    if os.geteuid() != 0:
        return  # only root may change the root

    def configure(httpd):
        jail = httpd.directory / "jail"
        store = jail / "store"
        within = jail / str(httpd.directory)[1:]
        within.mkdir(parents=True, exist_ok=True)
        store.mkdir(exist_ok=True)
        os.chown(store, server_user().pw_uid, server_user().pw_gid)
        if not (within / "jail").is_symlink():
            # as docs/OPERATIONS.md says: the jail's own path leads to its root
            (within / "jail").symlink_to("/")
        return f"ChrootDir {jail}\n" + messenger(httpd.account, store, simulator.url)

    with make_server(configure, account=Account()) as httpd:
        # a line for each child: their threads are ended
        for _ in range(3):
            api, number, text = httpd.client(), fresh.number(), fresh.text()
            api.receive(number, text, fresh.sid())
            api.send(number, fresh.text())
            assert len(api.messages(number)["messages"]) == 2
            httpd.graceful()
        assert "pthread_exit" not in httpd.log_text() + httpd.console_text()
        assert (httpd.directory / "jail" / "store" / "journal").stat().st_size > 0
