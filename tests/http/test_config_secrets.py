# SPDX-License-Identifier: Apache-2.0
"""The auth token from a file, from a command or as it is, and that it is shown nowhere."""

import os
import pytest

from config_support import (
    ACCOUNT,
    HANDLER,
    NUMBER,
    OTHER_TOKEN,
    SID,
    TOKEN,
    accept,
    ask,
    configtest,
    httpd_with,
    refusal,
)

BEGIN = f"WhatsAppAccountSID {SID}\nWhatsAppNumber {NUMBER}\n"


def test_from_a_file_below_the_serverroot():
    accept(BEGIN + "WhatsAppAuthToken file:t", files={"t": TOKEN + "\n"})


def test_from_a_file_without_line_end_and_with_white_space():
    accept(BEGIN + "WhatsAppAuthToken file:t", files={"t": f"  {TOKEN}\r\n\n"})


def test_from_a_file_with_an_absolute_path():
    with httpd_with(
        lambda h: f"{BEGIN}WhatsAppAuthToken file:{h.directory}/t\n{HANDLER}", files={"t": TOKEN}
    ) as httpd:
        assert httpd.check_config()[0] == 0


def test_two_files():
    accept(BEGIN + "WhatsAppAuthToken file:new file:old", files={"new": TOKEN, "old": OTHER_TOKEN})


def test_from_a_command_with_arguments():
    accept(BEGIN + f'WhatsAppAuthToken "exec:/bin/echo {TOKEN}"')


@pytest.mark.parametrize(
    "content, told",
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        (f"{TOKEN}\n{TOKEN}\n", "one word"),
        (f"{TOKEN} # mine\n", "one word"),
        (f"{TOKEN}\x01", "one word"),
        ("x" * 257, "longer than 256"),
        ("x" * 5000, "longer than 256"),
    ],
)
def test_refuses_what_a_file_holds(content, told):
    output = refusal(BEGIN + "WhatsAppAuthToken file:t", files={"t": content})
    assert "WhatsAppAuthToken: the first token 'file:t'" in output and told in output


def test_refuses_a_file_that_is_not_there():
    output = refusal(BEGIN + f"WhatsAppAuthToken {TOKEN} file:no/such")
    assert "the second token 'file:no/such'" in output and "No such file" in output


@pytest.mark.parametrize(
    "command, told",
    [
        ("exec:", "needs a command"),
        ("exec:/no/such/command", "/no/such/command"),
        ("exec:/bin/true", "/bin/true"),
        ("exec:/bin/echo two words", "one word"),
    ],
)
def test_refuses_a_command(command, told):
    output = refusal(BEGIN + f'WhatsAppAuthToken "{command}"')
    assert "WhatsAppAuthToken: the first token" in output and told in output


def test_does_not_show_the_arguments_of_a_command():
    refusal(BEGIN + f'WhatsAppAuthToken "exec:/bin/false {TOKEN}"')


def test_does_not_show_a_token_that_it_refuses():
    refusal(BEGIN + f'WhatsAppAuthToken "{TOKEN} {OTHER_TOKEN}"')


def test_warns_of_a_file_that_everybody_can_read():
    with httpd_with(BEGIN + "WhatsAppAuthToken file:t\n" + HANDLER, files={"t": TOKEN}) as httpd:
        (httpd.directory / "t").chmod(0o644)
        status, output = httpd.check_config()
        assert (
            status == 0
            and "WA0115" in output
            and str(httpd.directory / "t") in output
            and TOKEN not in output
        )
        httpd.claim("WA0115")
        httpd.start()
        httpd.check_claims()


@pytest.mark.parametrize(
    "value",
    [
        TOKEN,
        f"{TOKEN} {OTHER_TOKEN}",
        f'"exec:/bin/echo {TOKEN}"',
        f'file:t "exec:/bin/echo {TOKEN}"',
    ],
)
def test_mod_info_does_not_show_it(value):
    text = (
        f"{BEGIN}WhatsAppAuthToken {value}\n{HANDLER}<Location /info>\nSetHandler"
        " server-info\n</Location>\n"
    )
    with httpd_with(text, modules=["info"], files={"t": OTHER_TOKEN}) as httpd:
        httpd.start()
        page = ask(httpd, "GET", "/info?config").text
        assert "WhatsAppAuthToken" in page and SID in page
        assert TOKEN not in page and OTHER_TOKEN not in page


def test_is_not_in_the_dump_of_the_configuration():
    status, output = configtest("Define DUMP_CONFIG\n" + ACCOUNT + HANDLER, modules=["info"])
    assert status == 0 and "WhatsAppAuthToken" in output and TOKEN not in output


def test_a_pipe_is_no_file_for_a_token():
    """Nobody writes to it: httpd would wait for ever."""
    with httpd_with(lambda h: f"WhatsAppAuthToken file:{h.directory}/token\n") as httpd:
        os.mkfifo(httpd.directory / "token")
        status, output = httpd.check_config()
        assert status != 0 and "is no regular file" in output, output
