# The recipes become part of the program: a source file with the texts, made at configure time.
function(diagrad_embed_recipes target)
  file(GLOB files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/recipes/*.toml)
  list(SORT files)
  set(entries "")
  foreach(file IN LISTS files)
    # Configure again when a text changes.
    set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    get_filename_component(name ${file} NAME_WE)
    file(READ ${file} text)
    string(APPEND entries "    {\"${name}\", R\"recipe(${text})recipe\"},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/embedded_recipes.cpp @ONLY CONTENT
"#include \"diagrad/train/cli/recipes.h\"

namespace diagrad::cli {

std::span<const Recipe> recipes() {
  static constexpr Recipe kRecipes[] = {
@entries@  };
  return kRecipes;
}

}  // namespace diagrad::cli
")
  target_sources(${target} PRIVATE ${PROJECT_BINARY_DIR}/generated/embedded_recipes.cpp)
endfunction()
