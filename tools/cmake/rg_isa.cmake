# rg_isa_sources(TARGET ISA files...): adds files to TARGET with the flags of the instruction set. The files refuse other flags with #error.
# Other architectures than x86-64 get plain C only, so nothing is added there.
set(RG_ISA_FLAGS_avx2 -mavx2 -mfma -mf16c)
set(RG_ISA_FLAGS_avx2vnni ${RG_ISA_FLAGS_avx2} -mavxvnni)
set(RG_ISA_FLAGS_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c -mprefer-vector-width=512)
set(RG_ISA_FLAGS_avx512vnni ${RG_ISA_FLAGS_avx512} -mavx512vnni)
set(RG_ISA_FLAGS_avx512bf16 ${RG_ISA_FLAGS_avx512vnni} -mavx512bf16)
set(RG_ISA_FLAGS_amx ${RG_ISA_FLAGS_avx512bf16} -mamx-tile -mamx-bf16 -mamx-int8)

string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" rg_processor)
if(rg_processor MATCHES "^(x86_64|amd64)$")
  set(RIDGE_X86 ON)
else()
  set(RIDGE_X86 OFF)
endif()

function(rg_isa_sources target isa)
  if(NOT RIDGE_X86)
    return()
  endif()
  add_library(${target}_${isa} OBJECT ${ARGN})
  target_link_libraries(${target}_${isa} PRIVATE rg_options)
  target_compile_options(${target}_${isa} PRIVATE ${RG_ISA_FLAGS_${isa}})
  set_target_properties(${target}_${isa} PROPERTIES INTERPROCEDURAL_OPTIMIZATION OFF)
  # Compilers take minutes to instrument unrolled kernels, and tests of the engine then take four times as long. Reads and writes
  # beyond operands are found by guard pages instead (tests/kernels); plain C kernels are instrumented.
  if(RIDGE_BUILD_FUZZERS OR RIDGE_SANITIZE)
    set_target_properties(${target}_${isa} PROPERTIES RG_UNINSTRUMENTED ON)
  endif()
  target_sources(${target} PRIVATE $<TARGET_OBJECTS:${target}_${isa}>)
  target_compile_definitions(${target} PUBLIC RIDGE_X86=1)
endfunction()
