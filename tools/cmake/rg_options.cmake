# Flags of every target. No -march=native and no -ffast-math: instruction sets are chosen at run time, and results are IEEE.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release or Debug" FORCE)
endif()
set(CMAKE_C_FLAGS_RELEASE "-O3 -DNDEBUG -g1")
# Paths in the binary are relative to the source folder: a build says nothing of the machine, and two are alike.
add_compile_options(-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=)

add_library(rg_options INTERFACE)
target_compile_definitions(rg_options INTERFACE _GNU_SOURCE)
target_compile_options(rg_options INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  -Wno-sign-conversion -fno-math-errno -ffp-contract=off $<$<BOOL:${RIDGE_WERROR}>:-Werror>)
target_include_directories(rg_options INTERFACE ${PROJECT_SOURCE_DIR}/engine ${PROJECT_SOURCE_DIR}/engine/include ${PROJECT_SOURCE_DIR})
# Targets with the property RG_UNINSTRUMENTED are left out of sanitizers and coverage.
set(rg_instrumented $<NOT:$<BOOL:$<TARGET_PROPERTY:RG_UNINSTRUMENTED>>>)
if(RIDGE_COVERAGE)
  target_compile_options(rg_options INTERFACE $<${rg_instrumented}:--coverage> $<${rg_instrumented}:-fprofile-update=atomic>)
  target_link_options(rg_options INTERFACE --coverage)
endif()
if(RIDGE_BUILD_FUZZERS) # only the targets get the fuzzer's main
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "RIDGE_BUILD_FUZZERS needs clang or afl-clang-fast; found ${CMAKE_C_COMPILER_ID}: use ./dev fuzz, or CC=clang")
  endif()
  target_compile_options(rg_options INTERFACE $<${rg_instrumented}:-fsanitize=fuzzer-no-link>)
endif()
if(RIDGE_SANITIZE)
  target_compile_options(rg_options INTERFACE "$<${rg_instrumented}:-fsanitize=${RIDGE_SANITIZE};-fno-sanitize-recover=all;-fno-omit-frame-pointer>")
  target_link_options(rg_options INTERFACE -fsanitize=${RIDGE_SANITIZE})
endif()
