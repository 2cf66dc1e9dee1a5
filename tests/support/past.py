# SPDX-License-Identifier: Apache-2.0
"""What only time brings, at once: moves a store into the past."""

import json
import os
import shutil
import subprocess

from .httpd import module_path, server_user


def make_older(server, minutes):
    """Moves all that is in the store of a server that is stopped into the past."""
    store, new = server.directory / "store", server.directory / "older"
    program = module_path().parent / "whatsappctl"

    def ctl(*words, **more):
        done = subprocess.run([program, *words], capture_output=True, text=True, timeout=60, **more)
        assert done.returncode == 0, done.stderr
        return done.stdout

    lines = []
    for line in ctl("--store", store, "dump").splitlines():
        pair = json.loads(line)
        for name in ("timestamp", "lastMessageTimestamp"):
            if name in pair["value"]:
                now = pair["value"][name]
                pair["value"][name] = now - minutes * 60000
                pair["key"] = pair["key"].replace(f":{now}:", f":{now - minutes * 60000}:")
        extra = pair["value"].get("store", {})
        if "date" in extra:
            extra["date"] -= minutes * 60000
        lines.append(json.dumps(pair))
    user = ("--user", server_user().pw_name) if os.geteuid() == 0 else ()
    ctl(
        "--store",
        new,
        "load",
        "-",
        "--account-sid",
        server.account.sid,
        *user,
        "--ignore-other-keys",
        input="\n".join(lines),
    )
    shutil.rmtree(store)
    new.rename(store)
