#!/bin/sh
# apt_install.sh PACKAGE...: install and leave no lists, caches, logs or documentation behind.
# DEBIAN_MIRROR: takes the place of every …/debian that the base image names; …/debian-security is expected beside it.
# /run/secrets/ca.crt: extra certificates for a https mirror.
set -eu
if [ -n "${DEBIAN_MIRROR:-}" ]; then
  mirror=$(printf %s "$DEBIAN_MIRROR" | sed 's/[&#\\]/\\&/g')
  find /etc/apt -name '*.list' -o -name '*.sources' |
    xargs sed -i "s#https\{0,1\}://[^ ]*/debian#$mirror#"
fi
options=
if [ -s /run/secrets/ca.crt ]; then options="-o Acquire::https::CAInfo=/run/secrets/ca.crt"; fi
export DEBIAN_FRONTEND=noninteractive
apt-get $options update -qq
apt-get $options install -y -qq --no-install-recommends "$@" >/tmp/apt.log 2>&1 || { cat /tmp/apt.log >&2; exit 1; }
rm -rf /tmp/apt.log /var/lib/apt/lists/* /var/cache/* /var/log/* /usr/share/doc /usr/share/man /usr/share/locale
