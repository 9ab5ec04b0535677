#!/usr/bin/env bash
# Installs the packed package as a user would and lives a Thing's life with it, on the oldest Node.js that is supported
# and on the newer lines.  Usage: smoke.sh PACKAGE.tgz [VERSION …]
set -euo pipefail
package=$(realpath "$1")
shift
versions=("$@")
[ ${#versions[@]} -gt 0 ] || versions=(20.11.0 22 24)
case "$(uname -m)" in
  x86_64) arch=x64 ;;
  aarch64) arch=arm64 ;;
  *) arch=armv7l ;;
esac
script=$(realpath "$(dirname "$0")/smoke.mjs")

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "private": true, "type": "module" }' >package.json
npm install --silent --no-audit --no-fund --omit=dev "$package"
cp "$script" smoke.mjs
echo "installed: $(du -sk node_modules | cut -f1) KiB, $(($(npm ls --all --parseable 2>/dev/null | sort -u | wc -l) - 1)) packages"

for version in "${versions[@]}"; do
  # The binary comes as a plain package: no install script, nothing left behind.
  archive=$(npm pack --silent "node-linux-$arch@$version" | tail -n 1)
  mkdir -p "node-$version"
  tar -xzf "$archive" -C "node-$version"
  rm "$archive"
  "./node-$version/package/bin/node" smoke.mjs
  rm -rf "node-$version"
done
