# SPDX-License-Identifier: Apache-2.0
"""compact: what is superseded goes, what anybody can see stays, and the way back is open."""

import collections
import json

import pytest

from conftest import ACCOUNT, ctl, dump, everything, files_of, give_to_server, lines_of
from journal import flip, records


def kinds(store):
    return collections.Counter(record.kind for record in records(store))


def test_what_is_seen_stays(lived, said, serve):
    text, before = ctl("dump", store=lived).out, kinds(lived)
    told = ctl("compact", store=lived).err
    assert "left out:" in told
    assert ctl("dump", store=lived).out == text
    assert ctl("verify", store=lived).out.endswith("sound\n")
    after = kinds(lived)
    assert after["message"] == before["message"]
    assert after["state"] < before["state"] and after["read"] < before["read"]
    assert after["contact"] == len(said["contacts"]) < before["contact"]
    with serve(lived) as server:
        assert everything(server.client()) == said
        assert not server.lines(0, "WA04")


def test_each_message_keeps_its_newest_state_only(lived):
    ctl("compact", store=lived)
    rows = collections.Counter(record.row for record in records(lived) if record.kind == "state")
    # but for the one message in two parts, whose first part is found by a sid of its own
    assert sorted(rows.values()) == [1] * (len(rows) - 1) + [2] and len(rows) > 5


def test_times_and_order_stay(lived):
    before = [(r.kind, r.timestamp) for r in records(lived)]
    ctl("compact", store=lived)
    after = [(r.kind, r.timestamp) for r in records(lived)]
    left = iter(before)
    assert all(each in left for each in after), "not a part of what was there, in its order"
    assert after[-1] == before[-1]
    assert [r.number for r in records(lived)] == list(range(1, len(after) + 1))


def test_polling_goes_on(lived, said, serve, fresh):
    """A client that asked before gets exactly what it would have got without the compacting."""
    moments = sorted({r.timestamp for r in records(lived)})[::5]

    def asked(api):
        return [{**api.since(moment), "timestamp": 0} for moment in moments]

    with serve(lived) as server:
        before = asked(server.client())
        rows_before = [api_threads(server.client(), moment) for moment in moments]
    ctl("compact", store=lived)
    with serve(lived) as server:
        api = server.client()

        def sort(answers):
            return [{**a, "updates": sorted(a["updates"], key=lambda m: m["id"])} for a in answers]

        assert sort(asked(api)) == sort(before)
        assert [api_threads(api, moment) for moment in moments] == rows_before
        number = fresh.number()
        api.receive(number, fresh.text(), fresh.sid())
        assert [m["counterpart"] for m in api.since(said["now"])["messages"]] == [number]


def api_threads(api, moment):
    return api.since(moment, threads="changed")["threads"]


def test_sids_are_still_known(lived, said, serve, fresh):
    ctl("compact", store=lived)
    messages = [m for thread in said["messages"].values() for m in thread]
    sids = {
        v["id"]: v.get("store", {}).get("sids", [v.get("sid")])
        for k, v in dump(lived)
        if k.startswith("msg:")
    }
    with serve(lived) as server:
        api = server.client()
        for message in messages:
            if message["direction"] == "received":
                api.webhook(api.account.inbound(message["counterpart"], "again", message["sid"]))
        assert everything(api) == said
        queued = [m for m in messages if m.get("deliveryStatus") == "queued"]
        assert any(len(sids[m["id"]]) == 2 for m in queued), "none in parts"
        for message in queued:
            for sid in sids[message["id"]]:
                api.webhook(api.account.status(message["counterpart"], sid, "read"))
            assert {**message, "deliveryStatus": "read"} in api.all_messages(message["counterpart"])


def test_several_sids_of_one_message(directory):
    sids = [f"SM{n:032x}" for n in range(4)]
    value = {
        "id": "parts",
        "direction": "sent",
        "phoneNumber": "+14155238886",
        "counterpart": "+15550000001",
        "body": "b",
        "timestamp": 9,
        "status": "success",
        "sid": sids[0],
        "deliveryStatus": "sent",
        "store": {"sids": sids},
    }
    contact = {
        "id": "11111111-2222-4333-8444-555555555555",
        "phoneNumber": "+15550000009",
        "displayName": "x" * 90,
        "createdAt": 5,
        "updatedAt": 6,
    }
    store = directory / "store"
    ctl(
        "load",
        "-",
        "--account-sid",
        ACCOUNT,
        store=store,
        stdin=lines_of(
            [("msg:+15550000001:9:parts", value), (f"contact:{contact['id']}", contact)]
        ),
    )
    text = ctl("dump", store=store).out
    assert "nothing is superseded" in ctl("compact", store=store).err
    for sid in sids:
        assert sid in text
        again = {**value, "id": "other", "sid": sid, "timestamp": 10}
        again.pop("store")
        told = ctl(
            "load", "-", store=store, stdin=lines_of([("msg:+15550000001:10:other", again)])
        ).err
        assert "0 messages and 0 contacts loaded; 1 skipped" in told


