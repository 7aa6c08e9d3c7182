// SPDX-License-Identifier: GPL-2.0-or-later
// Against kexec-tools itself: the real `kexec -p -d`, in a namespace of its own where
// /proc and /sys are those of a machine of ours, up to the system call. That must
// never happen here, since it would unload the crash kernel of whoever runs the
// tests: the process has no CAP_SYS_BOOT.
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "lib/kernel/command_line.hpp"
#include "lib/kernel/loader.hpp"
#include "lib/load/load_report.hpp"
#include "lib/sources/gather.hpp"
#include "lib/sources/host.hpp"
#include "lib/sources/image.hpp"
#include "lib/sources/iomem.hpp"
#include "lib/sources/kernel_memory.hpp"
#include "lib/sources/kexec_program.hpp"
#include "tests/temp_tree.hpp"

namespace handoff {
namespace {

namespace fs = std::filesystem;
using base::GiB;
using base::KiB;
using base::MiB;
using base::page_size;
using e820::Table;
using e820::Type;

// --- the program --------------------------------------------------------------------------------------------------

struct Kexec {
    std::string version;
    std::vector<std::string> command;
};

fs::path cache() {
    if (const char* dir = std::getenv("HANDOFF_VM_CACHE")) return dir;
    const char* home = std::getenv("HOME");
    return fs::path(home ? home : "/root") / ".cache/swiotlb-handoff";
}

/// The installed one, and those that tests/vm has fetched.
std::vector<Kexec> programs() {
    std::vector<Kexec> found;
    const auto add = [&](const fs::path& program, std::vector<std::string> command) {
        if (const auto version = kexec_tools_version(read_file(program)))
            found.push_back({*version, std::move(command)});
    };
    add("/usr/sbin/kexec", {"/usr/sbin/kexec"});
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(cache(), ignored))
        if (entry.path().filename().string().starts_with("kexec-"))
            add(entry.path() / "kexec",
                {entry.path() / "ld-linux-x86-64.so.2", "--library-path", entry.path(), entry.path() / "kexec"});
    return found;
}

// --- a machine for it ---------------------------------------------------------------------------------------------

/// What kexec reads besides /proc/iomem: the kernel's place, and where the notes of each CPU are.
class Stage {
public:
    Stage(const std::string& iomem, unsigned cpus) {
        tree_.write("proc/iomem", iomem);
        tree_.write("proc/cmdline", "console=ttyS0\n");
        tree_.write("proc/kallsyms", "ffffffff81000000 T _text\nffffffff81000000 T _stext\n");
        const MemoryPiece text{0xffffffff81000000, std::vector<std::byte>(MiB)};
        const auto core = minimal_core({&text, 1});
        tree_.write("proc/kcore", {reinterpret_cast<const char*>(core.data()), core.size()});
        tree_.write("sys/kernel/vmcoreinfo", "7fff0000 1024\n");
        tree_.write("sys/devices/system/cpu/possible", fmt::format("0-{}\n", cpus - 1));
        for (unsigned cpu = 0; cpu < cpus; ++cpu) {
            const std::string dir = fmt::format("sys/devices/system/cpu/cpu{}/", cpu);
            tree_.write(dir + "crash_notes", "7ffe0000\n");
            tree_.write(dir + "crash_notes_size", "500\n");
        }
        fs::create_directories(tree_ / "sys/firmware");
    }
    [[nodiscard]] fs::path file(std::string_view name) const { return tree_ / name; }
    [[nodiscard]] const TempTree& tree() const { return tree_; }

private:
    TempTree tree_;
};

/// Mounts the stage and gives up what kexec_load needs; a word on what is not permitted, or null.
const char* enter(const Stage& stage) {
    // In a user namespace of its own nobody has the capability; root without one drops it.
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
        if (::prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT) != 0) return "cannot give up CAP_SYS_BOOT";
        if (::unshare(CLONE_NEWNS) != 0) return "no mount namespace";
    }
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return "no private mounts";
    for (const char* dir : {"/sys", "/proc"})
        if (::mount(stage.file(dir + 1).c_str(), dir, nullptr, MS_BIND, nullptr) != 0) return "no bind mounts";
    return nullptr;
}

