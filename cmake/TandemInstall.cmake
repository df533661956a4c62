# Install and export: find_package(tandem) gives tandem::quic, tandem::tcp, ...
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

get_property(libraries GLOBAL PROPERTY TANDEM_LIBRARIES)
install(TARGETS ${libraries} EXPORT tandemTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(folder IN ITEMS bytes recovery tls quic tcp http net sim)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder}/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tandem/${folder}
          FILES_MATCHING PATTERN "*.hpp")
endforeach()
if(TARGET tandem)
  install(TARGETS tandem RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

if(TARGET tandem_packetdrill)
  install(TARGETS tandem_packetdrill LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()

# A fetched BoringSSL goes along, where FindBoringSSL looks for it again.
set(TANDEM_INSTALLED_BORINGSSL "")
if(TANDEM_BORINGSSL_FETCHED)
  set(TANDEM_INSTALLED_BORINGSSL ${CMAKE_INSTALL_LIBDIR}/tandem/boringssl)
  install(FILES $<TARGET_FILE:ssl> $<TARGET_FILE:crypto> DESTINATION ${TANDEM_INSTALLED_BORINGSSL}/lib)
  install(DIRECTORY ${boringssl_SOURCE_DIR}/include/openssl DESTINATION ${TANDEM_INSTALLED_BORINGSSL}/include)
endif()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tandem)
install(EXPORT tandemTargets NAMESPACE tandem:: DESTINATION ${package_dir})
configure_package_config_file(cmake/tandemConfig.cmake.in ${PROJECT_BINARY_DIR}/tandemConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/tandemConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/tandemConfig.cmake ${PROJECT_BINARY_DIR}/tandemConfigVersion.cmake
              cmake/FindBoringSSL.cmake cmake/FindBrotli.cmake cmake/FindZstd.cmake cmake/FindNghttp2.cmake cmake/FindNghttp3.cmake
              cmake/TandemFind.cmake DESTINATION ${package_dir})
