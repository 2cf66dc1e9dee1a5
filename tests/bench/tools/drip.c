/* SPDX-License-Identifier: Apache-2.0 */
/* Sends ready requests at a fixed rate whatever the server does, and measures each from the time it
 * was due. */
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
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MAX_CONNECTIONS \
    32 /* as many as wrk has: more than its workers make httpd close idle ones */
#define HEAD_SIZE 8192

typedef struct conn_t {
    int fd; /* -1: closed */
    int busy;
    int64_t due_us; /* when its request should have been sent */
    char head[HEAD_SIZE];
    size_t have;      /* bytes of the head so far */
    size_t body_left; /* bytes of the body still to come, valid once in_body */
    int in_body;
} conn_t;

typedef struct run_t {
    conn_t conns[MAX_CONNECTIONS];
    int conn_count;
    char *requests; /* the whole file */
    size_t size, at;
    int once;
    int64_t *latencies;
    size_t sent, done, failed, capacity;
    struct sockaddr_in addr;
    int ep;
} run_t;

static volatile sig_atomic_t stopped;

static void stop(int signo)
{
    (void)signo;
    stopped = 1;
}

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* The next request of the file. @return NULL at the end when each is sent once */
static const char *request_next(run_t *run, size_t *plen)
{
    char digits[7] = "";
    const char *request;

    if (run->at + 6 > run->size) {
        if (run->once) {
            return NULL;
        }
        run->at = 0;
    }
    memcpy(digits, run->requests + run->at, 6);
    *plen = strtoul(digits, NULL, 10);
    request = run->requests + run->at + 6;
    run->at += 6 + *plen;
    return request;
}

static conn_t *conn_free(run_t *run)
{
    conn_t *c = NULL;
    int one = 1;

    for (int i = 0; i < run->conn_count; i++) {
        if (!run->conns[i].busy && run->conns[i].fd >= 0) {
            return &run->conns[i];
        }
        if (run->conns[i].fd < 0) {
            c = &run->conns[i];
        }
    }
    if (!c && run->conn_count < MAX_CONNECTIONS) {
        c = &run->conns[run->conn_count++];
    }
    if (c) {
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

        memset(c, 0, sizeof *c);
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (c->fd >= 0 && connect(c->fd, (struct sockaddr *)&run->addr, sizeof run->addr) != 0) {
            close(c->fd);
            c->fd = -1;
        }
        if (c->fd < 0) {
            return NULL;
        }
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        epoll_ctl(run->ep, EPOLL_CTL_ADD, c->fd, &ev);
    }
    return c;
}

static void conn_close(conn_t *c)
{
    close(c->fd);
    c->fd = -1;
    c->busy = 0;
}

static void fail(run_t *run, const char *why)
{
    if (run->failed++ == 0) {
        fprintf(stderr, "drip: %.*s\n", (int)strcspn(why, "\r\n"), why);
    }
}

static void conn_done(run_t *run, conn_t *c)
{
    if (strncmp(c->head, "HTTP/1.1 200", 12) == 0) {
        run->latencies[run->done++] = now_us() - c->due_us;
    } else {
        fail(run, c->head);
    }
    c->busy = 0;
    c->have = 0;
    c->in_body = 0;
}

/* Reads what came. The head must have a Content-Length. */
static void conn_read(run_t *run, conn_t *c)
{
    char sink[65536];
    ssize_t got;

    if (!c->in_body) {
        char *end, *at;
        size_t body;

        got = recv(c->fd, c->head + c->have, HEAD_SIZE - 1 - c->have, 0);
        if (got <= 0) {
            if (c->busy) {
                fail(run, "the connection was closed before an answer");
            }
            conn_close(c);
            return;
        }
        c->have += (size_t)got;
        c->head[c->have] = '\0';
        end = strstr(c->head, "\r\n\r\n");
        if (!end) {
            return;
        }
        at = strcasestr(c->head, "\r\nContent-Length:");
        if (!c->busy || !at || at > end) {
            fail(run, c->head);
            conn_close(c);
            return;
        }
        body = strtoul(at + 17, NULL, 10);
        c->in_body = 1;
        c->body_left = body - (c->have - (size_t)(end + 4 - c->head));
    } else {
        got = recv(c->fd, sink, sizeof sink, 0);
        if (got <= 0) {
            fail(run, "the connection was closed within an answer");
            conn_close(c);
            return;
        }
        c->body_left -= (size_t)got;
    }
    if (c->body_left == 0) {
        conn_done(run, c);
    }
}

