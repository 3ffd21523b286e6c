// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A linker for one object file: sections to memory, a table of far addresses, five kinds of relocation.
#include "rl/judge/runner/ObjectFile.h"
#include <algorithm>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <set>
#include <sys/mman.h>

namespace maskjit::rl {

constexpr size_t kPageBytes = 4096;
constexpr size_t kLargestImage = size_t(1) << 30; // within reach of 32-bit offsets

bool isKernelFunction(std::string_view name) {
  static const std::set<std::string_view> names = {"memcpy",        "memmove",
                                                   "memset",        "memcmp",
                                                   "malloc",        "calloc",
                                                   "realloc",       "free",
                                                   "aligned_alloc", "posix_memalign",
                                                   "fma",           "fmaf",
                                                   "sqrt",          "sqrtf",
                                                   "fabs",          "fabsf",
                                                   "fmin",          "fminf",
                                                   "fmax",          "fmaxf",
                                                   "floor",         "floorf",
                                                   "ceil",          "ceilf",
                                                   "abort",         "_GLOBAL_OFFSET_TABLE_"};
  return names.count(name) > 0;
}

/// Where the parts of the object are, in the file and in memory.
struct ObjectFile::Layout {
  std::string_view file;
  std::vector<Elf64_Shdr> sections;
  std::vector<char *> placed; // a section's address; nullptr: not in memory
  std::vector<Elf64_Sym> symbols;
  std::string_view names;
  std::vector<char *> addresses; // of symbols
  char *base = nullptr;
  size_t bytes = 0;
  char *farBegin = nullptr; // per symbol 16 bytes: its address, and a jump through that address

  bool inside(uint64_t offset, uint64_t size) const { return offset <= file.size() && size <= file.size() - offset; }
  template <class T> std::vector<T> table(const Elf64_Shdr &section) const {
    std::vector<T> entries(section.sh_size / sizeof(T));
    std::memcpy(entries.data(), file.data() + section.sh_offset, entries.size() * sizeof(T));
    return entries;
  }
  char *farAddress(size_t symbol) const { return farBegin + 16 * symbol; }
  char *farJump(size_t symbol) const { return farAddress(symbol) + 8; }

