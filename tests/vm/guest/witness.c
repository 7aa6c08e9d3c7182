// SPDX-License-Identifier: GPL-2.0-or-later
// A second opinion on the pool, sharing nothing with the program under test: no BTF, no libelf, no kernel log.
//
// Prints one JSON object: where the running kernel's default swiotlb pool is, and which pages are ordinary RAM, that is
// present and not reserved, so that the page allocator may hand them to anybody. Every page of the pool is reserved.
// 'witness first FILE' leaves the pages out, which take their time on a machine with much memory, and writes to FILE
// the words that ask a crash kernel for the same pool by rote, without any thought about the rest.
// 'witness content' says how many pages of the pool have a byte that is not 0.
//
// The layouts it relies on (kernel/dma/swiotlb.c, include/linux/swiotlb.h): up to 5.13 two variables io_tlb_start and
// io_tlb_end; from 6.0 on io_tlb_default_mem, whose first two words are start and end, directly or, since
// v6.6, at the start of its first member, the embedded default pool.
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 4096, KPF_NOPAGE = 20, KPF_RESERVED = 32, MAX_SEGMENTS = 512 };

struct symbols {
    uint64_t start, end, mem; // io_tlb_start, io_tlb_end, io_tlb_default_mem
};

// One pass, since the kernel takes a second or more under emulation to print them all.
static struct symbols find_symbols(void) {
    struct symbols found = {0};
    FILE *file = fopen("/proc/kallsyms", "r");
    char line[1024];
    while (file && !found.mem && !(found.start && found.end) && fgets(line, sizeof line, file)) {
        const char *name = strstr(line, " io_tlb_"); // "ffffffff82f0aba8 b io_tlb_end\n"
        if (!name)
            continue;
        uint64_t address = strtoul(line, NULL, 16);
        if (!strcmp(name, " io_tlb_start\n"))
            found.start = address;
        else if (!strcmp(name, " io_tlb_end\n"))
            found.end = address;
        else if (!strcmp(name, " io_tlb_default_mem\n"))
            found.mem = address;
    }
    if (file)
        fclose(file);
    return found;
}

static int read_core(uint64_t address, int physical, void *to, size_t size) {
    static Elf64_Phdr segments[MAX_SEGMENTS];
    static int count, core = -1;
    if (core < 0) {
        Elf64_Ehdr header;
        core = open("/proc/kcore", O_RDONLY);
        if (core < 0 || pread(core, &header, sizeof header, 0) != sizeof header)
            return -1;
        count = header.e_phnum < MAX_SEGMENTS ? header.e_phnum : MAX_SEGMENTS;
        size_t bytes = (size_t)count * sizeof segments[0];
        if (pread(core, segments, bytes, (off_t)header.e_phoff) != (ssize_t)bytes)
            return -1;
    }
    for (int i = 0; i < count; i++) {
        const Elf64_Phdr *s = &segments[i];
        uint64_t start = physical ? s->p_paddr : s->p_vaddr;
        if (s->p_type == PT_LOAD && address >= start && address - start + size <= s->p_memsz)
            return pread(core, to, size, (off_t)(s->p_offset + (address - start))) == (ssize_t)size ? 0 : -1;
    }
    return -1;
}

static int read_kernel(uint64_t address, void *to, size_t size) { return read_core(address, 0, to, size); }

static const char *find_pool(uint64_t pool[2]) {
    struct symbols at = find_symbols();
    pool[0] = pool[1] = 0;
    if (at.mem)
        return read_kernel(at.mem, pool, 2 * sizeof pool[0]) ? "cannot read io_tlb_default_mem" : NULL;
    if (!at.start || !at.end)
        return "neither io_tlb_default_mem nor io_tlb_start in kallsyms";
    return read_kernel(at.start, &pool[0], sizeof pool[0]) || read_kernel(at.end, &pool[1], sizeof pool[1])
               ? "cannot read io_tlb_start and io_tlb_end" : NULL;
}

// The ranges of ordinary RAM inside one "System RAM" line of /proc/iomem, end exclusive.
static void print_ordinary(int flags, uint64_t start, uint64_t end, const char **separator) {
    uint64_t run = 0, in_run = 0, page = (start + PAGE - 1) / PAGE, last = end / PAGE, block[512];
    while (page < last) {
        uint64_t want = last - page < 512 ? last - page : 512;
        ssize_t got = pread(flags, block, want * sizeof block[0], (off_t)(page * sizeof block[0]));
        if (got <= 0)
            break;
        for (uint64_t i = 0; i < (uint64_t)got / sizeof block[0]; i++, page++) {
            int ordinary = !(block[i] & (1ULL << KPF_NOPAGE)) && !(block[i] & (1ULL << KPF_RESERVED));
            if (ordinary && !in_run)
                run = page;
            else if (!ordinary && in_run) {
                printf("%s[%lu,%lu]", *separator, run * PAGE, page * PAGE);
                *separator = ",";
            }
            in_run = (uint64_t)ordinary;
        }
    }
    if (in_run) {
        printf("%s[%lu,%lu]", *separator, run * PAGE, page * PAGE);
        *separator = ",";
    }
}

static int content(void) {
    uint64_t pool[2], pages = 0, written = 0, page[PAGE / sizeof(uint64_t)];
    const char *problem = find_pool(pool);
    for (uint64_t at = pool[0]; !problem && at < pool[1]; at += PAGE, pages++) {
        uint64_t any = 0;
        if (read_core(at, 1, page, sizeof page))
            problem = "cannot read the pool";
        for (size_t i = 0; i < sizeof page / sizeof page[0]; i++)
            any |= page[i];
        written += any != 0;
    }
    printf("{\"pages\":%lu,\"written\":%lu,\"problem\":\"%s\"}\n", pages, written, problem ? problem : "");
    return problem != NULL;
}

int main(int argc, char **argv) {
    if (argc == 2 && !strcmp(argv[1], "content"))
        return content();
    int first = argc == 3 && !strcmp(argv[1], "first");
    uint64_t pool[2];
    const char *problem = find_pool(pool);
    FILE *naive = first ? fopen(argv[2], "w") : NULL;
    if (naive) {
        if (pool[1] > pool[0])
            fprintf(naive, "swiotlb=%lu,force memmap=%luK@0x%lx\n", (pool[1] - pool[0]) / 2048,
                    (pool[1] - pool[0]) / 1024, pool[0]);
        fclose(naive);
    }
    printf("{\"start\":%lu,\"end\":%lu,", pool[0], pool[1]);
    if (problem)
        printf("\"problem\":\"%s\",", problem);
    printf("\"ordinary\":[");
    int flags = first ? -1 : open("/proc/kpageflags", O_RDONLY);
    FILE *iomem = fopen("/proc/iomem", "r");
    const char *separator = "";
    char line[512];
    uint64_t start, end;
    while (flags >= 0 && iomem && fgets(line, sizeof line, iomem))
        if (line[0] != ' ' && strstr(line, " : System RAM") && sscanf(line, "%lx-%lx", &start, &end) == 2)
            print_ordinary(flags, start, end + 1, &separator);
    printf("],\"complete\":%s}\n", flags >= 0 && iomem ? "true" : "false");
    return problem != NULL;
}
