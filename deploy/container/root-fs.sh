#!/bin/sh
# root-fs.sh BINARY FOLDER: lays out in FOLDER all that BINARY needs of a file system, and nothing else.
set -eu
binary=$1 root=$2
authorities=/etc/ssl/certs/ca-certificates.crt

mkdir -p "$root/usr/local/bin" "$root/etc/countersign" "$root/var/lib/countersign" "$root/tmp" "$root$(dirname "$authorities")"
cp "$binary" "$root/usr/local/bin/countersign"
chmod 755 "$root/usr/local/bin/countersign"

# The loader and the libraries, where the loader looks for them.
ldd "$binary" | grep -o '/[^ ]*' | sort -u | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done

# Whom outgoing TLS trusts: the policy of the system's package.
cp -L "$authorities" "$root$authorities"

# Who it runs as, and that /etc/hosts counts before the DNS.
printf 'countersign:x:65532:65532::/var/lib/countersign:/nowhere\n' >"$root/etc/passwd"
printf 'countersign:x:65532:\n' >"$root/etc/group"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
chmod 1777 "$root/tmp"
