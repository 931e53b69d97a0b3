#!/usr/bin/env bash
# What people, mailboxes, faxes and phones of the lab sound like: raw 8 kHz u-law, for SIPp's rtp_stream. Made once.
#
#   sounds.sh DIR      fills DIR; SIPp must run in it, since scenarios name the files without a folder

set -euo pipefail

dir=$1
recipe=4
[ "$(cat "$dir/.recipe" 2>/dev/null)" = "$recipe" ] && exit
mkdir -p "$dir"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

tone() { sox -q -R -n -r 8000 -c 1 -b 16 "$work/$1.wav" synth "$2" sine "$3" vol 0.3; }
quiet() { sox -q -R -n -r 8000 -c 1 -b 16 "$work/$1.wav" trim 0 "$2"; }
speech() { espeak-ng -w "$work/spoken.wav" -s 150 "$2" && sox -q -R "$work/spoken.wav" -r 8000 -c 1 -b 16 "$work/$1.wav" norm -6 silence 1 0.02 1%; }
# joined NAME PART...: u-law, by way of a temporary name, so that an interrupted run leaves no half file
joined() {
    local name=$1 parts=() part
    shift
    for part in "$@"; do parts+=("$work/$part.wav"); done
    sox -q -R "${parts[@]}" -r 8000 -c 1 -t raw -e u-law "$work/$name.raw"
    mv "$work/$name.raw" "$dir/$name.raw"
}

quiet second 1
quiet pause 3
quiet minute 60
tone a440 60 440
tone a880 60 880
tone beep 0.8 1000
tone ced 3 2100
tone cng 0.5 1100
quiet cng_pause 3
tone sit1 0.33 950
tone sit2 0.33 1400
tone sit3 0.33 1800
tone ring_on 1 425
quiet ring_off 2
speech hello "Hello?"
speech greeting "You have reached the mailbox of nobody in particular. I cannot come to the phone now. \
Please leave your name and number after the tone."
speech short_greeting "Hi, this is nobody, please leave me a message after the tone."
speech not_in_service "The number you have dialled is not in service."

joined person hello pause a440              # says hello, waits for an answer, then hums so that it can be found
joined hum a440
joined silence minute
joined mailbox greeting beep minute
joined short_mailbox short_greeting beep minute
joined fax second ced second ced second ced
joined fax_calling cng cng_pause cng cng_pause cng cng_pause
joined sit sit1 sit2 sit3 not_in_service
joined ringback ring_on ring_off
joined phone a880                           # what an agent's phone sends
echo "$recipe" >"$dir/.recipe"
