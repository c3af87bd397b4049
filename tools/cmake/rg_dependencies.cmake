# Required: jansson (JSON), PCRE2 (pre-tokeniser patterns), hwloc (topology, pinning), libm, threads.
# Optional (AUTO, ON, OFF): OpenBLAS, PAPI, libsde, OpenMP, utf8proc, libedit. ON fails where the library is missing, AUTO goes on without.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(HWLOC REQUIRED IMPORTED_TARGET hwloc)

function(rg_optional name found)
  if(RIDGE_${name} STREQUAL "ON" AND NOT ${found})
    message(FATAL_ERROR "RIDGE_${name}=ON, but the library was not found; run ./dev check to install what is missing, or use RIDGE_${name}=OFF")
  endif()
  if(${found} AND NOT RIDGE_${name} STREQUAL "OFF")
    set(RIDGE_HAVE_${name} ON PARENT_SCOPE)
  else()
    set(RIDGE_HAVE_${name} OFF PARENT_SCOPE)
  endif()
endfunction()

pkg_check_modules(OPENBLAS QUIET IMPORTED_TARGET openblas)
rg_optional(BLAS "${OPENBLAS_FOUND}")
set(RIDGE_HAVE_LAPACK OFF)
if(RIDGE_HAVE_BLAS) # an OpenBLAS may be built without LAPACK
  include(CheckFunctionExists)
  set(CMAKE_REQUIRED_LIBRARIES PkgConfig::OPENBLAS)
  check_function_exists(spotrf_ RIDGE_OPENBLAS_LAPACK)
  unset(CMAKE_REQUIRED_LIBRARIES)
  if(RIDGE_OPENBLAS_LAPACK)
    set(RIDGE_HAVE_LAPACK ON)
  endif()
endif()

pkg_check_modules(PAPI QUIET IMPORTED_TARGET papi)
rg_optional(PAPI "${PAPI_FOUND}")

find_path(SDE_INCLUDE_DIR sde_lib.h)
find_library(SDE_LIBRARY sde)
if(SDE_INCLUDE_DIR AND SDE_LIBRARY)
  set(SDE_FOUND 1)
endif()
rg_optional(SDE "${SDE_FOUND}")

pkg_check_modules(UTF8PROC QUIET IMPORTED_TARGET libutf8proc)
rg_optional(UTF8PROC "${UTF8PROC_FOUND}")

pkg_check_modules(EDIT QUIET IMPORTED_TARGET libedit)
rg_optional(EDIT "${EDIT_FOUND}")

find_package(OpenMP QUIET COMPONENTS C)
rg_optional(OPENMP "${OpenMP_C_FOUND}")
