// Reverses answers that an owner lets be decided again.
#ifndef HALLES_TESTS_SIMULATION_ANSWERS_REVERSED_H_
#define HALLES_TESTS_SIMULATION_ANSWERS_REVERSED_H_

namespace halles::simulation {

// While one exists, answers that eventlog::Owner asks to be decided again come in the reverse order. The linker puts this
// between a slot and its owner, which is a value without an interface (--wrap in tests/CMakeLists.txt).
// Thread safety: none; at most one at a time.
class AnswersReversed {
 public:
  AnswersReversed();
  ~AnswersReversed();
  AnswersReversed(const AnswersReversed&) = delete;
  AnswersReversed& operator=(const AnswersReversed&) = delete;
};

}  // namespace halles::simulation

#endif  // HALLES_TESTS_SIMULATION_ANSWERS_REVERSED_H_
