#!/usr/bin/env bash
# Bundle what the viewer uses of three.js into one file. Needs node, npm and the network; nobody else needs them.
#     tools/refresh_three.sh [VERSION OF three] [VERSION OF esbuild]
set -euo pipefail
cd "$(dirname "$0")/.."
three=${1:-0.187.0} esbuild=${2:-0.28.2}
vendor=$PWD/skelaug/preview/vendor entry=$PWD/tools/three_entry.js

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$entry" "$work/entry.js"
cd "$work"
npm init --yes >npm.log
npm install --no-audit --no-fund --save-exact "three@$three" "esbuild@$esbuild" >>npm.log
# One global, SKELAUG_THREE, as a plain script: it runs from file:// and inside an iframe's srcdoc alike.
npx esbuild entry.js --bundle --minify --format=iife --global-name=SKELAUG_THREE --target=es2022 --charset=ascii \
    --legal-comments=none --log-level=warning --outfile=bundle.js
# Every page that is written holds the bundle, so the bundle holds the licence.
{
    printf '/*! three.js %s\n' "$three"
    cat node_modules/three/LICENSE
    printf '*/\n'
    cat bundle.js
} >three.min.js
if grep -qi '</script' three.min.js; then
    echo "the bundle holds </script, which would end the page's script" >&2
    exit 1
fi
mkdir -p "$vendor"
cp three.min.js "$vendor/three.min.js"
cp node_modules/three/LICENSE "$vendor/LICENSE"
printf 'three %s, bundled by esbuild %s (tools/refresh_three.sh)\n' "$three" "$esbuild" >"$vendor/VERSION"
ls -l "$vendor"
