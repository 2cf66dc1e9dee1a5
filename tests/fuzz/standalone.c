/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target without libFuzzer: files of a directory, then a bounded number of
 * mutations. */
#include "fuzz.h"

#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include "base/hex.h"

#define INPUT_MAX 8192
#define FILES_MAX 1000

typedef struct input_t {
    uint8_t bytes[INPUT_MAX];
    size_t len;
} input_t;

/* What splits, ends, nests or encodes in one of the formats. */
static const char *const tokens[] = {
    "%",
    "%41",
    "%zz",
    "&",
    "&&",
    "=",
    "+",
    "Body=",
    "\"",
    "\\",
    "\\u",
    "\\ud83d",
    "\\ude00",
    "\\u0000",
    "[",
    "]",
    "{",
    "}",
    "{\"a\":",
    ",",
    ":",
    "null",
    "1e400",
    "whatsapp:",
    "+1",
    "(",
    ")",
    " ",
    "\n",
    "\xc2\xa0",
    "\xe3\x80\x80",
    "\xe2\x80",
    "\xf0\x9f\x98\x80",
    "\xed\xa0\x80",
    "\xff",
    "\x80",
};

static input_t now; /* what the target is looking at */
static input_t *files;
static size_t file_count;
static uint64_t seed = 1;

/* xorshift64*: the same inputs in every run of one seed. */
static size_t below(size_t limit)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (size_t)((seed * 0x2545f4914f6cdd1dULL) >> 33) % limit;
}

/* Shows the input that broke the target; a corpus file can be made of it with xxd -r -p. */
static void show_input(int signal_number)
{
    static const char intro[] = "the input was:\n";
    char text[2 * INPUT_MAX + 1];
    char *end = wa_hex_write(text, now.bytes, now.len);
    ssize_t written = write(STDERR_FILENO, intro, sizeof(intro) - 1);

    *end++ = '\n';
    written += write(STDERR_FILENO, text, (size_t)(end - text));
    (void)written;
    (void)signal_number; /* back to abort(), which ends the process */
}

static void read_file(const char *directory, const char *name)
{
    char path[4096];
    FILE *f;

    FUZZ_CHECK(file_count < FILES_MAX);
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    f = fopen(path, "rb");
    FUZZ_CHECK(f != NULL);
    files[file_count].len = fread(files[file_count].bytes, 1, INPUT_MAX, f);
    FUZZ_CHECK(ferror(f) == 0);
    (void)fclose(f);
    file_count++;
}

/* Reads the files in the order of their names, so that a run can be repeated. */
static void read_directory(const char *directory)
{
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, NULL, alphasort);
    int i;

    if (count < 0) {
        fprintf(stderr, "cannot read the directory %s\n", directory);
        exit(2);
    }
    for (i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.') {
            read_file(directory, entries[i]->d_name);
        }
        free(entries[i]);
    }
    free(entries);
}

/* Puts bytes in at a place, as far as they fit. */
static void insert(size_t at, const void *bytes, size_t len)
{
    if (len > INPUT_MAX - now.len) {
        return;
    }
    memmove(now.bytes + at + len, now.bytes + at, now.len - at);
    memcpy(now.bytes + at, bytes, len);
    now.len += len;
}

static void cut_out(size_t at, size_t len)
{
    memmove(now.bytes + at, now.bytes + at + len, now.len - at - len);
    now.len -= len;
}

static void repeat_part(size_t at)
{
    uint8_t part[64];
    size_t len = now.len - at < sizeof(part) ? now.len - at : sizeof(part);
    size_t times = 1 + below(40);

    memcpy(part, now.bytes + at, len);
    while (times-- > 0) {
        insert(at, part, len);
    }
}

static void mutate(void)
{
    const input_t *other = &files[below(file_count)];
    const char *token = tokens[below(sizeof(tokens) / sizeof(tokens[0]))];
    size_t at = now.len > 0 ? below(now.len) : 0;
    uint8_t byte = (uint8_t)below(256);

    if (now.len == 0) {
        insert(0, &byte, 1);
        return;
    }
    switch (below(7)) {
    case 0:
        now.bytes[at] ^= (uint8_t)(1 << below(8));
        break;
    case 1:
        now.bytes[at] = byte;
        break;
    case 2:
        insert(at, token, strlen(token));
        break;
    case 3:
        cut_out(at, 1 + below(now.len - at));
        break;
    case 4:
        repeat_part(at);
        break;
    case 5:
        if (other->len > 0) {
            size_t from = below(other->len);

            insert(at, other->bytes + from, 1 + below(other->len - from));
        }
        break;
    default:
        now.len = at;
    }
}

int main(int argc, char **argv)
{
    unsigned long mutations = 20000, i;
    int option;

    while ((option = getopt(argc, argv, "n:s:")) != -1) {
        if (option == 'n') {
            mutations = strtoul(optarg, NULL, 10);
        } else if (option == 's') {
            seed = strtoul(optarg, NULL, 10) | 1;
        } else {
            fprintf(stderr, "usage: %s [-n mutations] [-s seed] directory...\n", argv[0]);
            return 2;
        }
    }
    (void)signal(SIGABRT, show_input);
    files = calloc(FILES_MAX, sizeof(*files));
    FUZZ_CHECK(files != NULL);
    for (; optind < argc; optind++) {
        read_directory(argv[optind]);
    }
    if (file_count == 0) {
        fprintf(stderr, "%s: no input found\n", argv[0]);
        return 2;
    }
    for (i = 0; i < file_count; i++) {
        now = files[i];
        (void)LLVMFuzzerTestOneInput(now.bytes, now.len);
    }
    for (i = 0; i < mutations; i++) {
        size_t steps = 1 + below(8);

        now = files[below(file_count)];
        while (steps-- > 0) {
            mutate();
        }
        (void)LLVMFuzzerTestOneInput(now.bytes, now.len);
    }
    printf("%zu files and %lu mutations hold\n", file_count, mutations);
    free(files);
    return 0;
}
