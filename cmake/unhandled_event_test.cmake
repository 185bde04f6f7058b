# Adds a kind of event to the protos that a service visits, and requires that no visitor of them compiles any more:
# -DSOURCES=a.cc|b.cc -DINCLUDES=folder|folder -DPROTO=folder -DGOOGLEAPIS=folder -DPROTOC=file -DPLUGIN=file -DCXX=file
# -DOUT=folder.
string(REPLACE "|" ";" sources "${SOURCES}")
string(REPLACE "|" ";" includes "${INCLUDES}")
list(TRANSFORM includes PREPEND -I)
file(REMOVE_RECURSE "${OUT}")

# Writes the header of a proto with one more kind of event.
function(plant stem)
  file(READ "${PROTO}/${stem}.proto" text)
  set(oneof "  oneof event {\n")
  string(REPLACE "${oneof}" "${oneof}    NobodyHandlesThis nobody_handles_this = 500000;\n" planted "${text}")
  if(planted STREQUAL text)
    message(FATAL_ERROR "${stem}.proto has no 'oneof event'")
  endif()
  file(WRITE "${OUT}/${stem}.proto" "${planted}\nmessage NobodyHandlesThis {}\n")
  execute_process(
    COMMAND "${PROTOC}" "--cpp_out=${OUT}" "--visit_out=${OUT}" "--plugin=protoc-gen-visit=${PLUGIN}"
            "-I${OUT}" "-I${PROTO}" "-I${GOOGLEAPIS}" "${stem}.proto"
    COMMAND_ERROR_IS_FATAL ANY)
endfunction()

set(visits 0)
foreach(source IN LISTS sources)
  file(STRINGS "${source}" lines REGEX "^#include \"halles/.*\\.visit\\.h\"")
  foreach(line IN LISTS lines)
    string(REGEX REPLACE ".*\"(.*)\\.visit\\.h\"" "\\1" stem "${line}")
    file(REMOVE_RECURSE "${OUT}")
    plant("${stem}")
    execute_process(COMMAND "${CXX}" -std=c++20 -fsyntax-only "-I${OUT}" ${includes} "${source}"
                    RESULT_VARIABLE failed ERROR_VARIABLE said OUTPUT_VARIABLE said)
    if(NOT failed OR NOT said MATCHES "nobody_handles_this is not handled")
      message(FATAL_ERROR "${source} visits ${stem} and compiles with a kind of event that it does not handle:\n${said}")
    endif()
    math(EXPR visits "${visits} + 1")
  endforeach()
endforeach()
file(REMOVE_RECURSE "${OUT}")
if(visits EQUAL 0)
  message(FATAL_ERROR "no rule visits an event")
endif()
message(STATUS "${visits} visits of events: none compiles with a kind that it does not handle")
