// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the look at the source sees, and that it does not stumble over comments, literals and honest programs.
#include "rl/judge/StaticFilter.h"
#include "tests/rl/judge/Fixture.h"

using namespace maskjit::rl;

static int cheatIn(Language language, const std::string &source) {
  std::optional<Fault> fault = lookAtSource(language, source);
  return fault ? fault->cheat : int(kNoCheat);
}

TEST(StaticFilter, HonestProgramsPass) {
  for (Language language : {Language::Python, Language::C, Language::Cuda})
    for (const std::string &name : programsIn("honest", language)) {
      std::optional<Fault> fault = lookAtSource(language, programText("honest", name));
      EXPECT_FALSE(fault) << name << ": " << fault->evidence;
    }
}

TEST(StaticFilter, SeesImportsInTheirForms) {
  for (const char *source : {"import numpy", "import math, numpy", "from numpy import dot",
                             "x = 1; import numpy.linalg", "def f():\n    import numpy as np", "if 1: import numpy"})
    EXPECT_EQ(cheatIn(Language::Python, source), int(kForeignLibrary)) << source;
  EXPECT_EQ(cheatIn(Language::Python, "import math"), int(kNoCheat)); // withheld, and no cheat
}

TEST(StaticFilter, CommentsAndLiteralsAreNoCode) {
  EXPECT_EQ(cheatIn(Language::Python, "# import numpy\ns = 'import numpy; exec(x)'\nt = \"\"\"\nimport os\n\"\"\"\n"),
            int(kNoCheat));
  EXPECT_EQ(cheatIn(Language::C, "// fork()\n/* system(\"x\") */\nchar *s = \"pthread_create(\";\n"), int(kNoCheat));
  EXPECT_EQ(withoutCommentsAndLiterals(Language::C, "a \"b\\\"c\" /*\n*/ d 'e' // f\ng"),
            "a \"    \"   \n   d ' '     \ng");
}

TEST(StaticFilter, SeesAssemblyInsideItsLiterals) {
  EXPECT_EQ(cheatIn(Language::C, "void f(void) { __asm__ volatile(\"syscall\"); }"), int(kFiles));
  EXPECT_EQ(cheatIn(Language::C, "__asm__(\".incbin \\\"/etc/passwd\\\"\");"), int(kFiles));
  EXPECT_EQ(cheatIn(Language::C, "__asm__(\"vfmadd231ss %2, %1, %0\" : \"+x\"(s) : \"x\"(x), \"x\"(y));"),
            int(kNoCheat));
}

TEST(StaticFilter, NamesTheLine) {
  std::optional<Fault> fault = lookAtSource(Language::C, "int x;\n\nint y = fork();\n");
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->evidence.rfind("line 3: fork", 0), 0u) << fault->evidence;
}

TEST(StaticFilter, LongSourcesAreRefused) {
  std::optional<Fault> fault = lookAtSource(Language::C, std::string(2 << 20, ' '));
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->verdict, Verdict::Invalid);
}
