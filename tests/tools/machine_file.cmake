# cmake -DRIDGE=program -DFILE=path -P machine_file.cmake: measures this machine once for all tests that need its roofs.
file(REMOVE ${FILE})
execute_process(COMMAND ${RIDGE} machine --quick --save ${FILE} OUTPUT_QUIET RESULT_VARIABLE code)
if(NOT EXISTS ${FILE} OR NOT code MATCHES "^[07]$") # 7: a noisy machine, which still writes its file
  message(FATAL_ERROR "ridge machine --quick --save ${FILE}: exit code ${code}")
endif()
