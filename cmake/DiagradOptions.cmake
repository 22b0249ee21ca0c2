option(DIAGRAD_BUILD_TESTS "Build the tests and the examples" ${PROJECT_IS_TOP_LEVEL})
set(DIAGRAD_TEST_FOLDERS "" CACHE STRING
    "Folders of tests/ to compile; fast, threads: those of ctest -L; empty: all, and the examples")
option(DIAGRAD_BUILD_BENCH "Build the micro-benchmarks (needs google-benchmark)" OFF)
option(DIAGRAD_PCH "Precompiled headers; OFF shows a file that leans on another's includes" ON)
set(DIAGRAD_ARCH "native" CACHE STRING "Instruction set, a value of -march (packages: x86-64-v3)")
set(DIAGRAD_SANITIZE "" CACHE STRING "Sanitizers: address,undefined or thread")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_FLAGS_RELEASE "-O3")
set(CMAKE_CXX_FLAGS_DEBUG "-Og -g")
if(DIAGRAD_SANITIZE)
  # Optimised enough to run whole suites, with the lines that reports name.
  set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
endif()

# Compilers tuned for early AVX-512 machines take half its registers; our own kernels take all, so
# there is nothing to save.
include(CheckCXXCompilerFlag)
check_cxx_compiler_flag(-mprefer-vector-width=512 DIAGRAD_HAS_VECTOR_WIDTH)

# The compilers of CI, g++ 12 and clang 14; another one may warn of what nobody has seen yet.
set(diagrad_known_compiler OFF)
if("${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}" MATCHES "^(GNU 12|Clang 14)\\.")
  set(diagrad_known_compiler ON)
endif()
option(DIAGRAD_WERROR "Warnings are errors" ${diagrad_known_compiler})

# Usage requirements of every target of the project, not of its users.
add_library(diagrad_flags INTERFACE)
target_compile_options(diagrad_flags INTERFACE
  -march=${DIAGRAD_ARCH} -fno-math-errno
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast
  $<$<BOOL:${DIAGRAD_WERROR}>:-Werror>
  # g++ 12 sees overflows inside fmt's buffers and overlaps inside std::string that are not there.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow -Wno-restrict>)
if(DIAGRAD_SANITIZE)
  target_compile_options(diagrad_flags INTERFACE
    -fsanitize=${DIAGRAD_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
    # Instrumented, the standard library's own code looks uninitialised to g++ 12.
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(diagrad_flags INTERFACE -fsanitize=${DIAGRAD_SANITIZE})
endif()
