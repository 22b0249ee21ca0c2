#include "diagrad/train/cli/main.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "diagrad/core/build_info.h"
#include "diagrad/core/spelling.h"
#include "diagrad/core/standard_streams.h"
#include "diagrad/core/text.h"
#include "diagrad/train/cli/command.h"
#include "diagrad/train/cli/exit_code.h"
#include "diagrad/train/cli/help.h"
#include "diagrad/train/cli/list_request.h"
#include "diagrad/train/run/options.h"

namespace diagrad::cli {
namespace {

/// One command of the program: how CLI11 knows it and what it does.
struct Entry {
  CLI::App* app;
  std::unique_ptr<Command> command;
};

void set_up(CLI::App& app) {
  const auto format = [](const CLI::App* shown, const std::string&, CLI::AppFormatMode) {
    return help_text(*shown);
  };
  app.formatter_fn(format);
  app.set_help_flag("-h,--help", "print this text and leave")->group("Help");
  app.allow_extras();
}

/// How to read more on the command that was chosen, or on the program.
std::string help_of(const CLI::App& app) {
  if (app.get_parent() != nullptr) return fmt::format("diagrad {} --help", app.get_name());
  for (const CLI::App* command : app.get_subcommands()) return help_of(*command);
  return "diagrad --help";
}

/// Throws for a word that nothing took: a command that does not exist or an option.
void refuse_extras(const CLI::App& app) {
  std::vector<std::string> extras = app.remaining();
  const auto mark = std::find(extras.begin(), extras.end(), "--");
  if (mark != extras.end()) extras.erase(mark);
  if (extras.empty()) return;
  const std::string& word = extras.front();
  const std::string help = help_of(app);
  std::vector<std::string> known;
  if (word.rfind('-', 0) == 0) {
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    }
    const std::string name = word.substr(0, word.find('='));
    const std::string owner =
        train::owner_of_option(name.substr(std::min(name.find_first_not_of('-'), name.size())));
    DG_CHECK(owner.empty(), "option {} {} (see `{}`)", name, owner, help);
    fail(ErrorKind::usage, "option {} is unknown{} (see `{}`)", name, did_you_mean(name, known),
         help);
  }
  if (app.get_parent() != nullptr) {
    fail(ErrorKind::usage, "'{}' is one word too many (see `{}`)", word, help);
  }
  for (const CommandInfo& info : commands()) known.push_back(info.name);
  fail(ErrorKind::usage, "command '{}' is unknown{} (see `{}`)", word, did_you_mean(word, known),
       help);
}

/// The words of the command line, last first, as CLI11 takes them. For `--name=` it would take the
/// next word as the value.
std::vector<std::string> words_of(int argc, char** argv, const std::vector<Entry>& entries) {
  const auto takes_value = [&](const std::string& name) {
    return std::any_of(entries.begin(), entries.end(), [&](const Entry& entry) {
      const CLI::Option* option = entry.app->get_option_no_throw(name);
      return option != nullptr && option->get_items_expected_min() > 0;
    });
  };
  std::vector<std::string> words;
  bool has_options = true;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    has_options = has_options && word != "--";
    const bool is_empty = has_options && word.rfind("--", 0) == 0 && word.back() == '=' &&
                          takes_value(word.substr(0, word.size() - 1));
    if (is_empty) word.pop_back();
    words.push_back(std::move(word));
    if (is_empty) words.emplace_back();
  }
  std::reverse(words.begin(), words.end());
  return words;
}

/// Reads the command line and calls the command.
int run(int argc, char** argv) {
  CLI::App app("Deep learning from scratch, with attention that is shared across layers.",
               "diagrad");
  set_up(app);
  app.require_subcommand(0, 1);
  bool version = false;
  app.add_flag("--version", version, "print the version and leave")->group("Help");
  app.footer("diagrad COMMAND --help shows what a command takes.");
  std::vector<Entry> entries;
  for (const CommandInfo& info : commands()) {
    CLI::App* sub = app.add_subcommand(info.name, info.help);
    set_up(*sub);
    sub->footer("");
    entries.push_back({sub, info.make()});
    Arguments arguments(*sub);
    entries.back().command->declare(arguments);
  }
  try {
    app.parse(words_of(argc, argv, entries));
  } catch (const CLI::CallForHelp&) {
    write_stream(stdout, app.help());
    return kDone;
  } catch (const CLI::ArgumentMismatch& error) {
    // CLI11's words begin with the option's name.
    const std::string words = error.what();
    fail(ErrorKind::usage, "{}: its value is missing (see `{}`)", words.substr(0, words.find(':')),
         help_of(app));
  } catch (const CLI::ParseError& error) {
    fail(ErrorKind::usage, "{} (see `{}`)", error.what(), help_of(app));
  }
  if (version) {
    write_stream(stdout, fmt::format("diagrad {}\n", build_info().version));
    return kDone;
  }
  const auto chosen = std::find_if(entries.begin(), entries.end(),
                                   [](const Entry& entry) { return entry.app->parsed(); });
  if (chosen != entries.end()) refuse_extras(*chosen->app);
  refuse_extras(app);
  if (chosen == entries.end()) {
    write_stream(stdout, app.help());
    return kDone;
  }
  try {
    return chosen->command->run();
  } catch (const ListRequest& request) {
    const auto list = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) {
      return entry.app->get_name() == request.command;
    });
    return list->command->run();
  }
}

/// Results that could not be written are no results. A reader that left early (`| head`) ends the
/// program as it ends others, also where SIGPIPE is ignored.
int finish_output(int code) {
  const int reason = take_output_failure();
  if (reason == 0) return code;
  if (reason == EPIPE) return kSignal + SIGPIPE;
  fail(ErrorKind::internal, "cannot write to standard output: {}", std::strerror(reason));
}

int report(std::string_view message, int code) {
  // A reader of standard output that has left must not keep the error from being told.
  std::signal(SIGPIPE, SIG_IGN);
  flush_stream(stdout);
  write_stream(stderr, fmt::format("diagrad: error: {}\n", printable(message)));
  return code;
}

}  // namespace

ExitCode exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
      return kUsage;
    case ErrorKind::data:
      return kData;
    case ErrorKind::diverged:
      return kDiverged;
    case ErrorKind::checkpoint:
      return kCheckpoint;
    case ErrorKind::device:
      return kDevice;
    case ErrorKind::internal:
      break;
  }
  return kUnexpected;
}

int main(int argc, char** argv) {
  // First of all, as any file that is opened takes the place of a stream that is closed.
  open_standard_descriptors();
  // Beyond a limit on file sizes a write fails, as on a full disk, and ends in an error of one
  // line.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return finish_output(run(argc, argv));
  } catch (const Error& error) {
    return report(error.what(), exit_code(error.kind()));
  } catch (const std::bad_alloc&) {
    return report("out of memory; try a smaller --batch or model", kUnexpected);
  } catch (const std::exception& error) {
    return report(error.what(), kUnexpected);
  } catch (...) {
    return report("something of no known type was thrown; this is a bug in diagrad", kUnexpected);
  }
}

}  // namespace diagrad::cli
