# Compiler flags, output folders and the helpers by which each folder adds its part.
include_guard(GLOBAL)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
find_package(Threads REQUIRED)

# Compile results are shared by all clones: paths below the source folder are hashed relative to it.
find_program(MASKJIT_CCACHE ccache)
if(MASKJIT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
    CCACHE_SLOPPINESS=pch_defines,time_macros ${MASKJIT_CCACHE})
endif()
include_directories(${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
add_compile_options(-Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers -ffunction-sections -fdata-sections
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}/= -fno-semantic-interposition)

# Debian's fmt comes without a static library: header-only.
find_package(fmt REQUIRED)

# maskjit_part(name SOURCES file... [MLIR]): objects that end up in libmaskjit.so. MLIR: may include MLIR and LLVM headers.
function(maskjit_part name)
  cmake_parse_arguments(A "MLIR" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(${name} OBJECT ${A_SOURCES})
  if(A_MLIR)
    target_compile_options(${name} PRIVATE -fno-exceptions -Wno-unused-function)
    target_include_directories(${name} SYSTEM PRIVATE ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
    target_compile_definitions(${name} PRIVATE ${MASKJIT_LLVM_DEFINITIONS})
    add_dependencies(${name} maskjit_tablegen)
  endif()
  target_link_libraries(${name} PRIVATE fmt::fmt-header-only)
  if(A_DEPENDS)
    add_dependencies(${name} ${A_DEPENDS})
  endif()
  set_property(GLOBAL APPEND PROPERTY MASKJIT_PARTS ${name})
endfunction()

# maskjit_test(name SOURCES file... [LABELS label...] [LIBS target...]): a GoogleTest program, one ctest entry.
function(maskjit_test name)
  cmake_parse_arguments(A "" "" "SOURCES;LABELS;LIBS" ${ARGN})
  find_package(GTest REQUIRED)
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE ${A_LIBS} maskjit GTest::gmock GTest::gtest_main fmt::fmt-header-only)
  target_compile_definitions(${name} PRIVATE MASKJIT_SOURCE_DIR="${CMAKE_SOURCE_DIR}" MASKJIT_FIXTURES="${CMAKE_SOURCE_DIR}/tests/fixtures")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 900)
  if(A_LABELS)
    # Skipped only where no test of the program ran: a match makes ctest overlook the exit code.
    set_tests_properties(${name} PROPERTIES LABELS "${A_LABELS}"
      SKIP_REGULAR_EXPRESSION "\\[  PASSED  \\] 0 tests[^F]*SKIPPED[^F]*$")
  endif()
endfunction()
