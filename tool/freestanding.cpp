// SPDX-License-Identifier: GPL-2.0-or-later
// What verify has instead of a C library: glibc's static start alone is larger than all of verify may be. It begins the
// process, and defines those functions of the C and C++ libraries that verify and the parts of lib it uses are made of.
// For x86-64, one thread, no exceptions, and built without a stack protector, whose word is not there at first.
// man-pages(2) and arch/x86/entry/syscalls/syscall_64.tbl say what each call does; the numbers are those of
// <sys/syscall.h>.
//
// The kernel gives addresses as numbers, and compiler and linker have these names for what they use.
// NOLINTBEGIN(performance-no-int-to-ptr,bugprone-reserved-identifier)
#include <asm/prctl.h>
#include <elf.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <new>
#include <utility>

namespace {

// --- system calls ---------------------------------------------------------------------------------------------

long call(long number, long a = 0, long b = 0, long c = 0, long d = 0) {
    register long fourth asm("r10") = d;
    register long fifth asm("r8") = 0;
    register long sixth asm("r9") = 0;
    long result = number;
    asm volatile("syscall"
                 : "+a"(result)
                 : "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
                 : "rcx", "r11", "memory");
    return result;
}

int error_number = 0;

long checked(long result) {
    if (result >= -4095 && result < 0) {
        error_number = static_cast<int>(-result);
        return -1;
    }
    return result;
}

long at(const void* pointer) { return reinterpret_cast<long>(pointer); }

// --- memory ---------------------------------------------------------------------------------------------------

// Blocks of powers of two, which are kept for the next of their size; large ones are the kernel's again.
constexpr std::size_t header = 16, smallest_shift = 5, largest_shift = 15, chunk_size = std::size_t{1} << 16;
struct Block {
    Block* next;
};
std::array<Block*, largest_shift + 1> spare{};
std::byte *chunk = nullptr, *chunk_end = nullptr;

void* pages(std::size_t size) {
    const long got = call(SYS_mmap, 0, static_cast<long>(size), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    return got < 0 && got >= -4095 ? nullptr : reinterpret_cast<void*>(got);
}

std::size_t shift_of(std::size_t size) {
    std::size_t shift = smallest_shift;
    while (shift <= largest_shift && size > std::size_t{1} << shift) ++shift;
    return shift;
}

// `size` with the header; the size stands in it.
void* take(std::size_t size) {
    const std::size_t shift = shift_of(size);
    if (shift > largest_shift) return pages(size);
    if (Block* const block = spare[shift]) {
        spare[shift] = block->next;
        return block;
    }
    const std::size_t whole = std::size_t{1} << shift;
    if (static_cast<std::size_t>(chunk_end - chunk) < whole) {
        chunk = static_cast<std::byte*>(pages(chunk_size));
        if (chunk == nullptr) return chunk_end = nullptr;
        chunk_end = chunk + chunk_size;
    }
    chunk += whole;
    return chunk - whole;
}

// --- the beginning --------------------------------------------------------------------------------------------

extern "C" {
extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));
extern const Elf64_Dyn _DYNAMIC[] __attribute__((visibility("hidden")));
int run(int argc, char** argv) asm("main");  // which C++ does not let anybody call
}

// What a thread has at %fs: its own address, and at 0x28 the word that guards the stack.
struct alignas(64) Thread {
    void* self;
    std::array<std::uint64_t, 4> unused;
    std::uint64_t guard;
};
Thread thread{};