constexpr int not_permitted = 99;

struct Ran {
    int status = -1;
    std::string output;
};

/// From now on getrandom() has nothing; false where that cannot be had.
bool take_randomness() {
    sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getrandom, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{static_cast<unsigned short>(std::size(filter)), filter};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

Ran run(const Stage& stage, std::vector<std::string> command, bool seed = true) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    std::vector<char*> argv;
    for (std::string& a : command) argv.push_back(a.data());
    argv.push_back(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
        ::dup2(ends[1], STDOUT_FILENO);
        ::dup2(ends[1], STDERR_FILENO);
        ::close(ends[0]);
        if (const char* what = enter(stage)) {
            [[maybe_unused]] const ssize_t said = ::write(STDOUT_FILENO, what, std::strlen(what));
            ::_exit(not_permitted);
        }
        if (!seed && !take_randomness()) ::_exit(not_permitted);
        ::execv(argv[0], argv.data());
        ::_exit(127);
    }
    ::close(ends[1]);
    Ran ran;
    char buffer[65536];
    for (ssize_t n; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;)
        ran.output.append(buffer, static_cast<std::size_t>(n));
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFEXITED(status)) ran.status = WEXITSTATUS(status);
    return ran;
}

// --- an image that is a header and nothing more -------------------------------------------------------------------

struct Header {
    std::uint8_t setup_sects = 39;
    std::uint32_t alignment = 2 * MiB;
    std::uint64_t pref_address = 16 * MiB;
    std::uint32_t init_size = 60 * MiB;
};

std::string image_file(const Header& h) {
    std::string bytes((h.setup_sects + 1u) * 512 + 64 * KiB, '\0');
    const auto put = [&](std::size_t at, std::uint64_t value, std::size_t size) {
        for (std::size_t i = 0; i < size; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i));
    };
    put(0x1f1, h.setup_sects, 1);
    put(0x1fe, 0xaa55, 2);
    put(0x201, 0x6a, 1);  // the jump over the header, whose length says where it ends
    put(0x202, 0x53726448, 4);
    put(0x206, 0x020f, 2);
    put(0x211, 0x01, 1);
    put(0x22c, 0x7fffffff, 4);
    put(0x230, h.alignment, 4);
    put(0x234, 1, 1);
    put(0x236, 0x3f, 2);
    put(0x238, 2047, 4);
    put(0x258, h.pref_address, 8);
    put(0x260, h.init_size, 4);
    return bytes;
}

// --- what kexec says ----------------------------------------------------------------------------------------------

Table e820_map(const std::string& output) {
    Table table;
    const auto at = output.find("\nE820 memmap:\n");
    if (at == output.npos) return table;
    std::istringstream in(output.substr(at + 14));
    const std::regex form("^([0-9a-f]{16})-([0-9a-f]{16}) \\(([0-9]+)\\)$");
    std::smatch match;
    for (std::string line; std::getline(in, line) && std::regex_match(line, match, form);)
        table.add(*AddressRange::from_inclusive(std::stoull(match[1], nullptr, 16), std::stoull(match[2], nullptr, 16)),
                  static_cast<Type>(std::stoul(match[3])));
    return table;
}

struct Attempt {
    const Kexec* kexec = nullptr;
    std::string iomem;
    unsigned cpus = 2;
    std::string image;
    std::uint64_t initrd_bytes = 2 * MiB + 123;
    bool seed = true;  ///< getrandom() gives one
    std::string command_line = "console=ttyS0 reset_devices nr_cpus=1 irqpoll";
};

