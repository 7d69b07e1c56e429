#!/bin/sh
# Installs the SDKs that tests/other_clients.rs streams with, the S3 server of stream-fn/tests/s3, what
# tests/deploy.rs reads templates with, and what drives the browser of tests/web_page.rs, into
# target/other-clients: boto3, moto, cfn-lint and aws-sam-translator into a virtual environment,
# @aws-sdk/client-lambda and playwright-core as their package-lock.json have them. Run it again at will.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
into=$here/../../target/other-clients
mkdir -p "$into/node"

python3 -m venv "$into/python"
"$into/python/bin/python" -m pip install --quiet --disable-pip-version-check \
    --requirement "$here/requirements.txt"

cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$into/node/"
npm ci --prefix "$into/node" --no-audit --no-fund --loglevel=error

mkdir -p "$into/web-page"
cp "$here/../web_page/package.json" "$here/../web_page/package-lock.json" "$here/.npmrc" "$into/web-page/"
npm ci --prefix "$into/web-page" --no-audit --no-fund --loglevel=error
