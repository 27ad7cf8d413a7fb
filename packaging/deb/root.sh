# Sourced by test and boot: makes a clean Debian in a folder and runs commands in it. Set cache, arch and minor first.
# shellcheck shell=bash disable=SC2154

say() { printf '%s: %s\n' "packaging/deb/$(basename "$0")" "$*" >&2; }
stop() {
    say "$*"
    exit 2
}
fail() {
    say "FAILED: $*"
    exit 1
}

mirror=${MIRROR:-http://deb.debian.org/debian}
mounted='' enabled='' suite='' base='' root='' work=''

begin() { # NAME of the root: checks that all tools are here, and sets up the cleaning at the end
    case $minor in
    3.11) suite=bookworm ;;
    3.13) suite=trixie ;;
    *) stop "--python $minor: 3.11 or 3.13" ;;
    esac
    [ "$(id -u)" -eq 0 ] || stop 'chroot is for root: run it as root, or with sudo'
    command -v debootstrap >/dev/null || stop 'debootstrap is missing: apt-get install debootstrap'
    base=$cache/$suite-$arch
    root=$base.$1
    work=$(mktemp -d)
    trap 'rm -rf "$work"; restore' EXIT
    emulate
}

emulate() {
    local binfmt=/proc/sys/fs/binfmt_misc
    [ "$arch" != "$(dpkg --print-architecture)" ] || return 0
    command -v update-binfmts >/dev/null || stop 'emulation is missing: apt-get install binfmt-support'
    command -v qemu-aarch64-static >/dev/null ||
        stop 'emulation is missing: apt-get install qemu-user-static'
    if [ ! -e $binfmt/register ]; then
        mount -t binfmt_misc binfmt_misc $binfmt || stop 'cannot mount binfmt_misc: in a container, do it on the host'
        mounted=$binfmt
    fi
    if [ ! -e $binfmt/qemu-aarch64 ]; then
        update-binfmts --enable qemu-aarch64 || stop 'cannot enable qemu-aarch64: reinstall qemu-user-static'
        enabled=yes
    fi
}

restore() { # undoes emulate
    [ -z "$enabled" ] || update-binfmts --disable qemu-aarch64 || true
    [ -z "$mounted" ] || umount "$mounted" || true
}

# Each command has its own namespaces: no process and no mount outlives it, and it takes no port. /sys stays empty:
# with this machine's /sys, onnxruntime misjudges an emulated processor.
within() { # COMMAND...: in the root, with a network
    unshare --mount --pid --fork --mount-proc="$root/proc" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive QEMU_CPU=cortex-a53 chroot "$root" "$@" </dev/null
}
offline() { # SCRIPT: in the root, with no network but its own loopback
    unshare --net --mount --pid --fork --mount-proc="$root/proc" sh -c 'ip link set lo up; exec "$@"' sh \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 QEMU_CPU=cortex-a53 \
        chroot "$root" bash -euc "$1" </dev/null
}

clean_root() {
    if [ ! -d "$base" ]; then
        say "debootstrap $suite $arch"
        rm -rf "$base.partial"
        mkdir -p "$cache/debs-$suite-$arch"
        debootstrap --variant=minbase --arch="$arch" --cache-dir="$cache/debs-$suite-$arch" "$suite" "$base.partial" \
            "$mirror" >"$base.log" 2>&1 || stop "debootstrap failed; the end of $base.log: $(tail -n 2 "$base.log")"
        # As in any chroot, services are installed but not started.
        printf '#!/bin/sh\nexit 101\n' >"$base.partial/usr/sbin/policy-rc.d"
        chmod 755 "$base.partial/usr/sbin/policy-rc.d"
        mv "$base.partial" "$base"
    fi
    rm -rf "$root"
    cp -a "$base" "$root"
    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
    mkdir -p "$root/var/lib/private" # systemd's, where it runs
    mkdir -p "$cache/apt-$suite-$arch"
    cp -a "$cache/apt-$suite-$arch/." "$root/var/cache/apt/archives/"
    within apt-get update -q >"$work/apt.log" 2>&1 || stop "apt-get update failed: $(tail -n 3 "$work/apt.log")"
}

install() { # DEB [PACKAGE...]: as its owner would, but without ffmpeg and the 150 packages that it needs
    cp "$1" "$root/tmp/$(basename "$1")"
    within apt-get install -y -q --no-install-recommends "/tmp/$(basename "$1")" "${@:2}" >"$work/apt.log" 2>&1 || {
        tail -n 20 "$work/apt.log" >&2
        fail "apt-get install $(basename "$1")"
    }
    rm "$root/tmp/$(basename "$1")"
    cp -au "$root"/var/cache/apt/archives/*.deb "$cache/apt-$suite-$arch/" 2>/dev/null || true
}

expect() { # WHAT TEXT PATTERN
    grep -Eq -- "$3" <<<"$2" || fail "$1: expected $3 in:"$'\n'"$2"
    say "ok  $1"
}
expect_file() { [ -e "$root$1" ] || [ -L "$root$1" ] || fail "$1 is not there"; }
expect_none() { ! { [ -e "$root$1" ] || [ -L "$root$1" ]; } || fail "$1 is still there"; }
