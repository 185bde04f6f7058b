// The operator's settings: from flags, environment and file, in this order of precedence.
#ifndef HALLES_LIBS_PROGRAM_OPTIONS_H_
#define HALLES_LIBS_PROGRAM_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace halles {

// The version of the build, such as "0.1.0".
absl::string_view Version();

// The settings of a program or of one of its commands. Each setting `some-name` is the flag --some-name, the variable
// HALLES_SOME_NAME and the key some-name of the file that --config names (TOML or INI). The variable that a setting
// points at holds the default when it is added and the value after Parse; it must outlive Parse.
class Settings {
 public:
  virtual ~Settings() = default;

  // `check` returns "" for a valid value, otherwise a message that names a valid one.
  using Check = std::function<std::string(const std::string&)>;
  void Text(std::string name, std::string help, std::string* value, Check check = nullptr);
  void Number(std::string name, std::string help, int64_t* value, int64_t min, int64_t max);
  void Switch(std::string name, std::string help, bool* value);
  void Choice(std::string name, std::string help, std::string* value, std::vector<std::string> valid);

  // An argument without a flag. Arguments are filled in the order in which they are added. Only if `required` is false
  // may the value be absent.
  void Argument(std::string name, std::string help, std::string* value, bool required = true);

 protected:
  friend class Options;
  struct Setting {
    std::string name;
    std::string help;
    bool is_switch = false;
    bool is_text = false;
    std::function<std::string(const std::string&)> set;  // returns "" or the error
    std::function<std::string()> get;
  };
  struct Positional {
    std::string name;
    std::string help;
    std::string* value;
    bool required;
  };
  std::vector<Setting> settings_;
  std::vector<Positional> positionals_;
};

// The command line of a program. Besides the added settings it has --help, --version, --config FILE and --print-config.
// Thread safety: one thread.
class Options : public Settings {
 public:
  Options(std::string program, std::string description);
  ~Options() override;

  // A command, as in `hallesctl import SOURCE PATH`. If a program has commands, its command line must contain one.
  Settings& Command(std::string name, std::string description);

  // Reads flags, then environment, then file. Returns an exit code if the program is to end now: 0 after --help,
  // --version and --print-config, whose output goes to `out`; 2 after an error, which is printed to `err` with a valid
  // choice.
  std::optional<int> Parse(int argc, const char* const* argv, std::ostream& out, std::ostream& err);

  // The given command; "" without one.
  const std::string& command() const { return command_; }

 private:
  struct Subcommand {
    std::string name;
    std::string description;
    std::unique_ptr<Settings> settings;
  };
  struct Line;  // the parsed command line

  std::string ReadLine(int argc, const char* const* argv, std::ostream& out, Line* line, std::optional<int>* exit);
  std::string Apply(const Line& line);
  void PrintConfig(std::ostream& out) const;
  std::vector<const Setting*> ActiveSettings() const;

  const std::string program_;
  const std::string description_;
  std::vector<Subcommand> commands_;
  std::string command_;
};

}  // namespace halles

#endif  // HALLES_LIBS_PROGRAM_OPTIONS_H_
