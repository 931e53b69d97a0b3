#!/usr/bin/env bash
# Becomes one Asterisk of the lab: renders contrib/asterisk into the instance's folder and replaces itself by Asterisk, so
# that the process that was started is Asterisk's own. A second start in the same folder finds registrations and
# recordings of the first.
#
#   asterisk-instance.sh ROOT NAME HTTP_PORT SIP_PORT RTP_START[-RTP_END] CARRIER_PORT[,CARRIER2_PORT] [AGENT_PORT...]
#
# ROOT is what make_asterisk_root made. NAME names the instance; its folder is ROOT/run/outdial/NAME as this machine sees
# it and /run/outdial/NAME as Asterisk does (a path that begins with ROOT/run/outdial/ will do, too). Everything is on
# 127.0.0.1. CARRIER_PORT is the SIP port of the trunk `carrier`, AGENT_PORTs those of agent-1001, agent-1002 and so on,
# four at most; phones without a port must register. Below the folder: etc, log, lib, run, sounds (Asterisk plays
# sound:/run/outdial/NAME/sounds/FILE), spool/recording. Asterisk's command line:
#   chroot ROOT asterisk -C /run/outdial/NAME/etc/asterisk.conf -rx 'core show channels'

set -euo pipefail

wrong() {
    printf 'asterisk-instance.sh: %s\n' "$*" >&2
    exit 2
}

[ $# -ge 6 ] || wrong "wants ROOT NAME HTTP_PORT SIP_PORT RTP_START[-RTP_END] CARRIER_PORT[,CARRIER2_PORT] [AGENT_PORT...]"
root=${1%/}
name=${2#"$root"}
name=${name#/run/outdial/}
http_port=$3
sip_port=$4
rtp_start=${5%-*}
carrier_port=${6%,*}
carrier2_port=${6#*,}
# A thousand ports are five hundred calls at once.
case $5 in *-*) rtp_end=${5#*-} ;; *) rtp_end=$((rtp_start + 999)) ;; esac
shift 6
[ -x "$root/usr/sbin/asterisk" ] || wrong "$root holds no Asterisk: make it with make_asterisk_root (scripts/asterisk.sh)"
[[ $name =~ ^[A-Za-z0-9._-]+$ ]] || wrong "NAME \"$name\": letters, digits, dot, dash and underscore only"
for port in "$http_port" "$sip_port" "$rtp_start" "$rtp_end" "$carrier_port" "$carrier2_port" "$@"; do
    [[ $port =~ ^[0-9]+$ ]] && [ "$port" -gt 0 ] && [ "$port" -lt 65536 ] || wrong "port \"$port\": 1 to 65535"
done

templates=$(cd "$(dirname "${BASH_SOURCE[0]}")/../contrib/asterisk" && pwd)
inside=/run/outdial/$name
outside=$root$inside
mkdir -p "$outside"/{etc,log,lib,run,sounds,spool/recording,spool/monitor,spool/tmp}
# Machines of other kinds keep modules elsewhere.
modules=$(cd "$root" && printf '/%s' usr/lib/*/asterisk/modules)

# render FILE [LINE NEW_LINE]...: copies FILE, with each line that begins with LINE replaced. A LINE that is not there is a
# fault: the templates have changed.
render() {
    local file=$1 text line new
    text=$(cat "$templates/$file")$'\n'
    shift
    while [ $# -gt 0 ]; do
        line=$1 new=$2
        shift 2
        [[ $'\n'$text == *$'\n'"$line"* ]] || wrong "no line in contrib/asterisk/$file begins with \"$line\""
        text=$(LINE=$line NEW=$new awk 'index($0, ENVIRON["LINE"]) == 1 { print ENVIRON["NEW"]; next } { print }' <<<"${text%$'\n'}")$'\n'
    done
    printf '%s' "$text" >"$outside/etc/$file"
}

render asterisk.conf \
    "astetcdir " "astetcdir => $inside/etc" \
    "astmoddir " "astmoddir => $modules" \
    "astvarlibdir " "astvarlibdir => $inside/lib" \
    "astdbdir " "astdbdir => $inside/lib" \
    "astkeydir " "astkeydir => $inside/lib" \
    "astspooldir " "astspooldir => $inside/spool" \
    "astrundir " "astrundir => $inside/run" \
    "astlogdir " "astlogdir => $inside/log" \
    "maxfiles " "maxfiles = $(ulimit -Hn | sed 's/unlimited/65536/')" \
    "systemname " "systemname = $name"
render http.conf "bindport " "bindport = $http_port"
# SIPp sends keys from another port than sound.
render rtp.conf "rtpstart " "rtpstart = $rtp_start" "rtpend " "rtpend = $rtp_end" "strictrtp " "strictrtp = no"
# SIPp's phones answer no OPTIONS, and lines of a carrier and of phones are told apart by port alone.
phones=()
number=1001
for port in "$@"; do
    phones+=("; contact = sip:agent-$number@" "contact = sip:agent-$number@127.0.0.1:$port")
    number=$((number + 1))
done
render pjsip.conf \
    "bind = " "bind = 127.0.0.1:$sip_port" \
    "contact = sip:192.0.2.10:" "contact = sip:127.0.0.1:$carrier_port" \
    "contact = sip:192.0.2.20:" "contact = sip:127.0.0.1:$carrier2_port" \
    "match = " "match = 127.0.0.1" \
    "qualify_frequency = " "qualify_frequency = 0" \
    "${phones[@]}"
for file in modules ari extensions amd logger musiconhold indications cdr cel; do
    render "$file.conf"
done
# Asterisk complains about these when they are not there, and takes its defaults either way.
touch "$outside"/etc/{acl,ccss,features,manager,pjproject,udptl,websocket_client}.conf

exec chroot "$root" /usr/sbin/asterisk -f -n -C "$inside/etc/asterisk.conf"