Ran attempt(const Attempt& a, const Stage& stage) {
    stage.tree().write("image", a.image);
    stage.tree().write("initrd", "");
    fs::resize_file(stage.file("initrd"), a.initrd_bytes);
    std::vector<std::string> command = a.kexec->command;
    for (const char* word : {"-c", "-p", "-d"}) command.emplace_back(word);
    command.push_back("--append=" + a.command_line);
    if (a.initrd_bytes != 0) command.push_back("--initrd=" + stage.file("initrd").string());
    command.push_back(stage.file("image"));
    return run(stage, command, a.seed);
}

std::string described(const Load& load, const std::vector<AddressRange>& real) {
    std::string text = "\npredicted:";
    for (const Segment& s : load.segments) text += "\n  " + s.name + ' ' + to_string(s.range);
    text += "\nkexec:";
    for (const AddressRange& r : real) text += "\n  " + to_string(r);
    return text;
}

std::string described(const Table& table) {
    std::string text;
    for (const e820::Entry& e : table.entries) text += "\n  " + to_string(e.range) + ' ' + log_label(e.type);
    return text;
}

/// What came of one load: only kexec or only we can do it, neither can, or both say where everything goes, and the
/// same.
struct Comparison {
    enum Outcome { kexec_only, ours_only, impossible, loaded } outcome;
    std::string why;  ///< it was not loaded
};

Comparison compare(const Attempt& a) {
    const Stage stage(a.iomem, a.cpus);
    const auto machine = gather(Host(stage.tree().path()));
    if (!machine) return {Comparison::kexec_only, machine.error().message()};
    const auto image = image_of(read_at(std::as_bytes(std::span(a.image))), a.image.size());
    EXPECT_TRUE(image) << image.error().message();
    LoadInput in;
    in.init_size = image->init_size;
    in.kernel_alignment = image->kernel_alignment;
    in.pref_address = image->pref_address;
    in.setup_bytes = image->setup_bytes;
    in.initrd_bytes = a.initrd_bytes;
    in.command_line_bytes = a.command_line.size();
    in.setup_data = a.kexec->version >= "2.0.25" && a.seed;
    const auto predicted = predict_load(*machine, in);

    const Ran ran = attempt(a, stage);
    EXPECT_EQ(ran.output.find("CAP_SYS_BOOT"), std::string::npos);
    const auto segments = parse_segments(ran.output);
    EXPECT_TRUE(segments) << segments.error().message();
    if (segments->empty()) {
        return {predicted ? Comparison::ours_only : Comparison::impossible,
                "kexec: " + ran.output.substr(ran.output.size() - std::min<std::size_t>(ran.output.size(), 300))};
    }
    if (!predicted) return {Comparison::kexec_only, predicted.error().message()};

    std::vector<AddressRange> ours;
    for (const Segment& s : predicted->segments) ours.push_back(s.range);
    std::sort(ours.begin(), ours.end());
    auto theirs = *segments;
    std::sort(theirs.begin(), theirs.end());
    EXPECT_EQ(ours, theirs) << described(*predicted, theirs);
    const Table map = e820_map(ran.output);
    EXPECT_EQ(predicted->map, sanitised(map))
        << "predicted:" << described(predicted->map) << "\nkexec:" << described(map);
    return {Comparison::loaded, {}};
}

/// The same of a machine that nothing is wrong with; true where it can be loaded.
bool agree(const Attempt& a) {
    const Comparison compared = compare(a);
    EXPECT_TRUE(compared.outcome == Comparison::loaded || compared.outcome == Comparison::impossible) << compared.why;
    return compared.outcome == Comparison::loaded;
}

class RealKexec : public testing::Test {
protected:
    void SetUp() override {
        if (all.empty()) GTEST_SKIP() << "there is no kexec here (scripts/install-deps --check)";
        const Stage stage("00000000-00000fff : Reserved\n", 1);
        const Ran ran = run(stage, {"/bin/true"});
        if (ran.status == not_permitted) GTEST_SKIP() << "not permitted here: " << ran.output;
    }
    std::vector<Kexec> all = programs();
};

