#!/bin/sh
# make-secrets.sh HOST [FOLDER]: makes the secrets of compose.yaml that are not there yet, with a certificate for HOST
# that signs itself: replace tls.pem and tls.key by your own. carrier.token and relay.password are for you to fill in.
set -eu
host=$1 folder=${2:-$(dirname "$0")/secrets}
umask 077
mkdir -p "$folder"
chmod 700 "$folder"
cd "$folder"

# Writes standard input to $1, unless it is there; ends when there is nothing to write: whoever makes it failed.
# The folder keeps others on this host out; the users of the containers, each another one, must read the files.
keep() {
    cat >"$1.new"
    if [ ! -s "$1.new" ]; then
        rm "$1.new"
        echo "make-secrets.sh: nothing to write into $1" >&2
        exit 1
    fi
    if [ -e "$1" ]; then rm "$1.new"; else mv "$1.new" "$1"; fi
    chmod 444 "$1"
}
random() { openssl rand -hex 24; }

openssl rand -base64 32 | keep master.key
random | keep postgres.password
echo "postgres://countersign:$(cat postgres.password)@postgres:5432/countersign?sslmode=disable" | keep database.url

[ -e redis.urls ] || echo "redis://countersign:$(random)@redis:6379" | keep redis.urls
password=$(sed 's,redis://countersign:\(.*\)@.*,\1,' redis.urls)
digest=$(printf %s "$password" | openssl dgst -sha256 -r | cut -d' ' -f1)
rm -f redis.acl     # always that of redis.urls
{
    echo "user default reset on nopass +ping"
    echo "user countersign reset on #$digest ~cs:* +@all -@dangerous -@admin +info"
} | keep redis.acl

printf 'put-the-auth-token-of-your-carrier-here\n' | keep carrier.token
printf 'put-the-password-of-your-mail-provider-here\n' | keep relay.password

if [ ! -e tls.key ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$host" \
        -addext "subjectAltName=DNS:$host" -addext "basicConstraints=critical,CA:FALSE" -keyout tls.key -out tls.pem 2>/dev/null
    chmod 444 tls.key tls.pem
fi
