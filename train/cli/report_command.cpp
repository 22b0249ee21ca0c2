#include <fmt/format.h>

#include <filesystem>

#include "diagrad/core/error.h"
#include "diagrad/core/text.h"
#include "diagrad/train/cli/command.h"
#include "diagrad/train/cli/console.h"
#include "diagrad/train/cli/exit_code.h"
#include "diagrad/train/report/run_page.h"
#include "diagrad/train/report/runs_page.h"

namespace diagrad::cli {
namespace {

class ReportCommand : public Command {
 public:
  void declare(Arguments& arguments) override {
    arguments.positional({"FOLDER", "", "", "a run folder, or the folder of several runs"},
                         folder_);
  }

  int run() override {
    DG_CHECK(
        !folder_.empty(),
        "report: name a run folder or the folder of several runs (see `diagrad report --help`)");
    std::error_code ignored;
    const std::filesystem::path folder(folder_);
    const bool several = std::filesystem::exists(folder / "runs.json", ignored);
    DG_CHECK(several || std::filesystem::exists(folder / "config.toml", ignored),
             "report: {} holds no run: there is no config.toml and no runs.json in it", folder_);
    several ? train::write_runs_page(folder_) : train::write_run_page(folder_);
    Console(false, false).line(printable((folder / "report.html").string()));
    return kDone;
  }

 private:
  std::string folder_;
};

[[maybe_unused]] const bool registered =
    register_command({.name = "report",
                      .help = "make report.html of a run folder again, from its other files",
                      .position = 30,
                      .make = [] { return std::make_unique<ReportCommand>(); }});

}  // namespace
}  // namespace diagrad::cli
