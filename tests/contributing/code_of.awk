# Writes the code of CONTRIBUTING.md to files and prints their names: each indented block behind a
# paragraph that begins with a file's name, such as `ops/cube.h`. A block behind a list item that begins
# so is a piece of a file that is there, and goes to fragments/ops/cube.h.
#     awk -v to=FOLDER -f code_of.awk CONTRIBUTING.md
/^[^ ]/ {
    if (begun || /^#/) path = ""
    if (new_paragraph && match($0, /^`[a-z_\/]+\.(h|cpp)`/)) {
        path = to "/" substr($0, 2, RLENGTH - 2)
        begun = 0
    }
}
/^- / {
    path = ""
    if (match($0, /^- `[a-z_\/]+\.(h|cpp)`/)) {
        path = to "/fragments/" substr($0, 4, RLENGTH - 4)
        begun = 0
    }
}
{ new_paragraph = /^$/ }
path && /^    / {
    if (!begun) {
        folder = path
        sub(/\/[^\/]*$/, "", folder)
        system("mkdir -p '" folder "'")
        print substr(path, length(to) + 2)
    }
    begun = 1
    while (blank > 0) { print "" > path; --blank }
    print substr($0, 5) > path
    next
}
path && begun && /^$/ { ++blank; next }
{ blank = 0 }
