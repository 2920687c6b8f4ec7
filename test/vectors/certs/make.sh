#!/bin/sh
# Makes the certificates of this folder anew (openssl 3): P-256 keys, valid from 2026 to 2126, one that expired in 2021.
# Test fixtures: the private keys are public, so nothing outside the tests may trust them.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
NOT_BEFORE=20260101000000Z
NOT_AFTER=21260101000000Z

cat > "$work/ca.cnf" <<END
[ca]
default_ca = this
[this]
database = $work/index
serial = $work/serial
new_certs_dir = $work
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1
extendedKeyUsage = serverAuth
authorityKeyIdentifier = keyid
[client]
extendedKeyUsage = clientAuth
authorityKeyIdentifier = keyid
END
: > "$work/index"
echo 01 > "$work/serial"

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key.pem" 2>/dev/null; }

# authority NAME SUBJECT
authority() {
  key "$1"
  openssl req -new -key "$1.key.pem" -subj "/CN=$2" -out "$work/$1.csr"
  openssl ca -batch -notext -selfsign -config "$work/ca.cnf" -extensions authority -keyfile "$1.key.pem" \
    -startdate "$NOT_BEFORE" -enddate "$NOT_AFTER" -in "$work/$1.csr" -out "$1.cert.pem" 2>/dev/null
}

# leaf NAME SUBJECT AUTHORITY EXTENSIONS START END
leaf() {
  key "$1"
  openssl req -new -key "$1.key.pem" -subj "/CN=$2" -out "$work/$1.csr"
  openssl ca -batch -notext -config "$work/ca.cnf" -extensions "$4" -cert "$3.cert.pem" -keyfile "$3.key.pem" \
    -startdate "$5" -enddate "$6" -in "$work/$1.csr" -out "$1.cert.pem" 2>/dev/null
}

authority ca 'millrace test CA'
authority untrusted-ca 'millrace untrusted test CA'
leaf server localhost ca server "$NOT_BEFORE" "$NOT_AFTER"
leaf expired localhost ca server 20200101000000Z 20210101000000Z
leaf untrusted localhost untrusted-ca server "$NOT_BEFORE" "$NOT_AFTER"
leaf client 'camera 1' ca client "$NOT_BEFORE" "$NOT_AFTER"
leaf untrusted-client 'camera 2' untrusted-ca client "$NOT_BEFORE" "$NOT_AFTER"
rm ca.key.pem untrusted-ca.key.pem
