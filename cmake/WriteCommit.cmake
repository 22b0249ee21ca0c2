cmake_minimum_required(VERSION 3.25)

# Writes FILE, which defines the commit that SOURCE_DIR is at: "c2c7d19ab012", with "-dirty" where a
# tracked file differs from it, empty where SOURCE_DIR is no checkout of its own or there is no git.
set(commit "")
find_program(git git)
if(git)
  execute_process(COMMAND ${git} -C ${SOURCE_DIR} rev-parse --show-toplevel --short=12 HEAD
                  OUTPUT_VARIABLE answer OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET
                  RESULT_VARIABLE failed)
  string(REGEX MATCH "^(.*)\n([0-9a-f]+)$" found "${answer}")
  set(folder "${CMAKE_MATCH_1}")
  set(head "${CMAKE_MATCH_2}")
  file(REAL_PATH ${SOURCE_DIR} source)
  # A folder of somebody else's checkout says nothing about this source.
  if(NOT failed AND found AND folder STREQUAL source)
    set(commit ${head})
    execute_process(COMMAND ${git} -C ${SOURCE_DIR} diff --quiet HEAD --
                    RESULT_VARIABLE differs OUTPUT_QUIET ERROR_QUIET)
    if(differs)
      string(APPEND commit "-dirty")
    endif()
  endif()
endif()
file(CONFIGURE OUTPUT ${FILE} @ONLY CONTENT
"namespace diagrad::detail {
extern const char* const kCommit;
const char* const kCommit = \"@commit@\";
}  // namespace diagrad::detail
")
