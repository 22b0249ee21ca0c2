# The code that CONTRIBUTING.md tells to add, written to files: contributing_sources are compiled into
# the tests of `folders`, contributing_include is where their headers are found as diagrad/... .
set(contributing_page ${PROJECT_SOURCE_DIR}/CONTRIBUTING.md)
set(contributing_include ${PROJECT_BINARY_DIR}/contributing)
set(contributing_script ${CMAKE_CURRENT_LIST_DIR}/code_of.awk)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${contributing_page}
                                                               ${contributing_script})

set(contributing_fresh ${contributing_include}/fresh)
file(REMOVE_RECURSE ${contributing_fresh})
execute_process(COMMAND awk -v to=${contributing_fresh} -f ${contributing_script} ${contributing_page}
                OUTPUT_VARIABLE contributing_files COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]+" contributing_files "${contributing_files}")
set(contributing_sources "")
foreach(file IN LISTS contributing_files)
  set(target ${contributing_include}/diagrad/${file})
  cmake_path(GET target PARENT_PATH folder)
  file(MAKE_DIRECTORY ${folder})
  # Where nothing has changed, nothing is built again.
  file(COPY_FILE ${contributing_fresh}/${file} ${target} ONLY_IF_DIFFERENT)
  if(NOT file MATCHES "\\.cpp$" OR file MATCHES "^fragments/")
    continue()
  endif()
  # Tests need what is in their folder, and go with it.
  if(file MATCHES "^tests/([a-z]+)/" AND NOT CMAKE_MATCH_1 IN_LIST folders)
    continue()
  endif()
  list(APPEND contributing_sources ${target})
endforeach()
file(REMOVE_RECURSE ${contributing_fresh})