// The program may be anywhere: its pointers to itself are put right.
void relocate(std::uint64_t base) {
    std::uint64_t table = 0, size = 0;
    for (const Elf64_Dyn* entry = _DYNAMIC; entry->d_tag != DT_NULL; ++entry) {
        if (entry->d_tag == DT_RELA) table = entry->d_un.d_ptr;
        if (entry->d_tag == DT_RELASZ) size = entry->d_un.d_val;
    }
    const auto* const relocations = reinterpret_cast<const Elf64_Rela*>(base + table);
    for (std::uint64_t i = 0; i < size / sizeof(Elf64_Rela); ++i) {
        if (ELF64_R_TYPE(relocations[i].r_info) != R_X86_64_RELATIVE) call(SYS_exit_group, 127);
        *reinterpret_cast<std::uint64_t*>(base + relocations[i].r_offset) =
            base + static_cast<std::uint64_t>(relocations[i].r_addend);
    }
}

// What was put right is for reading only from then on.
void protect(std::uint64_t base) {
    const auto* const segments = reinterpret_cast<const Elf64_Phdr*>(base + __ehdr_start.e_phoff);
    for (unsigned i = 0; i < __ehdr_start.e_phnum; ++i) {
        if (segments[i].p_type != PT_GNU_RELRO) continue;
        constexpr std::uint64_t page = 4096;
        const std::uint64_t begin = (base + segments[i].p_vaddr) & ~(page - 1);
        const std::uint64_t end = (base + segments[i].p_vaddr + segments[i].p_memsz) & ~(page - 1);
        call(SYS_mprotect, static_cast<long>(begin), static_cast<long>(end - begin), PROT_READ);
    }
}

std::terminate_handler on_terminate = nullptr;

}  // namespace

// The kernel leaves on the stack: argc, argv, 0, environment, 0, and pairs of the auxiliary vector.
extern "C" [[noreturn, gnu::used]] void handoff_start(std::uint64_t* stack) {
    const auto base = reinterpret_cast<std::uint64_t>(&__ehdr_start);
    relocate(base);
    protect(base);
    const auto argc = static_cast<int>(stack[0]);
    auto* const argv = reinterpret_cast<char**>(stack + 1);
    std::uint64_t* word = stack + 1 + argc + 1;
    while (*word++ != 0) {
    }
    for (; word[0] != AT_NULL; word += 2)
        if (word[0] == AT_RANDOM)
            thread.guard = *reinterpret_cast<const std::uint64_t*>(word[1]) & ~std::uint64_t{0xff};
    thread.self = &thread;
    call(SYS_arch_prctl, ARCH_SET_FS, at(&thread));
    _exit(run(argc, argv));
}

asm(".globl _start\n"
    ".type _start, @function\n"
    "_start:\n"
    "    xor %ebp, %ebp\n"
    "    mov %rsp, %rdi\n"
    "    and $-16, %rsp\n"
    "    call handoff_start\n"
    "    hlt\n");

