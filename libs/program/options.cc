// Command lines by CLI11. The precedence of flag, environment, file and default is implemented here, because CLI11
// would put files first.
#include "libs/program/options.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace halles {
namespace {

std::string EnvironmentName(absl::string_view setting) {
  return absl::StrCat("HALLES_", absl::AsciiStrToUpper(absl::StrReplaceAll(setting, {{"-", "_"}})));
}

// The edit distance: how many letters to change, add or remove to turn `a` into `b`.
size_t Distance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

std::string Nearest(absl::string_view wrong, const std::vector<std::string>& valid) {
  return *std::min_element(valid.begin(), valid.end(), [wrong](const std::string& a, const std::string& b) {
    return Distance(wrong, a) < Distance(wrong, b);
  });
}

std::string Quoted(absl::string_view value) { return absl::StrCat("\"", value, "\""); }

}  // namespace

absl::string_view Version() { return HALLES_VERSION; }

void Settings::Text(std::string name, std::string help, std::string* value, Check check) {
  Setting setting{.name = std::move(name), .help = std::move(help), .is_text = true};
  setting.set = [value, check = std::move(check)](const std::string& text) {
    std::string wrong = check ? check(text) : std::string();
    if (wrong.empty()) *value = text;
    return wrong;
  };
  setting.get = [value] { return *value; };
  settings_.push_back(std::move(setting));
}

void Settings::Number(std::string name, std::string help, int64_t* value, int64_t min, int64_t max) {
  Setting setting{.name = std::move(name), .help = std::move(help)};
  setting.set = [value, min, max](const std::string& text) {
    int64_t number;
    if (!absl::SimpleAtoi(text, &number) || number < min || number > max) {
      return absl::StrCat("valid are whole numbers from ", min, " to ", max);
    }
    *value = number;
    return std::string();
  };
  setting.get = [value] { return absl::StrCat(*value); };
  settings_.push_back(std::move(setting));
}

void Settings::Switch(std::string name, std::string help, bool* value) {
  Setting setting{.name = std::move(name), .help = std::move(help), .is_switch = true};
  setting.set = [value](const std::string& text) {
    if (text != "true" && text != "false") return std::string("valid are true and false");
    *value = text == "true";
    return std::string();
  };
  setting.get = [value] { return std::string(*value ? "true" : "false"); };
  settings_.push_back(std::move(setting));
}

void Settings::Choice(std::string name, std::string help, std::string* value, std::vector<std::string> valid) {
  help += absl::StrCat(" (", absl::StrJoin(valid, ", "), ")");
  Text(std::move(name), std::move(help), value, [valid = std::move(valid)](const std::string& text) {
    if (std::find(valid.begin(), valid.end(), text) != valid.end()) return std::string();
    return absl::StrCat("valid are ", absl::StrJoin(valid, ", "));
  });
}

void Settings::Argument(std::string name, std::string help, std::string* value, bool required) {
  positionals_.push_back({std::move(name), std::move(help), value, required});
}

struct Options::Line {
  std::map<std::string, std::string> flags;
  std::string config;
  bool print_config = false;
};

Options::Options(std::string program, std::string description)
    : program_(std::move(program)), description_(std::move(description)) {}
Options::~Options() = default;

Settings& Options::Command(std::string name, std::string description) {
  commands_.push_back({std::move(name), std::move(description), std::make_unique<Settings>()});
  return *commands_.back().settings;
}

std::vector<const Settings::Setting*> Options::ActiveSettings() const {
  std::vector<const Setting*> active;
  for (const Setting& setting : settings_) active.push_back(&setting);
  for (const Subcommand& command : commands_) {
    if (command.name != command_) continue;
    for (const Setting& setting : command.settings->settings_) active.push_back(&setting);
  }
  return active;
}

std::optional<int> Options::Parse(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
  Line line;
  std::optional<int> exit;
  std::string wrong = ReadLine(argc, argv, out, &line, &exit);
  if (exit.has_value()) return exit;
  if (wrong.empty()) wrong = Apply(line);
  if (!wrong.empty()) {
    err << program_ << ": " << wrong << "; see " << program_ << (command_.empty() ? "" : " ") << command_
        << " --help\n";
    return 2;
  }
  if (line.print_config) {
    PrintConfig(out);
    return 0;
  }
  return std::nullopt;
}

