include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# One OBJECT library per folder: a static library would drop files that only register something.
# Sources are globbed so that adding an operation or a variant adds files and edits none.
function(diagrad_add_folder folder)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cpp)
  list(REMOVE_ITEM sources ${PROJECT_SOURCE_DIR}/train/cli/program.cpp)
  if(NOT sources)
    return()
  endif()
  add_library(diagrad_${folder} OBJECT ${sources})
  target_include_directories(diagrad_${folder} PRIVATE ${PROJECT_BINARY_DIR}/include)
  target_link_libraries(diagrad_${folder} PRIVATE diagrad_flags fmt::fmt OpenMP::OpenMP_CXX
    nlohmann_json::nlohmann_json CLI11::CLI11 ZLIB::ZLIB Threads::Threads
    diagrad_stb diagrad_tomlplusplus diagrad_xxhash)
  if(DIAGRAD_HAS_VECTOR_WIDTH)
    target_compile_options(diagrad_${folder} PRIVATE -mprefer-vector-width=512)
  endif()
  # Text, files and the command line need no speed of their own, and compile a fifth faster so.
  set(sanitized OFF)
  if(DIAGRAD_SANITIZE)
    set(sanitized ON)
  endif()
  if(folder STREQUAL "train" AND DIAGRAD_SANITIZE)
    target_compile_options(diagrad_train PRIVATE -O0)
  elseif(folder STREQUAL "train")
    target_compile_options(diagrad_train PRIVATE $<$<CONFIG:Release>:-O1>)
  endif()
  if(folder STREQUAL "train")
    target_link_libraries(diagrad_train PRIVATE Eigen3::Eigen)
    set_source_files_properties(${PROJECT_SOURCE_DIR}/train/quality/frechet.cpp PROPERTIES
      SKIP_PRECOMPILE_HEADERS ON  # g++ 12 finds uninitialised values in its own AVX-512 header
      COMPILE_OPTIONS "$<IF:$<BOOL:${sanitized}>,-O1,$<$<CONFIG:Release>:-O2>>;\
$<$<CXX_COMPILER_ID:GNU>:-Wno-uninitialized;-Wno-maybe-uninitialized>")
  endif()
  if(folder STREQUAL "core")
    set_source_files_properties(${PROJECT_SOURCE_DIR}/core/toml.cpp PROPERTIES
      SKIP_PRECOMPILE_HEADERS ON
      COMPILE_OPTIONS "$<IF:$<BOOL:${sanitized}>,-O0,$<$<CONFIG:Release>:-O1>>")
  endif()
  # One for all folders whose flags are the same.
  if(DIAGRAD_PCH)
    if(folder STREQUAL "core" OR folder STREQUAL "train")
      target_precompile_headers(diagrad_${folder} PRIVATE <algorithm> <array> <cmath> <cstdint>
        <functional> <memory> <string> <string_view> <utility> <vector> <fmt/format.h>)
    else()
      target_precompile_headers(diagrad_${folder} REUSE_FROM diagrad_core)
    endif()
  endif()
  set_property(GLOBAL APPEND PROPERTY DIAGRAD_OBJECTS diagrad_${folder})
endfunction()