extern "C" {

void _exit(int status) {
    call(SYS_exit_group, status);
    __builtin_trap();
}
void abort() noexcept {
    call(SYS_kill, call(SYS_getpid), SIGABRT);
    _exit(127);
}
[[noreturn, gnu::used]] void __stack_chk_fail() { abort(); }
int* __errno_location() noexcept { return &error_number; }
char __libc_single_threaded = 1;  // a shared_ptr asks

// --- of <cstring>: the compiler calls some of these for an assignment ---

[[gnu::used]] void* memcpy(void* to, const void* from, std::size_t size) noexcept {
    void* const begin = to;
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
    return begin;
}
[[gnu::used]] void* memmove(void* to, const void* from, std::size_t size) noexcept {
    if (static_cast<std::byte*>(to) <= from || static_cast<const std::byte*>(from) + size <= to)
        return memcpy(to, from, size);
    for (; size != 0; --size)
        static_cast<volatile std::byte*>(to)[size - 1] = static_cast<const std::byte*>(from)[size - 1];
    return to;
}
[[gnu::used]] void* memset(void* to, int value, std::size_t size) noexcept {
    void* const begin = to;
    asm volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
    return begin;
}
[[gnu::used]] int memcmp(const void* one, const void* other, std::size_t size) noexcept {
    const auto *a = static_cast<const unsigned char*>(one), *b = static_cast<const unsigned char*>(other);
    for (std::size_t i = 0; i < size; ++i)
        if (a[i] != b[i]) return a[i] - b[i];
    return 0;
}
// What clang makes of memcmp() where only equality counts.
[[gnu::used]] int bcmp(const void* one, const void* other, std::size_t size) noexcept {
    return memcmp(one, other, size);
}
const void* find_byte(const void* bytes, int value, std::size_t size) noexcept asm("memchr");  // overloaded in C++
[[gnu::used]] const void* find_byte(const void* bytes, int value, std::size_t size) noexcept {
    const auto* a = static_cast<const unsigned char*>(bytes);
    for (const auto* const end = a + size; a != end; ++a)
        if (*a == static_cast<unsigned char>(value)) return a;
    return nullptr;
}
[[gnu::used]] std::size_t strlen(const char* text) noexcept {
    const volatile char* end = text;
    while (*end != '\0') ++end;
    return static_cast<std::size_t>(end - text);
}
char* strerror(int number) noexcept {
    // Those that verify may meet.
    switch (number) {
        case EPERM:
            return const_cast<char*>("Operation not permitted");
        case ENOENT:
            return const_cast<char*>("No such file or directory");
        case EIO:
            return const_cast<char*>("Input/output error");
        case ENOMEM:
            return const_cast<char*>("Cannot allocate memory");
        case EACCES:
            return const_cast<char*>("Permission denied");
        case ENOTDIR:
            return const_cast<char*>("Not a directory");
        case EISDIR:
            return const_cast<char*>("Is a directory");
        case ELOOP:
            return const_cast<char*>("Too many levels of symbolic links");
        default:
            return const_cast<char*>("an error of the system");
    }
}

// --- of <unistd.h> and its neighbours ---

int open(const char* path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    const int mode = (flags & O_CREAT) != 0 ? va_arg(more, int) : 0;
    va_end(more);
    return static_cast<int>(checked(call(SYS_open, at(path), flags, mode)));
}
int openat(int directory, const char* path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    const int mode = (flags & O_CREAT) != 0 ? va_arg(more, int) : 0;
    va_end(more);
    return static_cast<int>(checked(call(SYS_openat, directory, at(path), flags, mode)));
}
long syscall(long number, ...) noexcept {
    va_list more;
    va_start(more, number);
    const long a = va_arg(more, long), b = va_arg(more, long), c = va_arg(more, long), d = va_arg(more, long);
    va_end(more);
    return checked(call(number, a, b, c, d));
}
int close(int file) { return static_cast<int>(checked(call(SYS_close, file))); }
ssize_t read(int file, void* to, std::size_t size) {
    return checked(call(SYS_read, file, at(to), static_cast<long>(size)));
}
ssize_t pread(int file, void* to, std::size_t size, off_t offset) {
    return checked(call(SYS_pread64, file, at(to), static_cast<long>(size), offset));
}
ssize_t write(int file, const void* from, std::size_t size) {
    return checked(call(SYS_write, file, at(from), static_cast<long>(size)));
}
ssize_t pwrite(int file, const void* from, std::size_t size, off_t offset) {
    return checked(call(SYS_pwrite64, file, at(from), static_cast<long>(size), offset));
}
ssize_t readlinkat(int directory, const char* path, char* to, std::size_t size) noexcept {
    return checked(call(SYS_readlinkat, directory, at(path), at(to), static_cast<long>(size)));
}
int fstatat(int directory, const char* path, struct stat* status, int flags) noexcept {
    return static_cast<int>(checked(call(SYS_newfstatat, directory, at(path), at(status), flags)));
}
int fsync(int file) { return static_cast<int>(checked(call(SYS_fsync, file))); }
int flock(int file, int operation) noexcept { return static_cast<int>(checked(call(SYS_flock, file, operation))); }
int fstat(int file, struct stat* status) noexcept {
    return static_cast<int>(checked(call(SYS_fstat, file, at(status))));
}
int mkdir(const char* path, mode_t mode) noexcept { return static_cast<int>(checked(call(SYS_mkdir, at(path), mode))); }
int klogctl(int action, char* text, int size) noexcept {
    return static_cast<int>(checked(call(SYS_syslog, action, at(text), size)));
}
int pipe2(int* ends, int flags) noexcept { return static_cast<int>(checked(call(SYS_pipe2, at(ends), flags))); }
int dup2(int from, int to) noexcept { return static_cast<int>(checked(call(SYS_dup2, from, to))); }
pid_t fork() noexcept { return static_cast<pid_t>(checked(call(SYS_fork))); }
int execve(const char* path, char* const* argv, char* const* environment) noexcept {
    return static_cast<int>(checked(call(SYS_execve, at(path), at(argv), at(environment))));
}
pid_t waitpid(pid_t child, int* status, int options) {
    return static_cast<pid_t>(checked(call(SYS_wait4, child, at(status), options)));
}
int kill(pid_t process, int signal) noexcept { return static_cast<int>(checked(call(SYS_kill, process, signal))); }
int setpgid(pid_t process, pid_t group) noexcept {
    return static_cast<int>(checked(call(SYS_setpgid, process, group)));
}
int poll(pollfd* files, nfds_t count, int milliseconds) {
    return static_cast<int>(checked(call(SYS_poll, at(files), static_cast<long>(count), milliseconds)));
}
unsigned alarm(unsigned seconds) noexcept { return static_cast<unsigned>(call(SYS_alarm, seconds)); }
int clock_gettime(clockid_t clock, timespec* time) noexcept {
    return static_cast<int>(checked(call(SYS_clock_gettime, clock, at(time))));
}
int getrlimit(__rlimit_resource_t resource, rlimit* limit) noexcept {
    return static_cast<int>(checked(call(SYS_getrlimit, static_cast<long>(resource), at(limit))));
}
int setrlimit(__rlimit_resource_t resource, const rlimit* limit) noexcept {
    return static_cast<int>(checked(call(SYS_setrlimit, static_cast<long>(resource), at(limit))));
}

}  // extern "C"

