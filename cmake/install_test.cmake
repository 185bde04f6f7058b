# Installs into an empty prefix and checks that the installed files are complete and run: -DBUILD=folder
# -DVERSION=x.y.z.
string(RANDOM LENGTH 12 unique)
set(prefix "${BUILD}/install_test/${unique}")
file(REMOVE_RECURSE "${BUILD}/install_test")

execute_process(COMMAND "${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${prefix}" OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
foreach(file
    bin/halles
    bin/hallesctl
    share/doc/halles/README.md
    share/doc/halles/LICENSE
    share/halles/proto/halles/checkout/v1/checkout_service.proto
    share/halles/proto/halles/customer_identity/v1/customer_identity_service.proto)
  if(NOT EXISTS "${prefix}/${file}")
    message(FATAL_ERROR "the installation lacks ${file}")
  endif()
endforeach()
foreach(program halles hallesctl)
  # An empty environment, because installed programs must not depend on the build folder.
  execute_process(COMMAND env -i "${prefix}/bin/${program}" --version OUTPUT_VARIABLE said COMMAND_ERROR_IS_FATAL ANY)
  if(NOT said MATCHES "${VERSION}")
    message(FATAL_ERROR "${program} --version says '${said}', which does not hold ${VERSION}")
  endif()
endforeach()
file(REMOVE_RECURSE "${BUILD}/install_test")
