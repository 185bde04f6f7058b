// Tests of flags, environment and file, and of their precedence.
#include "libs/program/options.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace halles {
namespace {

using ::testing::HasSubstr;

// A program with settings and, with `commands`, the commands `import SOURCE [PATH]` and `status`.
class Program : public ::testing::Test {
 protected:
  ~Program() override {
    for (const char* name : {"HALLES_DATA_DIR", "HALLES_SLOTS", "HALLES_CONFIG", "HALLES_COLOUR"}) unsetenv(name);
  }

  std::optional<int> Run(std::vector<const char*> arguments, bool commands = false) {
    Options options("halles", "Unified commerce on one log.");
    options.Text("data-dir", "Where the log is.", &data_dir_);
    options.Number("slots", "Slots of a service.", &slots_, 1, 64);
    options.Switch("colour", "In colour.", &colour_);
    options.Choice("output", "How answers are written.", &output_, {"text", "json"});
    if (commands) {
      Settings& import = options.Command("import", "Imports a journal.");
      import.Argument("SOURCE", "Kind of journal.", &source_);
      import.Argument("PATH", "Where it is.", &path_, /*required=*/false);
      import.Number("in-flight", "Commands at a time.", &in_flight_, 1, 1024);
      options.Command("status", "Tells the slots.");
    }
    arguments.insert(arguments.begin(), "halles");
    out_.str("");
    err_.str("");
    const auto exit = options.Parse(static_cast<int>(arguments.size()), arguments.data(), out_, err_);
    command_ = options.command();
    return exit;
  }

  std::string File(const std::string& text) {
    const std::string path =
        ::testing::TempDir() + "/" + ::testing::UnitTest::GetInstance()->current_test_info()->name() + ".toml";
    std::ofstream(path) << text;
    return path;
  }

