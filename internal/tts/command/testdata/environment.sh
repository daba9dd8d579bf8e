#!/bin/sh
# Complains of its environment.
env >&2
exit 1
