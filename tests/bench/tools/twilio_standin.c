/* SPDX-License-Identifier: Apache-2.0 */
/* Twilio for measuring sends: one thread, epoll, answers every POST with 201 and a full Message, at
 * once or after a fixed delay. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_FD 4096
#define IN_SIZE 32768

typedef struct conn_t {
    char in[IN_SIZE];
    size_t have;
    uint32_t serial; /* tells a connection from an older one with the same number */
} conn_t;

/* With a fixed delay the answers fall due in the order in which they were asked for: a ring is the
 * timer queue. */
typedef struct due_t {
    int64_t at_us;
    int fd;
    uint32_t serial;
    char to[40];
} due_t;

static conn_t *conns[MAX_FD];
static due_t ring[MAX_FD];
static size_t ring_head, ring_count;
static uint64_t sids, sid_seed;

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void conn_close(int fd)
{
    close(fd);
    conns[fd]->have = 0;
    conns[fd]->serial++;
}

/* The number in the form's To=whatsapp%3A%2B1555..., "" when there is none. */
static void find_to(char *to, size_t size, const char *body, size_t len)
{
    const char *at = memmem(body, len, "To=whatsapp%3A%2B", 17);
    size_t n = 0;

    if (at && (at == body || at[-1] == '&')) {
        for (at += 17; at < body + len && *at >= '0' && *at <= '9' && n + 1 < size; at++) {
            to[n++] = *at;
        }
    }
    to[n] = '\0';
}

static void answer(int fd, const char *to)
{
    char body[1200], out[1600], sid[40];
    uint64_t n = ++sids;
    int len, total;

    snprintf(sid, sizeof sid, "SM%016llx%016llx", (unsigned long long)sid_seed,
             (unsigned long long)n);
    len = snprintf(
        body, sizeof body,
        "{\"account_sid\":\"AC00000000000000000000000000000001\",\"api_version\":\"2010-04-01\","
        "\"body\":\"benchmark\",\"date_created\":\"Thu, 24 Aug 2023 05:01:45 "
        "+0000\",\"date_sent\":null,"
        "\"date_updated\":\"Thu, 24 Aug 2023 05:01:45 +0000\",\"direction\":\"outbound-api\","
        "\"error_code\":null,\"error_message\":null,\"from\":\"whatsapp:+14155238886\","
        "\"messaging_service_sid\":null,\"num_media\":\"0\",\"num_segments\":\"1\",\"price\":null,"
        "\"price_unit\":null,\"sid\":\"%s\",\"status\":\"queued\",\"subresource_uris\":{\"media\":"
        "\"/2010-04-01/Accounts/AC00000000000000000000000000000001/Messages/%s/Media.json\"},"
        "\"to\":\"whatsapp:+%s\",\"uri\":"
        "\"/2010-04-01/Accounts/AC00000000000000000000000000000001/Messages/%s.json\"}",
        sid, sid, to, sid);
    total = snprintf(out, sizeof out,
                     "HTTP/1.1 201 Created\r\nContent-Type: application/json; charset=utf-8\r\n"
                     "Content-Length: %d\r\nTwilio-Request-Id: RQ%s\r\n\r\n%s",
                     len, sid + 2, body);
    /* A fresh answer always fits an empty socket buffer; if not, the client is gone. */
    if (send(fd, out, (size_t)total, MSG_NOSIGNAL | MSG_DONTWAIT) != total) {
        conn_close(fd);
    }
}

static void answer_list(int fd)
{
    static const char list[] =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 70\r\n\r\n"
        "{\"messages\":[],\"page\":0,\"page_size\":50,\"next_page_uri\":null,\"start\":0}";

    (void)!send(fd, list, sizeof list - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Takes whole requests out of the connection's buffer.
 * @return 0, or -1 when the connection is to be closed */
static int conn_process(int fd, int64_t delay_us)
{
    conn_t *c = conns[fd];

    for (;;) {
        char *end = memmem(c->in, c->have, "\r\n\r\n", 4), *at;
        size_t head, body = 0;
        char to[40];

        if (!end) {
            return c->have == IN_SIZE ? -1 : 0;
        }
        head = (size_t)(end - c->in) + 4;
        *end = '\0';
        at = strcasestr(c->in, "\r\nContent-Length:");
        if (at) {
            body = strtoul(at + 17, NULL, 10);
        }
        *end = '\r';
        if (head + body > IN_SIZE) {
            return -1;
        }
        if (c->have < head + body) {
            return 0;
        }
        find_to(to, sizeof to, c->in + head, body);
        if (strncmp(c->in, "GET ", 4) == 0) {
            answer_list(fd);
        } else if (delay_us == 0) {
            answer(fd, to);
        } else if (ring_count == MAX_FD) {
            return -1;
        } else {
            due_t *due = &ring[(ring_head + ring_count++) % MAX_FD];

            due->at_us = now_us() + delay_us;
            due->fd = fd;
            due->serial = c->serial;
            memcpy(due->to, to, sizeof to);
        }
        if (c->have > 0) {
            c->have -= head + body;
            memmove(c->in, c->in + head + body, c->have);
        }
    }
}

static void accept_all(int ep, int listener)
{
    int fd, one = 1;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

        if (fd >= MAX_FD || (!conns[fd] && !(conns[fd] = calloc(1, sizeof(conn_t))))) {
            close(fd);
            continue;
        }
        conns[fd]->have = 0;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    }
}

/* Answers what is due. @return milliseconds until the next one, -1 for none */
static int answer_due(void)
{
    while (ring_count > 0) {
        due_t *due = &ring[ring_head];
        int64_t wait = due->at_us - now_us();

        if (wait > 0) {
            return (int)((wait + 999) / 1000);
        }
        if (conns[due->fd]->serial == due->serial) {
            answer(due->fd, due->to);
        }
        ring_head = (ring_head + 1) % MAX_FD;
        ring_count--;
    }
    return -1;
}

int main(int argc, char **argv)
{
    int64_t delay_us = argc > 1 ? atoll(argv[1]) * 1000 : 0;
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t addr_len = sizeof addr;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
        ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event events[256], ev = {.events = EPOLLIN, .data.fd = listener};

    if (listener < 0 || ep < 0 || bind(listener, (struct sockaddr *)&addr, sizeof addr) != 0
        || listen(listener, 1024) != 0
        || getsockname(listener, (struct sockaddr *)&addr, &addr_len) != 0) {
        perror("twilio_standin");
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    sid_seed = (uint64_t)time(NULL) << 24 ^ (uint64_t)getpid();
    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev);
    printf("%d\n", ntohs(addr.sin_port));
    fflush(stdout);
    for (;;) {
        int n = epoll_wait(ep, events, 256, answer_due());

        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            conn_t *c;
            ssize_t got;

            if (fd == listener) {
                accept_all(ep, listener);
                continue;
            }
            c = conns[fd];
            got = recv(fd, c->in + c->have, IN_SIZE - c->have, 0);
            if (got <= 0) {
                if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
                    conn_close(fd);
                }
                continue;
            }
            c->have += (size_t)got;
            if (conn_process(fd, delay_us) != 0) {
                conn_close(fd);
            }
        }
    }
}