// Fills `line` and the arguments; returns the error, or "".
std::string Options::ReadLine(int argc, const char* const* argv, std::ostream& out, Line* line,
                              std::optional<int>* exit) {
  CLI::App app(description_, program_);
  app.set_version_flag("--version", absl::StrCat(program_, " ", Version()), "Prints the version");
  app.add_option("--config", line->config, "Configuration file, TOML or INI (HALLES_CONFIG)")->type_name("FILE");
  app.add_flag("--print-config", line->print_config, "Prints the settings as a configuration file");
  std::vector<std::pair<std::string, CLI::Option*>> options;
  std::vector<std::string> flags = {"--help", "--version", "--config", "--print-config"};
  std::vector<std::pair<const Positional*, CLI::Option*>> positionals;
  const auto add = [&](const Settings& settings, CLI::App* to) {
    to->allow_extras();
    for (const Setting& setting : settings.settings_) {
      const std::string flag = absl::StrCat("--", setting.name);
      const std::string help = absl::StrCat(setting.help, " (", EnvironmentName(setting.name), "; default ",
                                            setting.is_text ? Quoted(setting.get()) : setting.get(), ")");
      CLI::Option* const option = setting.is_switch
                                      ? to->add_flag(flag, help)
                                      : to->add_option(flag, help)->type_name(setting.is_text ? "TEXT" : "NUMBER");
      options.emplace_back(setting.name, option);
    }
    for (const Positional& positional : settings.positionals_) {
      positionals.emplace_back(&positional, to->add_option(positional.name, *positional.value, positional.help));
    }
  };
  add(*this, &app);
  // After the command every word is an argument, even if it is the name of a command.
  app.require_subcommand(0, 1);
  std::vector<CLI::App*> subcommands;
  for (const Subcommand& command : commands_) {
    subcommands.push_back(app.add_subcommand(command.name, command.description));
    add(*command.settings, subcommands.back());
    subcommands.back()->fallthrough();
  }
  std::string wrong;
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help and --version
    *exit = app.exit(success, out, out);
    return "";
  } catch (const CLI::ParseError& error) {
    wrong = error.what();
  }
  std::vector<std::string> names;
  for (const Subcommand& command : commands_) names.push_back(command.name);
  for (CLI::App* subcommand : subcommands) {
    if (!subcommand->parsed()) continue;
    command_ = subcommand->get_name();
  }
  if (!wrong.empty()) return wrong;
  for (const Setting* setting : ActiveSettings()) flags.push_back(absl::StrCat("--", setting->name));
  for (const std::string& extra : app.remaining(/*recurse=*/true)) {
    if (absl::StartsWith(extra, "-")) {
      const std::string flag = extra.substr(0, extra.find('='));
      return absl::StrCat("there is no flag ", flag, "; the nearest is ", Nearest(flag, flags));
    }
    if (command_.empty() && !names.empty()) {
      return absl::StrCat("there is no command ", extra, "; the nearest is ", Nearest(extra, names));
    }
    return absl::StrCat("the argument ", Quoted(extra), " is not expected");
  }
  if (command_.empty() && !names.empty() && !line->print_config) {
    return absl::StrCat("a command is missing; valid are ", absl::StrJoin(names, ", "));
  }
  for (const auto& [positional, option] : positionals) {
    const CLI::App* const owner = command_.empty() ? &app : app.get_subcommand(command_);
    const bool active =
        app.get_option_no_throw(positional->name) == option || owner->get_option_no_throw(positional->name) == option;
    if (active && positional->required && option->count() == 0 && !line->print_config) {
      return absl::StrCat("the argument ", positional->name, " is missing: ", positional->help);
    }
  }
  for (const auto& [name, option] : options) {
    if (option->count() > 0) line->flags[name] = option->results().back();
  }
  return "";
}

// Sets every setting from its source of highest precedence; returns the error, or "".
std::string Options::Apply(const Line& line) {
  std::string config = line.config;
  if (const char* value = std::getenv("HALLES_CONFIG"); config.empty() && value != nullptr) config = value;
  std::map<std::string, std::string> from_file;
  if (!config.empty()) {
    std::vector<std::string> keys;
    for (const Setting& setting : settings_) keys.push_back(setting.name);
    for (const Subcommand& command : commands_) {
      for (const Setting& setting : command.settings->settings_) keys.push_back(setting.name);
    }
    std::vector<CLI::ConfigItem> items;
    try {
      items = CLI::ConfigTOML().from_file(config);
    } catch (const CLI::Error& error) {
      return absl::StrCat("cannot read the file ", config, " of --config: ", error.what());
    }
    for (const CLI::ConfigItem& item : items) {
      if (item.name == "++" || item.name == "--") continue;  // the beginning and end of a section
      const std::string key = item.fullname();
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
        return absl::StrCat("there is no setting ", key, ", which ", config, " sets",
                            keys.empty() ? "" : absl::StrCat("; the nearest is ", Nearest(key, keys)));
      }
      if (item.inputs.size() != 1) return absl::StrCat("the setting ", key, " in ", config, " needs one value");
      from_file[key] = item.inputs[0];
    }
  }
  for (const Setting* setting : ActiveSettings()) {
    const std::string variable = EnvironmentName(setting->name);
    std::string source, value;
    if (const auto flag = line.flags.find(setting->name); flag != line.flags.end()) {
      source = absl::StrCat("--", setting->name);
      value = flag->second;
    } else if (const char* environment = std::getenv(variable.c_str()); environment != nullptr) {
      source = variable;
      value = environment;
    } else if (const auto file = from_file.find(setting->name); file != from_file.end()) {
      source = absl::StrCat(setting->name, " in ", config);
      value = file->second;
    } else {
      continue;
    }
    const std::string wrong = setting->set(value);
    if (!wrong.empty()) return absl::StrCat(source, " cannot be ", Quoted(value), ": ", wrong);
  }
  return "";
}

void Options::PrintConfig(std::ostream& out) const {
  for (const Setting* setting : ActiveSettings()) {
    out << "# " << setting->help << "\n"
        << setting->name << " = " << (setting->is_text ? Quoted(setting->get()) : setting->get()) << "\n";
  }
}

}  // namespace halles
