// Reverses the answers that an owner wants to be decided again.
#ifndef HALLES_TESTS_SIMULATION_ANSWERS_REVERSED_H_
#define HALLES_TESTS_SIMULATION_ANSWERS_REVERSED_H_

namespace halles::simulation {

// While an object of this class exists, the answers that eventlog::Owner wants to be decided again come in reverse
// order. The linker inserts this between a slot and its owner, which is a value without an interface (--wrap in
// tests/CMakeLists.txt).
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
