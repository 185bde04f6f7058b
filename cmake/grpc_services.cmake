# Writes the header that lists the gRPC services of a proto package and checks doors against it.

# halles_grpc_services(PACKAGE a_service.proto...)
# "halles/PACKAGE/v1/grpc_services.h", with halles::PACKAGE::v1::GrpcServices: CheckDoors<Door...>() does not compile
# unless every gRPC service of these files has a door, and the door declares every method of the service. (The base
# class declares each method twice, so taking the address of a method that the door does not declare is ambiguous.)
# ForEachMethod<Door>(use) calls use("halles.PACKAGE.v1.Service/Method", &Door::Method) for every method of the door.
function(halles_grpc_services PACKAGE)
  set(includes "")
  set(served "")
  set(checks "")
  set(uses "")
  foreach(proto IN LISTS ARGN)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/proto/${proto}")
    string(REGEX REPLACE "\\.proto$" ".grpc.pb.h" header "${proto}")
    string(APPEND includes "#include \"${header}\"\n")
    file(STRINGS "${CMAKE_SOURCE_DIR}/proto/${proto}" lines REGEX "^(service|  rpc) ")
    foreach(line IN LISTS lines)
      string(REGEX MATCH "^(service|  rpc) ([A-Za-z]+)" _ "${line}")
      if(CMAKE_MATCH_1 STREQUAL "service")
        set(service "${CMAKE_MATCH_2}")
        string(APPEND served "    static_assert((std::is_base_of_v<${service}::Service, Door> || ...),\n"
                             "                  \"no door is opened for halles.${PACKAGE}.v1.${service}\");\n")
      else()
        string(APPEND checks "    static_assert(!std::is_base_of_v<${service}::Service, Door> || "
                             "requires { &Door::${CMAKE_MATCH_2}; },\n"
                             "                  \"the door does not answer ${service}.${CMAKE_MATCH_2}\");\n")
        string(APPEND uses "    if constexpr (std::is_base_of_v<${service}::Service, Door>) {\n"
                           "      use(\"halles.${PACKAGE}.v1.${service}/${CMAKE_MATCH_2}\", &Door::${CMAKE_MATCH_2});\n"
                           "    }\n")
      endif()
    endforeach()
  endforeach()
  string(TOUPPER "HALLES_GENERATED_${PACKAGE}_GRPC_SERVICES_H_" guard)
  file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/gen/halles/${PACKAGE}/v1/grpc_services.h" @ONLY CONTENT
"// Generated from the protos: every gRPC service of halles.@PACKAGE@.v1, and what a door of it must answer.
#ifndef @guard@
#define @guard@

#include <type_traits>

@includes@
namespace halles::@PACKAGE@::v1 {

struct GrpcServices {
  template <class... Door>
  static constexpr void CheckDoors() {
@served@    (CheckMethods<Door>(), ...);
  }

  template <class Door, class Use>
  static void ForEachMethod(const Use& use) {
@uses@  }

 private:
  template <class Door>
  static constexpr void CheckMethods() {
@checks@  }
};

}  // namespace halles::@PACKAGE@::v1

#endif  // @guard@
")
endfunction()
