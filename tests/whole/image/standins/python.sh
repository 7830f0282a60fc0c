#!/usr/bin/env bash
# Makes a stand-in for the official image python:3.11-slim-bookworm, of Debian's own packages:
#
#   python.sh TAG
#
# As there, `python` and `pip` are those of /usr/local, packages go to its site-packages, and the
# standard library is not compiled. The certificates that this machine trusts in addition are
# trusted in it too.
set -euo pipefail

tag=$1
cache=${CLAIMS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/claims-pipeline}
certificates=/usr/local/share/ca-certificates
if [ "$(uname)" != Linux ]; then
    echo "$tag: a stand-in can be made on Debian alone" >&2
    exit 1
fi
key=$({ cat "$0"; cat $certificates/*.crt 2>/dev/null || :; } | sha256sum | cut -c1-12)
rootfs=$cache/python-base-$key.tar
label=claims.stand-in

made=$(docker image inspect --format "{{index .Config.Labels \"$label\"}}" "$tag" 2>/dev/null || :)
[ "$made" != "$key" ] || exit 0
if [ ! -s "$rootfs" ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "$tag: only root can make a stand-in, on Debian" >&2
        exit 1
    fi
    if ! command -v debootstrap >/dev/null; then
        apt-get -qq update
        apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends debootstrap >/dev/null
    fi
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/rootfs.XXXXXX")
    # debootstrap mounts it, and leaves it when it is interrupted.
    trap 'umount "$work/proc" 2>/dev/null || :; rm -rf "$work"' EXIT
    debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv bookworm "$work" \
        >"$cache/debootstrap.log" || { tail -5 "$cache/debootstrap.log" >&2; exit 1; }
    cp -r $certificates/. "$work$certificates/" 2>/dev/null || :
    chroot "$work" update-ca-certificates >/dev/null 2>&1
    chroot "$work" python3 -m venv /usr/local
    ln -sf python3 "$work/usr/local/bin/python3.11"
    rm -rf "$work"/var/cache/apt/* "$work"/var/lib/apt/lists/* "$work"/var/log/* "${work:?}"/dev/*
    rm -rf "$work"/usr/share/{man,locale,info}/*
    find "$work"/usr/share/doc -type f ! -name copyright -delete
    find "$work"/usr/lib/python3* -name '*.pyc' -delete
    tar -C "$work" --numeric-owner --sort=name -cf "$rootfs.part" .
    rm -f "$cache"/python-base-*.tar
    mv "$rootfs.part" "$rootfs"
fi

docker import --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'CMD ["python3"]' --change "LABEL $label=$key" "$rootfs" "$tag" >/dev/null
