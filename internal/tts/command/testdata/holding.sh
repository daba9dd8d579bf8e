#!/bin/sh
# Speaks and ends, but leaves a child that holds standard output and the FIFO.
exec 3>"$FIFO"
echo begun >&3
sleep 1000 &
cat "${0%/*}/header.wav" -
