#!/bin/sh
# Never ends, nor does its child. Both hold the FIFO open.
exec 3>"$FIFO"
echo begun >&3
sleep 1000 &
echo "still thinking" >&2
wait
