# SPDX-License-Identifier: Apache-2.0
"""A store whose file was damaged: never a wrong answer and never a crash; what is whole is
served."""

import pytest


def damage(server, text):
    """Overwrites one letter in the middle of `text` in the journal."""
    needle = text.encode("utf-8")
    changed = 0
    for path in (server.directory / "store").rglob("*"):
        if path.is_file():
            with open(path, "r+b") as file:
                data = file.read()
                at = data.find(needle)
                while at >= 0:
                    file.seek(at + len(needle) // 2)
                    file.write(b"#")
                    changed += 1
                    at = data.find(needle, at + 1)
    assert changed, "the text is nowhere in the store: this test could not fail"


@pytest.mark.parametrize("is_running", [True, False], ids=["running", "stopped"])
def test_a_damaged_message_is_never_given_as_if_it_were_whole(new_server, fresh, is_running):
    with new_server() as server:
        api = server.client()
        hurt, whole = fresh.number(), fresh.number()
        text = "a text that will be damaged in the file: " + "abcdefghij" * 20
        server.secrets.add(text)
        api.receive(hurt, text, fresh.sid())
        api.receive(whole, fresh.text(), fresh.sid())
        if not is_running:
            server.stop()
        server.claim("WA04*", "WA02*", required=False)
        mark = server.mark()
        damage(server, text)
        if not is_running:
            server.start()
            api = server.client()
        response = api.get("/messages", {"counterpart": hurt})
        if response.status == 200:
            assert (
                text[:30] not in response.body.decode()
            ), "a damaged text was given as if it were whole"
        else:
            assert response.status in (500, 503)
            if response.status == 500:
                assert response.json()["code"] == "INTERNAL_ERROR"
        assert server.lines(mark, r"whatsapp:error.*WA04"), "nothing was said to the admin"
        assert len(api.messages(whole)["messages"]) == 1
        number = fresh.number()
        api.receive(number, fresh.text(), fresh.sid())
        assert len(api.messages(number)["messages"]) == 1
        assert api.get("/threads").status == 200