// --- captured machines --------------------------------------------------------------------------------------------

std::vector<fs::path> captured_iomems() {
    std::vector<fs::path> found;
    for (const char* where : {"machines", "loads", "sources"})
        for (const auto& entry : fs::directory_iterator(fs::path(FIXTURES_DIR) / where))
            if (fs::exists(entry.path() / "proc/iomem")) found.push_back(entry.path() / "proc/iomem");
    std::sort(found.begin(), found.end());
    return found;
}

std::vector<std::string> images() {
    std::vector<std::string> found{image_file({})};
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(cache(), ignored))
        if (entry.path().filename().string().starts_with("kernel-"))
            found.push_back(read_file(entry.path() / "vmlinuz"));
    return found;
}

TEST_F(RealKexec, LoadsACapturedMachinesCrashKernelAsPredicted) {
    int loads = 0;
    std::vector<std::string> seen;
    const std::vector<std::string> any = images();
    for (const fs::path& file : captured_iomems()) {
        const std::string iomem = read_file(file);
        if (!parse_iomem(iomem)) continue;  // not read as root
        if (iomem.find("Crash kernel") == iomem.npos || std::count(seen.begin(), seen.end(), iomem) != 0) continue;
        seen.push_back(iomem);
        // The first machine with each image, the others with the small one: kexec hashes what it loads.
        const std::size_t count = seen.size() == 1 ? any.size() : 1;
        for (std::size_t i = 0; i < all.size() * count; ++i) {
            const Kexec& kexec = all[i % all.size()];
            const std::string& image = any[i / all.size()];
            SCOPED_TRACE(
                fmt::format("{}, kexec-tools {}, image of {} bytes", file.string(), kexec.version, image.size()));
            Attempt a;
            a.kexec = &kexec;
            a.iomem = iomem;
            a.image = image;
            loads += agree(a);
        }
    }
    RecordProperty("loads", loads);
    EXPECT_GE(loads, 10);
}

// Early at boot, on a machine whose random number generator takes time. Reading it would block, so kexec goes on
// without.
TEST_F(RealKexec, PassesNoSetupDataWhereThereIsNoRandomSeedYet) {
    for (const Kexec& kexec : all) {
        SCOPED_TRACE(kexec.version);
        Attempt a;
        a.kexec = &kexec;
        a.iomem = read_file(fs::path(FIXTURES_DIR) / "machines/debian-6.1-kexec-load/proc/iomem");
        a.image = image_file({});
        a.seed = false;
        EXPECT_TRUE(agree(a));
    }
}

// --- machines made up by chance -----------------------------------------------------------------------------------

class Dice {
public:
    explicit Dice(std::uint64_t seed) : dice_(seed) {}
    std::uint64_t number(std::uint64_t least, std::uint64_t most) {
        return std::uniform_int_distribution<std::uint64_t>(least, most)(dice_);
    }
    bool yes() { return number(0, 1) != 0; }

    Attempt attempt() {
        Attempt a;
        a.cpus = static_cast<unsigned>(number(1, 400));
        Header h;
        h.setup_sects = static_cast<std::uint8_t>(number(1, 63));
        h.init_size = static_cast<std::uint32_t>(number(1, 100) * MiB + number(0, 255) * 4096);
        if (yes()) h.alignment = std::uint32_t{1} << number(12, 25);
        a.image = image_file(h);
        a.initrd_bytes = yes() ? 0 : number(1, 30) * MiB + number(0, 8191);  // kexec hashes all of it
        a.command_line = "console=ttyS0 " + std::string(number(0, 1500), 'x');
        a.iomem = iomem();
        return a;
    }

private:
    static std::string line(unsigned depth, Address start, Address end, const char* name) {
        return fmt::format("{}{:08x}-{:08x} : {}\n", std::string(2 * depth, ' '), start, end - 1, name);
    }