def test_parked_receipts_of_unknown_messages_stay(lived, serve, fresh):
    assert kinds(lived)["parked"] == 1
    ctl("compact", store=lived)
    assert kinds(lived)["parked"] == 1
    assert json.loads(ctl("stats", "--json", store=lived).out)["parked"] == 1


def test_the_time_never_goes_back(lived, serve, fresh):
    """Also when the last thing that happened is one that leaves nothing."""
    with serve(lived) as server:
        api = server.client()
        contact = api.add_contact(fresh.number(), "Here and gone")
        api.delete(f"/contacts/{contact['id']}")
        now = api.now()
    ctl("compact", store=lived)
    assert records(lived)[-1].timestamp == now
    with serve(lived) as server:
        assert server.client().now() == now


def test_parked_receipts_of_known_messages_go(lived, serve, fresh):
    sid, number = fresh.sid(), fresh.number()
    with serve(lived) as server:
        api = server.client()
        api.webhook(api.account.status(number, sid, "delivered"))
        now = api.now()
    value = {
        "id": "late",
        "direction": "sent",
        "phoneNumber": "+14155238886",
        "counterpart": number,
        "body": "b",
        "timestamp": now + 1,
        "status": "success",
        "sid": sid,
    }
    ctl("load", "-", store=lived, stdin=lines_of([(f"msg:{number}:{now + 1}:late", value)]))
    assert kinds(lived)["parked"] == 2
    assert "1 parked receipts" in ctl("compact", store=lived).err
    assert kinds(lived)["parked"] == 1


def test_a_second_compact_has_nothing_to_do(lived):
    ctl("compact", store=lived)
    before = files_of(lived)
    assert "nothing is superseded: the journal stays as it is" in ctl("compact", store=lived).err
    assert files_of(lived) == before


def test_the_old_journal_is_kept_and_is_the_way_back(lived):
    old, text = (lived / "journal").read_bytes(), ctl("dump", store=lived).out
    ctl("compact", store=lived)
    assert (lived / "journal.before-compact").read_bytes() == old
    assert "journal.before-compact" in ctl("stats", store=lived).out
    (lived / "journal.before-compact").rename(lived / "journal")
    ctl("rebuild", store=lived)
    assert (lived / "journal").read_bytes() == old
    assert ctl("dump", store=lived).out == text
    assert ctl("verify", store=lived).out.endswith("sound\n")


def test_delete_keeps_none(lived):
    ctl("compact", "--delete", store=lived)
    assert "journal.before-compact" not in files_of(lived)


def test_delete_also_removes_an_earlier_one(lived):
    ctl("compact", store=lived)
    ctl("compact", "--delete", store=lived)
    assert "journal.before-compact" not in files_of(lived)


def test_owner_mode_and_type_stay(lived):
    ctl("rebuild", store=f"dbm:{lived} type=gdbm")
    ctl("compact", store=lived)
    owner = (lived.stat().st_uid, lived.stat().st_gid)
    for path in lived.iterdir():
        info = path.stat()
        assert (info.st_uid, info.st_gid, info.st_mode & 0o777) == (*owner, 0o600), path
    assert "(type gdbm)" in ctl("stats", store=lived).out


@pytest.mark.parametrize("where", [3, -1])
def test_damage_is_not_compacted_away(lived, where):
    flip(lived / "journal", records(lived)[where].offset + 50)
    before = files_of(lived)
    assert "run whatsappctl rebuild" in ctl("compact", store=lived, expect=1).err
    assert files_of(lived) == before


def test_fillers_go(lived):
    """After a rebuild over damage: the lost message stays lost, all else stays, and the fillers are
    gone."""
    lost = [r for r in records(lived) if r.kind == "message"][4]
    flip(lived / "journal", lost.offset + 50)
    ctl("rebuild", store=lived)
    text = ctl("dump", store=lived).out
    assert kinds(lived)["filler"] == 1
    assert "1 fillers" in ctl("compact", store=lived).err
    assert kinds(lived)["filler"] == 0
    assert ctl("dump", store=lived).out == text
    assert ctl("verify", store=lived).out.endswith("sound\n")
    rows = [r.row for r in records(lived) if r.kind == "message"]
    assert rows == list(range(1, len(rows) + 1))


def test_what_a_killed_one_left_is_no_obstacle(lived, said, serve):
    (lived / "compact.new").mkdir()
    (lived / "compact.new" / "journal").write_bytes(b"half")
    give_to_server(lived)
    with serve(lived) as server:
        assert everything(server.client()) == said
    ctl("compact", store=lived)
    assert not (lived / "compact.new").exists()
    assert dump(lived)
