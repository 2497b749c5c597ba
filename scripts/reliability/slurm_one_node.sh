#!/usr/bin/env bash
# A real Slurm of one node, for trying `executor: slurm` and for its tests.
#
#   scripts/reliability/slurm_one_node.sh start FOLDER [CPUS]   start what does not run yet; 8 CPUs unless told
#   eval "$(scripts/reliability/slurm_one_node.sh env FOLDER)"  then sbatch, squeue ... and hpt speak to it
#   scripts/reliability/slurm_one_node.sh stop FOLDER           end its jobs and its daemons
#
# Needs Debian's packages `slurm-wlm` and `munge`, neither systemd nor cgroups, and root or not: the
# daemons and the jobs belong to whoever starts it. All files are in FOLDER, so several can run at
# once. CPUS may be more than the machine has. There is no accounting. Two GPUs
# are pretended. The partition `urgent` preempts jobs of `main`, which are then requeued.
set -euo pipefail

PATH=$PATH:/usr/sbin:/sbin
START_SECONDS=30

fail() {
    echo "slurm_one_node.sh: $*" >&2
    exit 1
}

is_running() { # NAME: by its pid file, and by what that process is
    local pid
    pid=$(cat "$folder/$1.pid" 2>/dev/null) || return 1
    case "$(cat "/proc/$pid/stat" 2>/dev/null)" in
        "$pid ($1) Z"*) return 1 ;;
        "$pid ($1) "*) return 0 ;;
    esac
    return 1
}

find_free_port() {
    local port
    while port=$((20000 + RANDOM % 10000)) && (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    echo "$port"
}

write_settings() { # CPUS
    local node
    node=$(hostname -s)
    mkdir -p "$folder/state" "$folder/spool"
    (umask 077 && head -c 128 /dev/urandom >"$folder/munge.key")
    cat >"$folder/slurm.conf" <<SETTINGS
ClusterName=one-node
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=$(find_free_port)
SlurmdPort=$(find_free_port)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
KillWait=5
GresTypes=gpu
SlurmdParameters=config_overrides
NodeName=$node NodeAddr=127.0.0.1 CPUs=$1 RealMemory=$(($1 * 1000)) Gres=gpu:2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES PriorityTier=1
PartitionName=urgent Nodes=ALL PriorityTier=2 PreemptMode=OFF
SETTINGS
    printf 'NodeName=%s Name=gpu File=%s\n' "$node" /dev/null "$node" /dev/zero >"$folder/gres.conf"
}

start() {
    for program in munged slurmctld slurmd sinfo; do
        command -v "$program" >/dev/null || fail "there is no $program: apt-get install slurm-wlm munge"
    done
    [ -f "$folder/slurm.conf" ] || write_settings "${1:-8}"
    # --force: the folder may be closed to others, who have no business with this cluster
    is_running munged || munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
        --pid-file="$folder/munged.pid" --log-file="$folder/munged.log" --seed-file="$folder/munge.seed" \
        2>/dev/null || fail "munged does not start: $folder/munged.log"
    is_running slurmctld || slurmctld || fail "slurmctld does not start: $folder/slurmctld.log"
    is_running slurmd || slurmd || fail "slurmd does not start: $folder/slurmd.log"
    for _ in $(seq $((START_SECONDS * 5))); do
        case "$(sinfo --noheader --format=%T 2>/dev/null)" in
            idle* | mixed* | allocated*) return ;;
        esac
        sleep 0.2
    done
    fail "no node came up in $START_SECONDS s: $folder/slurmctld.log, $folder/slurmd.log"
}

stop() {
    if is_running slurmctld && is_running slurmd; then
        timeout 10 scancel --user="$(id -un)" 2>/dev/null || true
        timeout 10 scancel --user="$(id -un)" --full --signal=KILL 2>/dev/null || true
        for _ in $(seq 50); do
            [ -n "$(timeout 5 squeue --noheader 2>/dev/null)" ] || break
            sleep 0.2
        done
    fi
    for name in slurmd slurmctld munged; do
        is_running "$name" || continue
        kill "$(cat "$folder/$name.pid")"
        for _ in $(seq 50); do
            is_running "$name" || break
            sleep 0.2
        done
        if is_running "$name"; then
            kill -KILL "$(cat "$folder/$name.pid")"
        fi
    done
}

[ $# -ge 2 ] || fail "start FOLDER [CPUS] | stop FOLDER | env FOLDER"
mkdir -p "$2"
folder=$(cd "$2" && pwd)
export SLURM_CONF=$folder/slurm.conf

case $1 in
    start) start "${3:-8}" ;;
    stop) stop ;;
    env) printf 'export SLURM_CONF=%q\n' "$SLURM_CONF" ;;
    *) fail "there is no '$1': start, stop, env" ;;
esac