    std::string iomem() {
        std::string text = line(0, 0, 0x1000, "Reserved");
        const Address low_end = yes() ? 0x9fc00 : 0xa0000;
        text += line(0, 0x1000, low_end, "System RAM");
        if (low_end != 0xa0000) text += line(0, low_end, 0xa0000, "Reserved");
        text += line(0, 0xf0000, 0x100000, "Reserved") + line(1, 0xf0000, 0x100000, "System ROM");

        const Address top = 0x60000000 + number(0, 0x4fff) * page_size;
        const std::uint64_t size = number(1, 24) * 16 * MiB;
        const Address c = (top - size - number(0, 64) * MiB) / (16 * MiB) * (16 * MiB);
        const bool low = number(0, 3) != 0;
        // RAM in pieces: firmware keeps some for itself.
        Address at = MiB;
        bool image_shown = false;
        for (Address piece = 0x20000000; at < top; piece += number(1, 64) * MiB) {
            const Address end = low && piece > c ? top : std::min(piece, top);
            if (end <= at) continue;
            text += line(0, at, end, "System RAM");
            if (!image_shown)
                text += line(1, 0x1000000, 0x2000000, "Kernel code") + line(1, 0x2000000, 0x2800000, "Kernel data");
            image_shown = true;
            if (low && at <= c && c + size <= end) text += line(1, c, c + size, "Crash kernel");
            at = end;
            if (at >= top) break;
            static constexpr const char* names[] = {"Reserved", "ACPI Tables", "ACPI Non-volatile Storage",
                                                    "Unknown E820 type", "Unusable memory"};
            const Address hole = at + number(1, 200) * page_size;
            text += line(0, at, hole, names[number(0, 4)]);
            at = hole;
        }
        text += line(0, 0xc0000000, 0xd0000000, "PCI Bus 0000:00") + line(1, 0xc0000000, 0xc1000000, "Reserved");
        const Address high_end = 4 * GiB + number(1, 64) * GiB / 2;
        text += line(0, 4 * GiB, high_end, "System RAM");
        if (!low || yes()) text += line(1, high_end - 512 * MiB, high_end - 512 * MiB + size, "Crash kernel");
        if (yes()) text += line(0, high_end, high_end + GiB, "Persistent Memory");
        return text;
    }

    std::mt19937_64 dice_;
};

TEST_F(RealKexec, LoadsWhateverMachineAsPredicted) {
    const std::uint64_t rounds = 20;
    int loads = 0;
    for (std::uint64_t seed = 1; seed <= rounds; ++seed) {
        Attempt a = Dice(seed).attempt();
        a.kexec = &all[seed % all.size()];
        SCOPED_TRACE(fmt::format("seed {}, kexec-tools {}\n{}", seed, a.kexec->version, a.iomem));
        loads += agree(a);
    }
    RecordProperty("loads", loads);
    EXPECT_GE(loads, 8);
}

// 309 headers take 17 KiB, 310 take 18.
TEST_F(RealKexec, CountsRamThatWasPluggedInOrGivenBackAsThePredictionDoes) {
    Attempt a;
    a.kexec = &all.back();
    a.image = image_file({});
    a.initrd_bytes = 0;
    const std::string before =
        "00000000-00000fff : Reserved\n00001000-0009ffff : System RAM\n00100000-7fffffff : System RAM\n"
        "  01000000-01ffffff : Kernel code\n  60000000-6fffffff : Crash kernel\n";
    const std::string given_back = "  70000000-707fffff : System RAM\n",
                      plugged = "100000000-107ffffff : System RAM\n108000000-10fffffff : System RAM\n";
    for (const auto& [more, cpus] :
         {std::pair(given_back, 303u), std::pair(plugged, 302u), std::pair(given_back + plugged, 301u)}) {
        SCOPED_TRACE(more);
        a.cpus = cpus;
        a.iomem = before + more;
        EXPECT_TRUE(agree(a));
    }
}