function(diagrad_add_shared_library)
  get_property(objects GLOBAL PROPERTY DIAGRAD_OBJECTS)
  add_library(diagrad SHARED)
  add_library(diagrad::diagrad ALIAS diagrad)
  foreach(object IN LISTS objects)
    target_sources(diagrad PRIVATE $<TARGET_OBJECTS:${object}>)
  endforeach()
  target_compile_features(diagrad PUBLIC cxx_std_20)
  target_include_directories(diagrad PUBLIC $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>
                                            $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(diagrad PUBLIC fmt::fmt
    PRIVATE $<BUILD_INTERFACE:diagrad_flags> OpenMP::OpenMP_CXX ZLIB::ZLIB Threads::Threads
            ${DIAGRAD_XXHASH_LIBRARY})
  set_target_properties(diagrad PROPERTIES LINKER_LANGUAGE CXX VERSION ${PROJECT_VERSION}
                        SOVERSION ${PROJECT_VERSION_MAJOR})

  # The build's own description, for `diagrad info` and env.json.
  set_source_files_properties(${PROJECT_SOURCE_DIR}/core/build_info.cpp PROPERTIES
    COMPILE_DEFINITIONS "DIAGRAD_VERSION=\"${PROJECT_VERSION}\";\
DIAGRAD_BUILD_TYPE=\"${CMAKE_BUILD_TYPE}\";DIAGRAD_ARCH=\"${DIAGRAD_ARCH}\";\
DIAGRAD_SANITIZE=\"${DIAGRAD_SANITIZE}\"")
  set_source_files_properties(${PROJECT_SOURCE_DIR}/train/run/environment.cpp PROPERTIES
    COMPILE_DEFINITIONS "DIAGRAD_STB_VERSION=\"${DIAGRAD_STB_VERSION}\"")
endfunction()

# Every build writes which commit it is of; what did not change is not compiled again.
function(diagrad_add_commit target)
  set(file ${PROJECT_BINARY_DIR}/generated/commit.cpp)
  add_custom_target(diagrad_commit BYPRODUCTS ${file} VERBATIM COMMENT ""
    COMMAND ${CMAKE_COMMAND} -DSOURCE_DIR=${PROJECT_SOURCE_DIR} -DFILE=${file}
            -P ${PROJECT_SOURCE_DIR}/cmake/WriteCommit.cmake)
  target_sources(${target} PRIVATE ${file})
  add_dependencies(${target} diagrad_commit)
endfunction()

# The check of the processor must itself run on any (core/cpu_check.h).
function(diagrad_set_up_cpu_check)
  set(file ${PROJECT_SOURCE_DIR}/core/cpu_check.cpp)
  set_source_files_properties(${file} PROPERTIES SKIP_PRECOMPILE_HEADERS ON
                              COMPILE_DEFINITIONS "DIAGRAD_ARCH=\"${DIAGRAD_ARCH}\"")
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS "-march=x86-64;-mtune=generic")
  endif()
endfunction()

function(diagrad_add_program)
  if(NOT EXISTS ${PROJECT_SOURCE_DIR}/train/cli/program.cpp)
    return()
  endif()
  add_executable(diagrad_program ${PROJECT_SOURCE_DIR}/train/cli/program.cpp)
  target_link_libraries(diagrad_program PRIVATE diagrad diagrad_flags)
  set_target_properties(diagrad_program PROPERTIES OUTPUT_NAME diagrad
                        INSTALL_RPATH $ORIGIN/../${CMAKE_INSTALL_LIBDIR})
  install(TARGETS diagrad_program RUNTIME)
endfunction()

function(diagrad_add_install_rules)
  install(TARGETS diagrad EXPORT diagradTargets LIBRARY)
  foreach(folder IN LISTS DIAGRAD_FOLDERS)
    install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder}
            DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/diagrad FILES_MATCHING PATTERN "*.h")
  endforeach()
  if(EXISTS ${PROJECT_SOURCE_DIR}/recipes)
    install(DIRECTORY ${PROJECT_SOURCE_DIR}/recipes DESTINATION ${CMAKE_INSTALL_DATADIR}/diagrad)
  endif()
  install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
  install(EXPORT diagradTargets NAMESPACE diagrad::
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/diagrad)
  configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/diagradConfig.cmake.in
    ${PROJECT_BINARY_DIR}/diagradConfig.cmake
    INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/diagrad)
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/diagradConfigVersion.cmake
                                   COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/diagradConfig.cmake
                ${PROJECT_BINARY_DIR}/diagradConfigVersion.cmake
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/diagrad)
endfunction()
