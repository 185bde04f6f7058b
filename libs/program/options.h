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
// HALLES_SOME_NAME and the key some-name of the file that --config names (TOML or INI). What it points at holds the
// default when it is added and the value after Parse; it must outlive Parse.
class Settings {
 public:
  virtual ~Settings() = default;

  // `check` says what is wrong with a value, in words that name a valid one, or "" when it is good.
  using Check = std::function<std::string(const std::string&)>;
  void Text(std::string name, std::string help, std::string* value, Check check = nullptr);
  void Number(std::string name, std::string help, int64_t* value, int64_t min, int64_t max);
  void Switch(std::string name, std::string help, bool* value);
  void Choice(std::string name, std::string help, std::string* value, std::vector<std::string> valid);

  // An argument without a flag; filled in the order they are added. Without a value only when `required` is false.
  void Argument(std::string name, std::string help, std::string* value, bool required = true);

 protected:
  friend class Options;
  struct Setting {
    std::string name;
    std::string help;
    bool is_switch = false;
    bool is_text = false;
    std::function<std::string(const std::string&)> set;  // "" or what is wrong
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

// The command line of a program. --help, --version, --config FILE and --print-config are there besides what is added.
// Thread safety: one thread.
class Options : public Settings {
 public:
  Options(std::string program, std::string description);
  ~Options() override;

  // A command, as in `hallesctl import SOURCE PATH`. With any added, a command line needs one.
  Settings& Command(std::string name, std::string description);

  // Reads flags, then environment, then file. Returns the exit code when the program is to end now: 0 after --help,
  // --version and --print-config, which go to `out`; 2 for any error, which is printed to `err` with a valid choice.
  std::optional<int> Parse(int argc, const char* const* argv, std::ostream& out, std::ostream& err);

  // The command that was given; "" without one.
  const std::string& command() const { return command_; }

 private:
  struct Subcommand {
    std::string name;
    std::string description;
    std::unique_ptr<Settings> settings;
  };
  struct Line;  // what the command line says

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
