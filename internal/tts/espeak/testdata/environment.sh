#!/bin/sh
# Complains with its environment.
env >&2
exit 3
