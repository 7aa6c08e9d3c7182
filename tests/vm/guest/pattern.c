// SPDX-License-Identifier: GPL-2.0-or-later
// Memory whose every byte is known, and devices that never rest, for a machine that is to crash under load.
//
//   pattern fill SEED MIB FILE        fills and locks MIB of memory, makes FILE; on SIGUSR1 writes there which page of the
//                                     pattern is in which page frame, one run a line: FIRST-PAGE FRAME PAGES
//   pattern disk REQUESTS DEVICE...   reads and rewrites, so many requests at a time on each, past the page cache, for ever
//   pattern net INTERFACE...          sends broadcast frames, for ever
//   pattern compare DUMP SEED FILE    on the host: each byte of the pattern against the dump, as one JSON object
//
// The dump is makedumpfile's own format without compression, after makedumpfile -R.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if_packet.h>
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, WORDS = PAGE / 8, REQUEST = 128 << 10 };

static uint64_t word_at(uint64_t seed, uint64_t index) {
    uint64_t x = (seed + index) * 0x9E3779B97F4A7C15u;
    return x ^ x >> 29;
}

static int fail(const char *what) {
    perror(what);
    return 1;
}

static int write_runs(const char *name, const unsigned char *memory, uint64_t pages) {
    int map = open("/proc/self/pagemap", O_RDONLY);
    FILE *out = fopen(name, "w");
    if (map < 0 || !out)
        return fail(name);
    uint64_t first = 0, frame = 0, count = 0;
    for (uint64_t i = 0; i <= pages; i++) {
        uint64_t entry = 0;
        if (i < pages && pread(map, &entry, sizeof entry, (off_t)(((uintptr_t)memory / PAGE + i) * sizeof entry)) != sizeof entry)
            return fail("pagemap");
        uint64_t at = entry & ((1ULL << 55) - 1);
        if (i < pages && (!(entry >> 63) || at == 0)) {
            fprintf(stderr, "page %lu is not in memory\n", i);
            return 1;
        }
        if (count && (i == pages || at != frame + count)) {
            fprintf(out, "%lu %lu %lu\n", first, frame, count);
            count = 0;
        }
        if (!count)
            first = i, frame = at;
        count++;
    }
    close(map);
    return fclose(out);
}

static int fill(uint64_t seed, uint64_t mib, const char *file) {
    uint64_t pages = mib << 8;
    unsigned char *memory = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return fail("mmap");
    madvise(memory, mib << 20, MADV_HUGEPAGE);
    uint64_t *words = (uint64_t *)memory;
    for (uint64_t i = 0; i < pages * WORDS; i++)
        words[i] = word_at(seed, i);
    if (mlock(memory, mib << 20))
        return fail("mlock");
    sigset_t wait;
    sigemptyset(&wait);
    sigaddset(&wait, SIGUSR1);
    sigprocmask(SIG_BLOCK, &wait, NULL);
    close(open(file, O_CREAT | O_WRONLY, 0600));
    int caught;
    char temporary[256];
    snprintf(temporary, sizeof temporary, "%s.tmp", file);
    while (sigwait(&wait, &caught) == 0)
        if (write_runs(temporary, memory, pages) || rename(temporary, file))
            return 1;
    return 0;
}

// Half of them write back what they have read: the host knows each disk by the one letter that it is full of.
static int disk(int readers, int count, char **devices) {
    for (int d = 0; d < count; d++)
        for (int reader = 0; reader < readers; reader++) {
            if (fork())
                continue;
            int file = open(devices[d], O_RDWR | O_DIRECT);
            void *buffer = NULL;
            off_t size = lseek(file, 0, SEEK_END);
            if (file < 0 || size < REQUEST || posix_memalign(&buffer, PAGE, REQUEST))
                _exit(fail(devices[d]));
            for (uint64_t turn = (uint64_t)reader + 1;; turn += (uint64_t)readers) {
                off_t at = (off_t)(word_at((uint64_t)d, turn) % (uint64_t)(size / REQUEST)) * REQUEST;
                if (pread(file, buffer, REQUEST, at) == REQUEST && reader % 4 == 3 &&
                    pwrite(file, buffer, REQUEST, at) != REQUEST)
                    perror(devices[d]);
            }
        }
    pause();
    return 0;
}

static int net(int count, char **interfaces) {
    unsigned char frame[1200];
    memset(frame, 'F', sizeof frame);
    memset(frame, 0xff, 6);
    memcpy(frame + 12, "\x88\xb5", 2); // IEEE 802 local experimental
    int s = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    if (s < 0)
        return fail("socket");
    for (;;) {
        for (int i = 0; i < count; i++) {
            struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(interfaces[i])};
            sendto(s, frame, sizeof frame, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof to);
        }
        usleep(10000);
    }
}

