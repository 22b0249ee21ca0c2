# From distribution packages only (scripts/deps.sh installs them); nothing is downloaded.
find_package(OpenMP REQUIRED)
find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Threads REQUIRED)

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
