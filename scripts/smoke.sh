#!/usr/bin/env bash
# Installs the packed package as a user would, into empty projects: JavaScript, CommonJS, TypeScript. Runs the README's
# programs in them, and lives a Thing's life, on the oldest Node.js that is supported and on the newer lines.
# Usage: smoke.sh PACKAGE.tgz [VERSION …]
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
scripts=$(realpath "$(dirname "$0")")

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
install() { npm install --silent --no-audit --no-fund "$@"; }

mkdir "$folder/esm" "$folder/cjs" "$folder/ts"
cd "$folder/esm"
echo '{ "private": true, "type": "module" }' >package.json
install --omit=dev "$package"

# The README's bounds are the ones that count.
readme=$(tr '\n' ' ' <node_modules/xmpp-thing/README.md)
[[ $readme =~ less\ than\ ([0-9]+)\ MB\ in\ fewer\ than\ ([0-9]+)\ packages ]] || { echo "the README does not say how much it takes"; exit 1; }
kib=$(du -sk node_modules | cut -f1)
count=$(($(npm ls --all --parseable 2>/dev/null | sort -u | wc -l) - 1))
echo "installed: $kib KiB, $count packages"
[ $((kib * 1024)) -lt $((BASH_REMATCH[1] * 1000000)) ] || { echo "more than the README says"; exit 1; }
[ "$count" -lt "${BASH_REMATCH[2]}" ] || { echo "more packages than the README says"; exit 1; }
scripted=$(find node_modules -name package.json -exec grep -lE '"(pre|post)?install": ' {} + || true)
[ -z "$scripted" ] || { echo "runs a script when it is installed: $scripted"; exit 1; }

cd "$folder/cjs"
npm init -y >/dev/null
install --omit=dev "$package"

cd "$folder/ts"
echo '{ "private": true, "type": "module" }' >package.json
cat >tsconfig.json <<'END'
{ "compilerOptions": { "module": "nodenext", "target": "es2022", "types": ["node"], "strict": true, "skipLibCheck": false } }
END
# The oldest of both that the README names, and new ones. Declarations of libraries are checked too.
for types in "typescript@5.2.2 @types/node@20.11.30" "typescript@6.0.3 @types/node@24.10.1"; do
  # shellcheck disable=SC2086 # two words
  install "$package" $types
  node "$scripts/readme.mjs" ts
  echo "types: strict, with $types"
done

cd "$folder"
cp "$scripts/smoke.mjs" esm/
for version in "${versions[@]}"; do
  # The binary comes as a plain package: no install script, nothing left behind.
  archive=$(npm pack --silent "node-linux-$arch@$version" | tail -n 1)
  mkdir -p "node-$version"
  tar -xzf "$archive" -C "node-$version"
  rm "$archive"
  node=$folder/node-$version/package/bin/node
  (cd esm && "$node" smoke.mjs && "$node" "$scripts/readme.mjs" esm)
  (cd cjs && "$node" "$scripts/readme.mjs" cjs)
  # Of these versions on, by the README.
  if "$node" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit((a === 20 && b >= 19) || (a === 22 && b >= 12) || a > 22 ? 0 : 1)'; then
    (cd cjs && "$node" --no-warnings -e 'if (typeof require("xmpp-thing").Thing !== "function") process.exit(1)')
  fi
  rm -rf "node-$version"
done
