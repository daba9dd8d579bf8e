#!/bin/sh
# Never ends, and leaves a child that never ends either.
sleep 1000 &
sleep 1000
