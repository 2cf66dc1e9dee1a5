#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The one entry on a fresh machine: installs what is missing (Debian, apt), builds, and runs, tests or installs mod_whatsapp.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

usage() {
    cat <<'END'
usage: ./apxs-build.sh COMMAND

  run [--port N] [--state DIRECTORY] [--public-url URL]
            builds and runs a messenger of its own on 127.0.0.1:8080, until Ctrl-C. With TWILIO_ACCOUNT_SID,
            TWILIO_AUTH_TOKEN and TWILIO_WHATSAPP_NUMBER set it talks to Twilio, otherwise to a simulator that it starts
  test      builds and runs every test
  build     builds build/mod_whatsapp.so
  install   builds and installs the module into this machine's Apache; enabling it is left to you
  lint      checks format, layers, shell and C code

Each installs the packages that it needs first and tells which; nothing is asked of apt when they are there.
END
}

BUILD_PACKAGES=(gcc libc6-dev make apache2-bin apache2-dev libcurl4-openssl-dev libjansson-dev libutf8proc-dev libssl-dev)
RUN_PACKAGES=(python3 curl ca-certificates openssl)
TEST_PACKAGES=(libcmocka-dev python3-pytest python3-pytest-xdist python3-requests python3-jsonschema python3-yaml
               chromium procps e2fsprogs iproute2 git jq shellcheck libapache2-mod-security2 modsecurity-crs)
LINT_PACKAGES=(clang-format cppcheck shellcheck libcmocka-dev)

