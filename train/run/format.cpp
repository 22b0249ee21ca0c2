#include "diagrad/train/run/format.h"

#include "diagrad/core/error.h"

namespace diagrad::train {

void check_format(const std::string& format) {
  if (format == std::to_string(kFormat)) return;
  if (format == "1") {
    fail(
        ErrorKind::checkpoint,
        "has the old format 1, this diagrad reads {}; use the version that wrote it or train again",
        kFormat);
  }
  fail(ErrorKind::checkpoint, "has format {}, this diagrad reads {}", format, kFormat);
}

}  // namespace diagrad::train