// --- on the host ------------------------------------------------------------------------------------------------------

static const unsigned char *dump;
static uint64_t dump_size;

// `size` bytes of the dump.
static const void *piece(uint64_t at, uint64_t size) {
    if (at > dump_size || size > dump_size - at) {
        fprintf(stderr, "the dump ends before %lu\n", at);
        exit(1);
    }
    return dump + at;
}

static uint64_t number(uint64_t at, unsigned size) {
    uint64_t value = 0;
    memcpy(&value, piece(at, size), size);
    return value;
}

static int compare(const char *name, uint64_t seed, const char *file) {
    struct stat status;
    int fd = open(name, O_RDONLY);
    if (fd < 0 || fstat(fd, &status))
        return fail(name);
    dump_size = (uint64_t)status.st_size;
    dump = mmap(NULL, dump_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (dump == MAP_FAILED || dump_size < 8192 || memcmp(dump, "KDUMP   ", 8)) {
        fprintf(stderr, "%s is no dump of makedumpfile\n", name);
        return 1;
    }
    // struct disk_dump_header, then the second of two bitmaps, then a descriptor of 24 bytes for each page in it.
    uint64_t block = number(428, 4), bitmaps = (1 + number(432, 4)) * block, bitmap_bytes = number(436, 4) * block;
    uint64_t present = bitmaps + bitmap_bytes / 2, descriptors = bitmaps + bitmap_bytes, frames = bitmap_bytes / 2 * 8;
    uint64_t *before = calloc(frames / 64 + 1, sizeof *before); // descriptors in front of each group of 64 frames
    piece(present, bitmap_bytes / 2);
    for (uint64_t group = 0; group < frames / 64; group++) {
        uint64_t bits;
        memcpy(&bits, dump + present + group * 8, 8);
        before[group + 1] = before[group] + (uint64_t)__builtin_popcountll(bits);
    }

    FILE *runs = fopen(file, "r");
    if (!runs)
        return fail(file);
    uint64_t pages = 0, missing = 0, wrong_pages = 0, wrong = 0, by_byte[256] = {0}, first, frame, count, shown = 0;
    static char places[4096];
    while (fscanf(runs, "%lu %lu %lu", &first, &frame, &count) == 3)
        for (uint64_t i = 0; i < count; i++, pages++) {
            uint64_t at = frame + i, bits;
            if (at >= frames || (memcpy(&bits, dump + present + at / 64 * 8, 8), !(bits >> at % 64 & 1))) {
                missing++;
                continue;
            }
            uint64_t index = before[at / 64] + (uint64_t)__builtin_popcountll(bits & ((1ULL << at % 64) - 1));
            uint64_t data = number(descriptors + index * 24, 8), size = number(descriptors + index * 24 + 8, 4);
            if (size != PAGE || number(descriptors + index * 24 + 12, 4) != 0) {
                fprintf(stderr, "frame %lu is compressed, or no page\n", at);
                return 1;
            }
            piece(data, PAGE);
            uint64_t expected[WORDS], bad = 0;
            for (uint64_t w = 0; w < WORDS; w++)
                expected[w] = word_at(seed, (first + i) * WORDS + w);
            if (!memcmp(expected, dump + data, PAGE))
                continue;
            for (unsigned b = 0; b < PAGE; b++)
                if (((unsigned char *)expected)[b] != dump[data + b])
                    bad++, by_byte[dump[data + b]]++;
            wrong_pages++, wrong += bad;
            if (shown++ < 32)
                snprintf(places + strlen(places), sizeof places - strlen(places), "%s[%lu,%lu]", shown > 1 ? "," : "", at * PAGE, bad);
        }
    printf("{\"pages\":%lu,\"missing\":%lu,\"wrong_pages\":%lu,\"wrong_bytes\":%lu,\"found_instead\":{", pages, missing, wrong_pages, wrong);
    const char *separator = "";
    for (int b = 0; b < 256; b++)
        if (by_byte[b] > 32 + wrong / 128) { // more often than by chance
            printf("%s\"%02x\":%lu", separator, b, by_byte[b]);
            separator = ",";
        }
    printf("},\"first\":[%s]}\n", places);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 5 && !strcmp(argv[1], "fill"))
        return fill(strtoull(argv[2], NULL, 0), strtoull(argv[3], NULL, 0), argv[4]);
    if (argc > 3 && !strcmp(argv[1], "disk"))
        return disk(atoi(argv[2]), argc - 3, argv + 3);
    if (argc > 2 && !strcmp(argv[1], "net"))
        return net(argc - 2, argv + 2);
    if (argc == 5 && !strcmp(argv[1], "compare"))
        return compare(argv[2], strtoull(argv[3], NULL, 0), argv[4]);
    fprintf(stderr, "usage: see the top of %s\n", __FILE__);
    return 2;
}