  std::string data_dir_ = "./data", output_ = "text", source_, path_, command_;
  int64_t slots_ = 64, in_flight_ = 256;
  bool colour_ = false;
  std::ostringstream out_, err_;
};

TEST_F(Program, UsesDefaults) {
  EXPECT_EQ(Run({}), std::nullopt);
  EXPECT_EQ(data_dir_, "./data");
  EXPECT_EQ(slots_, 64);
}

TEST_F(Program, AcceptsFlagsInBothForms) {
  EXPECT_EQ(Run({"--data-dir", "/x", "--slots=8", "--colour", "--output=json"}), std::nullopt);
  EXPECT_EQ(data_dir_, "/x");
  EXPECT_EQ(slots_, 8);
  EXPECT_TRUE(colour_);
  EXPECT_EQ(output_, "json");
  EXPECT_EQ(Run({"--colour=false"}), std::nullopt);
  EXPECT_FALSE(colour_);
}

TEST_F(Program, PrefersFlagThenEnvironmentThenFile) {
  const std::string file = File("data-dir = \"/file\"\nslots = 7\ncolour = true\n");
  EXPECT_EQ(Run({"--config", file.c_str()}), std::nullopt);
  EXPECT_EQ(data_dir_, "/file");
  EXPECT_EQ(slots_, 7);
  EXPECT_TRUE(colour_);
  setenv("HALLES_DATA_DIR", "/environment", 1);
  setenv("HALLES_CONFIG", file.c_str(), 1);
  EXPECT_EQ(Run({}), std::nullopt);
  EXPECT_EQ(data_dir_, "/environment");
  EXPECT_EQ(slots_, 7);
  EXPECT_EQ(Run({"--data-dir=/flag"}), std::nullopt);
  EXPECT_EQ(data_dir_, "/flag");
}

TEST_F(Program, PrintsItsSettingsAsAReadableFile) {
  EXPECT_EQ(Run({"--data-dir=/some where", "--slots=5", "--print-config"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("data-dir = \"/some where\"\n"));
  const std::string file = File(out_.str());
  slots_ = 1;
  data_dir_.clear();
  EXPECT_EQ(Run({"--config", file.c_str()}), std::nullopt) << err_.str();
  EXPECT_EQ(data_dir_, "/some where");
  EXPECT_EQ(slots_, 5);
}

TEST_F(Program, PrintsItsVersionAndHelp) {
  EXPECT_EQ(Run({"--version"}), 0);
  EXPECT_EQ(out_.str(), "halles " + std::string(Version()) + "\n");
  EXPECT_EQ(Run({"--help"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("HALLES_DATA_DIR"));
}

TEST_F(Program, NamesTheNearestFlag) {
  EXPECT_EQ(Run({"--data-dri=/x"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("there is no flag --data-dri; the nearest is --data-dir"));
}

TEST_F(Program, NamesValidValuesAndTheSourceOfAWrongOne) {
  EXPECT_EQ(Run({"--slots=0"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("--slots cannot be \"0\": valid are whole numbers from 1 to 64"));
  EXPECT_EQ(Run({"--slots=x"}), 2);
  EXPECT_EQ(Run({"--output=xml"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("--output cannot be \"xml\": valid are text, json"));
  setenv("HALLES_SLOTS", "65", 1);
  EXPECT_EQ(Run({}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("HALLES_SLOTS cannot be \"65\""));
  unsetenv("HALLES_SLOTS");
  EXPECT_EQ(Run({"--config", File("slots = 66\n").c_str()}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("slots in "));
  setenv("HALLES_COLOUR", "yes", 1);
  EXPECT_EQ(Run({}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("valid are true and false"));
}

TEST_F(Program, RefusesAMissingFileAndUnknownKeys) {
  EXPECT_EQ(Run({"--config", "/no/such/file"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("/no/such/file"));
  EXPECT_EQ(Run({"--config", File("slot = 3\n").c_str()}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("there is no setting slot"));
  EXPECT_THAT(err_.str(), HasSubstr("the nearest is slots"));
}

TEST_F(Program, RefusesSurplusAndMissingArguments) {
  EXPECT_EQ(Run({"extra"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("\"extra\""));
  EXPECT_EQ(Run({"--data-dir"}), 2);
  EXPECT_EQ(Run({"--slots=1", "--slots=2"}), 2);
}

TEST_F(Program, RunsACommandWithItsArguments) {
  EXPECT_EQ(Run({"import", "uci", "/p", "--in-flight=7", "--slots=3"}, true), std::nullopt) << err_.str();
  EXPECT_EQ(command_, "import");
  EXPECT_EQ(source_, "uci");
  EXPECT_EQ(path_, "/p");
  EXPECT_EQ(in_flight_, 7);
  EXPECT_EQ(slots_, 3);
  path_.clear();
  EXPECT_EQ(Run({"--slots=4", "import", "uci"}, true), std::nullopt) << err_.str();
  EXPECT_EQ(path_, "");
  EXPECT_EQ(Run({"status"}, true), std::nullopt) << err_.str();
  EXPECT_EQ(command_, "status");
  EXPECT_EQ(Run({"import", "status", "--slots=5"}, true), std::nullopt) << err_.str();
  EXPECT_EQ(command_, "import");
  EXPECT_EQ(source_, "status");
}

TEST_F(Program, RefusesInvalidCommandLines) {
  EXPECT_EQ(Run({}, true), 2);
  EXPECT_THAT(err_.str(), HasSubstr("a command is missing; valid are import, status"));
  EXPECT_EQ(Run({"imprt", "uci"}, true), 2);
  EXPECT_THAT(err_.str(), HasSubstr("there is no command imprt; the nearest is import"));
  EXPECT_EQ(Run({"import"}, true), 2);
  EXPECT_THAT(err_.str(), HasSubstr("the argument SOURCE is missing"));
  EXPECT_EQ(Run({"import", "a", "b", "c"}, true), 2);
  EXPECT_THAT(err_.str(), HasSubstr("\"c\" is not expected"));
  EXPECT_EQ(Run({"status", "--in-flight=7"}, true), 2);
  EXPECT_THAT(err_.str(), HasSubstr("there is no flag --in-flight"));
  EXPECT_EQ(Run({"import", "uci", "--in-flihgt=7"}, true), 2);
  EXPECT_THAT(err_.str(), HasSubstr("the nearest is --in-flight"));
}

}  // namespace
}  // namespace halles
