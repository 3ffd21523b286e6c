# maskjit_embed(target variable [PATHS] FILES file...): generates embed/<variable>.cpp, which defines
#   extern const maskjit::EmbeddedFile <variable>[]; extern const size_t <variable>Count;
# (declared in compiler/EmbeddedFile.h) and adds it to `target`. Names are those of the files; with PATHS, paths relative
# to the current folder.
include_guard(GLOBAL)
function(maskjit_embed target variable)
  cmake_parse_arguments(A "PATHS" "" "FILES" ${ARGN})
  set(out ${CMAKE_BINARY_DIR}/embed/${variable}.cpp)
  list(JOIN A_FILES "|" files)
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DOUT=${out} -DVARIABLE=${variable} -DPATHS=${A_PATHS} "-DFILES=${files}" -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
    DEPENDS ${A_FILES} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake VERBATIM)
  target_sources(${target} PRIVATE ${out})
endfunction()
