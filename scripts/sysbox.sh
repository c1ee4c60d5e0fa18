#!/usr/bin/env bash
# Runs a command as a unit of a real systemd: one that is process 1 of private namespaces, with a
# throw-away layer over this machine's own files. For tests of what only a service manager does;
# nothing outside is changed. Prints what the command prints, and ends with its exit code.
#
#   scripts/sysbox.sh COMMAND [ARGUMENT...]
#
# It needs root, systemd, overlayfs and either cgroup v2 or the usual v1 hierarchies. Where one is
# missing it says so in a line and ends with 77, which stands for "skipped".
set -euo pipefail

readonly SKIPPED=77
readonly CGROUPS=/sys/fs/cgroup
readonly CONTROLLERS=(cpu cpuacct cpuset memory devices freezer blkio pids systemd unified)

skip() {
    printf 'skipped: %s\n' "$1" >&2
    exit "$SKIPPED"
}

[ $# -gt 0 ] || { echo "usage: $0 COMMAND [ARGUMENT...]" >&2; exit 2; }
[ "$(id -u)" = 0 ] || skip 'a systemd of its own needs root, for namespaces and mounts'
init=
for place in /lib/systemd/systemd /usr/lib/systemd/systemd; do
    [ -x "$place" ] && init=$place && break
done
[ -n "$init" ] || skip 'systemd is not installed here'
command -v unshare >/dev/null || skip 'unshare (util-linux) is not installed here'
[ -S /run/dbus/system_bus_socket ] || command -v dbus-daemon >/dev/null ||
    skip 'no D-Bus daemon is installed here'
grep -qw overlay /proc/filesystems || skip 'the kernel has no overlayfs'
[ -w "$CGROUPS" ] || [ -w "$CGROUPS/systemd" ] || skip 'control groups are not writable here'

# Of this run only. Under v1 one in each hierarchy, under v2 one for all.
name=sysbox-$$
work=$(mktemp -d)
groups=()
if [ -e "$CGROUPS/cgroup.controllers" ]; then
    groups+=("$CGROUPS/$name")
else
    for controller in "${CONTROLLERS[@]}"; do
        [ -d "$CGROUPS/$controller" ] && groups+=("$CGROUPS/$controller/$name")
    done
fi
clean() {
    for group in "${groups[@]}"; do
        [ -d "$group" ] && find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null || true
    done
    rm -rf "$work"
}
trap clean EXIT
mkdir "${groups[@]}" 2>/dev/null || skip 'no control group can be made here'
if [ -d "$CGROUPS/cpuset/$name" ]; then
    # A v1 cpuset takes nobody in before it is told which.
    cat "$CGROUPS/cpuset/cpuset.cpus" >"$CGROUPS/cpuset/$name/cpuset.cpus"
    cat "$CGROUPS/cpuset/cpuset.mems" >"$CGROUPS/cpuset/$name/cpuset.mems"
fi

mkdir "$work/layer"
printf '%q ' "$@" >"$work/command"
export SYSBOX_WORK=$work SYSBOX_INIT=$init SYSBOX_DIRECTORY=$PWD

# Process 1 of the new namespaces: builds the root, then becomes systemd.
cat >"$work/enter" <<'ENTER'
set -euo pipefail
groups=/sys/fs/cgroup
mount --make-rprivate /
mount -t tmpfs -o mode=755 layer "$SYSBOX_WORK/layer"
root=$SYSBOX_WORK/layer/root
mkdir "$SYSBOX_WORK"/layer/{upper,scratch,root}
layer=$SYSBOX_WORK/layer
mount -t overlay -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/scratch" overlay "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root"/dev/{pts,shm}
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mount -t sysfs -o ro sysfs "$root/sys"
if [ -e "$groups/cgroup.controllers" ]; then
    mount -t cgroup2 cgroup2 "$root$groups"
else
    mount -t tmpfs -o mode=755 tmpfs "$root$groups"
    for controller in cpu cpuacct cpuset memory devices freezer blkio pids; do
        [ -d "$groups/$controller" ] || continue
        mkdir "$root$groups/$controller"
        mount -t cgroup -o "$controller" cgroup "$root$groups/$controller"
    done
    mkdir "$root$groups"/{systemd,unified}
    mount -t cgroup -o none,name=systemd,xattr cgroup "$root$groups/systemd"
    [ ! -d "$groups/unified" ] || mount -t cgroup2 cgroup2 "$root$groups/unified"
fi
mkdir -p "$root/run/systemd/system" "$root/run/sysbox"
cp "$SYSBOX_WORK/command" "$root/run/sysbox/command"
mkfifo "$root/run/sysbox/output"
cat "$root/run/sysbox/output" >&3 &
cat >"$root/run/systemd/system/sysbox.service" <<UNIT
[Unit]
DefaultDependencies=no
Requires=dbus.socket
After=dbus.socket
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
WorkingDirectory=$SYSBOX_DIRECTORY
ExecStart=/bin/bash -c "exec bash /run/sysbox/command >/run/sysbox/output 2>&1"
UNIT
cd "$root"
mkdir -p .outside
pivot_root . .outside
umount -l /.outside
exec env -i container=sysbox HOME=/root \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    "$SYSBOX_INIT" --unit=sysbox.service --log-target=null --show-status=no
ENTER

code=0
(
    for group in "${groups[@]}"; do
        echo "$BASHPID" >"$group/cgroup.procs"
    done
    exec unshare --pid --mount --cgroup --uts --ipc --fork --kill-child bash "$work/enter"
) 3>&1 || code=$?
exit "$code"
