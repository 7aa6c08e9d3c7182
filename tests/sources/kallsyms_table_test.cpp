// SPDX-License-Identifier: GPL-2.0-or-later
// The table of symbols in the kernel's memory, as scripts/kallsyms.c writes it.
#include "lib/sources/kallsyms_table.hpp"

#include <elf.h>
#include <fcntl.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/text.hpp"
#include "tests/temp_tree.hpp"

namespace handoff {
namespace {

using base::Address;
using Bytes = std::vector<std::byte>;

constexpr Address names_at = 0xffffffff82000000, count_at = 0xffffffff82100000, tokens_at = 0xffffffff82200000,
                  index_at = 0xffffffff82300000, offsets_at = 0xffffffff82400000, base_at = 0xffffffff82500000,
                  kernel_at = 0xffffffff81000000;

enum class Form { absolute_or_relative, relative_to_base, relative_to_entry };

struct Symbol {
    char type;
    std::string name;
    Address address;
};

template <class Value>
void append(Bytes& bytes, const Value& value) {
    const auto* begin = reinterpret_cast<const std::byte*>(&value);
    bytes.insert(bytes.end(), begin, begin + sizeof value);
}

/// Every character is its own token, and some tokens are longer, as the kernel's are.
struct Tokens {
    std::array<std::string, 256> texts;
    Tokens() {
        for (std::size_t i = 0; i < texts.size(); ++i)
            texts[i] = i > ' ' && i < 0x7f ? std::string(1, static_cast<char>(i)) : "unused";
        texts[0x80] = "bio_tlb";  // the type and the beginning of a name
        texts[0x81] = "_mem";
        texts[0x82] = "Din";
        texts[0x83] = "ti";
    }
    [[nodiscard]] Bytes pack(std::string text) const {
        Bytes packed;
        while (!text.empty()) {
            std::size_t token = static_cast<unsigned char>(text[0]);
            for (const std::size_t longer : {0x80U, 0x81U, 0x82U, 0x83U})
                if (text.starts_with(texts[longer])) token = longer;
            packed.push_back(static_cast<std::byte>(token));
            text.erase(0, texts[token].size());
        }
        Bytes entry;
        if (packed.size() < 0x80) {
            entry.push_back(static_cast<std::byte>(packed.size()));
        } else {
            entry.push_back(static_cast<std::byte>((packed.size() & 0x7f) | 0x80));
            entry.push_back(static_cast<std::byte>(packed.size() >> 7));
        }
        entry.insert(entry.end(), packed.begin(), packed.end());
        return entry;
    }
};

/// A kernel's memory with a table of these symbols.
struct Kernel {
    std::vector<MemoryPiece> pieces;
    std::string vmcoreinfo = "OSRELEASE=7.2.13\nPAGESIZE=4096\n";

