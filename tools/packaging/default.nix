# SPDX-License-Identifier: GPL-2.0-only
#
# An example for NixOS: the module for the kernel of the configuration, and the tool.
#
#   { config, pkgs, ... }:
#   let flowtrack = pkgs.callPackage ./tools/packaging { kernel = config.boot.kernelPackages.kernel; };
#   in {
#     boot.extraModulePackages = [ flowtrack.module ];
#     boot.kernelModules = [ "nf_flowtrack" ];
#     environment.systemPackages = [ flowtrack.tool ];
#   }
{ stdenv, lib, kernel, jansson, libmnl, ncurses, pkg-config, python3 }:
let
  common = {
    version = "0.1.0";
    src = lib.cleanSource ../..;
    meta = {
      description = "Connection tracking that works when its table is full";
      license = lib.licenses.gpl2Only;
      platforms = lib.platforms.linux;
    };
  };
in {
  module = stdenv.mkDerivation (common // {
    pname = "nf_flowtrack";
    nativeBuildInputs = kernel.moduleBuildDependencies;
    hardeningDisable = [ "pic" "format" ];
    KDIR = "${kernel.dev}/lib/modules/${kernel.modDirVersion}/build";
    buildPhase = "make module KDIR=$KDIR";
    installPhase = "make install-module KDIR=$KDIR DESTDIR=$out";
  });
  tool = stdenv.mkDerivation (common // {
    pname = "flowtrack";
    nativeBuildInputs = [ pkg-config python3 ];
    buildInputs = [ jansson libmnl ncurses ];
    buildPhase = "make tool";
    installPhase = "make install-tool install-dev PREFIX=$out";
  });
}