static int run_loop(run_t *run, double rate, double seconds)
{
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct epoll_event events[64], ev = {.events = EPOLLIN, .data.ptr = NULL};
    struct itimerspec tick = {.it_interval.tv_nsec = 250000, .it_value.tv_nsec = 250000};
    int64_t start, end;
    int more = 1;

    epoll_ctl(run->ep, EPOLL_CTL_ADD, timer, &ev);
    timerfd_settime(timer, 0, &tick, NULL);
    start = now_us();
    end = start + (int64_t)(seconds * 1e6);
    while (!stopped && (more || run->done + run->failed < run->sent)) {
        int n = epoll_wait(run->ep, events, 64, 1000);
        int64_t now = now_us();

        for (int i = 0; i < n; i++) {
            uint64_t ticks;

            if (events[i].data.ptr) {
                conn_read(run, events[i].data.ptr);
            } else if (read(timer, &ticks, sizeof ticks) < 0 && errno != EAGAIN) {
                return -1;
            }
        }
        if (now > end + 10000000) {
            break; /* what has no answer ten seconds later has failed */
        }
        while (more) {
            int64_t due = start + (int64_t)((double)run->sent * 1e6 / rate);
            const char *request;
            size_t len;
            conn_t *c;

            if (due >= end || run->sent == run->capacity) {
                more = 0;
                break;
            }
            if (due > now_us()) {
                break;
            }
            c = conn_free(run);
            if (!c) {
                break; /* all connections wait for answers; the delay counts */
            }
            request = request_next(run, &len);
            if (!request) {
                fprintf(stderr, "drip: the file of requests is too short\n");
                return -1;
            }
            c->busy = 1;
            c->due_us = due;
            run->sent++;
            if (send(c->fd, request, len, MSG_NOSIGNAL) != (ssize_t)len) {
                fail(run, "the request could not be sent");
                conn_close(c);
            }
        }
    }
    run->failed = run->sent - run->done;
    return 0;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int64_t percentile(const run_t *run, double p)
{
    return run->done ? run->latencies[(size_t)((double)(run->done - 1) * p)] : 0;
}

int main(int argc, char **argv)
{
    static run_t run;
    double rate, seconds;
    FILE *f;
    long size = -1;

    if (argc != 7 || inet_pton(AF_INET, argv[1], &run.addr.sin_addr) != 1) {
        fprintf(stderr, "usage: drip ADDRESS PORT RATE SECONDS FILE cycle|once\n");
        return 2;
    }
    rate = atof(argv[3]);
    seconds = atof(argv[4]);
    run.once = strcmp(argv[6], "once") == 0;
    run.addr.sin_family = AF_INET;
    run.addr.sin_port = htons((uint16_t)atoi(argv[2]));
    run.capacity = (size_t)(rate * seconds) + 1;
    run.latencies = calloc(run.capacity, sizeof(int64_t));
    run.ep = epoll_create1(EPOLL_CLOEXEC);
    f = fopen(argv[5], "r");
    if (f && fseek(f, 0, SEEK_END) == 0) {
        size = ftell(f);
        rewind(f);
    }
    run.requests = size > 0 ? malloc((size_t)size) : NULL;
    if (!run.requests || !run.latencies
        || fread(run.requests, 1, (size_t)size, f) != (size_t)size) {
        fprintf(stderr, "drip: cannot read %s\n", argv[5]);
        return 1;
    }
    fclose(f);
    run.size = (size_t)size;
    signal(SIGTERM, stop);
    if (run_loop(&run, rate, seconds) != 0) {
        return 1;
    }
    qsort(run.latencies, run.done, sizeof(int64_t), compare);
    printf("RESULT "
           "{\"sent\":%zu,\"requests\":%zu,\"failed\":%zu,\"p50_us\":%lld,\"p99_us\":%lld,\"max_"
           "us\":%lld}\n",
           run.sent, run.done, run.failed, (long long)percentile(&run, 0.5),
           (long long)percentile(&run, 0.99), (long long)percentile(&run, 1.0));
    return 0;
}