  std::string read();
  std::string place();
};

std::string ObjectFile::Layout::read() {
  Elf64_Ehdr header;
  if (file.size() < sizeof header || std::memcmp(file.data(), ELFMAG, SELFMAG) != 0)
    return "not an object file";
  std::memcpy(&header, file.data(), sizeof header);
  if (header.e_machine != EM_X86_64 || header.e_type != ET_REL)
    return "not an object file for x86-64";
  if (header.e_shentsize != sizeof(Elf64_Shdr) || !inside(header.e_shoff, header.e_shnum * sizeof(Elf64_Shdr)))
    return "an object file that was cut off";
  sections.resize(header.e_shnum);
  std::memcpy(sections.data(), file.data() + header.e_shoff, header.e_shnum * sizeof(Elf64_Shdr));
  for (const Elf64_Shdr &s : sections) {
    if (s.sh_type != SHT_NOBITS && !inside(s.sh_offset, s.sh_size))
      return "an object file that was cut off";
    if (s.sh_flags & SHF_TLS)
      return "thread-local variables are not supported";
    if (s.sh_type == SHT_SYMTAB && s.sh_link < sections.size()) {
      symbols = table<Elf64_Sym>(s);
      names = file.substr(sections[s.sh_link].sh_offset, sections[s.sh_link].sh_size);
    }
  }
  return names.empty() || names.back() != 0 ? "an object file without symbols" : "";
}

std::string ObjectFile::Layout::place() {
  std::vector<size_t> offsets(sections.size(), 0);
  size_t end = 0;
  // Code first, on pages of its own; the rest is writable.
  for (bool code : {true, false}) {
    for (size_t i = 0; i < sections.size(); ++i) {
      const Elf64_Shdr &s = sections[i];
      if (!(s.sh_flags & SHF_ALLOC) || bool(s.sh_flags & SHF_EXECINSTR) != code)
        continue;
      size_t align = std::max<size_t>(1, s.sh_addralign);
      if (align > kPageBytes || s.sh_size > kLargestImage || end > kLargestImage)
        return "static data of more than 1 GiB, or aligned to more than a page";
      offsets[i] = (end + align - 1) / align * align;
      end = offsets[i] + s.sh_size;
    }
    if (code) {
      end = (end + 15) / 16 * 16;
      bytes = end; // offset of the far table
      end += 16 * symbols.size();
      end = (end + kPageBytes - 1) / kPageBytes * kPageBytes;
    }
  }
  size_t farOffset = bytes;
  bytes = std::max<size_t>(end, 1);
  void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return "no memory for the program's static data";
  base = static_cast<char *>(memory);
  farBegin = base + farOffset;
  placed.assign(sections.size(), nullptr);
  for (size_t i = 0; i < sections.size(); ++i) {
    if (!(sections[i].sh_flags & SHF_ALLOC))
      continue;
    placed[i] = base + offsets[i];
    if (sections[i].sh_type != SHT_NOBITS)
      std::memcpy(placed[i], file.data() + sections[i].sh_offset, sections[i].sh_size);
  }
  return "";
}

/// Writes one relocation's value to `where`. False: a kind that clang does not emit for position-independent kernels.
static bool apply(const Elf64_Rela &r, char *where, char *symbol, char *farAddress, char *farJump) {
  auto offset32 = [&](char *target) {
    auto value = int32_t(target + r.r_addend - where);
    std::memcpy(where, &value, sizeof value);
  };
  switch (ELF64_R_TYPE(r.r_info)) {
  case R_X86_64_64: {
    char *value = symbol + r.r_addend;
    std::memcpy(where, &value, sizeof value);
    return true;
  }
  case R_X86_64_PC32:
    offset32(symbol);
    return true;
  case R_X86_64_PLT32:
    offset32(farJump ? farJump : symbol);
    return true;
  case R_X86_64_GOTPCREL:
  case R_X86_64_GOTPCRELX:
  case R_X86_64_REX_GOTPCRELX:
    offset32(farAddress);
    return true;
  default:
    return false;
  }
}

std::string ObjectFile::bind(Layout &l, bool (*mayUse)(std::string_view), std::string &withheld) {
  l.addresses.assign(l.symbols.size(), nullptr);
  std::vector<bool> outside(l.symbols.size(), false);
  for (size_t i = 1; i < l.symbols.size(); ++i) {
    const Elf64_Sym &s = l.symbols[i];
    if (s.st_name >= l.names.size())
      return "an object file with a damaged symbol table";
    std::string name(l.names.data() + s.st_name);
    if (s.st_shndx == SHN_UNDEF) {
      if (mayUse && !mayUse(name)) {
        withheld = name;
        return "the program uses " + name + ", which is withheld";
      }
      outside[i] = true;
      l.addresses[i] = static_cast<char *>(dlsym(RTLD_DEFAULT, name.c_str()));
      if (!l.addresses[i] && ELF64_ST_BIND(s.st_info) != STB_WEAK && name != "_GLOBAL_OFFSET_TABLE_") {
        withheld = name;
        return "undefined symbol: " + name;
      }
    } else if (s.st_shndx < l.sections.size() && l.placed[s.st_shndx]) {
      l.addresses[i] = l.placed[s.st_shndx] + s.st_value;
      if (ELF64_ST_TYPE(s.st_info) == STT_FUNC && ELF64_ST_BIND(s.st_info) != STB_LOCAL)
        globals[name] = l.addresses[i];
    }
    // jmp *-14(%rip): through the address in front of it
    const unsigned char jump[8] = {0xff, 0x25, 0xf2, 0xff, 0xff, 0xff, 0x90, 0x90};
    std::memcpy(l.farAddress(i), &l.addresses[i], sizeof(char *));
    std::memcpy(l.farJump(i), jump, sizeof jump);
  }
  for (const Elf64_Shdr &s : l.sections) {
    if (s.sh_type != SHT_RELA || s.sh_info >= l.sections.size() || !l.placed[s.sh_info])
      continue;
    for (const Elf64_Rela &r : l.table<Elf64_Rela>(s)) {
      size_t symbol = ELF64_R_SYM(r.r_info);
      if (symbol >= l.symbols.size() || r.r_offset + 8 > l.sections[s.sh_info].sh_size + 4)
        return "an object file with a damaged relocation";
      if (!apply(r, l.placed[s.sh_info] + r.r_offset, l.addresses[symbol], l.farAddress(symbol),
                 outside[symbol] ? l.farJump(symbol) : nullptr))
        return "a relocation of type " + std::to_string(ELF64_R_TYPE(r.r_info)) + ", which is not supported";
    }
  }
  return "";
}

std::string ObjectFile::load(std::string_view object, bool (*mayUse)(std::string_view), std::string &withheld) {
  Layout layout;
  layout.file = object;
  std::string fault = layout.read();
  if (fault.empty())
    fault = layout.place();
  if (fault.empty())
    fault = bind(layout, mayUse, withheld);
  if (!fault.empty())
    return fault;
  auto codeEnd = size_t(layout.farBegin - layout.base) + 16 * layout.symbols.size();
  if (mprotect(layout.base, (codeEnd + kPageBytes - 1) / kPageBytes * kPageBytes, PROT_READ | PROT_EXEC) != 0)
    return "the sandbox allows no code of its own";
  return "";
}

void *ObjectFile::find(const std::string &name) const {
  auto found = globals.find(name);
  return found == globals.end() ? nullptr : found->second;
}

} // namespace maskjit::rl
