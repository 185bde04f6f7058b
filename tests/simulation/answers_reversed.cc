// Replaces Owner::OnReport in this binary, through the linker. A method is called like a function whose first argument
// is the object (Itanium C++ ABI).
#include "tests/simulation/answers_reversed.h"

#include <algorithm>
#include <vector>

#include "libs/base/check.h"
#include "libs/eventlog/owner.h"

namespace halles::simulation {
namespace {

using eventlog::Effect;

bool reversed = false;

}  // namespace

void OwnersOnReport(eventlog::Owner* owner, const eventlog::AppendReport& report, eventlog::Effects* effects) asm(
    "__real__ZN6halles8eventlog5Owner8OnReportERKNS0_12AppendReportEPSt6vectorINS0_6EffectESaIS6_EE");
void OnReport(eventlog::Owner* owner, const eventlog::AppendReport& report, eventlog::Effects* effects) asm(
    "__wrap__ZN6halles8eventlog5Owner8OnReportERKNS0_12AppendReportEPSt6vectorINS0_6EffectESaIS6_EE");

void OnReport(eventlog::Owner* owner, const eventlog::AppendReport& report, eventlog::Effects* effects) {
  const size_t before = effects->size();
  OwnersOnReport(owner, report, effects);
  if (!reversed) return;
  std::vector<size_t> places;
  for (size_t i = before; i < effects->size(); ++i) {
    if ((*effects)[i].kind == Effect::Kind::kAnswerAgain) places.push_back(i);
  }
  for (size_t i = 0; i + 1 < places.size() - i; ++i) {
    std::swap((*effects)[places[i]], (*effects)[places[places.size() - 1 - i]]);
  }
}

AnswersReversed::AnswersReversed() {
  HALLES_CHECK(!reversed, "answers are reversed already");
  reversed = true;
}
AnswersReversed::~AnswersReversed() { reversed = false; }

}  // namespace halles::simulation