    Kernel(const std::vector<Symbol>& symbols, Form form) {
        const Tokens tokens;
        Bytes names, offsets, table, index, count, base;
        for (std::size_t i = 0; i < symbols.size(); ++i) {
            const Bytes packed = tokens.pack(symbols[i].type + symbols[i].name);
            names.insert(names.end(), packed.begin(), packed.end());
            const Address entry = offsets_at + i * 4, address = symbols[i].address;
            append(offsets, static_cast<std::int32_t>(form == Form::absolute_or_relative ? kernel_at - 1 - address
                                                      : form == Form::relative_to_base   ? address - kernel_at
                                                                                         : address - entry));
        }
        for (const std::string& text : tokens.texts) {
            append(index, static_cast<std::uint16_t>(table.size()));
            for (const char c : text) append(table, c);
            append(table, '\0');
        }
        names.resize(names.size() + 256 * 1024);  // as in the kernel, something follows
        table.resize(table.size() + 1024);
        append(count, static_cast<std::uint32_t>(symbols.size()));
        append(base, kernel_at);
        pieces = {{names_at, names}, {count_at, count},     {tokens_at, table},
                  {index_at, index}, {offsets_at, offsets}, {base_at, base}};
        say("kallsyms_names", names_at);
        say("kallsyms_num_syms", count_at);
        say("kallsyms_token_table", tokens_at);
        say("kallsyms_token_index", index_at);
        say("kallsyms_offsets", offsets_at);
        if (form != Form::relative_to_entry) say("kallsyms_relative_base", base_at);
        for (const Symbol& symbol : symbols)
            if (symbol.name == "_stext" || symbol.name == "init_uts_ns" || symbol.name == "swapper_pg_dir")
                say(symbol.name, symbol.address);
    }
    void say(const std::string& name, Address address) {
        vmcoreinfo += base::text("SYMBOL(", name, ")=", base::Hex{address}) + "\n";
        vmcoreinfo.erase(vmcoreinfo.rfind("0x"), 2);
    }
    [[nodiscard]] std::optional<Symbols> find(const std::vector<std::string_view>& names) const {
        return symbols_from_table(vmcoreinfo, names, [this](Address at, std::size_t size) -> Result<Bytes> {
            for (const MemoryPiece& p : pieces)
                if (at >= p.address && at - p.address <= p.bytes.size() && size <= p.bytes.size() - (at - p.address)) {
                    const auto begin = p.bytes.begin() + static_cast<std::ptrdiff_t>(at - p.address);
                    return Bytes(begin, begin + static_cast<std::ptrdiff_t>(size));
                }
            return Error{Errc::not_found, {}, 0, "not mapped"};
        });
    }
};

const std::vector<Symbol> symbols = {
    {'T', "_stext", kernel_at},
    {'t', "io_tlb_used_show", kernel_at + 0x1234},
    {'t', std::string(300, 'x'), kernel_at + 0x2000},  // longer than 127 tokens
    {'D', "init_uts_ns", kernel_at + 0x1a17b40},
    {'D', "swapper_pg_dir", kernel_at + 0x1a20000},
    {'b', "io_tlb_default_mem", kernel_at + 0x1c81300},
    {'b', "i", kernel_at + 0x1c90000},
    {'B', "sev_status", kernel_at + 0x1c91000},
};
const Symbols expected = {{"io_tlb_default_mem", kernel_at + 0x1c81300}, {"sev_status", kernel_at + 0x1c91000}};
const std::vector<std::string_view> wanted = {"sev_status", "io_tlb_default_mem", "io_tlb_start"};

constexpr std::array forms = {Form::absolute_or_relative, Form::relative_to_base, Form::relative_to_entry};

TEST(KallsymsTable, GivesTheAddressesOfNamesInEachForm) {
    for (const Form form : forms) {
        const auto found = Kernel(symbols, form).find(wanted);
        ASSERT_TRUE(found) << static_cast<int>(form);
        EXPECT_EQ(*found, expected) << static_cast<int>(form);
    }
}

TEST(KallsymsTable, IsReadInPiecesOfMemory) {
    std::vector<Symbol> many(30000, {'t', "some_function_or_other", kernel_at + 0x4000});
    many.insert(many.begin(), symbols.begin(), symbols.begin() + 5);
    many.insert(many.end(), symbols.begin() + 5, symbols.end());
    const auto found = Kernel(many, Form::relative_to_base).find(wanted);
    ASSERT_TRUE(found);
    EXPECT_EQ(*found, expected);
}

TEST(KallsymsTable, IsNotBelievedWhereKnownSymbolsAreElsewhere) {
    for (const Form form : forms) {
        Kernel kernel(symbols, form);
        kernel.vmcoreinfo.replace(kernel.vmcoreinfo.find("(_stext)=ffffffff81"), 19, "(_stext)=ffffffff91");
        EXPECT_FALSE(kernel.find(wanted)) << static_cast<int>(form);
    }
}

TEST(KallsymsTable, IsNotComparedWithWhatIsNoAddressOfASymbol) {
    auto with_pointer = symbols;
    with_pointer.push_back({'B', "mem_section", kernel_at + 0x1d00000});
    Kernel kernel(with_pointer, Form::relative_to_base);
    kernel.say("mem_section", 0xffff88813ffd2000);
    const auto found = kernel.find(wanted);
    ASSERT_TRUE(found);
    EXPECT_EQ(*found, expected);
}

TEST(KallsymsTable, IsNotBelievedWhereFewSymbolsAreKnown) {
    Kernel kernel(symbols, Form::relative_to_entry);
    kernel.vmcoreinfo.erase(kernel.vmcoreinfo.find("SYMBOL(init_uts_ns)"));
    EXPECT_FALSE(kernel.find(wanted));
}

TEST(KallsymsTable, LeavesANameWithTwoAddressesToTheFile) {
    auto twice = symbols;
    twice.push_back({'b', "sev_status", kernel_at + 0x1d00000});
    EXPECT_FALSE(Kernel(twice, Form::relative_to_base).find(wanted));
    EXPECT_TRUE(Kernel(twice, Form::relative_to_base).find({"io_tlb_default_mem"}));
}

TEST(KallsymsTable, EndsWhereMemoryDoes) {
    for (const Address part : {names_at, count_at, tokens_at, index_at, offsets_at, base_at}) {
        Kernel kernel(symbols, Form::relative_to_base);
        for (MemoryPiece& piece : kernel.pieces)
            if (piece.address == part) piece.bytes.resize(piece.bytes.size() > 200000 ? 40 : 3);
        EXPECT_FALSE(kernel.find(wanted)) << std::hex << part;
    }
}

TEST(KallsymsTable, IsNoTableWhereItsCountOrItsTokensMakeNoSense) {
    Kernel kernel(symbols, Form::relative_to_base);
    for (MemoryPiece& piece : kernel.pieces)
        if (piece.address == count_at) piece.bytes.assign(4, std::byte{0x7f});
    EXPECT_FALSE(kernel.find(wanted));

    Kernel other(symbols, Form::relative_to_base);
    for (MemoryPiece& piece : other.pieces)
        if (piece.address == tokens_at) piece.bytes.assign(piece.bytes.size(), std::byte{0});
    EXPECT_FALSE(other.find(wanted));
}

TEST(KallsymsTable, IsNotThereWhereVmcoreinfoDoesNotSayIt) {
    Kernel kernel(symbols, Form::relative_to_base);
    for (const char* part :
         {"kallsyms_names", "kallsyms_num_syms", "kallsyms_token_table", "kallsyms_token_index", "kallsyms_offsets"}) {
        Kernel without = kernel;
        const auto at = without.vmcoreinfo.find(base::text("SYMBOL(", part, ")"));
        without.vmcoreinfo.erase(at, without.vmcoreinfo.find('\n', at) + 1 - at);
        EXPECT_FALSE(without.find(wanted)) << part;
    }
    kernel.vmcoreinfo = "SYMBOL(=\nSYMBOL()=\nSYMBOL(a)=x\n\n";
    EXPECT_FALSE(kernel.find(wanted));
}

// --- the note

std::string core_with_notes(const std::string& notes) {
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_type = ET_CORE;
    header.e_machine = EM_X86_64;
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 1;
    Elf64_Phdr segment{};
    segment.p_type = PT_NOTE;
    segment.p_offset = sizeof header + sizeof segment;
    segment.p_filesz = notes.size();
    std::string file(reinterpret_cast<const char*>(&header), sizeof header);
    file.append(reinterpret_cast<const char*>(&segment), sizeof segment);
    return file + notes;
}

std::string note(std::string name, std::string text) {
    name += '\0';
    const Elf64_Nhdr header{static_cast<Elf64_Word>(name.size()), static_cast<Elf64_Word>(text.size()), 0};
    name.resize((name.size() + 3) / 4 * 4);
    text.resize((text.size() + 3) / 4 * 4);
    return std::string(reinterpret_cast<const char*>(&header), sizeof header) + name + text;
}

std::string vmcoreinfo_of(const std::string& file) {
    TempTree tree;
    tree.write("core", file);
    Fd fd(::open((tree / "core").c_str(), O_RDONLY | O_CLOEXEC));
    const auto core = Core::open(std::move(fd));
    return core ? core->vmcoreinfo() : core.error().message();
}

TEST(Vmcoreinfo, IsTheNoteOfThatNameAmongOthers) {
    EXPECT_EQ(vmcoreinfo_of(core_with_notes(note("CORE", "registers") + note("VMCOREINFO", "OSRELEASE=1\n"))),
              "OSRELEASE=1\n");
    EXPECT_EQ(vmcoreinfo_of(core_with_notes(note("CORE", "registers"))), "");
    EXPECT_EQ(vmcoreinfo_of(core_with_notes("")), "");
}

TEST(Vmcoreinfo, IsEmptyWhereNotesEndTooEarly) {
    const std::string whole = core_with_notes(note("VMCOREINFO", "OSRELEASE=1\n"));
    for (std::size_t size = 120; size < whole.size(); ++size)
        EXPECT_EQ(vmcoreinfo_of(whole.substr(0, size)), "") << size;
    std::string large = note("VMCOREINFO", "OSRELEASE=1\n");
    large[7] = '\x7f';  // a text of nearly 2 GiB
    EXPECT_EQ(vmcoreinfo_of(core_with_notes(large)), "");
}

}  // namespace
}  // namespace handoff
