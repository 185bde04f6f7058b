// story: plays a story against halles and prints each step.
#include "services/hallesctl/story_command.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "services/hallesctl/json.h"
#include "services/hallesctl/story/stories.h"
#include "services/hallesctl/table.h"

namespace halles::hallesctl {
namespace {

constexpr int kChangeIndent = 24;

void WriteStep(const Step& step, JsonWriter* json) {
  json->BeginObject().Field("says", step.says);
  if (!step.call.empty()) json->Field("call", step.call).Field("answer", step.answer);
  if (step.asserts) json->Field("got", step.got).Field("want", step.want);
  json->Key("changed").BeginArray();
  for (const Change& change : step.changed) {
    json->BeginObject().Field("what", change.what).Field("before", change.before).Field("after", change.after);
    json->EndObject();
  }
  json->EndArray().Field("holds", step.holds).EndObject();
}

std::string StepText(const Step& step, int width) {
  const char* const mark = step.holds ? "" : "  FAILS";
  std::string text;
  if (!step.call.empty()) {
    text = absl::StrFormat("%-*s%s%s%s\n", kChangeIndent, step.call, step.says,
                           step.answer == "OK" ? "" : absl::StrCat(": ", step.answer), mark);
  } else if (step.asserts) {
    text = absl::StrFormat("%-*s%s: %s%s%s\n", kChangeIndent, "  holds", step.says, step.got,
                           step.holds ? "" : absl::StrCat(" instead of ", step.want), mark);
  } else {
    text = absl::StrFormat("%-*s%s%s\n", kChangeIndent, "", step.says, mark);
  }
  text = absl::StrCat(Cut(text.substr(0, text.size() - 1), width), "\n");
  for (const Change& change : step.changed) {
    const std::string line = absl::StrFormat("%-*s%s %s -> %s", kChangeIndent + 2, "", change.what,
                                             Thousands(change.before), Thousands(change.after));
    absl::StrAppend(&text, Cut(line, width), "\n");
  }
  return text;
}

int List(const Session& session) {
  if (session.json) {
    JsonWriter json;
    json.BeginObject().Key("stories").BeginArray();
    for (const Story& story : Stories()) {
      json.BeginObject().Field("story", story.name).Field("about", story.about).EndObject();
    }
    json.EndArray().EndObject();
    session.out << json.text() << "\n";
    return kExitOk;
  }
  Table table({{"story"}, {"about", false, true}});
  for (const Story& story : Stories()) table.Add({story.name, story.about});
  session.out << table.Render(session.out_width);
  return kExitOk;
}

}  // namespace

void StoryCommand::Register(Options& options) {
  Settings& settings = options.Command("story", "Plays a story step by step; it writes to the log");
  settings.Argument("NAME", "Story, or list", &name);
  settings.Text("seed", "Part of every name and id of the run; empty to derive it from the clock", &seed,
                [](const std::string& text) {
                  for (const char c : text) {
                    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)))
                      return std::string("valid are letters and digits");
                  }
                  return std::string(text.size() <= 16 ? "" : "valid are up to 16 letters and digits");
                });
  settings.Number("clients", "For T09-last-unit: number of buyers", &clients, 10, 100'000);
}

absl::StatusOr<int> StoryCommand::Run(const Session& session) const {
  if (name == "list") return List(session);
  const Story* story = nullptr;
  std::vector<std::string> names;
  for (const Story& each : Stories()) {
    if (name == each.name) story = &each;
    names.push_back(each.name);
  }
  if (story == nullptr) {
    return UsageError(absl::StrCat("there is no story ", name, ": valid are list, ", absl::StrJoin(names, ", ")));
  }
  const std::string own = seed.empty() ? absl::StrFormat("%x", absl::ToUnixMillis(absl::Now())) : seed;
  JsonWriter json;
  json.BeginObject().Field("story", story->name).Field("seed", own).Key("steps").BeginArray();
  if (!session.json) session.out << story->name << ": " << story->about << " (--seed " << own << ")\n\n";
  Script script(session.client, story->name, own, [&](const Step& step) {
    if (session.json) {
      WriteStep(step, &json);
    } else {
      session.out << StepText(step, session.out_width) << std::flush;
    }
  });
  story->tell(script, {.clients = clients});
  if (session.json) {
    json.EndArray().Field("passed", !script.failed());
    if (script.failed()) json.Field("failed", script.failure());
    session.out << json.EndObject().text() << "\n";
  } else if (!script.failed()) {
    session.out << "\nEverything holds.\n";
  }
  if (script.failed()) session.err << "hallesctl: " << story->name << " fails: " << script.failure() << "\n";
  return script.failed() ? kExitFailed : kExitOk;
}

}  // namespace halles::hallesctl