say() { printf '==> %s\n' "$*" >&2; }
die() { printf 'apxs-build.sh: %s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# Under sudo, as the user who called it where this directory is theirs: what is built should be theirs, too.
as_caller() {
    local owner home
    owner=$(stat -c %u .)
    if [ "$(id -u)" -ne 0 ] || [ -z "${SUDO_UID-}" ] || [ "$SUDO_UID" != "$owner" ] || [ "$owner" -eq 0 ]; then
        "$@"
        return
    fi
    home=$(getent passwd "$owner" | cut -d: -f6)
    setpriv --reuid="$owner" --regid="${SUDO_GID:-$(stat -c %g .)}" --clear-groups env HOME="${home:-/}" "$@"
}

# Installs those of the packages that are missing. Never removes one for it, and none of them starts a service.
need() {
    local package missing=()
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        die "this script installs with apt, which is not here; with these installed by other means use make: $*"
    fi
    for package; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        die "root or sudo is needed to install: ${missing[*]}"
    fi
    say "installing ${missing[*]}"
    quietly as_root apt-get update || die 'apt-get update failed: is there a network?'
    quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -o Dpkg::Use-Pty=0 install -y --no-remove --no-install-recommends \
        "${missing[@]}" || die "apt-get could not install: ${missing[*]}"
}

# Node.js and npm for the browser tests. Where they came from elsewhere than Debian they are not replaced.
need_node() {
    local missing=()
    command -v node >/dev/null || missing+=(nodejs)
    command -v npm >/dev/null || missing+=(npm)
    [ ${#missing[@]} -eq 0 ] || need "${missing[@]}"
}

# Shows what a command says only when it fails.
quietly() {
    local output
    if ! output=$("$@" 2>&1); then
        printf '%s\n' "$output" >&2
        return 1
    fi
}

build() {
    local foreign
    say 'building'
    if ! as_caller make -s -j"$(nproc)" all; then
        foreign=$(as_caller find build \( -type f -o -type d \) -not -writable -print -quit 2>/dev/null || true)
        [ -z "$foreign" ] || die "$foreign is not writable here (an earlier build by root?): sudo rm -r build"
        die 'the build failed'
    fi
    say 'built build/mod_whatsapp.so'
}

# ---- run ----

PORT=8080
STATE=
PUBLIC_URL=
HTTPD_PID=
SIMULATOR_PID=

stop_children() {
    local pid
    trap - EXIT
    trap '' INT TERM
    for pid in $HTTPD_PID $SIMULATOR_PID; do
        kill -TERM "$pid" 2>/dev/null || true
    done
    for pid in $HTTPD_PID $SIMULATOR_PID; do
        wait "$pid" 2>/dev/null || true
    done
}

port_is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# The directory of the web client as the server's user can read it: the one here, or a copy.
frontend_directory() {
    local copy=$STATE/frontend
    if [ "$(id -u)" -ne 0 ] || runuser -u www-data -- test -r "$PWD/frontend/index.html"; then
        echo "$PWD/frontend"
        return
    fi
    rm -rf "$copy"
    cp -r frontend "$copy"
    chmod -R a+rX "$copy"
    echo "$copy"
}

write_account() {
    if [ -n "${TWILIO_ACCOUNT_SID-}" ]; then
        # httpd itself puts the values in: the token is never written to a file.
        cat <<'END'
WhatsAppAccountSID ${TWILIO_ACCOUNT_SID}
WhatsAppAuthToken ${TWILIO_AUTH_TOKEN}
WhatsAppNumber ${TWILIO_WHATSAPP_NUMBER}
END
        [ -z "$PUBLIC_URL" ] || echo "WhatsAppPublicURL $PUBLIC_URL"
    else
        cat <<END
WhatsAppAccountSID $DEMO_ACCOUNT
WhatsAppAuthToken $DEMO_TOKEN
WhatsAppNumber whatsapp:$DEMO_NUMBER
WhatsAppPublicURL http://127.0.0.1:$PORT
WhatsAppTwilioURL $SIMULATOR_URL
END
    fi
    echo "WhatsAppStore \"dbm:$STATE/messages-${TWILIO_ACCOUNT_SID:-demo}\""
}

# 1 when people other than those of this machine may come: then there is a login.
is_public() { [ -n "${TWILIO_ACCOUNT_SID-}" ] || [ -n "$PUBLIC_URL" ]; }

# The login, made once and kept: $STATE/login has it in the form that curl reads, $STATE/whatsapp.users as httpd does.
write_login() {
    local secret users=$STATE/whatsapp.users
    if ! is_public; then
        rm -f "$users"
        return
    fi
    if ! [ -s "$STATE/login" ]; then
        (umask 077; printf 'user = "messenger:%s"\n' "$(openssl rand -hex 16)" > "$STATE/login.new")
        mv "$STATE/login.new" "$STATE/login"
    fi
    secret=$(login | cut -d: -f2)
    (umask 077; printf 'messenger:%s\n' "$(openssl passwd -6 -stdin <<< "$secret")" > "$users.new")
    if [ "$(id -u)" -eq 0 ]; then
        chgrp www-data "$users.new"
        chmod 640 "$users.new"
    fi
    mv "$users.new" "$users"
}

# "messenger:PASSWORD"
login() { sed -n 's/^user = "\(.*\)"$/\1/p' "$STATE/login"; }

# curl with the login where there is one; no other user of the machine can see it in the list of processes.
call() {
    if is_public; then
        curl -K "$STATE/login" "$@"
    else
        curl "$@"
    fi
}

# Without a login: this port is known to nobody but this machine, and by no name that a page could have made for it.
write_open_door() {
    cat <<'END'
<Location "/server-status">
    SetHandler server-status
    Require local
</Location>
<LocationMatch "^/(api/)?whatsapp-messenger(/|$)">
    WhatsAppRequireUser Off
    <RequireAll>
        Require local
        Require expr "req('Host') =~ m#^(localhost|127[.]0[.]0[.]1)(:[0-9]+)?$#i"
    </RequireAll>
</LocationMatch>
<Location "/api/whatsapp-messenger/webhook">
    Require all granted
</Location>
END
}

write_config() {
    local modules user='' module
    modules=$(apxs -q LIBEXECDIR)
    if [ "$(id -u)" -eq 0 ]; then
        user=$'User www-data\nGroup www-data'
    fi
    cat <<END
# Written by apxs-build.sh run; overwritten each time.
ServerRoot "$STATE"
ServerName 127.0.0.1:$PORT
Listen 127.0.0.1:$PORT
PidFile httpd.pid
DefaultRuntimeDir "$STATE"
$user
ErrorLog error.log
LogLevel warn whatsapp:info
END
    for module in mpm_event authn_core authn_file auth_basic authz_core authz_host authz_user alias dir mime headers filter deflate status; do
        echo "LoadModule ${module}_module $modules/mod_$module.so"
    done
    cat <<END
LoadModule whatsapp_module "$PWD/build/mod_whatsapp.so"
TypesConfig /dev/null
DocumentRoot "$STATE/htdocs"
<Directory />
    AllowOverride None
    Require all denied
</Directory>
RedirectMatch 302 ^/$ /whatsapp-messenger/
END
    sed "s|/usr/share/mod_whatsapp/frontend|$(frontend_directory)|" conf/whatsapp.conf
    is_public || write_open_door
}

start_simulator() {
    local log=$STATE/simulator.log tries options=()
    : > "$log"
    # An empty messenger is no sight: the first time there are a few conversations.
    [ -d "$STATE/messages-demo" ] || options=(--conversations)
    setsid python3 -B tests/support/twilio_simulator.py --port 0 --demo "${options[@]}" \
        --account-sid "$DEMO_ACCOUNT" --auth-token "$DEMO_TOKEN" --number "$DEMO_NUMBER" \
        --webhook "http://127.0.0.1:$PORT/api/whatsapp-messenger/webhook" > "$log" 2>&1 < /dev/null &
    SIMULATOR_PID=$!
    for ((tries = 0; tries < 100; tries++)); do
        SIMULATOR_URL=$(sed -n 's/^listening on \(http:[^ ]*\).*/\1/p' "$log" | head -n 1)
        [ -z "$SIMULATOR_URL" ] || return 0
        kill -0 "$SIMULATOR_PID" 2>/dev/null || break
        sleep 0.1
    done
    cat "$log" >&2
    die 'the Twilio simulator did not start'
}

start_httpd() {
    local httpd tries api=http://127.0.0.1:$PORT/api/whatsapp-messenger
    httpd=$(apxs -q SBINDIR)/$(apxs -q PROGNAME)
    "$httpd" -f "$STATE/httpd.conf" -t > "$STATE/configtest.log" 2>&1 || { cat "$STATE/configtest.log" >&2; die 'the configuration is not valid'; }
    : > "$STATE/error.log"
    # A session of its own: httpd takes a change of the terminal's size for an order to stop.
    setsid "$httpd" -f "$STATE/httpd.conf" -DFOREGROUND < /dev/null &
    HTTPD_PID=$!
    for ((tries = 0; tries < 100; tries++)); do
        if call -fs -o /dev/null --max-time 2 "$api/threads"; then
            return 0
        fi
        kill -0 "$HTTPD_PID" 2>/dev/null || break
        sleep 0.1
    done
    cat "$STATE/error.log" >&2
    die "httpd did not start; its log is $STATE/error.log"
}

show_welcome() {
    local api=http://127.0.0.1:$PORT/api/whatsapp-messenger curl=curl
    is_public && curl="curl -u $(login)"
    cat <<END

The messenger runs. Web client:

  http://127.0.0.1:$PORT/whatsapp-messenger/

Try the API:

  $curl $api/threads
  $curl -H 'Content-Type: application/json' -d '{"phoneNumber":"+15551230001","message":"Hello"}' $api/send
  $curl '$api/messages?counterpart=%2B15551230001'

END
    if is_public; then
        echo "The login, kept in $STATE/login: user messenger, password $(login | cut -d: -f2)"
    fi
    if [ -n "$SIMULATOR_PID" ]; then
        echo "Twilio is simulated (log: $STATE/simulator.log): no message leaves this machine."
    else
        echo "Messages go out through Twilio, account $TWILIO_ACCOUNT_SID."
        [ -n "$PUBLIC_URL" ] || echo 'Without --public-url Twilio cannot report back: no receipts, no incoming messages.'
    fi
    echo "Messages are kept in $STATE; errors in $STATE/error.log. Ctrl-C ends it."
}

run() {
    while [ $# -gt 0 ]; do
        case $1 in
        --port) PORT=${2-}; shift ;;
        --state) STATE=${2-}; shift ;;
        --public-url) PUBLIC_URL=${2-}; shift ;;
        *) usage >&2; die "run: unknown option '$1'" ;;
        esac
        shift || { usage >&2; die 'run: a value is missing'; }
    done
    if ! [[ $PORT =~ ^[1-9][0-9]{0,4}$ ]] || ((PORT > 65535)); then
        die "run: --port must be a number from 1 to 65535, not '$PORT'"
    fi
    case ${TWILIO_ACCOUNT_SID:+a}${TWILIO_AUTH_TOKEN:+b}${TWILIO_WHATSAPP_NUMBER:+c} in
    '' | abc) ;;
    *) die 'set all of TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_WHATSAPP_NUMBER, or none for the simulator' ;;
    esac
    need "${BUILD_PACKAGES[@]}" "${RUN_PACKAGES[@]}"
    if port_is_taken "$PORT"; then
        die "port $PORT is taken by another program: choose another with --port"
    fi
    build
    if [ -z "$STATE" ]; then
        if [ "$(id -u)" -eq 0 ]; then
            STATE=/var/lib/mod_whatsapp-demo
        else
            STATE=${XDG_STATE_HOME:-$HOME/.local/state}/mod_whatsapp-demo
        fi
    fi
    mkdir -p "$STATE/htdocs"
    STATE=$(readlink -f "$STATE")
    DEMO_ACCOUNT=AC00000000000000000000000000000001
    DEMO_TOKEN=0123456789abcdef0123456789abcdef
    DEMO_NUMBER=+14155238886
    trap stop_children EXIT
    trap 'exit 0' INT TERM
    [ -n "${TWILIO_ACCOUNT_SID-}" ] || start_simulator
    (umask 077; write_account > "$STATE/whatsapp-account.conf")
    write_login
    write_config > "$STATE/httpd.conf"
    say "starting httpd in $STATE"
    start_httpd
    show_welcome
    wait "$HTTPD_PID" || true
    HTTPD_PID=
    die "httpd ended by itself; its log is $STATE/error.log"
}

case ${1-} in
run)
    shift
    run "$@"
    ;;
build)
    need "${BUILD_PACKAGES[@]}"
    build
    ;;
test)
    need "${BUILD_PACKAGES[@]}" "${RUN_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
    need_node
    build
    make -s -j"$(nproc)" tests
    say 'testing'
    make check
    say 'every test passed'
    ;;
install)
    need "${BUILD_PACKAGES[@]}"
    build
    as_root make -s install
    ;;
lint)
    need "${BUILD_PACKAGES[@]}" "${LINT_PACKAGES[@]}"
    make -s lint
    ;;
help | -h | --help)
    usage
    ;;
*)
    usage >&2
    exit 2
    ;;
esac
