# What was built, at the end of configure.
message(STATUS "Ridge ${PROJECT_VERSION}")
if(RIDGE_X86)
  set(rg_levels "c, avx2, avx512 (chosen at run time)")
else()
  set(rg_levels "c")
endif()
foreach(row "compiler    |${CMAKE_C_COMPILER_ID} ${CMAKE_C_COMPILER_VERSION}, ${CMAKE_BUILD_TYPE}" "ISA levels  |${rg_levels}"
    "OpenMP      |${RIDGE_HAVE_OPENMP}" "OpenBLAS    |${RIDGE_HAVE_BLAS}" "LAPACK      |${RIDGE_HAVE_LAPACK} (ridge quantize --method gptq)" "PAPI        |${RIDGE_HAVE_PAPI}" "libsde      |${RIDGE_HAVE_SDE}" "utf8proc    |${RIDGE_HAVE_UTF8PROC}" "libedit     |${RIDGE_HAVE_EDIT}" "sanitizers  |${RIDGE_SANITIZE}"
    "what-if     |${RIDGE_HAVE_WASM} (WebAssembly for the report)" "tests       |${RIDGE_BUILD_TESTS}" "benchmarks  |${RIDGE_BUILD_BENCHMARKS}")
  string(REPLACE "|" "" row "${row}")
  message(STATUS "  ${row}")
endforeach()
