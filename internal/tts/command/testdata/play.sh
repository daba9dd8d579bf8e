#!/bin/sh
# Writes a file.
exec cat "$1"