// --- of the C++ library -----------------------------------------------------------------------------------------

void* operator new(std::size_t size) {
    constexpr std::size_t most = std::size_t{1} << 40;
    void* const block = size < most ? take(size + header) : nullptr;
    if (block == nullptr) std::terminate();
    *static_cast<std::size_t*>(block) = size + header;
    return static_cast<std::byte*>(block) + header;
}

void operator delete(void* pointer) noexcept {
    if (pointer == nullptr) return;
    void* const block = static_cast<std::byte*>(pointer) - header;
    const std::size_t size = *static_cast<std::size_t*>(block), shift = shift_of(size);
    if (shift > largest_shift) {
        call(SYS_munmap, at(block), static_cast<long>(size));
        return;
    }
    spare[shift] = new (block) Block{spare[shift]};
}

void operator delete(void* pointer, std::size_t) noexcept { operator delete(pointer); }

namespace std {

terminate_handler set_terminate(terminate_handler handler) noexcept { return exchange(on_terminate, handler); }
void terminate() noexcept {
    if (on_terminate != nullptr) on_terminate();
    abort();
}
// What libstdc++'s headers call where they would throw.
void __throw_bad_alloc() { terminate(); }
void __throw_bad_array_new_length() { terminate(); }
void __throw_bad_function_call() { terminate(); }
void __throw_length_error(const char*) { terminate(); }
void __throw_logic_error(const char*) { terminate(); }
void __throw_out_of_range_fmt(const char*, ...) { terminate(); }
void __glibcxx_assert_fail(const char*, int, const char*, const char*) noexcept { terminate(); }

}  // namespace std
// NOLINTEND(performance-no-int-to-ptr,bugprone-reserved-identifier)
