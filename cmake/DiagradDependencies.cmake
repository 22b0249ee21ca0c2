# From distribution packages only (scripts/deps.sh installs them); nothing is downloaded.
find_package(OpenMP REQUIRED)
find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Threads REQUIRED)
find_package(Eigen3 REQUIRED NO_MODULE)  # headers alone; one source of the library includes it

# Headers alone: images become PNG and JPEG files by stb_image_write. An imported target counts as
# the system's, so its warnings are off.
find_path(DIAGRAD_STB_INCLUDE_DIR stb/stb_image_write.h DOC "The folder that holds stb/")
if(NOT DIAGRAD_STB_INCLUDE_DIR)
  message(FATAL_ERROR "stb/stb_image_write.h was not found: install libstb-dev (scripts/deps.sh "
                      "does), or name the folder that holds stb/ with -DDIAGRAD_STB_INCLUDE_DIR=")
endif()
add_library(diagrad_stb INTERFACE IMPORTED)
target_include_directories(diagrad_stb INTERFACE ${DIAGRAD_STB_INCLUDE_DIR})
# Its version stands in its first line alone.
file(STRINGS ${DIAGRAD_STB_INCLUDE_DIR}/stb/stb_image_write.h stb_lines LIMIT_COUNT 1)
string(REGEX MATCH "v([0-9.]+)" unused "${stb_lines}")
set(DIAGRAD_STB_VERSION "${CMAKE_MATCH_1}")

# Config files are read by toml++, its headers alone; checksums are xxHash's. One source includes each.
find_path(DIAGRAD_TOMLPLUSPLUS_INCLUDE_DIR toml++/toml.h DOC "The folder that holds toml++/")
find_path(DIAGRAD_XXHASH_INCLUDE_DIR xxhash.h DOC "The folder that holds xxhash.h")
find_library(DIAGRAD_XXHASH_LIBRARY xxhash DOC "libxxhash")
foreach(variable TOMLPLUSPLUS_INCLUDE_DIR XXHASH_INCLUDE_DIR XXHASH_LIBRARY)
  if(NOT DIAGRAD_${variable})
    message(FATAL_ERROR "toml++ or xxHash was not found: install libtomlplusplus-dev and "
                        "libxxhash-dev (scripts/deps.sh does), or set DIAGRAD_${variable}")
  endif()
endforeach()
add_library(diagrad_tomlplusplus INTERFACE IMPORTED)
target_include_directories(diagrad_tomlplusplus INTERFACE ${DIAGRAD_TOMLPLUSPLUS_INCLUDE_DIR})
add_library(diagrad_xxhash INTERFACE IMPORTED)
target_include_directories(diagrad_xxhash INTERFACE ${DIAGRAD_XXHASH_INCLUDE_DIR})
target_link_libraries(diagrad_xxhash INTERFACE ${DIAGRAD_XXHASH_LIBRARY})