// --- /proc/iomem as no kernel prints it ---------------------------------------------------------------------------

/// One edit of a line without its newline.
std::string damaged(std::string line, std::mt19937_64& dice) {
    const auto number = [&](std::size_t most) { return std::uniform_int_distribution<std::size_t>(0, most)(dice); };
    const std::size_t name = std::min(line.find(" : "), line.size());
    static constexpr const char* names[] = {"System RAM",
                                            "System RAM ",
                                            "System ram",
                                            "System RAM (kmem)",
                                            "Reserved",
                                            "reserved",
                                            "Crash kernel",
                                            "Kernel code",
                                            "ACPI Tables",
                                            "ACPI Non-volatile Storage",
                                            "Persistent Memory",
                                            "GART",
                                            ""};
    static constexpr char characters[] = "0123456789abcdefABCDEFgx-: \t\v\xa0R";
    switch (number(9)) {
        case 0:
            return line.insert(number(line.size()), 1, characters[number(sizeof characters - 2)]);
        case 1:
            return line.erase(number(line.size() - 1), 1 + number(3));
        case 2:
            line[number(line.size() - 1)] = characters[number(sizeof characters - 2)];
            return line;
        case 3:
            return line.substr(0, name) + " : " + names[number(std::size(names) - 1)];
        case 4:
            return "  " + line;
        case 5:
            return line.starts_with("  ") ? line.substr(2) : "   " + line;
        case 6:
            for (std::size_t i = 0; i < name; ++i)
                line[i] = static_cast<char>(std::toupper(static_cast<unsigned char>(line[i])));
            return line;
        case 7:
            return line.insert(std::min(line.find('-'), line.size()), number(1) != 0 ? "0" : "fff");
        case 8:
            return "0x" + line;
        default:
            return line + ' ' + line;
    }
}

/// Up to three edits; lines are lost, doubled and moved as well.
std::string damaged_iomem(const std::string& iomem, std::mt19937_64& dice) {
    std::vector<std::string> lines;
    std::istringstream in(iomem);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    for (std::uint64_t edits = 1 + dice() % 3; edits-- != 0;) {
        std::string& line = lines[dice() % lines.size()];
        switch (dice() % 8) {
            case 0:
                lines.erase(lines.begin() + (&line - lines.data()));
                break;
            case 1:
                lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(dice() % lines.size()), std::string(line));
                break;
            case 2:
                std::swap(line, lines[dice() % lines.size()]);
                break;
            case 3:
                lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(dice() % lines.size()), "");
                break;
            default:
                if (!line.empty()) line = damaged(line, dice);
        }
    }
    std::string text;
    for (const std::string& line : lines) text += line + '\n';
    return text;
}

// What we refuse it may take, and what we take it may fail to load ("Kernel code" is missing): what both take means the
// same.
TEST_F(RealKexec, ReadsADamagedIomemAsWeDo) {
    std::map<Comparison::Outcome, int> seen;
    std::mt19937_64 dice(1);
    for (int round = 0; round < 80; ++round) {
        Attempt a = Dice(dice() % 100).attempt();
        a.kexec = &all[dice() % all.size()];
        a.image = image_file({});
        a.initrd_bytes = 0;
        a.cpus = 2;
        a.iomem = damaged_iomem(a.iomem, dice);
        SCOPED_TRACE(fmt::format("round {}, kexec-tools {}\n{}", round, a.kexec->version, a.iomem));
        ++seen[compare(a).outcome];
    }
    RecordProperty("loaded", seen[Comparison::loaded]);
    RecordProperty("kexec_only", seen[Comparison::kexec_only]);
    RecordProperty("ours_only", seen[Comparison::ours_only]);
    EXPECT_GE(seen[Comparison::loaded], 20);
    EXPECT_GE(seen[Comparison::kexec_only], 10);
}

}  // namespace
}  // namespace handoff
